"""A session's opening handshake and its messages, the same on the reactor and on a transport.

The server is ours, the client a bare socket. Time is turned by hand.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import pytest

from .conftest import Clock, Place, Until
from .meeting import Guests, echo, meeting
from .raw import (
    ACCEPT,
    CONTINUATION,
    HEAD,
    PING,
    PONG,
    TEXT,
    Peer,
    frame,
    text,
)

FRAMES_PER_TURN = 256  # as in engine.intake, where it is a C constant when compiled


async def test_head_one_octet_at_a_time(plain: Place) -> None:
    async with plain.serve(on_message=echo) as server:
        peer = await Peer.connect(server.address)
        for octet in HEAD:
            await peer.send(bytes([octet]))
            await asyncio.sleep(0)
        assert ACCEPT.strip() in await peer.answer()
        await peer.send(text("hello"))
        assert await peer.text() == "hello"
        await peer.leave()


async def test_head_and_frames_cut_anywhere(plain: Place, until: Until) -> None:
    said = HEAD + text("first") + text("sécond")
    async with plain.serve(on_message=echo) as server:

        async def one(cut: int) -> None:
            peer = await Peer.connect(server.address)
            await peer.send(said[:cut])
            for _ in range(3):
                await asyncio.sleep(0)
            await peer.send(said[cut:])
            await peer.answer()
            assert [await peer.text(), await peer.text()] == ["first", "sécond"]
            await peer.leave()

        await asyncio.gather(*(one(cut) for cut in range(1, len(said) + 1)))


async def test_what_on_open_says_comes_before_answers_to_frames_behind_the_head(
    plain: Place,
) -> None:
    async with plain.serve(on_open=lambda ws: ws.send("welcome"), on_message=echo) as server:
        peer = await Peer.connect(server.address)
        await peer.send(HEAD + text("me"))
        await peer.answer()
        assert [await peer.text(), await peer.text()] == ["welcome", "me"]
        await peer.leave()


async def test_frames_wait_for_a_verdict_that_takes_its_time(plain: Place, until: Until) -> None:
    verdict = asyncio.Event()

    async def process_request(ws: Any, request: Any) -> None:
        await verdict.wait()

    async with plain.serve(on_message=echo, process_request=process_request) as server:
        peer = await Peer.connect(server.address)
        await peer.send(HEAD + text("a"))
        await peer.send(text("b") * 3)
        for _ in range(20):
            await asyncio.sleep(0)
        verdict.set()
        await peer.answer()
        assert [await peer.text() for _ in range(4)] == ["a", "b", "b", "b"]
        await peer.leave()


async def test_leaving_while_the_verdict_is_out(plain: Place, guests: Guests, until: Until) -> None:
    verdict, asked, waiting = asyncio.Event(), asyncio.Event(), []

    async def process_request(ws: Any, request: Any) -> None:
        waiting.append(ws)
        asked.set()
        await verdict.wait()

    async with plain.serve(**guests.callbacks, process_request=process_request) as server:
        peer = await Peer.connect(server.address)
        await peer.send(HEAD)
        await asked.wait()
        peer.reset()
        await until(lambda: waiting[0].state == 3)
        verdict.set()
        await until(lambda: not server.agenda.tasks)
        assert not guests.came
        assert not guests.left


async def test_a_hook_that_closes_what_is_not_open_ends_it(plain: Place, until: Until) -> None:
    def process_request(ws: Any, request: Any) -> None:
        ws.close()

    async with plain.serve(on_message=echo, process_request=process_request) as server:
        peer = await Peer.connect(server.address)
        await peer.send(HEAD)
        assert await peer.recv() == b""
        peer.cut()
        await until(lambda: not server.agenda.strays)


async def test_open_timeout_is_absolute_however_much_drips_in(
    plain: Place, clock: Clock, guests: Guests, until: Until
) -> None:
    async with plain.serve(**guests.callbacks, open_timeout=10) as server:
        silent = await Peer.connect(server.address)
        dripping = await Peer.connect(server.address)
        await until(lambda: len(server.agenda.strays) == 2)
        for second in range(9):
            await dripping.send(HEAD[second : second + 1])
            await until(lambda: any(session.head for session in server.agenda.strays))
            clock.turn(1)
        assert len(server.agenda.strays) == 2
        clock.turn(1.2)
        assert await silent.rest() == b""
        assert (await dripping.rest()).startswith(b"HTTP/1.1 408 ")
        silent.cut()
        dripping.cut()
        await until(lambda: not server.agenda.strays)
    assert not guests.came


async def test_one_that_is_refused_and_stays_is_cut(
    plain: Place, clock: Clock, until: Until
) -> None:
    async with plain.serve(on_message=echo, close_timeout=3) as server:
        peer = await Peer.connect(server.address)
        await peer.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert (await peer.rest()).startswith(b"HTTP/1.1 426 ")
        clock.turn(2.5)
        assert len(server.agenda.strays) == 1
        clock.turn(1)
        assert not server.agenda.strays
        peer.cut()


async def test_no_open_timeout_after_idle_hours(plain: Place, clock: Clock, until: Until) -> None:
    async with plain.serve(on_message=echo, ping_interval=None) as server:
        peer = await Peer.open(server.address)
        clock.offset += 3600  # and nothing at all happens on the loop
        ours = plain.connect(server)
        async with ours as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
            clock.offset += 3600
        assert ws.close_code == 1000
        await peer.leave()


async def test_head_over_its_limit(plain: Place) -> None:
    async with plain.serve(on_message=echo, max_head=2000) as server:
        peer = await Peer.connect(server.address)
        await peer.send(HEAD[:-2] + b"X: " + b"y" * 5000)
        assert (await peer.rest()).startswith(b"HTTP/1.1 431 ")
        peer.cut()


@pytest.mark.parametrize("how", ["cut", "reset"])
async def test_gone_after_any_octet_of_the_handshake(
    plain: Place, how: str, guests: Guests, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with plain.serve(**guests.callbacks) as server:

        async def one(count: int) -> None:
            peer = await Peer.connect(server.address)
            await peer.send(HEAD[:count])
            for _ in range(count % 4):
                await asyncio.sleep(0)
            getattr(peer, how)()

        await asyncio.gather(*(one(count) for count in range(len(HEAD) + 1)))
        probe = await Peer.open(server.address)
        await probe.leave()
        await until(lambda: len(guests.came) == len(guests.left))
        await until(lambda: not server.agenda.strays)
    assert not caplog.records


async def test_shapes_of_messages(place: Place) -> None:
    async def handler(ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    async with place.serve(handler) as server, place.connect(server) as ws:
        for size in (0, 1, 125, 126, 4096, 65535, 65536, 300_000, 2**20):
            for message in ("é" * (size // 2), bytes(range(256)) * (size // 256)):
                await ws.send(message)
                assert await ws.recv() == message
        await ws.send([b"a", b"", b"b" * 100_000, b"c"])
        assert await ws.recv() == b"a" + b"b" * 100_000 + b"c"


async def test_pings_are_answered_between_fragments(plain: Place, guests: Guests) -> None:
    async with meeting(plain, guests) as (peer, _):
        await peer.send(frame(TEXT, b"ab", fin=False) + frame(PING, b"now"))
        assert await peer.frame() == (PONG, b"now")
        await peer.send(frame(CONTINUATION, b"cd"))
        assert await peer.text() == "abcd"
        await peer.leave()


async def test_everything_given_in_its_turn_leaves_in_one_segment(
    plain: Place, guests: Guests
) -> None:
    async with meeting(plain, guests) as (peer, _):
        before = peer.segments()
        await peer.send(b"".join(text(f"{n:05}") for n in range(100)))
        assert [await peer.text() for _ in range(100)] == [f"{n:05}" for n in range(100)]
        assert peer.segments() - before == 1
        await peer.leave()


async def test_what_tasks_and_timers_send_is_joined(plain: Place, guests: Guests) -> None:
    loop = asyncio.get_running_loop()
    async with meeting(plain, guests) as (peer, ws):

        async def say(n: int) -> None:
            ws.send(f"{n:05}")

        before = peer.segments()
        for n in range(50):
            ws.send(f"{n:05}")
        # Tasks run in one go when this one waits.
        tasks = [loop.create_task(say(n)) for n in range(50, 100)]
        assert [await peer.text() for _ in range(100)] == [f"{n:05}" for n in range(100)]
        assert peer.segments() - before <= 2
        await asyncio.gather(*tasks)
        before = peer.segments()
        loop.call_soon_threadsafe(lambda: [ws.send("x") for _ in range(100)])
        assert [await peer.text() for _ in range(100)] == ["x"] * 100
        assert peer.segments() - before == 1
        await peer.leave()


async def test_a_flooder_gets_a_bounded_share(plain: Place, until: Until) -> None:
    order: list[str] = []
    async with plain.serve(on_message=lambda ws, message: order.append(message)) as server:
        flooder = await Peer.open(server.address)
        modest = await Peer.open(server.address)
        await flooder.send(text("f") * 10_000)  # 70 kB: one read
        await until(lambda: order)
        await modest.send(text("m"))
        await until(lambda: "m" in order)
        # The share of the turn it came in, the turn that was on, and one more at most each.
        assert order.index("m") <= 8 * FRAMES_PER_TURN
        await until(lambda: len(order) == 10_001)
        await flooder.leave()
        await modest.leave()
