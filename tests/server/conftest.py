"""Servers for the tests of the product: in a process of their own, on a terminal, or in ours."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from longlink import Server
from longlink.server.config import Config
from longlink.server.room import Room
from longlink.server.service import listen
from tests.server.product import Product, serving
from tests.server.terminal import Terminal

Launch = Callable[..., AbstractAsyncContextManager[Product]]


@pytest.fixture
def python_environment(python_environment: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment without settings that would change what is tested, and without anybody's
    history."""
    dropped = ("LONGLINK_", "NO_COLOR", "FORCE_COLOR")
    kept = {
        name: value for name, value in python_environment.items() if not name.startswith(dropped)
    }
    return {**kept, "XDG_STATE_HOME": str(tmp_path / "state")}


@pytest.fixture
def launch(python_environment: dict[str, str]) -> Launch:
    """A function: `async with launch("--echo") as product`; `env=` adds variables."""

    def launch(
        *arguments: str, env: dict[str, str] | None = None
    ) -> AbstractAsyncContextManager[Product]:
        return serving({**python_environment, **(env or {})}, *arguments)

    return launch


@pytest.fixture
async def run(python_environment: dict[str, str]) -> Callable[..., Any]:
    """A function: `await run("serve", "--port", "x")` gives exit code, stdout, stderr lines."""

    async def run(
        *arguments: str, env: dict[str, str] | None = None, **how: Any
    ) -> tuple[int, str, list[str]]:
        product = await Product.start({**python_environment, **(env or {})}, *arguments, **how)
        return await product.end()

    return run


@pytest.fixture
async def terminal(
    python_environment: dict[str, str],
) -> AsyncIterator[Callable[..., Terminal]]:
    """A function: `terminal("serve")` starts longlink on a terminal."""
    async with AsyncExitStack() as stack:

        def start(*arguments: str, **options: Any) -> Terminal:
            opened = Terminal.start(python_environment, *arguments, **options)
            stack.callback(opened.close)
            return opened

        yield start


@dataclass
class House:
    """A room and the server that brings people into it, in this process."""

    room: Room
    server: Server

    @property
    def http(self) -> str:
        """Where it is, without a slash at the end."""
        host, port = self.server.sockets[0].getsockname()[:2]
        return f"http://{host}:{port}"

    @property
    def ws(self) -> str:
        """The same for a WebSocket client."""
        return self.http.replace("http", "ws")


@asynccontextmanager
async def open_house(**options: Any) -> AsyncIterator[House]:
    """A house on a free port; `options` are fields of Config."""
    config = Config(port=0, **options)
    room = Room(echo=config.echo, proxies=config.forwarded_allow_ips)
    server = await listen(config, room)
    try:
        yield House(room, server)
    finally:
        room.close()
        server.close()
        await server.wait_closed()


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A house where everybody hears everybody."""
    async with open_house() as opened:
        yield opened
