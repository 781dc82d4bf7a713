"""A message sent in fragments, and everybody else's messages meanwhile (RFC 6455 §5.4)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from longlink import (
    CloseCode,
    Connection,
    ConnectionClosedError,
    ConnectionClosedOK,
    State,
    broadcast,
    connect,
    serve,
)
from tests.api.raw import BINARY, CLOSE, FIN, PING, PONG, TEXT, Raw, idle, pair, uri_of

CONTINUATION = 0


class Gate:
    """An asynchronous iterable of fragments that the test lets through one by one."""

    def __init__(self) -> None:
        self.fragments: asyncio.Queue[Any] = asyncio.Queue()

    def put(self, *fragments: Any) -> None:
        for fragment in fragments:
            self.fragments.put_nowait(fragment)

    async def __aiter__(self) -> AsyncIterator[Any]:
        while (fragment := await self.fragments.get()) is not None:
            if isinstance(fragment, Exception):
                raise fragment
            yield fragment


async def started(ws: Connection, gate: Gate, raw: Raw) -> asyncio.Task[None]:
    """A fragmented send whose first fragment is out."""
    sending = asyncio.ensure_future(ws.send(gate))
    gate.put("a", "b")
    assert await raw.recv() == (TEXT, b"a")
    return sending


class Scene:
    """A server's connection and the raw client at its other end."""

    def __init__(self, **options: Any) -> None:
        self.box: list[Connection] = []
        self.serving = serve(idle, "127.0.0.1", 0, on_open=self.box.append, **options)

    async def __aenter__(self) -> tuple[Connection, Raw]:
        self.opening = Raw.open(await self.serving.__aenter__())
        raw = await self.opening.__aenter__()
        return self.box[0], raw

    async def __aexit__(self, *exception: Any) -> None:
        await self.opening.__aexit__(None, None, None)
        await self.serving.__aexit__(*exception)


@pytest.mark.parametrize(
    ("fragments", "text", "frames"),
    [
        (["one"], None, [(FIN | TEXT, b"one")]),
        (["o", "n", "e"], None, [(TEXT, b"o"), (0, b"n"), (FIN, b"e")]),
        ([b"o", bytearray(b"n"), memoryview(b"e")], None, [(BINARY, b"o"), (0, b"n"), (FIN, b"e")]),
        ([b"o", b"e"], True, [(TEXT, b"o"), (FIN, b"e")]),
        (["o", "e"], False, [(BINARY, b"o"), (FIN, b"e")]),
        (["", "", ""], None, [(TEXT, b""), (0, b""), (FIN, b"")]),
        (("x", "y"), None, [(TEXT, b"x"), (FIN, b"y")]),
        ({"key": "value"}.keys(), None, [(FIN | TEXT, b"key")]),
    ],
    ids=["one", "text", "binary", "as-text", "as-binary", "empty", "tuple", "keys"],
)
@pytest.mark.parametrize("kind", ["iterable", "asynchronous"])
async def test_each_item_is_a_fragment(
    fragments: Any, text: bool | None, frames: list[tuple[int, bytes]], kind: str
) -> None:
    async def asynchronous() -> AsyncIterator[Any]:
        for item in fragments:
            await asyncio.sleep(0)
            yield item

    async with Scene() as (ws, raw):
        await ws.send(fragments if kind == "iterable" else asynchronous(), text)
        assert [await raw.recv() for _ in frames] == frames
        await ws.send("after")
        assert await raw.recv() == (FIN | TEXT, b"after")


async def test_no_fragment_is_no_message() -> None:
    async with Scene() as (ws, raw):
        await ws.send([])
        await ws.send("after")
        assert await raw.recv() == (FIN | TEXT, b"after")


async def test_a_client_sends_fragments_too() -> None:
    async with pair() as (ours, theirs):
        await theirs.send([b"x" * 40_000] * 20)
        assert await ours.recv() == b"x" * 800_000


async def test_a_fragment_that_changes_after_it_was_yielded_was_sent_as_it_was() -> None:
    array = bytearray(b"first")

    def fragments() -> Iterator[bytearray]:
        yield array
        array[:] = b"other"
        yield array

    async with Scene() as (ws, raw):
        await ws.send(fragments())
        assert [await raw.recv() for _ in range(2)] == [(BINARY, b"first"), (FIN, b"other")]


