"""Our own loop was blocked: nobody is failed for what he said meanwhile, and it is said once."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

import longlink
from longlink.engine.agenda import agenda_of

from .conftest import Clock, Place, Until
from .meeting import Guests, meeting
from .raw import HEAD, PING, PONG, Peer, close_frame, frame, text

LIMITS = {"ping_interval": 20, "ping_timeout": 10}


def stalls(caplog: pytest.LogCaptureFixture) -> list[str]:
    """What was said of stalls. Nothing else may stand in the log."""
    records = [record for record in caplog.records if record.name.startswith("longlink")]
    assert all(record.levelno == logging.WARNING for record in records), caplog.text
    return [record.getMessage().rsplit(" ", 2)[0] for record in records]


def block(clock: Clock, seconds: float) -> None:
    """What a call that takes so long does to a loop: the clock jumps, and the loop comes back
    to a wheel that should have turned long ago."""
    wheel = agenda_of(clock.loop).wheel
    clock.offset += seconds
    wheel.stop()
    wheel._on_timer()


async def test_a_pong_that_came_while_the_loop_was_blocked_counts(
    plain: Place, clock: Clock, guests: Guests, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async with meeting(plain, guests, **LIMITS) as (peer, ws):
        clock.turn(20.2)
        opcode, payload = await peer.frame()
        assert opcode == PING
        await peer.send(frame(PONG, payload))
        block(clock, 60)
        await until(lambda: stalls(caplog))
        await until(lambda: ws.latency)
        clock.turn(9)
        assert ws.state == 1
        assert (await peer.frame())[0] == PING  # the next one
        clock.turn(9)
        assert ws.state == 1
        clock.turn(1.3)
        assert await peer.closed() == (1011, "keepalive ping timeout")
    assert stalls(caplog) == ["event loop blocked for"]


async def test_silence_counts_from_when_the_loop_came_back(
    plain: Place, clock: Clock, guests: Guests, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async with meeting(plain, guests, **LIMITS) as (peer, ws):
        clock.turn(20.2)
        assert (await peer.frame())[0] == PING
        block(clock, 60)
        await until(lambda: stalls(caplog))
        clock.turn(9)
        assert ws.state == 1
        clock.turn(1.3)
        assert await peer.closed() == (1011, "keepalive ping timeout")
    assert stalls(caplog) == ["event loop blocked for"]


async def test_a_handshake_that_came_while_the_loop_was_blocked_is_accepted(
    plain: Place, clock: Clock, guests: Guests, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async with plain.serve(**guests.callbacks, open_timeout=10) as server:
        peer = await Peer.connect(server.address)
        await until(lambda: agenda_of(clock.loop).strays)
        await peer.send(HEAD)
        block(clock, 30)
        assert (await peer.answer()).startswith(b"HTTP/1.1 101 ")
        await peer.send(text("hello"))
        assert await peer.text() == "hello"
        await peer.leave()
    assert stalls(caplog) == ["event loop blocked for"]


async def test_an_answer_to_our_close_that_came_while_the_loop_was_blocked_is_heard(
    plain: Place, clock: Clock, guests: Guests, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async with meeting(plain, guests, close_timeout=10) as (peer, ws):
        ws.close(4000, "enough")
        assert await peer.closed() == (4000, "enough")
        await peer.send(close_frame(4000))
        block(clock, 30)
        await until(lambda: guests.left)
        assert ws.close_code == 4000
        await peer.ended()
    assert stalls(caplog) == ["event loop blocked for"]


class Loop(asyncio.SelectorEventLoop):
    """A loop whose clock the test turns on: what a blocking call does, without waiting."""

    lost = 0.0

    def time(self) -> float:
        return super().time() + self.lost


def uvloop_loop() -> Any:
    uvloop = pytest.importorskip("uvloop")

    class Turned(uvloop.Loop):  # type: ignore[name-defined]
        lost = 0.0

        def time(self) -> float:
            now: float = super().time()
            return now + self.lost

    return Turned()


@pytest.mark.parametrize("make", [Loop, uvloop_loop], ids=["asyncio", "uvloop"])
def test_a_handler_that_blocks_the_loop_costs_nobody_his_connection(
    make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """For real: the loop's own timers, the kernel's buffers, hundreds of connections that all
    said something while nobody could listen."""
    with asyncio.Runner(loop_factory=make) as runner:
        runner.run(block_and_count(runner.get_loop()))
    assert stalls(caplog) == ["event loop blocked for"]


async def block_and_count(loop: Any) -> None:
    guests = Guests()
    # One ping soon, its answer in time; the rest of the test is over before the next one.
    limits: dict[str, Any] = {"ping_interval": 0.1, "ping_timeout": 40}
    async with longlink.serve(**guests.callbacks, host="127.0.0.1", port=0, **limits) as server:
        address = server.sockets[0].getsockname()
        peers = [await Peer.open(address) for _ in range(30)]
        for peer in peers:
            opcode, payload = await peer.frame()
            assert opcode == PING
            await peer.send(frame(PONG, payload) + text("here"))
        loop.lost += 60  # the blocking call
        while not agenda_of(loop).wheel.resumed:  # noqa: ASYNC110  nothing tells
            await asyncio.sleep(0)
        for peer in peers:
            while (await peer.frame())[1] != b"here":
                pass
        assert len(server.connections) == len(peers)
        assert all(ws.state == 1 for ws in server.connections)
        for peer in peers:
            peer.cut()
        while server.connections:  # noqa: ASYNC110
            await asyncio.sleep(0)


async def test_a_dead_peer_is_failed_however_often_the_loop_is_blocked(
    plain: Place, clock: Clock, guests: Guests, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    async with meeting(plain, guests, **LIMITS) as (peer, ws):
        clock.turn(20.2)
        assert (await peer.frame())[0] == PING
        wheel = agenda_of(clock.loop).wheel
        blocked = 0
        while ws.state == 1:
            resumed = wheel.resumed
            block(clock, wheel.due - clock.loop.time() + 4)  # the timer comes 4 s late
            await until(lambda resumed=resumed: wheel.resumed != resumed)
            blocked += 1
            assert blocked < 12
        assert await peer.closed() == (1011, "keepalive ping timeout")
    assert 1 < len(stalls(caplog)) < blocked  # not each of them is told
