"""`websockets`, in both of its colours, on the other side."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import pytest

from tests.peers.talk import FRAGMENTS, MESSAGES, OFFERED, SPOKEN, converse, our_server

pytest.importorskip("websockets", reason="scripts/test installs it")

from websockets.asyncio import client as asyncio_client
from websockets.asyncio import server as asyncio_server
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.sync import client as sync_client
from websockets.sync import server as sync_server


async def test_asyncio_client() -> None:
    async with our_server() as (uri, ended):
        async with asyncio_client.connect(uri, subprotocols=OFFERED) as ws:  # type: ignore[arg-type]
            assert ws.subprotocol == "a"
            for message in MESSAGES:
                await ws.send(message)
                assert await ws.recv() == message
            await ws.send(FRAGMENTS)
            assert await ws.recv() == "fragmented"
            await ws.send("do:fragments")
            assert [piece async for piece in ws.recv_streaming()] == FRAGMENTS
            assert await (await ws.ping(b"\x00\xff")) > 0
            await ws.send("do:ping")
            assert await ws.recv() == "ponged"
            await ws.send("do:close")
            with pytest.raises(ConnectionClosedError) as caught:
                await ws.recv()
            assert caught.value.rcvd is not None
            assert (caught.value.rcvd.code, caught.value.rcvd.reason) == (4001, "enough")
        assert await ended.get() == (4001, "enough")
        async with asyncio_client.connect(uri) as ws:
            await ws.close(4002, "my turn")
        assert await ended.get() == (4002, "my turn")
        with pytest.raises(InvalidStatus) as refused:
            await asyncio_client.connect(uri, origin="http://evil.example")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403


async def test_asyncio_clients_hear_the_end_of_the_server() -> None:
    async with our_server() as (uri, ended):
        clients = [await asyncio_client.connect(uri) for _ in range(5)]
    for ws in clients:
        await ws.wait_closed()
        assert ws.close_code == 1001
        assert await ended.get() == (1001, "")


async def test_sync_client() -> None:
    def talk(uri: str) -> None:
        with sync_client.connect(uri, subprotocols=OFFERED) as ws:  # type: ignore[arg-type]
            assert ws.subprotocol == "a"
            for message in MESSAGES:
                ws.send(message)
                assert ws.recv() == message
            ws.send(FRAGMENTS)
            assert ws.recv() == "fragmented"
            ws.send("do:fragments")
            assert list(ws.recv_streaming()) == FRAGMENTS
            ws.send("do:ping")
            assert ws.recv() == "ponged"
            assert ws.ping().wait(10)
            ws.close(4002, "my turn")

    async with our_server() as (uri, ended):
        await asyncio.to_thread(talk, uri)
        assert await ended.get() == (4002, "my turn")


async def test_asyncio_server() -> None:
    ended: asyncio.Queue[Any] = asyncio.Queue()

    async def answer(ws: asyncio_server.ServerConnection) -> None:
        async for message in ws:
            if message == "do:fragments":
                await ws.send(FRAGMENTS)
            elif message == "do:ping":
                await (await ws.ping())
                await ws.send("ponged")
            elif message == "do:close":
                await ws.close(4001, "enough")
            else:
                await ws.send(message)

    async def handler(ws: asyncio_server.ServerConnection) -> None:
        try:
            await answer(ws)
        except ConnectionClosedError:
            pass
        finally:
            ended.put_nowait((ws.close_code, ws.close_reason))

    serving = asyncio_server.serve(
        handler,
        "127.0.0.1",
        0,
        subprotocols=SPOKEN,  # type: ignore[arg-type]
        select_subprotocol=prefer,
    )
    async with serving as server:
        await converse(f"ws://127.0.0.1:{next(iter(server.sockets)).getsockname()[1]}/")
        assert [await ended.get(), await ended.get()] == [(4001, "enough"), (4002, "my turn")]


def prefer(ws: Any, offered: Any) -> Any:
    """Without it, `websockets` refuses those that offer nothing it speaks."""
    return "a" if "a" in offered else None


async def test_sync_server() -> None:
    def handler(ws: sync_server.ServerConnection) -> None:
        try:
            for message in ws:
                if message == "do:fragments":
                    ws.send(FRAGMENTS)
                elif message == "do:ping":
                    pong = ws.ping()
                    threading.Thread(target=say, args=(pong.wait, ws)).start()
                elif message == "do:close":
                    ws.close(4001, "enough")
                else:
                    ws.send(message)
        except ConnectionClosedError:
            pass

    def say(wait: Callable[[float], bool], ws: sync_server.ServerConnection) -> None:
        assert wait(10)
        ws.send("ponged")

    server = sync_server.serve(
        handler,
        "127.0.0.1",
        0,
        subprotocols=SPOKEN,  # type: ignore[arg-type]
        select_subprotocol=prefer,
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        await converse(f"ws://127.0.0.1:{server.socket.getsockname()[1]}/")
    finally:
        server.shutdown()
        await asyncio.to_thread(thread.join)
