"""The tasks that run a server's handler, one for each connection."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from ..wire.frame import CloseCode
from .callback import is_coroutine_function, somebody_left
from .connection import Connection

Handler = Callable[[Connection], Awaitable[None]]
Logger = logging.Logger | logging.LoggerAdapter[Any]

_WHERE = "connection handler"


class Handlers:
    """Runs `handler` for connections; its end closes them, what it raises fails them.

    Nothing stands between a task and the handler: a coroutine around it would cost each
    connection its memory, and each message its time.
    """

    def __init__(self, handler: Handler, loop: asyncio.AbstractEventLoop, logger: Logger) -> None:
        self.handler = handler
        self.loop = loop
        self.logger = logger
        self.tasks: dict[asyncio.Task[None], Connection] = {}
        self.begin: Any = handler if is_coroutine_function(handler) else self._run
        self.on_done = self._ended  # one for all of them

    def start(self, connection: Connection) -> None:
        """Let the handler have a connection."""
        try:
            task = self.loop.create_task(self.begin(connection), name=_WHERE)
        except Exception:
            connection.crash(_WHERE)
            return
        self.tasks[task] = connection
        task.add_done_callback(self.on_done)

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
        """For a handler that may give back anything."""
        running = self.handler(connection)
        if not inspect.isawaitable(running):
            name = getattr(self.handler, "__name__", "handler")
            raise TypeError(f"{name}() must be `async def`: it returned {running!r:.40}")
        await running

    def _ended(self, task: asyncio.Task[None]) -> None:
        connection = self.tasks.pop(task)
        try:
            task.result()
        except Exception as problem:
            if somebody_left(problem):
                self.logger.debug("connection handler ended: %s", problem)
            else:
                connection.crash(_WHERE)
        except BaseException:  # cancelled, or it ends the program: nobody looks after it any more
            connection.session.fail(CloseCode.INTERNAL_ERROR)
        else:
            connection.close()
