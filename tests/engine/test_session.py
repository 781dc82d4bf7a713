"""A session's life, the same on the reactor and on an asyncio transport.

The server is ours, the client a bare socket. Time is turned by hand.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink.errors import ConnectionClosedError, ConnectionClosedOK

from .conftest import Clock, Place, Until
from .raw import (
    ACCEPT,
    BINARY,
    CLOSE,
    CONTINUATION,
    HEAD,
    PING,
    PONG,
    TEXT,
    Peer,
    close_frame,
    frame,
    text,
)

FRAMES_PER_TURN = 256  # as in engine.intake, where it is a C constant when compiled


def echo(ws: Any, message: str | bytes) -> None:
    ws.send(message)


def publish(ws: Any, number: int) -> bool:
    """Send 10,000 octets that tell the number; whether that was still possible."""
    try:
        ws.send(number.to_bytes(4, "big") * 2500)
    except ConnectionClosedError:
        return False
    return True


class Guests:
    """Callbacks of a server that note who came and went, and what was said."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self.left: list[Any] = []
        self.said: list[str | bytes] = []

    def on_open(self, ws: Any) -> None:
        self.came.append(ws)

    def on_message(self, ws: Any, message: str | bytes) -> None:
        self.said.append(message)
        ws.send(message)

    def on_close(self, ws: Any) -> None:
        self.left.append(ws)

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_open": self.on_open,
            "on_message": self.on_message,
            "on_close": self.on_close,
        }


@pytest.fixture
def guests() -> Guests:
    return Guests()


@asynccontextmanager
async def meeting(place: Place, guests: Guests, **options: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A raw peer that is connected to a server with `guests`; and its connection over there."""
    receive_buffer = options.pop("receive_buffer", 0)
    async with place.serve(**{**guests.callbacks, **options}) as server:
        peer = await Peer.open(server.address, receive_buffer=receive_buffer)
        try:
            yield peer, guests.came[0]
        finally:
            peer.sock.close()


# -- the opening handshake ------------------------------------------------------------------------


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


# -- messages -------------------------------------------------------------------------------------


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


# -- flow control ---------------------------------------------------------------------------------


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
        count = 3 * FRAMES_PER_TURN + 5
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


# -- how it ends ----------------------------------------------------------------------------------


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


# -- deadlines ------------------------------------------------------------------------------------


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
        await peer.send(text("1") + text("2") + text("3"))
        await until(lambda: ws.session.paused)
        clock.turn(20.2)
        opcode, payload = await peer.frame()
        assert opcode == PING
        await peer.send(frame(PONG, payload))
        clock.turn(60)
        assert ws.state == 1
        assert [await ws.recv() for _ in range(3)] == ["1", "2", "3"]
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


# -- the other end: our client ---------------------------------------------------------------------


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one head, says `answer` and waits; {accept} in it is filled in."""
    import base64
    import hashlib

    heads: list[bytes] = []
    talks: list[asyncio.Task[None] | None] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talks.append(asyncio.current_task())
        head = await reader.readuntil(b"\r\n\r\n")
        heads.append(head)
        key = head.split(b"Sec-WebSocket-Key: ")[1].split(b"\r\n")[0]
        magic = key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
        accept = base64.b64encode(hashlib.sha1(magic).digest())
        writer.write(answer.replace(b"{accept}", accept))
        try:
            await reader.read()
        except ConnectionError:
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", heads
    finally:
        server.close()
        await asyncio.gather(*filter(None, talks))


WELCOME = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\n\r\n"
)


async def test_client_gets_frames_that_come_with_the_answer(plain: Place) -> None:
    from longlink import connect

    said = WELCOME + frame(TEXT, b"first", key=None) + frame(CLOSE, b"\x03\xe8", key=None)
    async with raw_server(said) as (uri, _):
        ws = await connect(uri)
        assert await ws.recv() == "first"
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()
        ws.session.abort()


async def test_client_sees_through_interim_answers_however_many(plain: Place) -> None:
    from longlink import connect

    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    async with raw_server(hint * 3000 + WELCOME + frame(TEXT, b"hi", key=None)) as (uri, _):
        async with connect(uri) as ws:
            assert await ws.recv() == "hi"
            ws.session.abort()


@pytest.mark.parametrize("pieces", [1, 2])
async def test_client_gets_the_body_of_a_refusal(plain: Place, pieces: int) -> None:
    from longlink import connect
    from longlink.errors import InvalidStatus

    said = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever"
    async with raw_server(said) as (uri, _):
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri, open_timeout=5)
    assert caught.value.body == b"never"


async def test_client_gives_up_in_time(plain: Place, clock: Clock, until: Until) -> None:
    from longlink import connect

    async with raw_server(b"HTTP/1.1 101 ") as (uri, heads):
        opening = asyncio.ensure_future(connect(uri, open_timeout=7).__aenter__())
        await until(lambda: heads)
        clock.turn(6.5)
        assert not opening.done()
        clock.turn(0.7)
        with pytest.raises(TimeoutError):
            await opening


async def test_client_waits_for_the_server_to_go_first(plain: Place, clock: Clock) -> None:
    from longlink import connect

    async with raw_server(WELCOME + frame(CLOSE, b"\x03\xe8", key=None)) as (uri, _):
        ws = await connect(uri, close_timeout=3)
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()
        clock.turn(2)
        assert ws.state == 2
        clock.turn(1.2)
        assert ws.state == 3
        assert ws.close_code == 1000
