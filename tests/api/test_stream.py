"""The same API on asyncio transports, as where there is no epoll."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from longlink import Connection, ConnectionClosedError, connect, serve
from longlink.api import client, server
from tests.api.raw import FIN, TEXT, Raw, echo, frame, idle, port_of, request, until, uri_of


@pytest.fixture(autouse=True)
def without_epoll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "AVAILABLE", False)
    monkeypatch.setattr(server, "AVAILABLE", False)


async def test_handlers() -> None:
    async with serve(echo, "127.0.0.1", 0, subprotocols=["a"]) as serving:
        async with connect(uri_of(serving), subprotocols=["a"]) as ws:
            assert ws.subprotocol == "a"
            for message in ("", "text", b"bytes", "x" * 500_000, b"y" * 1_000_000):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(["in", "pieces"])
            assert await ws.recv() == "inpieces"
            assert await (await ws.ping()) > 0
            assert ws.remote_address == serving.sockets[0].getsockname()
            await ws.close(4000, "done")
            assert (ws.close_code, ws.close_reason) == (4000, "done")
            assert ws.local_address is not None


async def test_callbacks() -> None:
    seen: list[Any] = []
    async with serve(
        host="127.0.0.1",
        port=0,
        on_open=lambda ws: seen.append("open"),
        on_message=lambda ws, message: ws.send(message),
        on_close=lambda ws: seen.append(ws.close_code),
    ) as serving:
        async with connect(uri_of(serving)) as ws:
            for number in range(1000):
                ws.send(str(number))
            assert [await ws.recv() for _ in range(1000)] == [str(n) for n in range(1000)]
        async with connect(uri_of(serving)) as ws:
            serving.close()
            await ws.wait_closed()
            assert ws.close_code == 1001
    assert seen == ["open", 1000, "open", 1001]


async def test_a_slow_reader_is_waited_for() -> None:
    async def flood(ws: Connection) -> None:
        for number in range(300):
            await ws.send(bytes([number % 256]) * 65536)

    async with serve(flood, "127.0.0.1", 0) as serving:
        async with connect(uri_of(serving), max_queue=1) as ws:
            for number in range(300):
                assert await ws.recv() == bytes([number % 256]) * 65536


async def test_a_flood_of_callbacks_waits_for_a_reader_that_does_not_read() -> None:
    box: list[Connection] = []
    async with serve(
        host="127.0.0.1",
        port=0,
        on_open=box.append,
        on_message=lambda ws, message: ws.send(message),
    ) as serving:
        async with Raw.open(serving) as raw:
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(400):
                raw.send(frame(FIN | 2, b"x" * 65536))
            await until(lambda: box[0].session.paused)
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(400):
                assert await raw.recv() == (FIN | 2, b"x" * 65536)


async def test_a_peer_that_vanishes() -> None:
    async with serve(idle, "127.0.0.1", 0) as serving:
        async with Raw.open(serving) as raw:
            (ws,) = serving.connections
            waiting = asyncio.ensure_future(ws.recv())
            await asyncio.sleep(0)
            raw.reset()
            with pytest.raises(ConnectionClosedError):
                await waiting
            await ws.wait_closed()
            assert ws.close_code == 1006


async def test_http_beside_it() -> None:
    pytest.importorskip("uvicorn")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        body = (await receive())["body"]
        headers = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async with serve(echo, "127.0.0.1", 0, http=app) as serving:
        raw = await Raw.connect(port_of(serving))
        for _ in range(2):
            raw.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello")
            assert (await raw.answer())[2] == b"hello"
        raw.send(request())
        assert "101" in await raw.head()
        raw.frame(FIN | TEXT, b"and now this")
        assert await raw.recv() == (FIN | TEXT, b"and now this")
        await raw.close()
