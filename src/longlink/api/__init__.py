"""What users import: `serve()`, `connect()`, `Connection`, `broadcast()`."""
