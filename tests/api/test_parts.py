"""Messages that are received in parts, while they come."""

from __future__ import annotations

import asyncio
import gc
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest

from longlink import (
    ConcurrencyError,
    Connection,
    ConnectionClosedError,
    ConnectionClosedOK,
    Deflate,
    serve,
)
from tests.api.raw import BINARY, CLOSE, FIN, PING, PONG, TEXT, Raw, idle, pair, port_of, until

MORE = 0  # continuation


async def parts_of(ws: Connection, decode: bool | None = None) -> list[str | bytes]:
    return [part async for part in ws.recv_streaming(decode)]


async def meet(**options: Any) -> AsyncIterator[tuple[Raw, Connection]]:
    came: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    async with serve(idle, "127.0.0.1", 0, on_open=came.set_result, **options) as server:
        async with Raw.open(server) as raw:
            yield raw, await came


@pytest.fixture
async def met() -> AsyncIterator[tuple[Raw, Connection]]:
    async for both in meet():
        yield both


@pytest.fixture
async def endless() -> AsyncIterator[tuple[Raw, Connection]]:
    async for both in meet(max_size=None):
        yield both


async def test_a_whole_message_is_one_part() -> None:
    async with pair() as (ours, theirs):
        for message in ("text", b"octets", "", b"", "x" * 60_000):
            theirs.send(message)
            assert await parts_of(ours) == [message]
        theirs.send("after")
        assert await ours.recv() == "after"


async def test_fragments_are_given_as_they_come(met: tuple[Raw, Connection]) -> None:
    raw, ours = met
    stream = ours.recv_streaming()
    raw.frame(BINARY, b"one")
    assert await anext(stream) == b"one"
    raw.frame(MORE, b"two")
    assert await anext(stream) == b"two"
    raw.frame(FIN | PING, b"?")  # between fragments
    assert await raw.recv() == (FIN | PONG, b"?")
    raw.frame(FIN | MORE, b"three")
    assert await anext(stream) == b"three"
    for _ in range(2):
        with pytest.raises(StopAsyncIteration):
            await anext(stream)


async def test_one_frame_is_given_in_parts_too(met: tuple[Raw, Connection]) -> None:
    """A part is what has come, whatever the frames are."""
    raw, ours = met
    raw.send(b"\x82\xfe\x27\x10" + bytes(4) + b"a" * 4000)
    stream = ours.recv_streaming()
    assert await anext(stream) == b"a" * 4000
    raw.send(b"b" * 5999)
    assert await anext(stream) == b"b" * 5999
    raw.send(b"c")
    assert [part async for part in stream] == [b"c"]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 7])
async def test_text_is_given_in_whole_characters(met: tuple[Raw, Connection], size: int) -> None:
    raw, ours = met
    said = "aü€🙂" * 10
    octets = said.encode()
    stream = ours.recv_streaming()
    heard = ""
    pieces = [octets[n : n + size] for n in range(0, len(octets), size)]
    for n, piece in enumerate(pieces):
        raw.frame((TEXT if n == 0 else MORE) | (FIN if n == len(pieces) - 1 else 0), piece)
        await until(lambda: raw.writer.transport.get_write_buffer_size() == 0)
        for _ in range(3):
            await asyncio.sleep(0)
    async for part in stream:
        assert isinstance(part, str)
        heard += part
    assert heard == said


@pytest.mark.parametrize(
    ("first", "decode", "kind"),
    [
        (TEXT, None, str),
        (TEXT, False, bytes),
        (TEXT, True, str),
        (BINARY, None, bytes),
        (BINARY, False, bytes),
        (BINARY, True, str),
    ],
)
async def test_decode(
    met: tuple[Raw, Connection], first: int, decode: bool | None, kind: type
) -> None:
    raw, ours = met
    stream = ours.recv_streaming(decode)
    octets = "a🙂b".encode()
    raw.frame(first, octets[:3])
    heard = [await anext(stream)]
    raw.frame(FIN | MORE, octets[3:])
    heard += [part async for part in stream]
    assert {type(part) for part in heard} == {kind}
    if kind is str:
        assert "".join(heard) == "a🙂b"
    else:
        assert b"".join(heard) == octets


async def test_octets_that_are_no_text_are_the_callers_problem(
    met: tuple[Raw, Connection],
) -> None:
    raw, ours = met
    raw.frame(FIN | BINARY, b"\xff")
    with pytest.raises(UnicodeDecodeError):
        await parts_of(ours, True)
    raw.frame(FIN | TEXT, b"next")
    assert await ours.recv() == "next"


