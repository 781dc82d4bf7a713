"""What a user can do with a connection: send, receive, ping, close, look at it, be cancelled."""

from __future__ import annotations

import asyncio
import gc
import ssl
import uuid
import warnings
from collections.abc import Awaitable, Callable
from itertools import count, islice
from typing import Any

import pytest

from longlink import (
    ClientConnection,
    Close,
    CloseCode,
    ConcurrencyError,
    Connection,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    LocalProtocolError,
    ServerConnection,
    State,
    connect,
    serve,
)
from longlink.api import ping
from tests.api.raw import BINARY, CLOSE, FIN, PING, PONG, TEXT, Raw, echo, idle, pair, until, uri_of

# -- sending --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        ("", ""),
        ("höflich 🙂", "höflich 🙂"),
        (b"", b""),
        (b"\x00\xff", b"\x00\xff"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"view"), b"view"),
        (memoryview(b"0123456789")[::2], b"02468"),
        (memoryview(bytes(8)).cast("I"), bytes(8)),
        ("x" * 70_000, "x" * 70_000),
        (b"y" * 1_000_000, b"y" * 1_000_000),
    ],
    ids=lambda value: f"{type(value).__name__}-{len(value)}",
)
async def test_every_kind_of_message_arrives(sent: Any, received: str | bytes) -> None:
    async with pair() as (ours, theirs):
        await theirs.send(sent)
        assert await ours.recv() == received
        await ours.send(sent)
        assert await theirs.recv() == received


@pytest.mark.parametrize(
    ("message", "text", "received"),
    [
        (b"text", True, "text"),
        (bytearray(b"text"), True, "text"),
        (memoryview(b"text"), True, "text"),
        ("text", True, "text"),
        ("bytes", False, b"bytes"),
        (b"bytes", False, b"bytes"),
    ],
)
async def test_text_says_otherwise_than_the_type(
    message: Any, text: bool, received: str | bytes
) -> None:
    async with pair() as (ours, theirs):
        await ours.send(message, text=text)
        assert await theirs.recv() == received


@pytest.mark.parametrize("message", [None, 5, 1.5, object(), {"a": "mapping"}, {}])
async def test_what_is_no_message_is_refused_and_nothing_sent(message: Any) -> None:
    async with pair() as (ours, theirs):
        with pytest.raises(TypeError, match="a message is str, bytes-like or an iterable"):
            ours.send(message)
        with pytest.raises(UnicodeEncodeError):
            ours.send("\ud800")
        await ours.send("after")
        assert await theirs.recv() == "after"


async def test_send_queues_at_the_call_and_need_not_be_awaited() -> None:
    async with pair() as (ours, theirs):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for number in range(100):
                ours.send(str(number))
            ours.send(b"x" * 100_000)  # above the high-water mark: there is something to wait for
            ours.ping()
            ours.pong()
            gc.collect()
        assert [await theirs.recv() for _ in range(100)] == [str(number) for number in range(100)]
        assert await theirs.recv() == b"x" * 100_000


async def test_awaiting_send_does_not_yield_below_the_high_water_mark() -> None:
    async with pair() as (ours, theirs):
        switches = 0

        async def count() -> None:
            nonlocal switches
            while True:
                await asyncio.sleep(0)
                switches += 1

        task = asyncio.create_task(count())
        await asyncio.sleep(0)
        before = switches
        for _ in range(10):
            await ours.send("x")
        assert switches == before
        task.cancel()
        for _ in range(10):
            await theirs.recv()


async def test_addresses_are_known_when_tcp_was_cut() -> None:
    ends: list[Connection] = []
    asked: list[object] = []

    def on_open(ws: Connection) -> None:
        asked.append(ws.local_address)  # a server remembers it of whom it was asked

    async with serve(idle, "127.0.0.1", 0, on_open=on_open, on_close=ends.append) as server:
        async with Raw.open(server) as raw:
            ours, theirs = (raw.writer.get_extra_info(f"{who}name") for who in ("sock", "peer"))
            raw.reset()
            await until(lambda: ends)
    assert asked == [theirs]
    assert (ends[0].local_address, ends[0].remote_address) == (theirs, ours)


