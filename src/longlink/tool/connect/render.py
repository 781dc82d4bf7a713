"""From a message to the octets that tell it to the user."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Final, Literal

from ..plain import plain
from .form import Message, as_json, on_terminal, pong_as_json, raw
from .plan import Plan
from .save import Shelf

Style = Literal["prompt", "terminal", "raw", "json"]

MARK: Final = "< "
_COLORED_MARK: Final = "\x1b[36m< \x1b[0m"


class Renderer:
    """Messages in the form that was asked for, binary ones saved where that was asked for.

    Args:
        style: "prompt" marks messages for somebody who types between them.
        colors: whether the mark has one.
        clock: the time of day.
    """

    def __init__(
        self,
        plan: Plan,
        style: Style,
        *,
        colors: bool = False,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.style: Style = "json" if plan.json else style
        self._shelf = None if plan.save is None else Shelf(plan.save)
        self._mark = _COLORED_MARK if colors else MARK
        self._quiet = plan.quiet
        self._clock = clock

    def render(self, message: Message) -> bytes:
        """What to show of a message. Raises CannotSave."""
        now = self._clock()
        if isinstance(message, bytes) and self._shelf is not None:
            path = self._shelf.save(message)
            if self.style == "json":
                return _line(as_json(message, now, path))
            return self._told(f"binary, {len(message)} bytes, saved as {plain(path)}")
        if self.style == "raw":
            return raw(message)
        if self.style == "json":
            return _line(as_json(message, now))
        if self.style == "terminal" and isinstance(message, str):
            return _line(plain(message, keep="\t\n"))
        return self._shown(on_terminal(message))

    def trip(self, seconds: float) -> bytes:
        """What to show of a round trip."""
        if self.style == "json":
            return _line(pong_as_json(seconds, self._clock()))
        return self._told(f"pong after {1000 * seconds:.2f} ms")

    def _shown(self, text: str) -> bytes:
        return _line((self._mark if self.style == "prompt" else "") + text)

    def _told(self, text: str) -> bytes:
        """Words of our own stay out of what is piped."""
        if self.style != "raw":
            return self._shown(text)
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)
        return b""


def _line(text: str) -> bytes:
    return text.encode(errors="backslashreplace") + b"\n"
