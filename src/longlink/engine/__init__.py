"""Where octets meet sockets: an endpoint with deadlines, on a reactor or on a transport."""
