"""What line servers over TCP and UDP share: who is here, their handlers, an orderly end."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Generator
from typing import Any, Generic, TypeVar

from ..engine.agenda import Agenda, agenda_of
from ..engine.reactor import AVAILABLE, reactor_of
from ..errors import ConnectionClosed, DatagramTooLong, LineClosed
from .line import Line
from .rules import Rules

Handler = Callable[[Line], Coroutine[Any, Any, object]]
Logger = logging.Logger | logging.LoggerAdapter[Any]
Outcome = TypeVar("Outcome")


class Server:
    """A running line server: what `async with line.serve(...) as server` gives.

    Attributes:
        lines: those who are here now.
        sockets: those that it listens on; none once it does not any more.
    """

    def __init__(self, handler: Handler, rules: Rules, most: int, logger: Logger) -> None:
        self.handler = handler
        self.rules = rules
        self.most = most  # lines at once
        self.logger = logger
        self.loop = asyncio.get_running_loop()
        self.agenda = agenda_here(self.loop)
        self.sockets: tuple[Any, ...] = ()
        self.lines: set[Line] = set()
        self._tasks: dict[asyncio.Task[object], Line] = {}
        self._ending: asyncio.Task[None] | None = None
        self._closed = asyncio.Event()
        self._empty = asyncio.Event()
        self.agenda.add_user()

    # For its user.

    @property
    def closing(self) -> bool:
        """Whether it was told to close, or is closed."""
        return self._ending is not None

    async def serve_forever(self) -> None:
        """Serve until the server is closed; cancelling this closes it."""
        try:
            await self.wait_closed()
        finally:
            self.close()
            await self.wait_closed()

    def close(self) -> None:
        """Stop accepting and close every line. What is queued is sent; handlers and lines get
        `close_timeout` for their end."""
        if self._ending is None:
            self._ending = self.loop.create_task(self._end())

    def abort(self) -> None:
        """Cut every line now, whatever is queued."""
        for line in list(self.lines):
            line.abort()

    async def wait_closed(self) -> None:
        """Wait until the server was closed, everybody has left, every handler has returned."""
        await self._closed.wait()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
        await self.wait_closed()

    # Who comes and who goes.

    def is_full(self) -> bool:
        """Whether there is no room for one more."""
        return len(self.lines) >= self.most

    def joined(self, line: Line) -> None:
        """Somebody is here: let the handler talk to them."""
        if line.over:
            return
        self.lines.add(line)
        task = self.loop.create_task(self._handle(line), name="line handler")
        self._tasks[task] = line
        task.add_done_callback(self._handled)

    async def _handle(self, line: Line) -> None:
        await self.handler(line)

    def left(self, line: Line) -> None:
        """Somebody has gone."""
        self.lines.discard(line)
        self._check_end()

    def _handled(self, task: asyncio.Task[object]) -> None:
        """A handler is done: its end closes the line, what it raises cuts it."""
        line = self._tasks.pop(task)
        try:
            task.result()
        except asyncio.CancelledError:
            line.abort()
        except DatagramTooLong as problem:
            self.logger.warning("%s", problem)  # what came decides that: it is nobody's bug
            line.close()
        except Exception as problem:
            if is_departure(problem):
                self.logger.debug("line handler ended: %s", problem)
                line.close()
            else:
                self.logger.error("line handler failed on %r", line, exc_info=problem)
                line.abort()
        else:
            line.close()
        self._check_end()

    def _check_end(self) -> None:
        if not self.lines and not self._tasks:
            self._empty.set()
            if self.is_done():
                self.close()

    # The end.

    async def _end(self) -> None:
        patience = self.rules.limits.close_timeout
        try:
            self.stop()
            for line in list(self.lines):
                line.close()
            self._empty.clear()
            self._check_end()
            for last_resort in (self._cancel, self.abort):
                try:
                    async with asyncio.timeout(patience):
                        await self._empty.wait()
                    break
                except TimeoutError:
                    last_resort()
        finally:
            self.abort()
            self.release()
            self.agenda.drop_user()
            self._closed.set()

    def _cancel(self) -> None:
        if self._tasks:
            self.logger.warning("%d line handlers did not end in time: cancelled", len(self._tasks))
        for task in list(self._tasks):
            task.cancel()
        self.abort()

    # Hooks.

    def is_done(self) -> bool:
        """Whether nobody more will come."""
        return False

    def stop(self) -> None:
        """Accept nobody any more."""
        raise NotImplementedError

    def release(self) -> None:
        """Everybody has left: close what they shared."""


class Starting(Generic[Outcome]):
    """What can be awaited, or entered with `async with`, which ends it, too."""

    _made: Any = None

    async def _make(self) -> Outcome:
        raise NotImplementedError

    async def _start(self) -> Outcome:
        if self._made is None:
            self._made = await self._make()
        made: Outcome = self._made
        return made

    def __await__(self) -> Generator[Any, None, Outcome]:
        return self._start().__await__()

    async def __aenter__(self) -> Outcome:
        return await self._start()

    async def __aexit__(self, *exception: object) -> None:
        await self._made.__aexit__(*exception)


def agenda_here(loop: asyncio.AbstractEventLoop) -> Agenda:
    """The loop's work list: where there is epoll, the reactor that WebSockets are on, too."""
    return reactor_of(loop) if AVAILABLE else agenda_of(loop)


def check_handler(handler: object) -> None:
    """Raise TypeError for what cannot be called."""
    if not callable(handler):
        raise TypeError(f"handler must be `async def handler(line)`, not {handler!r}")


def is_departure(problem: BaseException) -> bool:
    """Whether nothing happened but that somebody was gone."""
    if isinstance(problem, BaseExceptionGroup):
        return all(is_departure(part) for part in problem.exceptions)
    return isinstance(problem, (LineClosed, ConnectionClosed))
