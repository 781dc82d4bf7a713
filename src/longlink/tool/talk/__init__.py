"""`longlink tcp` and `longlink udp`: servers and clients that talk in lines."""
