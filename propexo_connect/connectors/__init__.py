"""The code behind each kind of source; `catalogue` lists them."""
