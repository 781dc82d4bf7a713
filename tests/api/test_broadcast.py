"""One message to many."""

from __future__ import annotations

import asyncio
import tracemalloc
from contextlib import AsyncExitStack
from typing import Any

import pytest

from longlink import Connection, ConnectionClosed, State, broadcast, connect, serve
from tests.api.raw import BINARY, FIN, TEXT, Raw, idle, pair, uri_of


@pytest.mark.parametrize(
    ("message", "received"),
    [
        ("text", "text"),
        (b"bytes", b"bytes"),
        (bytearray(b"array"), b"array"),
        (memoryview(b"0123")[::2], b"02"),
        ("x" * 200_000, "x" * 200_000),
    ],
    ids=["str", "bytes", "bytearray", "memoryview", "long"],
)
async def test_everybody_gets_it(message: Any, received: str | bytes) -> None:
    async with serve(idle, "127.0.0.1", 0) as server, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connect(uri_of(server))) for _ in range(20)]
        broadcast(server.connections, message)
        broadcast(iter(server.connections), "second")
        for client in clients:
            assert await client.recv() == received
            assert await client.recv() == "second"


async def test_it_is_encoded_once_however_many_listen() -> None:
    """A message that is long is one object for all of them: memory tells."""
    message = "é" * 500_000
    async with (
        serve(idle, "127.0.0.1", 0, compression=None) as server,
        AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(connect(uri_of(server))) for _ in range(20)]
        tracemalloc.start()
        try:
            broadcast(server.connections, message)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        for client in clients:
            assert await client.recv() == message
    assert 1_000_000 <= most < 4_000_000


async def test_clients_may_broadcast_too() -> None:
    async with pair() as (ours, theirs):
        broadcast([theirs], "to servers")
        broadcast([theirs], b"masked")
        assert [await ours.recv(), await ours.recv()] == ["to servers", b"masked"]


async def test_nobody_is_fine() -> None:
    broadcast([], "x")
    broadcast(set(), b"x", raise_exceptions=True)


@pytest.mark.parametrize("message", [None, 5, ["a", "b"], {"a": 1}])
async def test_what_is_no_message_is_refused(message: Any) -> None:
    async with pair() as (ours, theirs):
        with pytest.raises(TypeError, match="a message is str or bytes-like"):
            broadcast([ours], message)
        broadcast([ours], "after")
        assert await theirs.recv() == "after"


async def test_who_is_gone_is_skipped() -> None:
    async with pair() as (gone, other), pair() as (here, theirs):
        await other.close()
        await gone.wait_closed()
        broadcast([gone, here], "one")
        with pytest.raises(ExceptionGroup) as caught:
            broadcast([gone, here], "two", raise_exceptions=True)
        assert [type(each).__mro__[1] for each in caught.value.exceptions] == [ConnectionClosed]
        assert [await theirs.recv(), await theirs.recv()] == ["one", "two"]


async def test_one_slow_reader_is_closed_and_delays_nobody() -> None:
    async with serve(idle, "127.0.0.1", 0, max_backlog=100_000) as server:
        async with Raw.open(server) as slow, connect(uri_of(server)) as quick:
            slow.reader._transport.pause_reading()  # type: ignore[attr-defined]
            count = 0
            while len([ws for ws in server.connections if ws.state is State.OPEN]) == 2:
                broadcast(server.connections, b"x" * 65536)
                count += 1
                assert await quick.recv() == b"x" * 65536
            broadcast(server.connections, "after")
            assert await quick.recv() == "after"
            slow.reader._transport.resume_reading()  # type: ignore[attr-defined]
            while (got := await slow.recv())[0] != 0x88:
                count -= 1
            assert got[1][:2] == (1013).to_bytes(2, "big")
            assert count >= 0


async def test_broadcasts_and_sends_keep_their_order() -> None:
    async with pair() as (ours, theirs):
        for number in range(0, 100, 2):
            ours.send(str(number))
            broadcast([ours], str(number + 1))
        assert [await theirs.recv() for _ in range(100)] == [str(number) for number in range(100)]


async def test_a_callback_may_broadcast_to_all() -> None:
    members: set[Connection] = set()

    def leave(ws: Connection) -> None:
        members.discard(ws)
        broadcast(members, "left")

    async with serve(
        host="127.0.0.1",
        port=0,
        on_open=members.add,
        on_message=lambda ws, message: broadcast(members, message),
        on_close=leave,
    ) as server:
        async with Raw.open(server) as raw:
            async with connect(uri_of(server)) as theirs:
                await theirs.send("hello")
                assert await theirs.recv() == "hello"
                assert await raw.recv() == (FIN | TEXT, b"hello")
            assert await raw.recv() == (FIN | TEXT, b"left")
    await asyncio.sleep(0)
    assert not members


async def test_text_says_otherwise_than_the_type() -> None:
    async with serve(idle, "127.0.0.1", 0) as server, Raw.open(server) as raw:
        broadcast(server.connections, "é".encode(), text=True)
        assert await raw.recv() == (FIN | TEXT, "é".encode())
        broadcast(server.connections, "é", text=False)
        assert await raw.recv() == (FIN | BINARY, "é".encode())
        with pytest.raises(UnicodeDecodeError):
            broadcast(server.connections, b"\xff", text=True)