async def test_send_is_a_coroutine_for_whoever_wants_one() -> None:
    async with pair() as (ours, theirs):
        await asyncio.create_task(ours.send("task"))
        await asyncio.gather(ours.send("one"), ours.send("two"))
        await asyncio.wait_for(ours.send("three"), 5)
        done = ours.send("again")
        await done
        await done  # below the high-water mark it is the same finished thing each time
        received = [await theirs.recv() for _ in range(5)]
        assert received == ["task", "one", "two", "three", "again"]


async def test_send_waits_for_a_peer_that_does_not_read() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            count = 0
            while True:
                waiting = asyncio.ensure_future(ours.send(b"x" * 65536))
                count += 1
                await asyncio.sleep(0)
                if not waiting.done():
                    break
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(count):
                assert len((await raw.recv())[1]) == 65536
            await waiting


async def test_a_cancelled_wait_for_a_slow_peer_changes_nothing() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            count = 0
            while True:
                waiting = asyncio.ensure_future(ours.send(b"x" * 65536))
                count += 1
                await asyncio.sleep(0)
                if not waiting.done():
                    break
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting
            also = asyncio.ensure_future(ours.send(b"last"))
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(count):
                assert len((await raw.recv())[1]) == 65536
            assert await raw.recv() == (FIN | BINARY, b"last")
            await also


async def test_a_wait_for_a_slow_peer_ends_with_the_connection() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            while True:
                waiting = asyncio.ensure_future(ours.send(b"x" * 65536))
                await asyncio.sleep(0)
                if not waiting.done():
                    break
            raw.reset()
            with pytest.raises(ConnectionClosedError):
                await waiting
            await ours.wait_closed()
            with pytest.raises(ConnectionClosedError):
                ours.send("over")


async def test_a_slow_reader_is_closed_with_1013() -> None:
    async with serve(
        idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws), max_backlog=65536
    ) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            with pytest.raises(ConnectionClosedError) as caught:
                _ = [ours.send(b"x" * 65536) for _ in range(10_000)]
            assert caught.value.sent is not None
            assert caught.value.sent.code == CloseCode.TRY_AGAIN_LATER
            assert "max_backlog" in caught.value.sent.reason
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            while (got := await raw.recv())[0] == FIN | BINARY:
                assert got[1] == b"x" * 65536
            assert got[0] == FIN | CLOSE
            assert got[1][:2] == (1013).to_bytes(2, "big")


async def test_a_slow_reader_loses_messages_where_the_policy_is_drop() -> None:
    async with serve(
        idle,
        "127.0.0.1",
        0,
        on_open=lambda ws: box.append(ws),
        max_backlog=65536,
        overflow="drop",
    ) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(300):
                ours.send(b"x" * 65536)
                ours.send(memoryview(b"x" * 65536))
            sent = 600
            while True:  # dropped or not: who awaits waits, or a loop of these would never yield
                waiting = asyncio.ensure_future(ours.send(b"x" * 65536))
                sent += 1
                await asyncio.sleep(0)
                if not waiting.done():
                    break
            assert ours.state is State.OPEN
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            assert await raw.recv() == (FIN | BINARY, b"x" * 65536)

            async def read_on() -> int:
                count = 0
                while (await raw.recv())[1] != b"end":
                    count += 1
                return count

            reading = asyncio.create_task(read_on())
            await waiting
            await ours.send(b"end")
            assert await reading + 1 < sent


# -- receiving ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "decode", "received"),
    [
        ("text", None, "text"),
        (b"bytes", None, b"bytes"),
        ("text", False, b"text"),
        (b"bytes", True, "bytes"),
        ("text", True, "text"),
        (b"bytes", False, b"bytes"),
    ],
)
async def test_recv_can_decode(message: Any, decode: bool | None, received: str | bytes) -> None:
    async with pair() as (ours, theirs):
        await theirs.send(message)
        assert await ours.recv(decode) == received
        waiting = asyncio.ensure_future(ours.recv(decode=decode))
        await asyncio.sleep(0)
        await theirs.send(message)
        assert await waiting == received


