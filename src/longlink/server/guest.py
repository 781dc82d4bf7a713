"""Somebody who talks in lines, with nc or telnet, as the room sees them; and how they see it.

Nothing that others said reaches their terminal but as text: control characters come as escapes, and
what goes on in another line is indented, so that it cannot look like a line of somebody else.
"""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable
from typing import Any

from .. import Close, CloseCode
from ..line import Line, LineClosed, LineFailed
from .log import escape

WELCOME = (
    "you are #{id}, and {people} here. /name NAME says who you are, the rest goes to everybody"
)
NAME = "/name "
INDENT = "\n    "
# A raw user can say what is longer; as in an event, it is cut.
MOST = 2**16


class Guest:
    """A line connection in the room."""

    subprotocol = "line"

    def __init__(self, line: Line) -> None:
        self.line = line
        self._sent: Close | None = None  # what we closed it with

    @property
    def remote_address(self) -> Any:
        """As of a `Connection`."""
        return self.line.remote_address

    def tell(self, octets: bytes) -> None:
        """Let them read lines made by `lines`. Who has left, or reads too slowly, does not."""
        with contextlib.suppress(LineClosed):
            self.line.send(octets, end=b"")

    def close(self, code: int, reason: str) -> Awaitable[None]:
        """Say goodbye; awaiting the result waits for the end."""
        if self._sent is None:
            self._sent = Close(code, reason)
            self.tell(lines(f"* {reason}"))
        return self.line.close()

    @property
    def ended(self) -> Close:
        """How it ended, in the words of a WebSocket."""
        if self._sent is not None:
            return self._sent
        problem = self.line.problem
        if isinstance(problem, LineFailed):
            return Close(CloseCode.ABNORMAL_CLOSURE, str(problem))
        return Close(CloseCode.NORMAL_CLOSURE, "")


def lines(text: str) -> bytes:
    """A text as one line, or as a line and indented ones."""
    parts = text.replace("\r\n", "\n").rstrip("\n").split("\n")
    return (INDENT.join(map(escape, parts)) + "\n").encode()


def said(who: str, text: str) -> bytes:
    """What somebody said."""
    more = f"… ({len(text)} characters)" if len(text) > MOST else ""
    return lines(f"{who}: {text[:MOST]}{more}")
