"""The client's end of a session, with a raw server on the other."""

from __future__ import annotations

import asyncio
import base64
import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from longlink import connect
from longlink.errors import ConnectionClosedOK, InvalidStatus

from .conftest import Clock, Place, Until
from .raw import (
    CLOSE,
    TEXT,
    frame,
)


@asynccontextmanager
async def raw_server(answer: bytes) -> AsyncIterator[tuple[str, list[bytes]]]:
    """A server that reads one head, says `answer` and waits; {accept} in it is filled in."""
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
    said = WELCOME + frame(TEXT, b"first", key=None) + frame(CLOSE, b"\x03\xe8", key=None)
    async with raw_server(said) as (uri, _):
        ws = await connect(uri)
        assert await ws.recv() == "first"
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()
        ws.session.abort()


async def test_client_sees_through_interim_answers_however_many(plain: Place) -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>\r\n\r\n"
    async with raw_server(hint * 3000 + WELCOME + frame(TEXT, b"hi", key=None)) as (uri, _):
        async with connect(uri) as ws:
            assert await ws.recv() == "hi"
            ws.session.abort()


@pytest.mark.parametrize("pieces", [1, 2])
async def test_client_gets_the_body_of_a_refusal(plain: Place, pieces: int) -> None:
    said = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 5\r\n\r\nnever"
    async with raw_server(said) as (uri, _):
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri, open_timeout=5)
    assert caught.value.body == b"never"


async def test_client_gives_up_in_time(plain: Place, clock: Clock, until: Until) -> None:
    async with raw_server(b"HTTP/1.1 101 ") as (uri, heads):
        opening = asyncio.ensure_future(connect(uri, open_timeout=7).__aenter__())
        await until(lambda: heads)
        clock.turn(6.5)
        assert not opening.done()
        clock.turn(0.7)
        with pytest.raises(TimeoutError):
            await opening


async def test_client_waits_for_the_server_to_go_first(plain: Place, clock: Clock) -> None:
    async with raw_server(WELCOME + frame(CLOSE, b"\x03\xe8", key=None)) as (uri, _):
        ws = await connect(uri, close_timeout=3)
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()
        clock.turn(2)
        assert ws.state == 2
        clock.turn(1.2)
        assert ws.state == 3
        assert ws.close_code == 1000
