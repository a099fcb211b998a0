"""What lies between a connector and a socket: a guarded client, log-in, paging, the way into an answer."""