async def test_recv_works_in_every_clothing() -> None:
    async with pair() as (ours, theirs):
        for number in range(6):
            theirs.send(str(number))
        assert await asyncio.create_task(ours.recv()) == "0"
        assert await asyncio.wait_for(ours.recv(), 5) == "1"
        async with asyncio.timeout(5):
            assert await ours.recv() == "2"
        (three,) = await asyncio.gather(ours.recv())
        assert three == "3"
        assert await anext(aiter(ours)) == "4"
        done, _ = await asyncio.wait([asyncio.ensure_future(ours.recv())])
        assert [task.result() for task in done] == ["5"]


async def test_two_tasks_must_not_receive_at_once() -> None:
    async with pair() as (ours, theirs):
        first = asyncio.ensure_future(ours.recv())
        await asyncio.sleep(0)
        with pytest.raises(ConcurrencyError, match="another task"):
            await ours.recv()
        await theirs.send("for the first")
        assert await first == "for the first"
        await theirs.send("for anybody")
        assert await ours.recv() == "for anybody"


async def test_recv_and_callback_do_not_go_together() -> None:
    async with pair(None, on_message=lambda ws, message: None) as (ours, _):
        with pytest.raises(ConcurrencyError, match="messages go to on_message"):
            await ours.recv()


async def test_cancelled_recv_loses_nothing() -> None:
    async with pair() as (ours, theirs):
        for number in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ours.recv(), 0.001)
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0):
                    await ours.recv()
            waiting = asyncio.ensure_future(ours.recv())
            await asyncio.sleep(0)
            waiting.cancel()
            theirs.send(str(number))
            with pytest.raises(asyncio.CancelledError):
                await waiting
            assert await ours.recv() == str(number)


async def test_recv_cancelled_when_its_message_is_there_already_loses_nothing() -> None:
    async with pair() as (ours, theirs):
        waiting = asyncio.ensure_future(ours.recv())
        await asyncio.sleep(0)
        ours.on_message("as the session does it")  # the task is woken, but has not run
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        assert await ours.recv() == "as the session does it"
        await theirs.send("next")
        assert await ours.recv() == "next"


async def test_a_recv_that_nobody_awaits_is_warned_of_and_takes_nothing() -> None:
    async with pair() as (ours, theirs):
        never = ours.recv()
        text = r"^coroutine 'Connection\.recv' was never awaited$"
        with pytest.warns(RuntimeWarning, match=text) as caught:
            del never
        assert [warning.filename for warning in caught] == [__file__]
        await theirs.send("kept")
        assert await ours.recv() == "kept"


async def test_iteration_ends_quietly_after_a_normal_close() -> None:
    async with pair() as (ours, theirs):
        theirs.send("one")
        theirs.send("two")
        theirs.close()
        assert [message async for message in ours] == ["one", "two"]


async def test_iteration_raises_when_the_close_is_an_error() -> None:
    async with pair() as (ours, theirs):
        theirs.send("one")
        theirs.close(1011, "broken")
        received: list[Any] = []

        async def collect() -> None:
            async for message in ours:
                received.append(message)

        with pytest.raises(ConnectionClosedError) as caught:
            await collect()
        assert received == ["one"]
        assert (caught.value.code, caught.value.reason) == (1011, "broken")


async def test_messages_before_the_close_are_received_before_the_exception() -> None:
    async with pair() as (ours, theirs):
        for number in range(10):
            theirs.send(str(number))
        await theirs.close()
        await ours.wait_closed()
        assert [await ours.recv() for _ in range(10)] == [str(number) for number in range(10)]
        for _ in range(2):
            with pytest.raises(ConnectionClosedOK):
                await ours.recv()


async def test_a_full_queue_stops_the_peer_and_nothing_is_lost() -> None:
    client = {"max_backlog": None, "compression": None}
    async with pair(max_queue=4, client=client) as (ours, theirs):
        sending = 0
        while True:
            waiting = asyncio.ensure_future(theirs.send(b"x" * 65536))
            sending += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            if not waiting.done():
                break
            assert sending < 1000
        for _ in range(sending):
            assert await ours.recv() == b"x" * 65536
        await waiting


