"""Line servers and clients over TCP and UDP: the socket underneath a WebSocket."""
