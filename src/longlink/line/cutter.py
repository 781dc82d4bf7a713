"""Octets in, lines out; what waits is bounded."""

from __future__ import annotations

import re
from collections import deque
from typing import Protocol

from ..errors import LineTooLong

_AHEAD = 16 * 1024  # octets read ahead of whoever takes lines
_DATAGRAMS_AHEAD = 16
_CR = 13


class Intake(Protocol):
    """What holds what has come until somebody takes it."""

    def add(self, octets: bytes) -> None:
        """Octets came."""

    def room(self) -> int:
        """How many octets more may wait."""

    def ready(self) -> bool:
        """Whether `take` has an answer."""

    def take(self) -> bytes | None:
        """The next line without its end; None while it is not complete. Raises LineTooLong."""

    def rest(self) -> bytes:
        """Everything there is, lines or not."""


class Cutter:
    """Cuts a stream of octets into lines.

    A line ends at any of the terminators; a CR before a LF that ends one belongs to the end.
    Nothing is searched twice, so that a line which drips in costs no more than one at once.

    Args:
        terminators: octets, each of which ends a line.
        max_line: most octets of a line, its end not counted.
    """

    def __init__(self, terminators: bytes, max_line: int) -> None:
        self._search = re.compile(b"[" + re.escape(terminators) + b"]").search
        self._max_line = max_line
        self._most = max(_AHEAD, max_line + 2)  # a line that is too long shows in this
        self._octets = bytearray()
        self._searched = 0
        self._end = -1  # where the first line ends, if that is known

    def add(self, octets: bytes) -> None:
        """See `Intake`."""
        self._octets += octets

    def room(self) -> int:
        """See `Intake`."""
        return self._most - len(self._octets)

    def ready(self) -> bool:
        """See `Intake`."""
        return self._find() >= 0 or self._over(len(self._octets))

    def take(self) -> bytes | None:
        """See `Intake`."""
        end = self._find()
        size = len(self._octets) if end < 0 else end
        if end > 0 and self._octets[end] == 10 and self._octets[end - 1] == _CR:
            size -= 1
        if size > self._max_line if end >= 0 else self._over(size):
            raise LineTooLong(f"line longer than {self._max_line} bytes (max_line)")
        if end < 0:
            return None
        line = bytes(self._octets[:size])
        del self._octets[: end + 1]
        self._searched, self._end = 0, -1
        return line

    def rest(self) -> bytes:
        """See `Intake`."""
        octets = bytes(self._octets)
        self._octets.clear()
        self._searched, self._end = 0, -1
        return octets

    def _over(self, size: int) -> bool:
        """Whether so many octets without an end are too many: the last may be a CR."""
        return size > self._max_line + (size > 0 and self._octets[-1] == _CR)

    def _find(self) -> int:
        if self._end < 0:
            found = self._search(self._octets, self._searched)
            self._end = -1 if found is None else found.start()
            self._searched = len(self._octets)
        return self._end


class Pile:
    """Datagrams, each of them a line; its end, if it has one, does not belong to it.

    Args:
        terminators: octets that end a line, taken off where they stand last.
    """

    def __init__(self, terminators: bytes) -> None:
        self._terminators = terminators
        self._waiting: deque[bytes] = deque()

    def add(self, octets: bytes) -> None:
        """See `Intake`."""
        self._waiting.append(octets)

    def room(self) -> int:
        """How many datagrams more may wait."""
        return _DATAGRAMS_AHEAD - len(self._waiting)

    def ready(self) -> bool:
        """See `Intake`."""
        return bool(self._waiting)

    def take(self) -> bytes | None:
        """See `Intake`."""
        if not self._waiting:
            return None
        octets = self._waiting.popleft()
        if octets and octets[-1] in self._terminators:
            last, octets = octets[-1], octets[:-1]
            if last == 10:
                octets = octets.removesuffix(b"\r")
        return octets

    def rest(self) -> bytes:
        """The next datagram as it came; none is empty."""
        return self._waiting.popleft() if self._waiting else b""