async def test_a_long_queue_that_never_gets_empty_keeps_its_order() -> None:
    async with pair(max_queue=None) as (ours, theirs):
        numbers, expected = count(), count()
        for more, less in [(300, 100), (100, 200), (1, 60), (500, 540), (2, 3)]:
            for number in islice(numbers, more):
                await theirs.send(str(number))
            for number in islice(expected, less):
                assert await ours.recv() == str(number)
        assert next(numbers) == next(expected)


@pytest.mark.parametrize("max_queue", [1, 2, 16, None])
async def test_any_queue_passes_everything_on(max_queue: int | None) -> None:
    async with pair(max_queue=max_queue) as (ours, theirs):
        for number in range(200):
            theirs.send(str(number))
        theirs.close()
        received = []
        async for message in ours:
            received.append(message)
            await asyncio.sleep(0)
        assert received == [str(number) for number in range(200)]


async def test_close_does_not_wait_for_a_queue_that_nobody_empties() -> None:
    async with pair(max_queue=2) as (ours, theirs):
        for _ in range(50):
            theirs.send("nobody reads this")
        await until(lambda: ours.session.paused)
        await ours.close()
        assert ours.close_code == 1000
        await theirs.wait_closed()
        assert theirs.close_code == 1000


# -- closing --------------------------------------------------------------------------------------


async def test_close_is_reported_on_both_sides() -> None:
    async with pair() as (ours, theirs):
        assert (ours.close_code, ours.close_reason) == (None, None)
        await theirs.close(4321, "because")
        assert theirs.state is State.CLOSED
        await ours.wait_closed()
        assert (ours.close_code, ours.close_reason) == (4321, "because")
        assert (theirs.close_code, theirs.close_reason) == (4321, "because")
        with pytest.raises(ConnectionClosedError) as caught:
            await ours.recv()
        assert caught.value.rcvd == caught.value.sent == Close(4321, "because")
        assert caught.value.rcvd_then_sent is True
        with pytest.raises(ConnectionClosedOK) as mine:
            await theirs.recv()
        assert mine.value.rcvd_then_sent is False


async def test_states_are_walked_through() -> None:
    async with pair() as (ours, theirs):
        assert (ours.state, theirs.state) == (State.OPEN, State.OPEN)
        waiting = ours.close()
        assert State(ours.state) is State.CLOSING
        with pytest.raises(ConnectionClosed):
            ours.send("too late")
        with pytest.raises(ConnectionClosed):
            ours.ping()
        with pytest.raises(ConnectionClosed):
            ours.pong()
        with pytest.raises(ConnectionClosed):
            ours.send(bytearray(b"too late"))
        with pytest.raises(ConnectionClosed):
            await ours.send(["too", "late"])
        await waiting
        assert State(ours.state) is State.CLOSED
        await theirs.wait_closed()
        assert theirs.state is State.CLOSED


async def test_both_may_close_at_once() -> None:
    async with pair() as (ours, theirs):
        await asyncio.gather(ours.close(4001), theirs.close(4002))
        assert (ours.close_code, theirs.close_code) == (4002, 4001)


async def test_close_again_does_nothing() -> None:
    async with pair() as (ours, theirs):
        await asyncio.gather(ours.close(), ours.close(1011), ours.close())
        await ours.close(4000)
        await theirs.wait_closed()
        assert theirs.close_code == 1000


@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 70000, -1])
async def test_a_code_that_may_not_travel_is_refused_and_the_connection_stays(code: int) -> None:
    async with pair(echo) as (_, theirs):
        with pytest.raises(LocalProtocolError, match="close code"):
            theirs.close(code)
        await theirs.send("still here")
        assert await theirs.recv() == "still here"


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62])
async def test_a_reason_that_is_too_long_is_refused_and_the_connection_stays(reason: str) -> None:
    async with pair(echo) as (_, theirs):
        with pytest.raises(LocalProtocolError, match="124 octets is over the limit of 123"):
            theirs.close(1000, reason)
        await theirs.send("still here")
        assert await theirs.recv() == "still here"


async def test_the_longest_reason_arrives() -> None:
    async with pair() as (ours, theirs):
        await ours.close(3000, "x" * 123)
        await theirs.wait_closed()
        assert theirs.close_reason == "x" * 123


