"""Plain HTTP on the same port: requests that are no upgrade go to an ASGI application.

HTTP itself is uvicorn's: its protocol classes get the socket and the octets read so far. A
request that asks for WebSocket on a connection that was kept alive comes back to us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

ASGIApp = Callable[..., Any]


class HTTPService:
    """An ASGI application, ready to take over connections.

    Args:
        app: any ASGI application.
        upgraded: makes the protocol for a WebSocket request on a kept-alive connection.

    Raises ImportError, saying what to install, when uvicorn is not there.
    """

    def __init__(self, app: ASGIApp, upgraded: Callable[[], asyncio.BaseProtocol]) -> None:
        try:
            from uvicorn import Config
            from uvicorn.server import ServerState
        except ImportError:
            raise ImportError("http= needs uvicorn: pip install 'longlink[server]'") from None
        self.config: Any = Config(
            app,
            ws=lambda **given: upgraded(),  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self.state = ServerState()
        self.lifespan: Any = None

    async def start(self) -> None:
        """Run the application's start-up. Raises RuntimeError when it fails."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError("the ASGI application failed to start")

    def protocol(self) -> asyncio.Protocol:
        """A fresh protocol for one connection."""
        made: asyncio.Protocol = self.config.http_protocol_class(
            config=self.config, server_state=self.state, app_state=self.lifespan.state
        )
        return made

    async def stop(self, timeout: float | None) -> None:
        """Let running requests finish, at most `timeout` seconds, then run the shut-down."""
        for connection in list(self.state.connections):
            connection.shutdown()
        if self.state.tasks:
            _, late = await asyncio.wait(list(self.state.tasks), timeout=timeout)
            for task in late:
                task.cancel()
        for connection in list(self.state.connections):
            if connection.transport is not None:
                connection.transport.abort()
        if self.lifespan is not None:
            await self.lifespan.shutdown()
