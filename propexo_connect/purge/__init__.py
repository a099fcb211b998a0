"""Data that leaves on request: what is asked for, prepared requests, and the words for what went."""
