"""Servers for blocking clients: ours on a loop of another thread, and websockets' of threads."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest

import longlink
from longlink.sync import background
from tests.api.conftest import certificate, client_tls, server_tls

__all__ = ["certificate", "client_tls", "server_tls"]

Serving = Callable[..., AbstractContextManager[str]]


async def echo(ws: Any) -> None:
    async for message in ws:
        await ws.send(message)


@contextmanager
def serving(handler: Any = echo, **options: Any) -> Iterator[str]:
    """URI of a server of ours."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def start() -> Any:
        return await longlink.serve(handler, "127.0.0.1", 0, **options)

    async def stop() -> None:
        server.close()
        await server.wait_closed()

    server = asyncio.run_coroutine_threadsafe(start(), loop).result()
    try:
        port = server.sockets[0].getsockname()[1]
        yield f"{'wss' if 'ssl' in options else 'ws'}://localhost:{port}/"
    finally:
        asyncio.run_coroutine_threadsafe(stop(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def serving_websockets() -> Iterator[str]:
    """URI of an echo server of websockets.sync."""
    from websockets.sync.server import serve

    def handler(ws: Any) -> None:
        for message in ws:
            ws.send(message)

    with serve(handler, "127.0.0.1", 0) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/"
        server.shutdown()
        thread.join()


@pytest.fixture(params=["longlink", "websockets"])
def uri(request: pytest.FixtureRequest) -> Iterator[str]:
    """An echo server."""
    with serving() if request.param == "longlink" else serving_websockets() as uri:
        yield uri


@pytest.fixture(autouse=True)
def nobody_is_left() -> Iterator[None]:
    """Each test ends without the shared loop: its last user has gone."""
    yield
    threads = [thread for thread in threading.enumerate() if thread.name == "longlink"]
    for thread in threads:
        thread.join(10)
    assert not any(thread.is_alive() for thread in threads)
    assert background._shared is None
