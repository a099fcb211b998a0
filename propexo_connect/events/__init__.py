"""Events on their way: out of the outbox, signed, to those who asked for them."""
