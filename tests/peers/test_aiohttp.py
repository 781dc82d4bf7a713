"""aiohttp on the other side. It cannot send fragments, and answers any Close with 1000."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import pytest

from tests.peers.talk import MESSAGES, OFFERED, SPOKEN, converse, our_server

pytest.importorskip("aiohttp", reason="scripts/test installs it")

import aiohttp
from aiohttp import WSMsgType, web


async def say(ws: Any, message: str | bytes) -> None:
    if isinstance(message, str):
        await ws.send_str(message)
    else:
        await ws.send_bytes(message)


async def test_client() -> None:
    async with our_server() as (uri, ended), aiohttp.ClientSession() as session:
        how: dict[str, Any] = {"protocols": OFFERED, "max_msg_size": 2**21, "autoping": False}
        async with session.ws_connect(uri, **how) as ws:
            assert ws.protocol == "a"
            for message in MESSAGES:
                await say(ws, message)
                assert (await ws.receive()).data == message
            await ws.send_str("do:fragments")
            assert await ws.receive_str() == "fragmented"
            await ws.ping(b"\x00\xff")
            pong = await ws.receive()
            assert (pong.type, pong.data) == (WSMsgType.PONG, b"\x00\xff")
            await ws.send_str("do:ping")
            ping = await ws.receive()
            assert (ping.type, ping.data) == (WSMsgType.PING, b"\x00\xffping")
            await ws.pong(ping.data)
            assert await ws.receive_str() == "ponged"
            await ws.send_str("do:close")
            close = await ws.receive()
            assert (close.type, close.data, close.extra) == (WSMsgType.CLOSE, 4001, "enough")
        assert await ended.get() == (1000, "")
        async with session.ws_connect(uri, compress=15) as ws:
            assert ws.compress == 15
            await ws.close(code=4002, message=b"my turn")
            assert ws.close_code == 4002
        assert await ended.get() == (4002, "my turn")
        with pytest.raises(aiohttp.WSServerHandshakeError) as caught:
            await session.ws_connect(uri, origin="http://evil.example")
        assert caught.value.status == 403


async def test_requests_of_a_client_to_an_application_on_the_same_port() -> None:
    pytest.importorskip("uvicorn")

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            raise NotImplementedError
        size, more = 0, True
        while more:
            message = await receive()
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(size).encode()})

    async with our_server(http=app) as (uri, _), aiohttp.ClientSession() as session:
        page = uri.replace("ws://", "http://")
        for size in (0, 1000, 3_000_000):
            async with session.post(page, data=io.BytesIO(bytes(size))) as response:
                assert response.status == 200
                assert await response.text() == str(size)
        async with session.ws_connect(uri) as ws:  # on the connection that was kept alive
            await ws.send_str("hello")
            assert await ws.receive_str() == "hello"
            await ws.close()


async def test_server() -> None:
    ended: asyncio.Queue[Any] = asyncio.Queue()

    async def handler(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(protocols=SPOKEN, max_msg_size=2**21, autoping=False)
        await ws.prepare(request)
        async for message in ws:
            if message.type == WSMsgType.PING:
                await ws.pong(message.data)
            elif message.type == WSMsgType.PONG:
                assert message.data == b"\xffping"
                await ws.send_str("ponged")
            elif message.data == "do:ping":
                await ws.ping(b"\xffping")
            elif message.data == "do:close":
                await ws.close(code=4001, message=b"enough")
            else:
                await say(ws, message.data)
        ended.put_nowait(ws.close_code)
        return ws

    app = web.Application()
    app.router.add_get("/", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        await converse(f"ws://127.0.0.1:{runner.addresses[0][1]}/", fragments=False, echoed=1000)
        assert [await ended.get(), await ended.get()] == [4001, 4002]
    finally:
        await runner.cleanup()
