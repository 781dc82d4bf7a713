"""What had arrived is read to its end, though nothing can be sent to those who sent it."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

import longlink
from longlink import Connection, ConnectionClosedError, State

from .conftest import Clock, Place, Until
from .raw import HEAD, PING, Peer, close_frame, frame, text

WORDS = [str(number) for number in range(3000)]
SPEECH = b"".join(text(word) + frame(PING, b"?") for word in WORDS) + close_frame(1000)


@pytest.mark.parametrize("style", ["handler", "callback"])
async def test_a_pong_that_cannot_be_sent_takes_no_message_along(
    until: Until, tmp_path: Path, style: str
) -> None:
    heard: list[Any] = []
    codes: list[int | None] = []
    begin = asyncio.Event()

    async def handler(ws: Connection) -> None:
        await begin.wait()
        async for message in ws:
            heard.append(message)

    path = str(tmp_path / "socket")
    options: dict[str, Any] = {"handler": handler}
    if style == "callback":
        options = {"on_message": lambda ws, message: heard.append(message)}
    options["on_close"] = lambda ws: codes.append(ws.close_code)
    async with longlink.unix_serve(path=path, max_control_rate=None, **options):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_connect(sock, path)
            await loop.sock_sendall(sock, HEAD + SPEECH)
        begin.set()  # it never read a pong
        await until(lambda: codes)
    assert heard == WORDS
    assert codes == [1000]


async def test_who_sends_to_one_who_reset_is_told_though_messages_wait(
    plain: Place, until: Until
) -> None:
    told: list[Any] = []

    async def handler(ws: Connection) -> None:
        try:
            while True:
                await ws.send(bytes(1000))
                await asyncio.sleep(0)
        except ConnectionClosedError:
            told.append((ws.state is State.OPEN, ws.close_code))
        told.append(await ws.recv())

    async with plain.serve(handler, max_queue=2) as server:
        peer = await Peer.open(server.address)
        await peer.send(b"".join(map(text, WORDS)))
        peer.reset()
        await until(lambda: len(told) == 2 or not server.connections)
    assert told[0] == (False, 1006)


async def test_what_nobody_reads_does_not_keep_a_dead_connection(
    link: Place, until: Until, clock: Clock
) -> None:
    left: list[Any] = []

    async def handler(ws: Connection) -> None:
        await ws.wait_closed()

    async with link.serve(handler, on_close=left.append, max_queue=1, close_timeout=5) as server:
        peer = await Peer.open(server.address)
        (ws,) = server.connections
        await peer.send(b"".join(map(text, WORDS)) * 3)
        await until(lambda: ws.session.parked)
        peer.reset()
        await until(lambda: ws.session.broken or left)
        clock.turn(4.8)
        assert not left
        clock.turn(0.4)
        assert left == [ws]
