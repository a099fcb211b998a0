"""Honest local stand-ins of the systems that connections read and write; `kit` carries the vendors' APIs."""
