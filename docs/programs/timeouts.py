import select
import socket
import time

here, there = socket.socketpair()
for timeout in (0, 0.5):
    started = time.monotonic()
    ready, _, _ = select.select([here], [], [], timeout)
    waited = time.monotonic() - started
    print(f"timeout {timeout}: waited {waited:.1f} s, {len(ready)} ready")

there.send(b"x")
ready, _, _ = select.select([here], [], [], None)
print(f"timeout None: {len(ready)} ready")
