"""Cancelled at any await, whatever the way: no descriptor, task or complaint is left."""

from __future__ import annotations

import asyncio
import os
import ssl
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from longlink import connect, serve
from longlink.api import client
from tests.api.raw import echo, port_of, until, uri_of
from tests.api.relay import Relay

STEPS = 40  # turns of the loop before the cancellation; the longest way takes about thirty


linux = pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors in /proc")


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


class Ways:
    """The ways to one server, as the arguments of `connect`."""

    def __init__(self, plain: int, secure: int, relays: list[Relay], tls: Any) -> None:
        http, https, socks = (relay.port for relay in relays)
        name = "localhost"
        ws, wss = f"ws://{name}:{plain}/", f"wss://{name}:{secure}/"
        self.all: dict[str, tuple[str, dict[str, Any]]] = {
            "plain": (ws, {}),
            "address": (f"ws://127.0.0.1:{plain}/", {}),
            "tls": (wss, {"ssl": tls}),
            "redirect": (ws + "away", {}),
            "http": (ws, {"proxy": f"http://127.0.0.1:{http}"}),
            "tls-http": (wss, {"proxy": f"http://127.0.0.1:{http}", "ssl": tls}),
            "https": (ws, {"proxy": f"https://127.0.0.1:{https}", "proxy_ssl": tls}),
            "tls-https": (
                wss,
                {"proxy": f"https://127.0.0.1:{https}", "proxy_ssl": tls, "ssl": tls},
            ),
            "socks": (ws, {"proxy": f"socks5://127.0.0.1:{socks}"}),
        }


@asynccontextmanager
async def everywhere(server_tls: Any, client_tls: Any) -> AsyncIterator[Ways]:
    def turn_away(ws: Any, request: Any) -> Any:
        if request.path != "/away":
            return None
        response = ws.respond(302, "")
        response.headers["Location"] = "/"
        return response

    relays = [Relay(), Relay(), Relay()]
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(
            serve(echo, "127.0.0.1", 0, process_request=turn_away)
        )
        secure = await stack.enter_async_context(serve(echo, "127.0.0.1", 0, ssl=server_tls))
        await stack.enter_async_context(relays[0].serving(relays[0].http))
        await stack.enter_async_context(relays[1].serving(relays[1].http, ssl=server_tls))
        await stack.enter_async_context(relays[2].serving(relays[2].socks5))
        yield Ways(port_of(plain), port_of(secure), relays, client_tls)


@linux
@pytest.mark.parametrize("epoll", [True, False])
@pytest.mark.parametrize(
    "way",
    ["plain", "address", "tls", "redirect", "http", "tls-http", "https", "tls-https", "socks"],
)
async def test_cancelled_after_any_number_of_turns(
    way: str,
    epoll: bool,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not epoll:
        monkeypatch.setattr(client, "AVAILABLE", False)
    async with everywhere(server_tls, client_tls) as ways:
        uri, how = ways.all[way]
        async with connect(uri, **how) as ws:  # it can be done, and what it loads is loaded
            await ws.send("x")
            assert await ws.recv() == "x"
        await settle(lambda: len(asyncio.all_tasks()) == 1)
        before = descriptors()
        for turns in range(STEPS):
            await cancelled_after(turns, uri, how)
        await settle(lambda: descriptors() <= before)


async def cancelled_after(turns: int, uri: str, how: dict[str, Any]) -> None:
    opening = asyncio.ensure_future(connect(uri, **how)._open())
    for _ in range(turns):
        await asyncio.sleep(0)
    if opening.cancel():
        with pytest.raises(asyncio.CancelledError):
            await opening
    else:
        await opening.result().close()


async def settle(condition: Callable[[], bool]) -> None:
    """Until it holds: what was cut off is noticed by the other ends in their own time."""
    while not condition():  # noqa: ASYNC110  nothing says when a descriptor is closed
        await asyncio.sleep(0.001)


@linux
async def test_a_deadline_leaves_nothing_either(server_tls: Any, client_tls: Any) -> None:
    async with everywhere(server_tls, client_tls) as ways:
        before = descriptors()
        for uri, how in ways.all.values():
            with pytest.raises(TimeoutError):
                await connect(uri, open_timeout=1e-9, **how)
        await settle(lambda: descriptors() <= before)


async def test_cancelling_what_is_open_already_closes_nothing() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        opening = asyncio.ensure_future(connect(uri_of(server))._open())
        ws = await opening
        assert not opening.cancel()
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close()
        await until(lambda: not server.connections)
