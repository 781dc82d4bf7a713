"""The output of a tool: a bounded queue that one writer empties, a batch at a time."""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import stat
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from .aside import aside

MAX_WAITING: Final = 2**20


class Outlet:
    """Where to put what is to be shown. Who puts too much waits, and so does whoever sends it.

    Args:
        write: writes a batch.
    """

    def __init__(self, write: Callable[[Sequence[bytes]], Awaitable[None]]) -> None:
        self._write = write
        self._waiting: list[bytes] = []
        self._size = 0
        self._task: asyncio.Task[None] | None = None
        self._room = asyncio.Event()
        self._failure: OSError | None = None

    @property
    def idle(self) -> bool:
        """Whether everything was written."""
        return self._task is None

    async def put(self, item: bytes) -> None:
        """Have this written. Raises OSError when an earlier write failed."""
        while self._size >= MAX_WAITING and self._failure is None:
            self._room.clear()
            await self._room.wait()
        self.put_now(item)

    def put_now(self, item: bytes) -> None:
        """The same for the few words of our own, which need not wait."""
        if self._failure is not None:
            raise self._failure
        self._waiting.append(item)
        self._size += len(item)
        if self._task is None:
            self._task = asyncio.create_task(self._work())

    async def flush(self) -> None:
        """Wait until everything is written. Raises OSError when that failed."""
        if self._task is not None:
            await asyncio.shield(self._task)
        if self._failure is not None:
            raise self._failure

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await self._write(batch)
            except OSError as error:
                self._failure = error
                self._waiting.clear()
            self._size = sum(map(len, self._waiting))
            self._room.set()
        self._task = None


def to_descriptor(descriptor: int) -> Callable[[Sequence[bytes]], Awaitable[None]]:
    """A writer to a file, a pipe or a terminal, however slow it is."""

    async def write(batch: Sequence[bytes]) -> None:
        await aside(write_all, descriptor, b"".join(batch))

    return write


def notice_end(descriptor: int, gone: Callable[[], None]) -> None:
    """Call `gone` as soon as nobody reads a pipe any more (`| head -1`)."""
    loop = asyncio.get_running_loop()

    def notice() -> None:
        loop.remove_reader(descriptor)
        gone()

    # The writing end of a pipe is never readable: what epoll reports of it is its end.
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            loop.add_reader(descriptor, notice)


def write_all(descriptor: int, data: bytes) -> None:
    """Write everything, however long it takes."""
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # somebody who shares the descriptor made it so
            select.select((), (descriptor,), ())
