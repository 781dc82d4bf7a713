"""An event loop on a thread of its own, for those who have none.

Theory of operation. All blocking connections of a process share one loop. It starts with the
first of them, and ends with the last or with the interpreter. A thread that wants something
done makes a `Call`, which runs a coroutine on the loop while the thread waits. A thread that
gives up waiting (Ctrl-C) cancels the coroutine; should the result have come at that very
moment, it goes to `late`, so that no message is lost.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any, Generic, TypeVar

from ..api.connection import Connection
from ..errors import ConcurrencyError
from ..wire.frame import CloseCode

T = TypeVar("T")
Work = Callable[[], Coroutine[Any, Any, T]]

# A signal that comes between Python's last look and the system call that waits is noticed
# only when that returns; without a limit Ctrl-C would now and then be deaf.
_NOTICE_S = 1.0
_EXIT_PATIENCE_S = 2.0  # for connections that are still open when the interpreter ends


class Background:
    """A loop that runs on a daemon thread for as long as it has users: connections, calls."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.users = 0
        self.stopped = False
        self.exiting = False  # with the interpreter
        self.process = os.getpid()
        self.calls: set[Call[Any]] = set()  # that have not ended
        self.connections: set[Connection] = set()
        self.thread = threading.Thread(target=self._run, name="longlink", daemon=True)
        self.thread.start()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        try:
            self.loop.run_forever()
        finally:
            self.loop.run_until_complete(_end_tasks())
            self.loop.run_until_complete(self.loop.shutdown_asyncgens())
            self.loop.run_until_complete(self.loop.shutdown_default_executor())
            self.loop.close()

    def run(self, work: Work[T], late: Callable[[T], object] | None = None) -> T:
        """What comes of `work`, whose coroutine runs on the loop.

        Args:
            late: gets a result that nobody waits for any more.

        Raises:
            ConcurrencyError: on the loop's own thread, which cannot wait for itself; in a
                child of `fork`.
        """
        call = Call(self, work)
        try:
            self.begin(call)
            return call.wait()
        except BaseException:  # Ctrl-C may strike anywhere in here
            call.cancel(late)
            raise

    def post(self, work: Callable[[], object]) -> bool:
        """Let the loop call `work` soon, and wait for nothing; False when it runs no more.
        Raises as `run`."""
        self._check_caller()
        with _LOCK:
            if not self.stopped:
                self.loop.call_soon_threadsafe(work)
            return not self.stopped

    def _check_caller(self) -> None:
        if self.process != os.getpid():  # a fork has no thread that would do it
            raise ConcurrencyError("the connection belongs to the process that opened it")
        if threading.current_thread() is self.thread:
            raise ConcurrencyError("a blocking call on the thread that does the work for it")

    def begin(self, call: Call[Any]) -> None:
        """Let `call` run; see `run`."""
        self._check_caller()
        with _LOCK:
            if not self.stopped:
                self.calls.add(call)
                self.loop.call_soon_threadsafe(call.begin)
                return
        call.run_here()

    def ended(self, call: Call[Any]) -> None:
        """`call` needs the loop no more."""
        with _LOCK:
            self.calls.discard(call)
            self._stop_unless_used()

    def leave(self) -> None:
        """One user less."""
        with _LOCK:
            self.users -= 1
            self._stop_unless_used()

    def _stop_unless_used(self) -> None:
        if self.users == 0 and not self.calls:
            self.stop()

    def stop(self) -> None:
        """Take no more work; what is running is cancelled."""
        global _shared
        with _LOCK:
            if not self.stopped:
                self.stopped = True
                self.loop.call_soon_threadsafe(self.loop.stop)
            if _shared is self:
                _shared = None

    def forget(self, connection: Connection) -> None:
        """Close a connection whose user has lost it, without waiting."""
        if self.process == os.getpid():  # in a child of `fork` it is the parent's
            self.loop.call_soon_threadsafe(self.loop.create_task, self._see_off(connection))

    async def _see_off(self, connection: Connection) -> None:
        await connection.close(CloseCode.GOING_AWAY)
        self.drop(connection)

    def drop(self, connection: Connection) -> None:
        """A connection is closed, and its user knows."""
        if connection in self.connections:
            self.connections.discard(connection)
            self.leave()

    async def close_all(self) -> None:
        """Close what is still open, within reason."""
        closing = [connection.close(CloseCode.GOING_AWAY) for connection in self.connections]
        try:
            async with asyncio.timeout(_EXIT_PATIENCE_S):
                await asyncio.gather(*closing)
        except TimeoutError:
            for connection in self.connections:
                connection.session.abort()
        self.connections.clear()


