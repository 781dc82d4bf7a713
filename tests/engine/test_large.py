"""Large messages over sockets: in pieces, with frames among them, and cut short."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import pytest

from .conftest import Place, Until
from .raw import BINARY, CONTINUATION, PING, PONG, TEXT, Peer, close_frame, frame, text

MEGABYTE = 2**20


@pytest.mark.parametrize("size", [65_521, 65_536, 300_000, MEGABYTE])
async def test_large_messages_come_back(place: Place, size: int) -> None:
    data = random.Random(size).randbytes(size)
    async with place.serve(on_message=lambda ws, message: ws.send(message)) as server:
        async with place.connect(server, max_backlog=None) as ws:
            for message in (data, "a" * size, data[::-1], b"short"):
                ws.send(message)
                assert await ws.recv() == message


@pytest.mark.parametrize("piece", [14, 1000, 20_000, 100_000])
async def test_pieces_with_pings_among_them(place: Place, piece: int) -> None:
    if place.name == "tls":
        pytest.skip("the raw peer speaks no TLS")
    data = random.Random(piece).randbytes(400_000)
    octets = (
        frame(BINARY, data[:150_000], fin=False)
        + frame(PING, b"now")
        + frame(CONTINUATION, data[150_000:])
        + frame(TEXT, b"n\xc3\xa9" * 50_000)
        + text("next")
    )
    if piece < 1000:  # the beginning alone, octet by octet
        pieces = [octets[i : i + piece] for i in range(0, 2000, piece)]
        pieces.append(octets[len(b"".join(pieces)) :])
    else:
        pieces = [octets[i : i + piece] for i in range(0, len(octets), piece)]
    async with place.serve(on_message=lambda ws, message: ws.send(message)) as server:
        peer = await Peer.open(server.address)
        for each in pieces:
            await peer.send(each)
            await asyncio.sleep(0.001)
        assert await peer.frame() == (PONG, b"now")
        assert await peer.frame() == (BINARY, data)
        assert await peer.text() == "n\u00e9" * 50_000
        assert await peer.text() == "next"
        await peer.leave()


async def test_the_end_of_tcp_within_a_large_message(link: Place, until: Until) -> None:
    left: list[Any] = []
    got: list[Any] = []
    async with link.serve(on_message=lambda ws, m: got.append(m), on_close=left.append) as server:
        peer = await Peer.open(server.address)
        await peer.send(frame(BINARY, bytes(MEGABYTE))[:-1])
        peer.cut()
        await until(lambda: left)
        assert left[0].close_code == 1006
        assert not got


async def test_a_close_of_ours_within_a_large_message(link: Place, until: Until) -> None:
    opened: list[Any] = []
    got: list[Any] = []
    async with link.serve(on_open=opened.append, on_message=lambda ws, m: got.append(m)) as server:
        peer = await Peer.open(server.address)
        octets = frame(BINARY, bytes(MEGABYTE))
        await peer.send(octets[:300_000])
        await until(lambda: opened and opened[0].session.body is not None)
        opened[0].close(3000)
        assert await peer.closed() == (3000, "")
        await peer.send(octets[300_000:] + close_frame(3000))
        await peer.ended()
        peer.cut()
        assert not got


async def test_a_full_queue_stops_between_large_messages(link: Place) -> None:
    over = asyncio.Event()
    got: list[bytes] = []

    async def handler(ws: Any) -> None:
        await over.wait()
        async for message in ws:
            got.append(message)

    async with link.serve(handler, max_queue=2) as server:
        peer = await Peer.open(server.address)
        messages = [bytes([n]) * 200_000 for n in range(30)]
        sending = asyncio.create_task(peer.send(b"".join(frame(BINARY, m) for m in messages)))
        await asyncio.sleep(0.05)
        over.set()
        await sending
        await peer.leave()
        assert got == messages


async def test_announced_messages_that_never_come_cost_nothing(link: Place, until: Until) -> None:
    opened: list[Any] = []
    async with link.serve(on_open=opened.append, on_message=lambda ws, m: None) as server:
        peers = [await Peer.open(server.address) for _ in range(50)]
        for peer in peers:
            await peer.send(frame(BINARY, bytes(MEGABYTE))[:1000])
        await until(lambda: all(ws.session.body is not None for ws in opened))
        assert max(ws.session.body.capacity for ws in opened) <= 4000
        for peer in peers:
            peer.cut()


async def test_many_messages_at_once_are_received_in_order(place: Place, until: Until) -> None:
    """More than the queue holds: its task takes them while they come."""
    got: list[str] = []

    async def handler(ws: Any) -> None:
        async for message in ws:
            got.append(message)
            if len(got) % 7 == 0:
                await asyncio.sleep(0)

    messages = [str(n) for n in range(3000)]
    async with place.serve(handler, max_queue=16) as server:
        async with place.connect(server) as ws:
            for message in messages:
                ws.send(message)
            await until(lambda: len(got) == len(messages))
        assert got == messages