async def test_a_close_without_code_is_1005() -> None:
    async with serve(echo, "127.0.0.1", 0, on_close=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            raw.frame(FIN | CLOSE)
            assert await raw.recv() == (FIN | CLOSE, b"")
            assert await raw.end() == b""
        (ours,) = box
        assert ours.close_code == 1005


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_tcp_that_ends_without_close_is_1006(how: str) -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            waiting = asyncio.ensure_future(ours.recv())
            pong = await ours.ping()
            await asyncio.sleep(0)
            raw.reset() if how == "reset" else await raw.close()
            with pytest.raises(ConnectionClosedError) as caught:
                await waiting
            assert caught.value.rcvd is None
            await ours.wait_closed()
            assert (ours.close_code, ours.close_reason) == (1006, "")
            with pytest.raises(ConnectionClosedError):
                await pong


async def test_a_peer_that_does_not_answer_the_close_is_cut() -> None:
    async with serve(
        idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws), close_timeout=0.05
    ) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            await ours.close(1001, "bye")
            assert ours.close_code == 1006
            assert await raw.recv_close() == (1001, "bye")
            assert await raw.end() == b""


async def test_the_connection_closes_itself_at_the_end_of_its_block() -> None:
    async with serve(idle, "127.0.0.1", 0, on_close=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with await connect(uri_of(server)) as theirs:
            pass
        assert theirs.close_code == 1000
        with pytest.raises(LookupError):
            async with await connect(uri_of(server)) as theirs:
                raise LookupError
        assert theirs.close_code == 1011
    assert [ours.close_code for ours in box] == [1000, 1011]


async def test_wait_closed_may_be_cancelled_any_number_of_times() -> None:
    async with pair() as (ours, theirs):
        for _ in range(5):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ours.wait_closed(), 0.001)
        many = [asyncio.ensure_future(ours.wait_closed()) for _ in range(3)]
        await theirs.close()
        await asyncio.gather(*many)
        await ours.wait_closed()


async def test_cancelled_close_goes_on_by_itself() -> None:
    async with pair() as (ours, theirs):
        closing = asyncio.ensure_future(ours.close(4000))
        await asyncio.sleep(0)
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
        await theirs.wait_closed()
        await ours.wait_closed()
        assert theirs.close_code == 4000


@pytest.mark.parametrize("first", [0xC1, 0x83, 0x09])
async def test_a_broken_rule_fails_the_connection_with_1002(first: int) -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            raw.frame(first, b"x")
            assert (await raw.recv_close())[0] == 1002
            with pytest.raises(ConnectionClosedError) as caught:
                await ours.recv()
            assert caught.value.sent is not None
            assert caught.value.sent.code == 1002
            assert await raw.end() == b""


# -- pings ----------------------------------------------------------------------------------------


async def test_a_ping_measures_the_round_trip() -> None:
    async with pair() as (ours, theirs):
        assert ours.latency == 0.0
        pong = await ours.ping()
        trip = await pong
        assert trip == ours.latency > 0
        assert await (await theirs.ping("data")) > 0
        assert await (await theirs.ping(b"")) > 0


async def test_ping_works_in_a_task_and_need_not_be_awaited() -> None:
    async with pair() as (ours, _):
        ours.ping()
        pong: Any = await asyncio.create_task(ours.ping())
        assert await pong > 0
        (another,) = await asyncio.gather(ours.ping())
        assert await another > 0


async def test_a_later_pong_answers_the_pings_before_it() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            first, second, third = [await ours.ping(data) for data in ("1", "2", b"3")]
            with pytest.raises(ConcurrencyError, match="already waiting"):
                ours.ping("3")
            cancelled = await ours.ping("4")
            cancelled.cancel()
            for data in (b"1", b"2", b"3", b"4"):
                assert await raw.recv() == (FIN | PING, data)
            raw.frame(FIN | PONG, b"nobody asked")
            raw.frame(FIN | PONG, b"2")
            assert await first >= await second > 0
            assert not third.done()
            raw.frame(FIN | PONG, b"4")
            assert await third > 0


async def test_a_ping_that_is_not_answered_ends_with_the_connection() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server):
            (ours,) = box
            waiting, cancelled = await ours.ping(), await ours.ping()
            cancelled.cancel()
            await ours.ping()  # nobody asks how it ended, and nobody complains
        with pytest.raises(ConnectionClosedError):
            await waiting


