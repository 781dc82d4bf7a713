"""How a connection ends, from either side, in any state, and by any deadline.

The server is ours, the client a bare socket. Time is turned by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest

from longlink.errors import ConnectionClosedError

from .conftest import Clock, Place, Until
from .meeting import Guests, meeting
from .raw import (
    BINARY,
    HEAD,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    frame,
    text,
)


async def test_the_peer_closes(plain: Place, guests: Guests, until: Until) -> None:
    async with meeting(plain, guests) as (peer, ws):
        await peer.send(close_frame(3456, "enough"))
        assert await peer.closed() == (3456, "enough")
        assert await peer.recv() == b""  # the server goes first (RFC 6455 §7.1.1)
        await until(lambda: guests.left)
        assert (ws.close_code, ws.close_reason) == (3456, "enough")
        assert guests.left == [ws]


async def test_we_close(plain: Place, guests: Guests, until: Until) -> None:
    async with meeting(plain, guests) as (peer, ws):
        closing = asyncio.ensure_future(ws.close(1001, "later"))
        assert await peer.closed() == (1001, "later")
        await peer.send(text("too late") + close_frame(1001))
        await closing
        assert await peer.recv() == b""
        assert guests.left == [ws]
        assert not guests.said


async def test_both_close_at_once(plain: Place, guests: Guests, until: Until) -> None:
    async with meeting(plain, guests) as (peer, ws):
        await peer.send(close_frame(1000))
        ws.close(1001)
        await peer.closed()
        assert await peer.recv() == b""
        await until(lambda: guests.left)
        assert ws.close_code == 1000


async def test_a_close_behind_a_failure_is_not_lost_to_a_reset(
    plain: Place, guests: Guests, until: Until
) -> None:
    """The client is still sending when the server fails it: it must be able to read why."""
    async with meeting(plain, guests, max_size=1000) as (peer, ws):
        await peer.send(frame(BINARY, b"z" * 3_000_000))
        await peer.send(text("more") * 1000)
        assert (await peer.closed())[0] == 1009
        await peer.send(text("and more") * 1000)
        assert await peer.recv() == b""
        await until(lambda: guests.left)
        assert ws.close_code == 1006
    assert not guests.said


@pytest.mark.parametrize("how", ["cut", "reset"])
@pytest.mark.parametrize("state", ["open", "mid-head", "mid-frame", "mid-message", "closing"])
async def test_gone_in_any_state(
    plain: Place,
    state: str,
    how: str,
    guests: Guests,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    said = {
        "open": b"",
        "mid-head": b"\x81",
        "mid-frame": frame(TEXT, b"x" * 100)[:50],
        "mid-message": frame(TEXT, b"x", fin=False),
        "closing": b"",
    }[state]
    async with meeting(plain, guests) as (peer, ws):
        bystander = await Peer.open(ws.owner.address)
        if state == "closing":
            ws.close()
            await peer.closed()
        await peer.send(said)
        getattr(peer, how)()
        await until(lambda: guests.left)
        assert guests.left == [ws]
        assert ws.close_code == 1006
        await bystander.send(text("still here"))
        assert await bystander.text() == "still here"
        await bystander.leave()
        await until(lambda: len(guests.left) == 2)
    assert not caplog.records


async def test_reset_while_something_waits(plain: Place, until: Until) -> None:
    outcome: list[BaseException] = []

    async def handler(ws: Any) -> None:
        try:
            await ws.recv()
        except BaseException as problem:
            outcome.append(problem)
            raise

    async with plain.serve(handler) as server:
        peer = await Peer.open(server.address)
        await until(lambda: server.connections)
        peer.reset()
        await until(lambda: outcome)
    [problem] = outcome
    assert isinstance(problem, ConnectionClosedError)
    assert problem.code == 1006


async def test_half_closed_peer_gets_all_its_answers(
    plain: Place, guests: Guests, until: Until
) -> None:
    async with meeting(plain, guests, receive_buffer=4096) as (peer, _):
        payload = b"q" * 200_000
        sending = asyncio.ensure_future(peer.send(frame(BINARY, payload) * 20))
        for _ in range(10):
            assert await peer.frame() == (BINARY, payload)
        await sending
        await peer.send(close_frame(1000))
        peer.sock.shutdown(1)
        for _ in range(10):
            assert await peer.frame() == (BINARY, payload)
        assert await peer.closed() == (1000, "")
        assert await peer.recv() == b""
        await until(lambda: guests.left)


async def test_half_closed_without_a_close_is_1006(
    plain: Place, guests: Guests, until: Until
) -> None:
    async with meeting(plain, guests) as (peer, ws):
        await peer.send(text("one") + text("two"))
        peer.sock.shutdown(1)
        assert [await peer.text(), await peer.text()] == ["one", "two"]
        assert await peer.recv() == b""
        await until(lambda: guests.left)
        assert ws.close_code == 1006


async def test_the_server_shuts_down(plain: Place, guests: Guests, until: Until) -> None:
    async with plain.serve(**guests.callbacks) as server:
        peer = await Peer.open(server.address)
        half = await Peer.connect(server.address)
        await half.send(HEAD[:20])
        await until(lambda: len(server.agenda.strays) == 1)
        server.close()
        assert await peer.closed() == (1001, "")
        await peer.send(close_frame(1001))
        await peer.ended()
        with contextlib.suppress(ConnectionError):  # it may come as FIN or as RST
            assert await half.recv() == b""
        await server.wait_closed()
        peer.cut()
        half.cut()
    assert len(guests.left) == 1


async def test_close_timeout(plain: Place, clock: Clock, guests: Guests, until: Until) -> None:
    async with meeting(plain, guests, close_timeout=4) as (peer, ws):
        clock.offset += 100  # the loop was idle before
        closing = asyncio.ensure_future(ws.close())
        assert await peer.closed() == (1000, "")
        clock.turn(3.5)
        assert ws.state == 2
        clock.turn(0.7)
        assert ws.state == 3
        await closing
        assert ws.close_code == 1006
        assert guests.left == [ws]


async def test_close_timeout_counts_once_for_the_whole_way_out(
    plain: Place, clock: Clock, guests: Guests, until: Until
) -> None:
    async with meeting(plain, guests, close_timeout=4) as (peer, ws):
        ws.close()
        assert await peer.closed() == (1000, "")
        clock.turn(3)
        await peer.send(close_frame())
        await peer.ended()  # theirs is awaited now
        await until(lambda: guests.left)
        assert ws.session in ws.owner.agenda.strays
        clock.turn(1.2)
        assert ws.session not in ws.owner.agenda.strays


async def test_close_timeout_of_one_that_does_not_read(
    plain: Place, clock: Clock, guests: Guests, until: Until
) -> None:
    options = {"close_timeout": 4, "stall_timeout": None, "receive_buffer": 4096}
    async with meeting(plain, guests, max_backlog=None, **options) as (_, ws):
        for _ in range(100):
            ws.send(b"x" * 100_000)
        await until(lambda: ws.session.outbox is not None)
        ws.close()
        for _ in range(20):
            await asyncio.sleep(0)
        clock.turn(3.5)
        assert ws.state == 2
        clock.turn(0.7)
        assert guests.left == [ws]


async def test_stall_timeout(plain: Place, clock: Clock, guests: Guests, until: Until) -> None:
    options = {"stall_timeout": 6, "ping_interval": None, "receive_buffer": 4096}
    async with meeting(plain, guests, max_backlog=None, **options) as (_, ws):
        clock.offset += 50
        for _ in range(100):
            ws.send(b"x" * 100_000)
        await until(lambda: ws.session.outbox is not None)
        for _ in range(20):
            await asyncio.sleep(0)
        clock.turn(5)
        assert ws.state == 1
        clock.turn(1.5)
        assert guests.left == [ws]


async def test_slow_but_steady_is_no_stall(
    plain: Place, clock: Clock, guests: Guests, until: Until
) -> None:
    options = {"stall_timeout": 6, "ping_interval": None, "receive_buffer": 4096}
    async with meeting(plain, guests, max_backlog=None, **options) as (peer, ws):
        for _ in range(100):
            ws.send(b"x" * 100_000)
        for _ in range(10):
            for _ in range(8):  # 8 MB of 10 in 40 seconds
                assert (await peer.frame())[0] == BINARY
            for _ in range(20):
                await asyncio.sleep(0)
            clock.turn(4)
            assert ws.state == 1
        for _ in range(20):
            await peer.frame()
        await peer.leave()


async def test_keepalive(plain: Place, clock: Clock, guests: Guests, until: Until) -> None:
    async with meeting(plain, guests, ping_interval=20, ping_timeout=10) as (peer, ws):
        for _ in range(4):
            clock.turn(20.2)
            opcode, payload = await peer.frame()
            assert opcode == PING
            clock.turn(9)
            await peer.send(frame(PONG, payload))
            await until(lambda: ws.session.last_received > clock.loop.time() - 5)
            assert 8 < ws.latency < 20
        clock.turn(20.2)
        assert (await peer.frame())[0] == PING
        clock.turn(9)
        assert ws.state == 1
        clock.turn(1.3)
        assert await peer.closed() == (1011, "keepalive ping timeout")
        assert await peer.recv() == b""
        await until(lambda: guests.left)
        assert ws.close_code == 1006


async def test_any_octet_is_a_sign_of_life(
    plain: Place, clock: Clock, guests: Guests, until: Until
) -> None:
    async with meeting(plain, guests, ping_interval=20, ping_timeout=10) as (peer, ws):
        large = frame(BINARY, bytes(1000))
        clock.turn(20.2)
        for n in range(10):
            await peer.send(large[n : n + 1])
            await until(lambda: ws.session.last_received > clock.loop.time() - 4)
            clock.turn(9)
        assert ws.state == 1
        clock.turn(1.3)
        assert ws.state == 2


async def test_not_reading_is_our_choice_and_no_silence_of_theirs(
    plain: Place, clock: Clock, until: Until
) -> None:
    connected: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        connected.set_result(ws)
        await over.wait()

    limits = {"max_queue": 1, "ping_interval": 20, "ping_timeout": 10}
    async with plain.serve(handler, **limits) as server:
        peer = await Peer.open(server.address)
        ws = await connected
        await peer.send(text("1") + text("2") + text("3" * 20_000))
        await until(lambda: ws.session.parked)
        clock.turn(20.2)
        opcode, payload = await peer.frame()
        assert opcode == PING
        await peer.send(frame(PONG, payload))
        clock.turn(60)
        assert ws.state == 1
        assert [await ws.recv() for _ in range(3)] == ["1", "2", "3" * 20_000]
        clock.turn(5)
        assert ws.state == 1
        over.set()
        await peer.leave()


async def test_pings_without_a_timeout_go_on(plain: Place, clock: Clock, guests: Guests) -> None:
    async with meeting(plain, guests, ping_interval=20, ping_timeout=None) as (peer, ws):
        for _ in range(5):
            clock.turn(20.2)
            assert (await peer.frame())[0] == PING
        assert ws.state == 1
        await peer.leave()


async def test_without_deadlines_nothing_is_due(
    plain: Place, clock: Clock, guests: Guests, until: Until
) -> None:
    names = ("open_timeout", "ping_interval", "close_timeout", "stall_timeout")
    async with meeting(plain, guests, **dict.fromkeys(names)) as (peer, ws):
        silent = await Peer.connect(ws.owner.address)
        clock.turn(1e6)
        assert ws.state == 1
        ws.close()
        assert await peer.closed() == (1000, "")
        clock.turn(1e6)
        assert ws.state == 2
        await peer.send(close_frame())
        await peer.ended()
        silent.cut()
