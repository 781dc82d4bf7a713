"""The one conversation that every peer has with us, from both ends.

A server of either kind echoes what it is told, except for these texts: "do:fragments" makes it
send "fragmented" in three fragments, "do:ping" makes it ping and say "ponged" when the pong has
come, "do:close" makes it close with 4001.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink import Connection, ConnectionClosedError, ConnectionClosedOK, connect, serve

FRAGMENTS = ["frag", "men", "ted"]
OFFERED = ["b", "a"]  # by a client, in its order
SPOKEN = ["a", "c"]  # by a server: "a" it is

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 2**20]
BINARY = [(bytes(range(256)) * (size // 256 + 1))[:size] for size in SIZES]
TEXT = ["x" * size for size in SIZES] + ["é🙂" * 1000, "\x00\ufeff\uffff\U0010ffff"]
MESSAGES: list[str | bytes] = [*BINARY, *TEXT]


async def answer(ws: Connection) -> None:
    """Our server's part."""
    async for message in ws:
        if message == "do:fragments":
            await ws.send(FRAGMENTS)
        elif message == "do:ping":
            await (await ws.ping(b"\x00\xffping"))
            await ws.send("ponged")
        elif message == "do:close":
            await ws.close(4001, "enough")
        else:
            await ws.send(message)


@asynccontextmanager
async def our_server(**options: Any) -> AsyncIterator[tuple[str, asyncio.Queue[Any]]]:
    """URI of a server of ours; a queue with the code and reason of each connection that ended."""
    ended: asyncio.Queue[Any] = asyncio.Queue()

    def note(ws: Connection) -> None:
        ended.put_nowait((ws.close_code, ws.close_reason))

    async with serve(
        answer, "127.0.0.1", 0, subprotocols=SPOKEN, on_close=note, **options
    ) as server:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", ended


async def converse(uri: str, *, fragments: bool = True, echoed: int = 4002) -> None:
    """Our client's part, with a server of somebody else.

    Args:
        fragments: whether it can send them.
        echoed: the code with which it answers a Close of 4002.
    """
    async with connect(uri, subprotocols=OFFERED) as ws:
        assert ws.subprotocol == "a"
        for message in MESSAGES:
            await ws.send(message)
            assert await ws.recv() == message
        sending = asyncio.create_task(send_all(ws))
        assert [await ws.recv() for _ in MESSAGES] == MESSAGES
        await sending
        await ws.send(FRAGMENTS)
        assert await ws.recv() == "fragmented"
        if fragments:
            await ws.send("do:fragments")
            assert await ws.recv() == "fragmented"
        assert await (await ws.ping(b"\x00\xff")) > 0
        await ws.send("do:ping")
        assert await ws.recv() == "ponged"
        await ws.send("do:close")
        with pytest.raises(ConnectionClosedError) as caught:
            await ws.recv()
        assert (caught.value.code, caught.value.reason) == (4001, "enough")
    async with connect(uri, subprotocols=["nobody-speaks-this"]) as ws:
        assert ws.subprotocol is None
        await ws.close(4002, "my turn")
        assert ws.close_code == echoed
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()


async def send_all(ws: Connection) -> None:
    for message in MESSAGES:
        await ws.send(message)