async def test_random_data_of_pings_is_never_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    made = iter([b"same....", b"same....", b"other..."])
    monkeypatch.setattr(ping, "urandom", lambda size: next(made)[:size])
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            box[0].ping()
            box[0].ping()
            assert await raw.recv() == (FIN | PING, b"same")
            assert await raw.recv() == (FIN | PING, b"othe")


async def test_a_pong_may_be_sent_unasked() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            await box[0].pong("heartbeat")
            assert await raw.recv() == (FIN | PONG, b"heartbeat")


@pytest.mark.parametrize(("data", "kind"), [("x" * 126, ValueError), (5, TypeError)])
async def test_data_of_a_ping_is_checked(data: Any, kind: type[Exception]) -> None:
    async with pair(echo) as (_, theirs):
        with pytest.raises(kind):
            theirs.ping(data)
        with pytest.raises(kind):
            theirs.pong(data)
        await theirs.send("still here")
        assert await theirs.recv() == "still here"


async def test_pings_keep_a_connection_alive_and_silence_ends_it() -> None:
    async with serve(
        idle,
        "127.0.0.1",
        0,
        on_open=lambda ws: box.append(ws),
        ping_interval=0.05,
        ping_timeout=0.05,
    ) as server:
        box: list[Connection] = []
        async with connect(uri_of(server)) as theirs:
            ours = box[0]
            assert await (await theirs.ping()) > 0
            assert ours.state is State.OPEN
        async with Raw.open(server) as raw:
            assert (await raw.recv())[0] == FIN | PING
            assert await raw.recv_close() == (1011, "keepalive ping timeout")


# -- looking at it --------------------------------------------------------------------------------


async def test_a_connection_says_who_it_is() -> None:
    async with serve(
        idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws), subprotocols=["b", "a"]
    ) as server:
        box: list[Connection] = []
        async with connect(
            uri_of(server, "/path?x=%20"),
            subprotocols=["a", "b"],
            additional_headers={"X-Extra": "yes"},
        ) as theirs:
            (ours,) = box
            assert ours.subprotocol == theirs.subprotocol == "b"
            for ws in (ours, theirs):
                assert ws.request is not None
                assert ws.request.path == "/path?x=%20"
                assert ws.request.headers["x-extra"] == "yes"
                assert ws.request is ws.request
                assert ws.response is not None
                assert ws.response.status_code == 101
                assert ws.response.headers["Sec-WebSocket-Protocol"] == "b"
                assert isinstance(ws.id, uuid.UUID)
                assert ws.id == ws.id
                assert "OPEN" in repr(ws)
            assert ours.id != theirs.id
            assert ours.local_address == theirs.remote_address == server.sockets[0].getsockname()
            assert theirs.local_address == ours.remote_address
            assert len({ours, theirs}) == 2
        await ours.wait_closed()
        assert ours.remote_address == theirs.local_address
        assert theirs.remote_address == ours.local_address
        assert "CLOSED" in repr(ours)


# -- every await can be cancelled -----------------------------------------------------------------

AWAITS: list[Callable[[Connection], Awaitable[Any]]] = [
    lambda ws: ws.recv(),
    lambda ws: ws.send("x"),
    lambda ws: ws.send(["x", "y"]),
    lambda ws: ws.ping(),
    lambda ws: ws.pong(),
    lambda ws: ws.wait_closed(),
    lambda ws: ws.__anext__(),
]


@pytest.mark.parametrize(
    "call", AWAITS, ids=["recv", "send", "fragments", "ping", "pong", "closed", "next"]
)
@pytest.mark.parametrize("steps", [0, 1, 2])
async def test_after_any_cancelled_await_the_connection_is_usable(
    call: Callable[[Connection], Awaitable[Any]], steps: int
) -> None:
    async with pair() as (ours, theirs):
        task = asyncio.ensure_future(call(ours))
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await ours.send("end")
        while await theirs.recv() != "end":
            pass
        await theirs.send("back")
        assert await ours.recv() == "back"


