"""What connections cost: resident memory of a server of its own, per real socket."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from longlink.native.kernel import COMPILED

pytestmark = [
    pytest.mark.skipif(not COMPILED, reason="the figures are those of the compiled classes"),
    pytest.mark.skipif(sys.platform != "linux", reason="resident memory is read from /proc"),
]

FIRST = 200  # what they bring along once does not count
COUNT = 2000
# Octets a connection, and room for what the allocator rounds up.
MOST = {"callback": 1024 + 128, "coroutine": 2560, "asked": 1024 + 128, "half open": 1024}

SERVER = """
import asyncio, sys, longlink

async def handler(ws):
    async for message in ws:
        pass

kinds = {
    "callback": {"on_message": lambda ws, message: None},
    "coroutine": {"handler": handler},
    "asked": {
        "on_message": lambda ws, message: None,
        "process_request": lambda ws, request: request.headers["Host"] and None,
    },
}

async def main(kind):
    how = kinds.get(kind, kinds["callback"])
    how |= {"compression": None, "backlog": 512}
    async with longlink.serve(host="127.0.0.1", port=0, **how) as server:
        print(server.sockets[0].getsockname()[1], flush=True)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main(sys.argv[1]))
"""


@contextmanager
def served(kind: str) -> Iterator[tuple[int, Path, int]]:
    """Process, its place in /proc, and port of a server."""
    command = [sys.executable, "-P", "-c", SERVER, kind]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.pid, Path(f"/proc/{process.pid}"), int(process.stdout.readline())
        finally:
            process.stdin.close()


def resident(process: Path) -> int:
    """Octets."""
    for line in (process / "smaps_rollup").read_text().splitlines():
        if line.startswith("Rss:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no Rss")


def come(stack: ExitStack, count: int, port: int, whole: bool) -> None:
    """So many clients, and what they asked is answered, or has been read."""
    head = (
        f"GET / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    ).encode()
    clients = []
    for _ in range(count):
        client = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
        client.sendall(head if whole else head[: len(head) // 2])
        clients.append(client)
    for client in clients:
        if whole:
            assert client.recv(1024).startswith(b"HTTP/1.1 101 ")
    if not whole:
        time.sleep(0.5)


@pytest.mark.parametrize("kind", MOST)
def test_an_idle_connection_costs_no_more_than_it_must(kind: str) -> None:
    whole = kind != "half open"
    with served(kind) as (_, process, port), ExitStack() as stack:
        come(stack, FIRST, port, whole)
        before = resident(process)
        come(stack, COUNT, port, whole)
        each = (resident(process) - before) / COUNT
    assert each < MOST[kind]
