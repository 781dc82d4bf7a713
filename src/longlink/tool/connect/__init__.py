"""`longlink connect`: a WebSocket client for people and for pipes."""
