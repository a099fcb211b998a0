"""Connections as components; `dg scaffold defs` with `propexo_connect.components.ConnectionComponent` writes here."""
