"""What is said: messages that differ by connection and number, and all of a run from another's.

size 32:  000c 0001f drjkqnvoxmaeuwpbcylztg
          |    |     letters of this run
          |    connection, in hexadecimal
          number of the message modulo 65,536
"""

from __future__ import annotations

import random
from typing import Any

NUMBERS = 2**16
_DIGITS = 4
_CONNECTION = 5
_LETTERS = bytes(b"abcdefghijklmnopqrstuvwxyz"[octet % 26] for octet in range(256))


class Script:
    """The messages of one run.

    Args:
        size: of each, in bytes. What does not fit is left out, the number last.
        text: str instead of bytes.
    """

    def __init__(self, size: int, text: bool) -> None:
        self.size = size
        self.text = text
        self._letters = random.randbytes(size).translate(_LETTERS).decode()
        self.numbers = [
            self._cast(f"{n:0{_DIGITS}x}"[-size:] if size else "") for n in range(NUMBERS)
        ]

    def rest(self, connection: int) -> str | bytes:
        """What follows the number in every message of a connection."""
        rest = f"{connection:0{_CONNECTION}x}{self._letters}"
        return self._cast(rest[: max(self.size - _DIGITS, 0)])

    def describe(self, message: str | bytes) -> tuple[int, int] | None:
        """Number and connection of a message of this run; None for anybody else's, and for one
        that is too short to tell."""
        text = message if isinstance(message, str) else message.decode("ascii", "replace")
        if isinstance(message, str) != self.text:
            return None
        body = text[_DIGITS + _CONNECTION :]
        if not body or len(message) != self.size or not self._letters.startswith(body):
            return None
        try:
            return int(text[:_DIGITS], 16), int(text[_DIGITS : _DIGITS + _CONNECTION], 16)
        except ValueError:
            return None

    def difference(self, message: str | bytes, number: int, connection: int) -> str:
        """In what way it is not the message that was due."""
        right: Any = self.numbers[number] + self.rest(connection)  # type: ignore[operator]
        if type(message) is not type(right):
            return f"which is {_kind(message)}, and {_kind(right)} was sent"
        if len(message) != len(right):
            return f"{len(message):,} long, and {len(right):,} were sent"
        at = next(index for index, (a, b) in enumerate(zip(message, right, strict=True)) if a != b)
        return f"which differs from what was sent at place {at:,}"

    def _cast(self, text: str) -> str | bytes:
        return text if self.text else text.encode()


def _kind(message: str | bytes) -> str:
    return "text" if isinstance(message, str) else "binary"