async def test_the_reader_may_be_one_task_and_the_writer_another() -> None:
    async with pair(echo) as (_, theirs):

        async def write() -> None:
            for number in range(500):
                await theirs.send(str(number))
                if not number % 50:
                    await asyncio.sleep(0)

        async def read() -> list[Any]:
            return [await theirs.recv() for _ in range(500)]

        _, received = await asyncio.gather(write(), read())
        assert received == [str(number) for number in range(500)]


async def test_two_messages_in_one_segment_wake_one_reader_twice() -> None:
    async with serve(idle, "127.0.0.1", 0, on_open=lambda ws: box.append(ws)) as server:
        box: list[Connection] = []
        async with Raw.open(server) as raw:
            (ours,) = box
            waiting = asyncio.ensure_future(ours.recv())
            await asyncio.sleep(0)
            raw.frame(FIN | TEXT, b"one")
            raw.frame(FIN | TEXT, b"two")
            assert await waiting == "one"
            assert await ours.recv() == "two"


async def test_bytes_sent_as_text_must_be_text() -> None:
    async with pair() as (ours, theirs):
        with pytest.raises(UnicodeDecodeError):
            ours.send(b"\xff", text=True)
        await ours.send("é".encode(), text=True)
        assert await theirs.recv() == "é"


async def test_a_server_says_its_loop() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        await server.start_serving()
        assert server.get_loop() is asyncio.get_running_loop()
        assert server.is_serving()


# -- what programs ask for besides ----------------------------------------------------------------


def test_both_ends_are_of_the_one_class() -> None:
    assert ClientConnection is ServerConnection is Connection


async def test_a_connection_knows_its_server_and_logger(caplog: pytest.LogCaptureFixture) -> None:
    async with pair() as (ours, theirs):
        assert ours in ours.server.connections
        assert theirs.server is None
        ours.logger.warning("hello")
        theirs.logger.warning("hello")
    ours_said, theirs_said = (r for r in caplog.records if r.getMessage() == "hello")
    assert (ours_said.name, theirs_said.name) == ("longlink.server", "longlink.client")
    assert (ours_said.__dict__["websocket"], theirs_said.__dict__["websocket"]) == (ours, theirs)


async def test_a_connection_without_a_transport_answers_for_it() -> None:
    async with pair(write_limit=(2**16, 10)) as (ours, theirs):
        transport = ours.transport
        assert transport.get_extra_info("peername") == ours.remote_address
        assert transport.get_extra_info("sockname") == ours.local_address
        assert transport.get_extra_info("ssl_object") is None
        assert transport.get_extra_info("cipher", "none") == "none"
        assert transport.get_write_buffer_limits() == (10, 2**16)
        assert transport.get_write_buffer_size() == 0
        ours.send("x" * 100)
        assert transport.get_write_buffer_size() > 0
        assert not transport.is_closing()
        transport.close()
        assert await theirs.recv() == "x" * 100
        await theirs.wait_closed()
        assert theirs.close_code == 1006
        assert transport.is_closing()
        transport.abort()
        assert transport.get_extra_info("sockname") == theirs.remote_address
        assert transport.get_extra_info("peername", "gone") == "gone"


async def test_a_transport_may_be_cut() -> None:
    async with pair() as (ours, theirs):
        theirs.transport.abort()
        assert theirs.state is State.CLOSED
        await ours.wait_closed()
        assert ours.close_code == 1006


async def test_a_stream_has_asyncios_transport(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    how: dict[str, Any] = {"ssl": client_tls, "server_hostname": "localhost"}
    async with serve(idle, "127.0.0.1", 0, ssl=server_tls) as server:
        async with connect(uri_of(server, scheme="wss"), **how) as ws:
            assert ws.transport.get_extra_info("ssl_object").version().startswith("TLS")


async def test_anext_may_have_a_default() -> None:
    async with pair() as (ws, client):
        waiting = asyncio.create_task(_next_or(client, "nothing"))
        await asyncio.sleep(0)
        ws.send("one")
        assert await waiting == "one"
        await ws.close()
        assert await _next_or(client, "nothing") == "nothing"


async def _next_or(ws: Connection, default: str) -> Any:
    return await anext(ws, default)
