"""Values without I/O: the words of SEMANTICS as types."""
