"""A file on its way to users: opened once, read in pieces, never whole in memory."""

from __future__ import annotations

import asyncio
import mimetypes
import os
import stat
from collections.abc import AsyncIterator
from dataclasses import dataclass
from types import TracebackType
from typing import Self

PIECE = 64 * 1024


class FileRefused(Exception):
    """This file cannot be sent; the text says why."""


@dataclass(frozen=True, slots=True)
class File:
    """An open regular file. One descriptor serves all recipients: they read by offset."""

    name: str
    size: int
    mime: str
    descriptor: int

    @classmethod
    def open(cls, path: str, limit: int | None) -> Self:
        """The file at `path`, ready to be read; raises FileRefused.

        Args:
            limit: largest size accepted, in bytes; None for any.
        """
        try:
            # Without O_NONBLOCK, opening a named pipe would wait for its writer.
            descriptor = os.open(os.path.expanduser(path), os.O_RDONLY | os.O_NONBLOCK)
        except (OSError, ValueError) as error:
            raise FileRefused(f"cannot read {path}: {_cause(error)}") from None
        try:
            size = _judge(path, os.fstat(descriptor), limit)
        except FileRefused:
            os.close(descriptor)
            raise
        # A name that is not UTF-8 on disk cannot travel as it is.
        name = os.path.basename(path).encode(errors="replace").decode()
        mime = mimetypes.guess_type(name)[0] or "application/octet-stream"
        return cls(name, size, mime, descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self.descriptor)

    async def piece(self, offset: int) -> bytes:
        """At most 64 KiB from `offset` on, read in a thread: a disk may be slow."""
        length = min(PIECE, self.size - offset)
        return await asyncio.to_thread(os.pread, self.descriptor, length, offset)

    async def pieces(self, first: bytes) -> AsyncIterator[bytes]:
        """All pieces, the first of which was read before; ends early if the file shrank."""
        piece, offset = first, 0
        while piece:
            yield piece
            offset += len(piece)
            piece = await self.piece(offset)


def _judge(path: str, found: os.stat_result, limit: int | None) -> int:
    if stat.S_ISDIR(found.st_mode):
        raise FileRefused(f"cannot send {path}: it is a directory")
    if not stat.S_ISREG(found.st_mode):
        raise FileRefused(f"cannot send {path}: it is not a regular file")
    if limit is not None and found.st_size > limit:
        raise FileRefused(
            f"cannot send {path}: its {found.st_size} bytes are over the limit of {limit}"
            " (--max-file)"
        )
    return found.st_size


def _cause(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error)
