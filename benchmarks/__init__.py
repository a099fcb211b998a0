"""Whole-process comparisons of Propexo Connect with its peers and with what a person would write by hand."""
