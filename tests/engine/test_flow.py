"""Flow control: who is slow waits or goes, nothing is lost, nothing grows without bound."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from longlink.errors import ConnectionClosedOK

from .conftest import Place, Until
from .meeting import Guests, meeting, publish
from .raw import (
    BINARY,
    CLOSE,
    PING,
    PONG,
    Peer,
    close_frame,
    frame,
    text,
)


async def test_unread_messages_stop_the_peer_and_nothing_is_lost(
    plain: Place, until: Until
) -> None:
    connected: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        connected.set_result(ws)
        await over.wait()

    async with plain.serve(handler, max_queue=4) as server:
        peer = await Peer.open(server.address)
        ws = await connected
        count, payload = 400, b"x" * 50_000
        sending = asyncio.ensure_future(
            peer.send(
                b"".join(frame(BINARY, n.to_bytes(4, "big") + payload) for n in range(count))
                + close_frame(1000, "bye")
            )
        )
        await until(lambda: ws.session.paused)
        for _ in range(200):
            await asyncio.sleep(0)
        assert not sending.done()  # 20 MB do not fit between us: it has to wait
        for n in range(count):
            assert int.from_bytes((await ws.recv())[:4], "big") == n
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()
        await sending
        assert await peer.closed() == (1000, "bye")
        over.set()
        await peer.ended()
        peer.cut()


async def test_backlog_keeps_its_order_over_many_pauses(plain: Place, until: Until) -> None:
    async def handler(ws: Any) -> None:
        async for message in ws:
            await ws.send(message)
            if int(message) % 7 == 0:
                await asyncio.sleep(0)

    async with plain.serve(handler, max_queue=1) as server:
        peer = await Peer.open(server.address)
        count = 3 * 256 + 5  # more than three shares of a turn
        await peer.send(b"".join(text(str(n)) for n in range(count)))
        assert [await peer.text() for _ in range(count)] == [str(n) for n in range(count)]
        await peer.leave()


async def test_a_message_and_then_the_end(plain: Place, until: Until) -> None:
    got: list[str] = []

    async def handler(ws: Any) -> None:
        async for message in ws:
            got.append(message)
            await asyncio.sleep(0)

    async with plain.serve(handler, max_queue=2) as server:
        peer = await Peer.open(server.address)
        await peer.send(text("x") * 1000)
        peer.cut()
        await until(lambda: not server.connections)
        await until(lambda: len(got) == 1000)


async def test_send_waits_above_high_water_and_is_woken(plain: Place, until: Until) -> None:
    sent: list[int] = []
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        for n in range(200):
            await ws.send(b"x" * 100_000)
            sent.append(n)
        await over.wait()

    async with plain.serve(handler, max_backlog=None, stall_timeout=None) as server:
        peer = await Peer.open(server.address, receive_buffer=4096)
        await until(lambda: sent)
        count = -1
        while count != len(sent):
            count = len(sent)
            for _ in range(300):
                await asyncio.sleep(0)
        assert count < 200  # 20 MB do not fit
        for _ in range(200):
            opcode, payload = await peer.frame()
            assert (opcode, len(payload)) == (BINARY, 100_000)
        await until(lambda: len(sent) == 200)
        over.set()
        assert await peer.closed() == (1000, "")
        await peer.send(close_frame())
        await peer.ended()
        peer.cut()


async def test_a_peer_that_does_not_read_answers_is_not_read(
    plain: Place, guests: Guests, until: Until
) -> None:
    """A callback cannot wait, so its peer does: 1013 is for those who get more than they ask."""
    async with meeting(plain, guests, receive_buffer=4096, max_backlog=2**18) as (peer, ws):
        total, payload = 400, b"y" * 50_000
        sending = asyncio.ensure_future(peer.send(frame(BINARY, payload) * total))
        await until(lambda: ws.session.paused)
        for _ in range(300):
            await asyncio.sleep(0)
        assert ws.state == 1
        assert not sending.done()
        for _ in range(total):
            assert await peer.frame() == (BINARY, payload)
        await sending
        await peer.leave()


async def test_many_small_answers_unread_stop_the_reading_too(
    plain: Place, guests: Guests, until: Until
) -> None:
    async with meeting(plain, guests, receive_buffer=4096, max_backlog=2**19) as (peer, ws):
        payload = b"y" * 1000
        sending = asyncio.ensure_future(peer.send(frame(BINARY, payload) * 20_000))
        await until(lambda: ws.session.paused)
        for _ in range(300):
            await asyncio.sleep(0)
        assert ws.state == 1
        for _ in range(20_000):
            assert await peer.frame() == (BINARY, payload)
        await sending
        await peer.leave()


async def test_too_slow_gets_everything_queued_and_then_1013(
    plain: Place, guests: Guests, until: Until
) -> None:
    async with meeting(plain, guests, receive_buffer=4096, max_backlog=2**17) as (peer, ws):
        sent = 0
        while publish(ws, sent):
            assert sent < 10_000
            sent += 1
            await asyncio.sleep(0)
        assert ws.session.close_sent.code == 1013
        assert "max_backlog" in ws.session.close_sent.reason
        assert ws.state == 2
        for n in range(sent):
            assert await peer.frame() == (BINARY, n.to_bytes(4, "big") * 2500)
        assert (await peer.closed())[0] == 1013
        await peer.ended()
        peer.cut()
        await until(lambda: guests.left)
        assert ws.close_code == 1006


async def test_overflow_drop_keeps_the_connection(
    plain: Place, guests: Guests, until: Until
) -> None:
    options = {"receive_buffer": 4096, "max_backlog": 2**17, "overflow": "drop"}
    async with meeting(plain, guests, **options) as (peer, ws):
        numbers = range(3000)
        for n in numbers:
            assert publish(ws, n)
            await asyncio.sleep(0)
        assert ws.state == 1
        ws_end = asyncio.ensure_future(peer.leave())
        got: list[int] = []
        real = peer.frame

        async def noting() -> tuple[int, bytes]:
            opcode, payload = await real()
            if opcode == BINARY:
                got.append(int.from_bytes(payload[:4], "big"))
            return opcode, payload

        peer.frame = noting
        await ws_end
        assert got == sorted(got)
        assert 0 < len(got) < len(numbers)


async def test_ping_flood_of_one_that_does_not_read(
    plain: Place, guests: Guests, until: Until
) -> None:
    options = {"receive_buffer": 4096, "max_control_rate": None, "max_backlog": 2**18}
    async with meeting(plain, guests, **options) as (peer, ws):
        flood = 40_000
        await peer.send(b"".join(frame(PING, b"%0125d" % n) for n in range(flood)))
        await until(lambda: not ws.session.backlog)
        for _ in range(50):
            await asyncio.sleep(0)
        assert ws.state == 1
        numbers: list[int] = []
        while not numbers or numbers[-1] != flood - 1:
            opcode, payload = await peer.frame()
            assert opcode == PONG
            numbers.append(int(payload))
        assert numbers == sorted(numbers)
        await peer.leave()


async def test_ping_flood_over_the_rate(plain: Place, guests: Guests) -> None:
    async with meeting(plain, guests, max_control_burst=20) as (peer, _):
        await peer.send(frame(PING, b"") * 500)
        pongs = 0
        while (got := await peer.frame())[0] == PONG:
            pongs += 1
        assert got[0] == CLOSE
        assert int.from_bytes(got[1][:2], "big") == 1008
        assert 20 <= pongs <= 40
        await peer.ended()
