"""Small programs that speak foreign protocols, run by tests as processes of their own."""
