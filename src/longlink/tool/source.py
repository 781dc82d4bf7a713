"""The input of a tool: what is piped into it, in pieces or line by line."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from typing import Final

from .aside import aside

PIECE: Final = 64 * 1024
MAX_LINE: Final = 2**26  # as long as the largest file that anything here sends


class BadInput(Exception):
    """The input is not what it must be; the text says where."""


class Source:
    """A descriptor to read from, never further ahead than one piece.

    Args:
        descriptor: None when there is no input at all (`<&-`).

    Cancelling whoever waits loses nothing: the next one gets what was being read.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._reading: asyncio.Future[bytes] | None = None
        self._rest = bytearray()  # the beginning of a line
        self._count = 0  # of lines
        self._ready: list[bytes] = []  # whole lines, the next one last

    async def piece(self) -> bytes:
        """The next at most 64 KiB; empty at the end. Raises BadInput when it cannot be read."""
        if self._descriptor is None:
            return b""
        if self._reading is None:
            self._reading = aside(os.read, self._descriptor, PIECE)
        try:
            piece = await asyncio.shield(self._reading)
        except OSError as error:
            raise BadInput(f"cannot read the input: {error.strerror}") from None
        self._reading = None
        return piece

    async def pieces(self) -> AsyncIterator[bytes]:
        """Everything there is."""
        while piece := await self.piece():
            yield piece

    async def texts(self) -> AsyncIterator[str]:
        """The lines as text, without their ends; the last one may have none. Raises BadInput."""
        while (line := await self._line()) is not None:
            self._count += 1
            try:
                yield line.decode()
            except UnicodeDecodeError as error:
                octet = line[error.start]
                raise BadInput(
                    f"line {self._count} of the input is not UTF-8:"
                    f" octet 0x{octet:02x} at {error.start}"
                ) from None

    async def _line(self) -> bytes | None:
        while not self._ready:
            piece = await self.piece()
            if not piece:
                last, self._rest = bytes(self._rest), bytearray()
                return last or None
            self._split(piece)
        return self._ready.pop()

    def _split(self, piece: bytes) -> None:
        first, *others = piece.split(b"\n")
        self._rest += first
        if others:
            whole, self._rest = bytes(self._rest), bytearray(others.pop())
            self._ready = [whole, *others][::-1]
        if len(self._rest) > MAX_LINE:
            number = self._count + len(self._ready) + 1
            raise BadInput(f"line {number} of the input is over the limit of {MAX_LINE} bytes")
