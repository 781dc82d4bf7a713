"""Servers to be measured, right and wrong ones. Run as a program it is one that counts.

python -m tests.tool.target      prints its port, and in the end what it has answered
"""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import longlink
from longlink import ServerConnection, broadcast, serve, unix_serve

Answer = Callable[["Target", ServerConnection, Any], object]


class Target:
    """A server that answers as it is told, and counts.

    Attributes:
        opened, heard: connections and messages. url: where it is.
    """

    def __init__(
        self, answer: Answer, on_open: Callable[[Target, Any], object] = lambda *_: None
    ) -> None:
        self.answer = answer
        self.opening = on_open
        self.opened = self.heard = 0
        self.url = ""
        self.server: longlink.Server
        self.kept: list[Any] = []  # for answers that need a memory

    @asynccontextmanager
    async def serving(self, **options: Any) -> AsyncIterator[Target]:
        """Until the block ends; at `path=` a Unix socket."""
        if "path" not in options:
            options |= {"host": "127.0.0.1", "port": 0}
        start = unix_serve if "path" in options else serve
        async with start(
            on_open=self.on_open, on_message=self.on_message, **options
        ) as self.server:
            if "path" not in options:
                scheme = "wss" if "ssl" in options else "ws"
                self.url = f"{scheme}://127.0.0.1:{self.server.sockets[0].getsockname()[1]}/"
            yield self

    def on_open(self, ws: ServerConnection) -> None:
        self.opened += 1
        self.opening(self, ws)

    def on_message(self, ws: ServerConnection, message: Any) -> None:
        self.heard += 1
        self.answer(self, ws, message)


def echo(target: Target, ws: ServerConnection, message: Any) -> None:
    ws.send(message)


def room(target: Target, ws: ServerConnection, message: Any) -> None:
    broadcast(target.server.connections, message)


def others(target: Target, ws: ServerConnection, message: Any) -> None:
    broadcast(target.server.connections - {ws}, message)


async def count() -> None:
    """Echo until SIGTERM; then say how much that was."""
    over = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, over.set)
    async with Target(echo).serving() as target:
        sys.stdout.write(f"{target.url}\n")
        sys.stdout.flush()
        await over.wait()
        sys.stdout.write(f"{target.opened} {target.heard}\n")


if __name__ == "__main__":
    asyncio.run(count())