async def test_text_that_is_not_utf8_fails_in_the_middle(met: tuple[Raw, Connection]) -> None:
    raw, ours = met
    stream = ours.recv_streaming()
    raw.frame(TEXT, b"fine")
    assert await anext(stream) == "fine"
    raw.frame(FIN | MORE, b"\xc3\x28")
    with pytest.raises(ConnectionClosedError):
        await anext(stream)
    assert (await raw.recv_close())[0] == 1007


async def test_the_limit_is_of_the_whole_message() -> None:
    async for raw, ours in meet(max_size=1000):
        stream = ours.recv_streaming()
        raw.frame(BINARY, bytes(600))
        assert await anext(stream) == bytes(600)
        raw.frame(MORE, bytes(400))
        assert await anext(stream) == bytes(400)
        raw.frame(MORE, bytes(1))
        with pytest.raises(ConnectionClosedError):
            await anext(stream)
        assert (await raw.recv_close())[0] == 1009


async def test_the_limit_of_a_frame() -> None:
    async for raw, ours in meet(max_size=(None, 1000)):
        raw.frame(BINARY, bytes(1000))
        raw.frame(FIN | MORE, bytes(1000))
        assert await ours.recv() == bytes(2000)
        raw.frame(BINARY, bytes(1001))
        with pytest.raises(ConnectionClosedError):
            await ours.recv()
        code, reason = await raw.recv_close()
        assert (code, reason[:47]) == (1009, "frame over the limit of 1000 bytes (max_fragmen")


