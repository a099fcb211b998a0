"""Connections as components; `dg scaffold defs propexo_connect.components.ConnectionComponent` adds one."""
