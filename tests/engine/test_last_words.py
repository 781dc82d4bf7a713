"""What was said before the end is heard, whatever order the end and the words are seen in."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import longlink

from .conftest import Clock, Place, Until
from .meeting import Guests, meeting
from .raw import HEAD, PING, Peer, close_frame, frame, text

WORDS = [f"word {number}" for number in range(1000)]
MANY = WORDS * 5  # more than is looked ahead
SPEECH = b"".join(map(text, MANY)) + close_frame(1000)


class Slow:
    """A handler that begins to read when it is told to; what it heard, and how it ended."""

    def __init__(self) -> None:
        self.heard: list[str | bytes] = []
        self.begin = asyncio.Event()
        self.codes: list[int | None] = []

    async def __call__(self, ws: Any) -> None:
        await self.begin.wait()
        async for message in ws:
            self.heard.append(message)
        self.codes.append(ws.close_code)


async def test_over_a_unix_socket(tmp_path: Path, until: Until) -> None:
    """A hang-up there is seen at once, with everything before it still unread."""
    slow, path = Slow(), str(tmp_path / "socket")
    async with longlink.unix_serve(slow, path):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, path)
            await loop.sock_sendall(sock, HEAD)
            assert b" 101 " in await loop.sock_recv(sock, 4096)
            await loop.sock_sendall(sock, b"".join(map(text, MANY)) + close_frame(1000))
        for _ in range(20):
            await asyncio.sleep(0)  # the server sees the hang-up now, and must not spin on it
        slow.begin.set()
        await until(lambda: slow.codes)
    assert slow.heard == MANY
    assert slow.codes == [1000]


def speak_and_hang_up(address: Any, context: ssl.SSLContext) -> None:
    """A TLS client whose words, Close and end of stream leave in one segment."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    tls = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(address) as sock:

        def until_done(step: Any) -> None:
            while True:
                try:
                    step()
                    return sock.sendall(outgoing.read())
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))

        until_done(tls.do_handshake)
        tls.write(HEAD)
        until_done(lambda: tls.read(4096))
        tls.write(SPEECH)
        try:
            tls.unwrap()
        except ssl.SSLWantReadError:
            sock.sendall(outgoing.read())
        sock.shutdown(socket.SHUT_WR)
        while sock.recv(65536):
            pass


@pytest.mark.parametrize("style", ["handler", "callback"])
async def test_under_tls(tls: Place, until: Until, style: str) -> None:
    slow = Slow()
    slow.begin.set()
    options: dict[str, Any] = {"handler": slow}
    if style == "callback":
        options = {
            "on_message": lambda ws, message: slow.heard.append(message),
            "on_close": lambda ws: slow.codes.append(ws.close_code),
        }
    async with tls.serve(**options) as server:
        await asyncio.to_thread(speak_and_hang_up, server.address, tls.client)
        await until(lambda: slow.codes)
    assert slow.heard == MANY
    assert slow.codes == [1000]


async def test_pings_that_waited_while_nobody_read_are_no_flood(
    plain: Place, clock: Clock, until: Until
) -> None:
    slow = Slow()
    async with plain.serve(slow, max_queue=4, max_control_rate=10, max_control_burst=20) as server:
        peer = await Peer.open(server.address)
        await peer.send(b"".join(map(text, [*WORDS[:7], "x" * 20_000])))
        (ws,) = server.connections
        await until(lambda: ws.session.paused)
        for _ in range(5):
            clock.turn(1)
            await peer.send(frame(PING) * 10)
        slow.begin.set()
        await until(lambda: len(slow.heard) == 8)
        await peer.send(close_frame(1000))
        await until(lambda: slow.codes)
        peer.cut()
    assert slow.codes == [1000]


@pytest.mark.parametrize("name", ["open_timeout", "ping_interval", "close_timeout"])
async def test_a_deadline_that_never_comes(
    plain: Place, guests: Guests, until: Until, name: str
) -> None:
    async with meeting(plain, guests, **{name: 1e18}) as (peer, ws):
        await peer.send(text("hello"))
        await until(lambda: guests.said)
        await peer.leave()
    await until(lambda: guests.left == [ws])


CARELESS = """
import asyncio, gc, os, longlink

async def main():
    async def idle(ws):
        await ws.wait_closed()
    server = await longlink.serve(idle, "127.0.0.1", 0)
    await longlink.connect("ws://127.0.0.1:%d/" % server.sockets[0].getsockname()[1])

def count():
    gc.collect()
    return len(os.listdir("/proc/self/fd"))

asyncio.run(main())
before = count()
for _ in range(20):
    asyncio.run(main())
print(count() - before)
"""


def test_loops_that_are_closed_too_early_leave_no_descriptors() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CARELESS],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert int(done.stdout) <= 0


FORGOTTEN = """
import asyncio, longlink

async def main():
    global server, ws
    server = await longlink.serve(lambda ws: ws.wait_closed(), "127.0.0.1", 0)
    ws = await longlink.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    ws.send("x")

asyncio.run(main())
"""


def test_who_ends_with_open_connections_is_not_scolded(
    python_environment: dict[str, str],
) -> None:
    """Modules are emptied before the last connection is freed."""
    done = subprocess.run(
        [sys.executable, "-c", FORGOTTEN],
        env=python_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, "excepthook" in done.stderr) == (0, False), done.stderr