async def test_a_message_larger_than_memory_should_hold(
    endless: tuple[Raw, Connection],
) -> None:
    """No more than about a receive buffer lies here, however slow the consumer is."""
    raw, ours = endless
    size = 2**26
    raw.send(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4))
    piece = bytes(2**20)
    heard = largest = 0

    async def write() -> None:
        for _ in range(size // len(piece)):
            raw.send(piece)
            await raw.writer.drain()

    writing = asyncio.ensure_future(write())
    async for part in ours.recv_streaming():
        heard += len(part)
        largest = max(largest, len(part))
        for _ in range(5):
            await asyncio.sleep(0)
    await writing
    assert heard == size
    assert largest <= 2**20


async def test_a_message_without_limit_waits_for_somebody_to_receive_it(
    endless: tuple[Raw, Connection],
) -> None:
    raw, ours = endless
    size = 2**24
    raw.send(b"\x82\xff" + size.to_bytes(8, "big") + bytes(4) + bytes(size))
    await until(lambda: ours.session.paused)
    body = ours.session.body
    assert body is not None
    assert body.size < 2**20
    assert await ours.recv() == bytes(size)
    raw.frame(FIN | TEXT, b"next")
    assert await ours.recv() == "next"


async def test_only_one_at_a_time(met: tuple[Raw, Connection]) -> None:
    raw, ours = met
    stream = ours.recv_streaming()
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    for other in (ours.recv(), anext(ours.recv_streaming()), anext(stream)):
        with pytest.raises(ConcurrencyError):
            await other
    raw.frame(BINARY, b"one")
    assert await waiting == b"one"
    for another in (ours.recv(), anext(ours.recv_streaming()), anext(aiter(ours))):
        with pytest.raises(ConcurrencyError, match="in the middle of a message"):
            await another
    raw.frame(FIN | MORE, b"two")
    assert [part async for part in stream] == [b"two"]
    receiving = asyncio.ensure_future(ours.recv())
    await asyncio.sleep(0)
    with pytest.raises(ConcurrencyError):
        await anext(ours.recv_streaming())
    raw.frame(FIN | TEXT, b"three")
    assert await receiving == "three"


async def test_messages_before_it_are_received_first(met: tuple[Raw, Connection]) -> None:
    raw, ours = met
    raw.frame(FIN | TEXT, b"one")
    raw.frame(FIN | TEXT, b"two")
    raw.frame(TEXT, b"thr")
    await until(lambda: ours.session.body is not None)
    assert await parts_of(ours) == ["one"]
    assert await parts_of(ours) == ["two"]
    stream = ours.recv_streaming()
    assert await anext(stream) == "thr"
    raw.frame(FIN | MORE, b"ee")
    raw.frame(FIN | TEXT, b"four")
    assert [part async for part in stream] == ["ee"]
    assert await ours.recv() == "four"


@pytest.mark.parametrize("come", [False, True], ids=["before its end", "after its end"])
@pytest.mark.parametrize("how", ["break", "aclose", "raise"])
async def test_who_leaves_half_way_does_not_get_the_rest(
    met: tuple[Raw, Connection], how: str, come: bool
) -> None:
    raw, ours = met
    raw.frame(BINARY, b"one")
    rest = [(MORE, b"two"), (MORE, b"three"), (FIN | MORE, b"four"), (FIN | TEXT, b"next")]

    async def leave() -> None:
        stream = ours.recv_streaming()
        async for part in stream:
            assert part == b"one"
            if come:
                for first, payload in rest:
                    raw.frame(first, payload)
                for _ in range(20):
                    await asyncio.sleep(0)
            if how == "raise":
                raise LookupError
            break
        if how == "aclose":
            await stream.aclose()
            with pytest.raises(StopAsyncIteration):
                await anext(stream)

    try:
        await leave()
    except LookupError:
        gc.collect()
    if not come:
        for first, payload in rest:
            raw.frame(first, payload)
    assert await ours.recv() == "next"


async def test_an_iterator_that_began_nothing_costs_nothing(met: tuple[Raw, Connection]) -> None:
    raw, ours = met
    ours.recv_streaming()
    await ours.recv_streaming().aclose()
    raw.frame(FIN | TEXT, b"here")
    assert await ours.recv() == "here"


@pytest.mark.parametrize("turns", range(6))
async def test_cancellation_loses_nothing(met: tuple[Raw, Connection], turns: int) -> None:
    raw, ours = met
    stream = ours.recv_streaming()
    heard = b""
    said = [(BINARY, b"one"), (MORE, b"two"), (FIN | MORE, b"three")]
    for first, payload in said:
        task = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        raw.frame(first, payload)
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        if not task.cancelled():
            heard += task.result()
    async for part in stream:
        heard += part
    assert heard == b"onetwothree"
    raw.frame(FIN | TEXT, b"next")
    assert await ours.recv() == "next"


async def test_the_end_in_the_middle(met: tuple[Raw, Connection]) -> None:
    raw, ours = met
    stream = ours.recv_streaming()
    raw.frame(BINARY, b"one")
    assert await anext(stream) == b"one"
    raw.frame(FIN | CLOSE, b"\x03\xe8")
    with pytest.raises(ConnectionClosedOK):  # even so: the message did not end
        await anext(stream)
    with pytest.raises(ConnectionClosedOK):
        await ours.recv()


async def test_callbacks_get_whole_messages(met: tuple[Raw, Connection]) -> None:
    heard: list[Any] = []
    async with serve(
        None, "127.0.0.1", 0, on_message=lambda ws, said: heard.append(said), max_size=None
    ) as server:
        async with Raw.open(port_of(server)) as raw:
            (ours,) = server.connections
            with pytest.raises(ConcurrencyError, match="on_message"):
                await anext(ours.recv_streaming())
            raw.frame(BINARY, bytes(2**20))
            raw.frame(FIN | MORE, bytes(2**20))
            await until(lambda: heard)
    assert heard == [bytes(2**21)]


@pytest.mark.parametrize("takeover", [False, True])
async def test_compressed_messages_come_in_parts_too(takeover: bool) -> None:
    """With context takeover later messages refer to what was taken."""
    deflate = Deflate(context_takeover=takeover)
    chance = random.Random(1)
    words = [chance.randbytes(50) for _ in range(100)]
    async with pair(compression=deflate, client={"compression": deflate}) as (ours, theirs):
        for n in range(5):
            said = [b"".join(chance.choices(words, k=200)) for _ in range(10)]
            sending = asyncio.ensure_future(theirs.send(said))
            if n % 2:
                assert await ours.recv() == b"".join(said)
            else:
                heard = await parts_of(ours)
                assert b"".join(heard) == b"".join(said)  # type: ignore[arg-type]
            await sending


async def test_a_connection_with_a_callback_has_no_parts_to_give() -> None:
    heard: list[str | bytes] = []
    came: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    async with (
        serve(
            host="127.0.0.1",
            port=0,
            on_open=came.set_result,
            on_message=lambda ws, message: heard.append(message),
        ) as server,
        Raw.open(server) as raw,
    ):
        ws = await came
        raw.frame(TEXT, b"first half, ")
        await until(lambda: ws.session.body is not None)
        with pytest.raises(ConcurrencyError, match="on_message"):
            await parts_of(ws)
        raw.frame(FIN | MORE, b"second half")
        await until(lambda: heard)
    assert heard == ["first half, second half"]
