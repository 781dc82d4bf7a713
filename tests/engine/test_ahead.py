"""A handler that is behind: what stands a little behind its queue is answered, and no more."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink.errors import ConnectionClosedOK

from .conftest import Place, Until
from .raw import BINARY, HEAD, PING, PONG, Peer, close_frame, frame, text

AHEAD = 16 * 1024  # octets that are processed behind a full queue
SMALL = text("x")


@asynccontextmanager
async def unread(place: Place, **limits: Any) -> AsyncIterator[tuple[Peer, Any]]:
    """A peer of a handler that does not read, and its connection over there."""
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        await over.wait()

    async with place.serve(handler, **limits) as server:
        peer = await Peer.open(server.address)
        (ws,) = server.connections
        try:
            yield peer, ws
        finally:
            over.set()
            peer.cut()


def received(ws: Any) -> list[str | bytes]:
    """What can be received without waiting."""
    messages = []
    while True:
        step = ws.recv()
        try:
            step.send(None)
        except StopIteration as result:
            messages.append(result.value)
        else:
            step.close()
            return messages


async def test_control_frames_behind_a_full_queue_are_answered(plain: Place, until: Until) -> None:
    async with unread(plain, max_queue=4) as (peer, ws):
        await peer.send(SMALL * 40 + frame(PING, b"still there?"))
        assert await peer.frame() == (PONG, b"still there?")
        assert ws.session.paused
        for n in range(20):  # whether in the same segment or long after
            await peer.send(frame(PING, b"%d" % n))
            assert await peer.frame() == (PONG, b"%d" % n)
        await peer.send(SMALL + close_frame(1000, "bye"))
        assert await peer.closed() == (1000, "bye")
        assert [await ws.recv() for _ in range(41)] == ["x"] * 41
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()


@pytest.mark.parametrize("message", [SMALL, frame(BINARY, bytes(300)), frame(BINARY, bytes(2**17))])
async def test_what_a_queue_gets_too_much_is_bounded(
    plain: Place, until: Until, message: bytes
) -> None:
    async with unread(plain, max_queue=4) as (peer, ws):
        sending = asyncio.ensure_future(peer.send(message * (2**24 // len(message))))
        await until(lambda: ws.session.parked)
        assert 4 <= len(received(ws)) <= 4 + AHEAD // len(message)
        sending.cancel()
        await asyncio.wait([sending])


async def test_a_receiver_that_catches_up_may_be_looked_ahead_for_again(
    plain: Place, until: Until
) -> None:
    async with unread(plain, max_queue=4) as (peer, ws):
        for _ in range(3):
            await peer.send(text("x" * 10_000) * 10)
            await until(lambda: ws.session.parked)
            assert [await ws.recv() for _ in range(10)] == ["x" * 10_000] * 10
        await peer.send(frame(PING, b"now"))
        assert await peer.frame() == (PONG, b"now")


async def test_many_frames_ahead_are_more_than_one_share(plain: Place, until: Until) -> None:
    async with unread(plain, max_queue=1) as (peer, ws):
        await peer.send(frame(BINARY) * 1500 + frame(PING))  # 6 octets each
        assert await peer.frame() == (PONG, b"")
        assert len(received(ws)) == 1500


async def test_marks_of_the_queue(plain: Place, until: Until) -> None:
    """Reading stops at the high mark and goes on at the low one."""
    async with unread(plain, max_queue=(8, 6)) as (peer, ws):
        await peer.send(text("x" * 4000) * 8)
        await until(lambda: ws.session.paused)
        await ws.recv()
        assert ws.session.paused
        await ws.recv()
        assert not ws.session.paused
        assert [await ws.recv() for _ in range(6)] == ["x" * 4000] * 6


async def test_marks_of_writing(plain: Place, until: Until) -> None:
    """One who waits to send goes on when no more than the low mark waits."""
    limits = {"write_limit": (10**6, 0), "max_backlog": None, "stall_timeout": None}
    async with unread(plain, **limits) as (peer, ws):
        size = 0
        while not ws.session.congested():
            ws.send(bytes(2**18))
            size += 2**18 + 10
        drained = asyncio.ensure_future(ws.send(b""))
        while size > 0:
            assert not drained.done() or size < 2**24
            size -= len(await peer.recv())
        await drained


async def test_looking_ahead_may_take_more_than_one_turn(plain: Place) -> None:
    async with unread(plain, max_queue=4) as (peer, ws):
        await peer.send(SMALL * 600)
        await peer.send(frame(PING, b"still there?"))
        assert await peer.frame() == (PONG, b"still there?")
        assert [await ws.recv() for _ in range(600)] == ["x"] * 600


async def test_large_messages_in_few_octets_end_the_looking_ahead(
    plain: Place, until: Until
) -> None:
    squeezed = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = squeezed.compress(bytes(2**20)) + squeezed.flush(zlib.Z_SYNC_FLUSH)
    message = bytearray(frame(BINARY, data[:-4]))
    message[0] |= 0x40  # RSV1
    extensions = b"Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        await over.wait()

    async with plain.serve(handler, max_queue=1) as server:
        peer = await Peer.connect(server.address)
        await peer.send(HEAD[:-2] + extensions + bytes(message) * 12)
        assert b"permessage-deflate" in await peer.answer()
        (ws,) = server.connections
        await until(lambda: ws.session.parked)
        assert 1 < len(received(ws)) < 4
        over.set()
        peer.cut()
