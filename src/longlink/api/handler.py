"""The tasks that run a server's handler, one for each connection."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..wire.frame import CloseCode
from .callback import somebody_left
from .connection import Connection

Handler = Callable[[Connection], Awaitable[None]]
Logger = logging.Logger | logging.LoggerAdapter[Any]


class Handlers:
    """Runs `handler` for connections; its end closes them, what it raises fails them."""

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop, logger: Logger) -> None:
        self.handler = handler
        self.loop = loop
        self.logger = logger
        self.tasks: set[asyncio.Task[None]] = set()

    def start(self, connection: Connection) -> None:
        """Let the handler have a connection."""
        task = self.loop.create_task(self._run(connection))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def end(self, timeout: float | None) -> None:
        """Wait for the handlers; those that run longer than `timeout` are cancelled."""
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks, timeout=timeout)
        for task in late:
            self.logger.warning("connection handler did not end in time: cancelled")
            task.cancel()
        if late:  # one that refuses to be cancelled does not keep the server from ending
            await asyncio.wait(late, timeout=timeout)

    async def _run(self, connection: Connection) -> None:
        try:
            running = self.handler(connection)
            if not inspect.isawaitable(running):
                name = getattr(self.handler, "__name__", "handler")
                raise TypeError(f"{name}() must be `async def`: it returned {running!r:.40}")
            await running
        except Exception as problem:
            if somebody_left(problem):
                self.logger.debug("connection handler ended: %s", problem)
            else:
                connection.crash("connection handler")
        except asyncio.CancelledError:
            connection.session.fail(CloseCode.INTERNAL_ERROR)  # nobody looks after it any more
            raise
        await connection.close()