class Call(Generic[T]):
    """A coroutine on the loop of `background`, and a thread that waits for it."""

    def __init__(self, background: Background, work: Work[T]) -> None:
        self.background = background
        self.work = work
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.task: asyncio.Task[T] | None = None
        self.outcome: Callable[[], T] | None = None  # gives the result, or raises
        self.late: Callable[[T], object] | None = None
        self.abandoned = False

    def begin(self) -> None:
        """On the loop: start."""
        if self.abandoned:
            self.background.ended(self)
        else:
            self.task = self.background.loop.create_task(self.work())
            self.task.add_done_callback(self._finished)

    def run_here(self) -> None:
        """There is no loop any more, and so nothing to wait for: the connection is over."""
        work = self.work()
        try:
            work.send(None)
        except StopIteration as end:
            value: T = end.value
            self.outcome = lambda: value
        except Exception as problem:
            self.outcome = _raiser(problem)
        finally:
            work.close()
        self.done.set()

    def wait(self) -> T:
        """The result; see `Background.run`."""
        while not self.done.wait(_NOTICE_S):
            pass
        assert self.outcome is not None
        return self.outcome()

    def cancel(self, late: Callable[[T], object] | None = None) -> None:
        """Nobody waits any more."""
        with self.lock:
            if self.abandoned:
                return
            self.abandoned = True
            self.late = late
            if self.task is not None and self.done.is_set():
                self._hand_over(self.task)
        with _LOCK:
            if self in self.background.calls:
                self.background.loop.call_soon_threadsafe(self._cancel)

    def _cancel(self) -> None:
        if self.task is None:
            self.background.ended(self)
        else:
            self.task.cancel()

    def _finished(self, task: asyncio.Task[T]) -> None:
        self.background.ended(self)
        with self.lock:
            self.outcome = task.result
            if not self.background.exiting:
                self.done.set()
            if self.abandoned:
                self._hand_over(task)

    def _hand_over(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled() and task.exception() is None and self.late is not None:
            self.late(task.result())


def _raiser(problem: Exception) -> Callable[[], Any]:
    def fail() -> Any:
        raise problem

    return fail


async def _end_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


_LOCK = threading.RLock()  # a connection may be collected, and leave, wherever it is held
_shared: Background | None = None


def enter() -> Background:
    """The loop that all share, for one user more."""
    global _shared
    with _LOCK:
        if _shared is None:
            _shared = Background()
        _shared.users += 1
        return _shared


def _at_exit() -> None:
    background = _shared
    if background is not None:
        # Daemon threads that still wait are not woken: Python is about to take them away, and
        # they would have the time to complain.
        background.exiting = True
        closing = asyncio.run_coroutine_threadsafe(background.close_all(), background.loop)
        with suppress(TimeoutError):  # a callback of the user may keep the loop
            closing.result(_EXIT_PATIENCE_S + _NOTICE_S)
        background.stop()
        background.thread.join(_EXIT_PATIENCE_S)


def _after_fork() -> None:
    """The child has no thread: what is connected belongs to the parent."""
    global _LOCK, _shared
    _LOCK = threading.RLock()
    _shared = None


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
