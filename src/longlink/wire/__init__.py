"""The protocol without input or output: bytes, a clock value and entropy come in as arguments."""
