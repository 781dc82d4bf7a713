"""Messages in, compressed octets out (RFC 7692 §7.2.1).

Theory of operation. zlib needs up to 256 KiB to compress, and longer to set that up than to
compress a short message. So compressors are lent: a message without context takeover
borrows one and gives it back clean, which `Z_FULL_FLUSH` makes it: zlib forgets all it saw, and
nothing of one peer's message can be referred to in the next one's. What a `Deflater` makes is
therefore good for any peer, whatever it received before, and is made once for many.

Where the package isal is installed it compresses, at the levels it has: two to six times as
fast as zlib for messages of 1 KiB and more, to the same size.
"""

from __future__ import annotations

import zlib
from functools import cache
from typing import Any

SYNC = zlib.Z_SYNC_FLUSH  # ... and goes on: the next message may refer to this one
FULL = zlib.Z_FULL_FLUSH  # ... and forgets

_TAIL = b"\x00\x00\xff\xff"  # of every flush; not sent (§7.2.1)
_EMPTY = b"\x00"  # what stays of an empty message, where nothing is flushed as nothing (§7.2.3.6)
_QUICK_LEVEL = 3  # the highest that isal has
_SPARE = 4  # compressors kept: one per thread that compresses, or message under way


class Deflater:
    """Compresses for every connection with the same parameters; safe to use by many threads.

    Args:
        bits: base-2 logarithm of the window, 8 to 15.
        level, memory_level: of zlib, 1 to 9.
        threshold: octets of the shortest message worth compressing on its own.
    """

    __slots__ = ("bits", "codec", "level", "memory_level", "spare", "threshold")

    def __init__(self, bits: int, level: int, memory_level: int, threshold: int) -> None:
        # zlib makes no raw stream with a window of 256 octets. One of 512 never refers to
        # more than 512 - 262 octets back, which a receiver's 256 hold. This is true of zlib only.
        self.codec: Any = zlib if bits == 8 or level > _QUICK_LEVEL else _quick()
        self.bits = max(bits, 9)
        self.level = level
        self.memory_level = memory_level
        self.threshold = threshold
        self.spare: list[Any] = []

    def borrow(self) -> Any:
        """A compressor that remembers nothing."""
        try:
            return self.spare.pop()
        except IndexError:
            compress = self.codec.compressobj
            return compress(self.level, zlib.DEFLATED, -self.bits, self.memory_level)

    def give_back(self, compressor: Any) -> None:
        """Take back a compressor whose last flush was a full one."""
        if len(self.spare) < _SPARE:
            self.spare.append(compressor)

    def message(self, payload: bytes) -> bytes | None:
        """A whole message compressed on its own; None where that makes it no shorter."""
        compressor = self.borrow()
        data = squeeze(compressor, payload, FULL)
        self.give_back(compressor)
        return data if len(data) < len(payload) else None


class Flow:
    """A message that is compressed fragment by fragment, each of which can be read when it
    arrives. One that is given up half-way takes its compressor with it.

    Args:
        compressor: the sender's own, with context takeover.
    """

    __slots__ = ("compressor", "deflater", "own")

    def __init__(self, deflater: Deflater, compressor: Any) -> None:
        self.deflater = deflater
        self.own = compressor is not None
        self.compressor = compressor

    def squeeze(self, payload: bytes, final: bool) -> bytes:
        """The next fragment."""
        if self.compressor is None:
            self.compressor = self.deflater.borrow()
        if not final:
            data: bytes = self.compressor.compress(payload) + self.compressor.flush(SYNC)
        elif self.own:
            data = squeeze(self.compressor, payload, SYNC)
        else:
            data = squeeze(self.compressor, payload, FULL)
            self.deflater.give_back(self.compressor)
        return data


def squeeze(compressor: Any, payload: bytes, flush: int) -> bytes:
    """The rest of a message, ready to be sent."""
    data = compressor.compress(payload) + compressor.flush(flush)
    return data[: -len(_TAIL)] or _EMPTY


@cache
def _quick() -> Any:
    """isal where it is installed. Imported for the first who compress: it takes a while."""
    try:
        from isal import isal_zlib
    except ImportError:  # longlink[fast] was not asked for
        return zlib
    return isal_zlib


@cache
def deflater(bits: int, level: int, memory_level: int, threshold: int) -> Deflater:
    """The one Deflater with these parameters. There are as many as forms were agreed on."""
    return Deflater(bits, level, memory_level, threshold)
