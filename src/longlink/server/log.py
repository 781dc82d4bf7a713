"""Log lines: one shape for all, safe to look at, and not more of them than one can read.

Whatever a peer supplied (a name, a path, a close reason, a message) may hold characters that
move the cursor, recolour the terminal, reverse the reading direction or start a new line. Every
line passes through `escape`, in one place, the formatter; nobody has to remember it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import time
from collections.abc import Callable
from typing import Literal, TextIO

# C0, DEL, C1, soft hyphen, bidirectional and other invisible format characters, line and
# paragraph separators, surrogates. Joiners (U+200C, U+200D) stay: scripts and emoji need them.
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ud800-\udfff]"
)
# The conversation as the operator sees it; shown whatever --log-level says.
MESSAGES = "longlink.message"
LEVELS = ("critical", "error", "warning", "info", "debug")
COLORS = {"DEBUG": 36, "INFO": 32, "WARNING": 33, "ERROR": 31, "CRITICAL": 91}
# Lines of one class: so many a second, so many at once.
LINES = (10.0, 100.0)
MESSAGE_LINES = (200.0, 1000.0)
REVEAL_S = 1.0
CLASSES = 1000  # most classes remembered


def escape(text: str) -> str:
    r"""The text with every character that could disturb a terminal written as \x1b, \u202e …"""
    return UNSAFE.sub(lambda found: repr(found[0])[1:-1], text)


def shorten(text: str, limit: int = 500) -> str:
    """The text, or its beginning and its length when it is longer than `limit` characters."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text)} characters)"


class LineFormatter(logging.Formatter):
    """`time level message`, or without the level where there is none."""

    def __init__(self, *, colors: bool = False, level: bool = True) -> None:
        super().__init__(datefmt="%Y-%m-%d %H:%M:%S")
        self._colors, self._level = colors, level

    def formatMessage(self, record: logging.LogRecord) -> str:
        words = [self.formatTime(record, self.datefmt), escape(record.message)]
        if self._level:
            words.insert(1, self._level_of(record))
        return " ".join(words)

    def _level_of(self, record: logging.LogRecord) -> str:
        text = f"{record.levelname:<7}"
        color = COLORS.get(record.levelname, 0)
        return f"\x1b[{color}m{text}\x1b[0m" if self._colors else text

    def formatException(self, ei: object) -> str:
        text = super().formatException(ei)  # type: ignore[arg-type]
        return "\n".join(escape(line) for line in text.split("\n"))


class Quota:
    """Says how many lines of one class may still be written: a token bucket for each class.

    A class is a line's template, so one peer that connects and leaves in a loop cannot hide
    what else happens.
    """

    def __init__(
        self, rate: float, burst: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._burst, self._clock = rate, burst, clock
        self._tokens: dict[str, tuple[float, float]] = {}
        self._hidden: dict[str, int] = {}
        self._revealed = clock()

    def take(self, template: str) -> bool:
        """True when a line of this class may be written now; otherwise it is counted."""
        now = self._clock()
        if len(self._tokens) >= CLASSES:  # some libraries make a template for each line
            self._tokens.clear()
        tokens, since = self._tokens.get(template, (self._burst, now))
        tokens = min(self._burst, tokens + (now - since) * self._rate)
        allowed = tokens >= 1
        self._tokens[template] = (tokens - allowed, now)
        if not allowed:
            self._hidden[template] = self._hidden.get(template, 0) + 1
        return allowed

    def reveal(self) -> dict[str, int]:
        """How many lines of each class were held back; told once a second at most."""
        if self._clock() - self._revealed < REVEAL_S:
            return {}
        self._revealed = self._clock()
        hidden, self._hidden = self._hidden, {}
        return hidden


class LineHandler(logging.StreamHandler[TextIO]):
    """Writes lines to whatever `sys.stderr` is at the moment (a prompt replaces it).

    Args:
        formatter: makes a line of a record.
        quota: how many lines there may be.
        name: the stream's name in `sys`.
    """

    def __init__(
        self, formatter: LineFormatter, quota: Quota, name: Literal["stderr", "stdout"] = "stderr"
    ) -> None:
        logging.Handler.__init__(self)
        self.setFormatter(formatter)
        self._quota = quota
        self._name = name

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        stream: TextIO = getattr(sys, self._name)
        return stream

    def emit(self, record: logging.LogRecord) -> None:
        if not self._quota.take(str(record.msg)):
            return
        for template, count in self._quota.reveal().items():
            text = f"{count} more lines like {template!r} were not shown"
            super().emit(logging.makeLogRecord({"msg": text, "levelname": "INFO"}))
        super().emit(record)


def configure(level: str, *, colors: bool | None) -> None:
    """Log as lines: the product's and its libraries' on stderr, the conversation on stdout."""
    if colors is None:
        colors = sys.stderr.isatty() and "NO_COLOR" not in os.environ
    root = logging.getLogger()
    root.handlers[:] = [LineHandler(LineFormatter(colors=colors), Quota(*LINES))]
    root.setLevel(logging.WARNING)
    logging.getLogger("longlink").setLevel(level.upper())
    messages = logging.getLogger(MESSAGES)
    formatter = LineFormatter(level=False)
    messages.handlers[:] = [LineHandler(formatter, Quota(*MESSAGE_LINES), "stdout")]
    messages.setLevel(logging.INFO)
    messages.propagate = False
