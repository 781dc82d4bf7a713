"""What a line server says: a greeting, and an answer to each line."""

from __future__ import annotations

import logging

import regex

from ...line import Line, LineClosed
from ...line.flow import spoken
from ...server.log import shorten
from .plan import LINE, Serving

log = logging.getLogger("longlink.talk")

_CHARACTERS = regex.compile(r"\X")  # extended grapheme clusters, Unicode Standard Annex 29


def reverse(text: str) -> str:
    """The text from its end to its beginning; what people see as one character stays whole."""
    return "".join(reversed(_CHARACTERS.findall(text)))


class Answerer:
    """The handler of a line server."""

    def __init__(self, plan: Serving) -> None:
        self._plan = plan

    def answer(self, text: str) -> str:
        """What is said to a line. Nothing in the line is ever taken for a part of the pattern."""
        if self._plan.reverse:
            text = reverse(text.strip())
        return self._plan.reply.replace(LINE, text)

    async def __call__(self, line: Line) -> None:
        """Talk to somebody until they, or we, have had enough."""
        who, count = spoken(line.remote_address), 0
        log.info("%s came", who)
        try:
            if self._plan.greet is not None:
                await line.send(self._plan.greet)
            async for text in line:
                count += 1
                log.info("%s said: %s", who, shorten(text))
                await line.send(self.answer(text))
                if not self._plan.goes_on:
                    break
        except LineClosed as end:
            log.info("%s left after %s: %s", who, _lines(count), end)
        else:
            log.info("%s left after %s", who, _lines(count))


def _lines(count: int) -> str:
    return f"{count} line{'s' * (count != 1)}"
