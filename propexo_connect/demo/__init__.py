"""A fictional property company, and connections that replicate its systems."""