async def test_messages_of_others_wait_and_control_frames_pass() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        await ws.send("held")
        await ws.send(bytearray(b"held, too"))
        await ws.send(memoryview(b"and this"), text=True)
        broadcast([ws], "prepared")
        broadcast([ws], b"prepared")
        await ws.ping("now")
        await ws.pong("now")
        assert await raw.recv() == (FIN | PING, b"now")
        assert await raw.recv() == (FIN | PONG, b"now")
        raw.frame(FIN | PING, b"mine")
        assert await raw.recv() == (FIN | PONG, b"mine")
        gate.put(None)
        await sending
        assert [await raw.recv() for _ in range(6)] == [
            (FIN, b"b"),
            (FIN | TEXT, b"held"),
            (FIN | BINARY, b"held, too"),
            (FIN | TEXT, b"and this"),
            (FIN | TEXT, b"prepared"),
            (FIN | BINARY, b"prepared"),
        ]


async def test_fragmented_messages_wait_for_each_other() -> None:
    async with pair() as (ours, theirs):

        async def slow(letter: str) -> AsyncIterator[str]:
            for _ in range(10):
                await asyncio.sleep(0)
                yield letter

        await asyncio.gather(*(ours.send(slow(letter)) for letter in "abc"), ours.send("plain"))
        received = [await theirs.recv() for _ in range(4)]
        assert received == ["plain", "a" * 10, "b" * 10, "c" * 10]  # plain ones go at the call


async def test_a_fragmented_message_to_a_slow_reader_arrives_whole() -> None:
    async with Scene(max_backlog=None) as (ws, raw):
        raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
        produced = 0

        def fragments() -> Iterator[bytes]:
            nonlocal produced
            for number in range(256):
                produced += 1
                yield bytes([number]) * 65536

        sending = asyncio.ensure_future(ws.send(fragments()))
        before = -1
        while before != produced:  # until it waits for the reader
            before = produced
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        assert produced < 256
        other = asyncio.ensure_future(ws.send("behind it"))
        raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
        for number in range(256):
            first, payload = await raw.recv()
            assert first == (BINARY if not number else FIN if number == 255 else CONTINUATION)
            assert payload == bytes([number]) * 65536
        await sending
        await other
        assert await raw.recv() == (FIN | TEXT, b"behind it")


async def test_the_last_fragment_waits_for_a_slow_reader_too() -> None:
    async with Scene(max_backlog=None) as (ws, raw):
        raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
        sending = asyncio.ensure_future(ws.send([b"x" * 20_000_000]))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not sending.done()
        raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
        assert len((await raw.recv())[1]) == 20_000_000
        await sending


async def test_a_source_that_raises_half_way_fails_the_connection_with_1011() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        await ws.send("never sent")
        gate.put(LookupError("no more"))
        with pytest.raises(LookupError):
            await sending
        assert await raw.recv_close() == (1011, "fragmented message was abandoned")
        assert await raw.end() == b""
        with pytest.raises(ConnectionClosedError):
            ws.send("too late")


async def test_a_source_that_raises_before_anything_went_out_costs_nothing() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        gate.put("not sent yet", LookupError("no more"))
        with pytest.raises(LookupError):
            await ws.send(gate)
        await ws.send("after")
        assert await raw.recv() == (FIN | TEXT, b"after")


@pytest.mark.parametrize(
    ("fragments", "match"),
    [
        ([5], "a fragment is str or bytes-like, not int"),
        (["a", b"b"], "all str or all bytes-like"),
        ([b"a", "b"], "all str or all bytes-like"),
        ([["nested"]], "not list"),
    ],
)
async def test_what_is_no_fragment_is_refused(fragments: Any, match: str) -> None:
    async with Scene() as (ws, raw):
        with pytest.raises(TypeError, match=match):
            await ws.send(fragments)
        await ws.send("after")
        assert await raw.recv() == (FIN | TEXT, b"after")


async def test_a_wrong_fragment_half_way_fails_the_connection() -> None:
    async with Scene() as (ws, raw):
        with pytest.raises(TypeError):
            await ws.send(["a", "b", b"c"])
        assert await raw.recv() == (TEXT, b"a")
        assert (await raw.recv_close())[0] == CloseCode.INTERNAL_ERROR


async def test_cancellation_half_way_fails_the_connection_with_1011() -> None:
    async with Scene() as (ws, raw):
        sending = await started(ws, Gate(), raw)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert (await raw.recv_close())[0] == CloseCode.INTERNAL_ERROR


async def test_cancellation_before_the_first_fragment_costs_nothing() -> None:
    async with Scene() as (ws, raw):
        sending = asyncio.ensure_future(ws.send(Gate()))
        await asyncio.sleep(0)
        await ws.send("held")
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        assert await raw.recv() == (FIN | TEXT, b"held")


async def test_cancellation_while_waiting_for_another_message_costs_nothing() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        waiting = asyncio.ensure_future(ws.send(["x", "y"]))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        gate.put(None)
        await sending
        await ws.send("after")
        assert [await raw.recv() for _ in range(2)] == [(FIN, b"b"), (FIN | TEXT, b"after")]


async def test_close_in_the_middle_goes_out_and_ends_the_send() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        waiting = asyncio.ensure_future(ws.send(["next"]))
        await asyncio.sleep(0)
        closing = asyncio.ensure_future(ws.close())
        assert await raw.recv_close() == (1000, "")
        raw.frame(FIN | CLOSE, (1000).to_bytes(2, "big"))
        await closing
        with pytest.raises(ConnectionClosedOK):
            await waiting
        gate.put("c")
        with pytest.raises(ConnectionClosedOK):
            await sending


async def test_the_connection_may_end_in_the_middle() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        ws.send("held")
        raw.reset()
        await ws.wait_closed()
        gate.put("c")
        with pytest.raises(ConnectionClosedError):
            await sending


async def test_messages_held_back_are_bounded() -> None:
    async with Scene(max_backlog=65536) as (ws, raw):
        sending = await started(ws, Gate(), raw)
        with pytest.raises(ConnectionClosedError) as caught:
            _ = [ws.send(b"") for _ in range(100_000)]
        assert caught.value.sent is not None
        assert caught.value.sent.code == CloseCode.TRY_AGAIN_LATER
        assert (await raw.recv_close())[0] == CloseCode.TRY_AGAIN_LATER
        sending.cancel()
        await asyncio.wait([sending])


async def test_a_broadcast_to_one_that_holds_too_much_raises_nothing() -> None:
    async with Scene(max_backlog=65536) as (ws, raw):
        sending = await started(ws, Gate(), raw)
        for _ in range(5):
            broadcast([ws], b"x" * 65536)
        assert ws.state is not State.OPEN
        assert (await raw.recv_close())[0] == CloseCode.TRY_AGAIN_LATER
        sending.cancel()
        await asyncio.wait([sending])


async def test_messages_held_back_are_dropped_where_that_is_the_policy() -> None:
    async with Scene(max_backlog=65536, overflow="drop") as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        for _ in range(5):
            ws.send(b"x" * 65536)
        with pytest.raises(ExceptionGroup) as caught:
            broadcast([ws], "dropped", raise_exceptions=True)
        assert "dropped" in str(caught.value.exceptions[0])
        gate.put(None)
        await sending
        assert await raw.recv() == (FIN, b"b")
        assert await raw.recv() == (FIN | BINARY, b"x" * 65536)
        ws.send("after")
        rest = []
        while (got := await raw.recv()) != (FIN | TEXT, b"after"):
            rest.append(got)
        assert len(rest) < 4


async def test_who_awaits_waits_when_much_is_held_back() -> None:
    async with Scene() as (ws, raw):
        gate = Gate()
        sending = await started(ws, gate, raw)
        many = asyncio.ensure_future(send_many(ws))
        for _ in range(5):
            await asyncio.sleep(0)
        assert ws.state is State.OPEN
        assert not many.done()
        gate.put(None)
        await sending
        assert await raw.recv() == (FIN, b"b")
        for _ in range(100):
            assert await raw.recv() == (FIN | BINARY, b"x" * 65536)
        await many


async def send_many(ws: Connection) -> None:
    for _ in range(100):
        await ws.send(b"x" * 65536)


async def test_a_fragmented_message_comes_from_a_file(tmp_path: Any) -> None:
    path = tmp_path / "large"
    path.write_bytes(bytes(range(256)) * 12_000)

    async def send_file(ws: Connection) -> None:
        with path.open("rb") as file:
            await ws.send(iter(lambda: file.read(65536), b""))

    async with serve(send_file, "127.0.0.1", 0) as server:
        async with connect(uri_of(server), max_size=2**23) as ws:
            assert await ws.recv() == path.read_bytes()
