"""Where the user of a line client is: at a prompt, or at the ends of pipes."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from collections.abc import AsyncIterator, Callable
from typing import Final, Protocol

from ...line import LineTooLong
from ...line.cutter import Cutter
from ..outlet import Outlet, notice_end, to_descriptor
from ..plain import plain
from ..prompt import above_the_prompt, make_prompt
from ..source import MAX_LINE, Source

MARK: Final = "< "
_SHOWN_WHOLE: Final = 4096  # octets of a line; a longer one is shown in pieces
# So long the rest of a line may take before what there is of it is shown: it may be a prompt.
_PATIENCE_S: Final = 0.25


class Face(Protocol):
    """Where the user is."""

    def said(self, lines: bool) -> AsyncIterator[bytes]:
        """What the user says: lines without their ends, or octets as they come."""

    async def show(self, octets: bytes, whole: bool) -> None:
        """Show what came; `whole` is True when no line of it goes on in what comes next. Waits
        when it is too much. Raises OSError when nobody can see it any more."""

    def note(self, text: str) -> None:
        """Say something beside that."""

    async def close(self) -> None:
        """Show the rest, and be gone."""


class Pipe:
    """What is piped in goes out as it is, and what comes goes on as it is, or to a terminal as
    text that is safe to look at.

    Args:
        gone: called when nobody reads what comes out any more.
    """

    def __init__(self, gone: Callable[[], None]) -> None:
        notice_end(1, gone)
        self._source = Source(None if sys.stdin is None else sys.stdin.fileno())
        self._outlet = Outlet(to_descriptor(1))
        self._decode = codecs.getincrementaldecoder("utf-8")("backslashreplace").decode
        self._raw = not os.isatty(1)

    async def said(self, lines: bool) -> AsyncIterator[bytes]:
        """See `Face`."""
        cutter = Cutter(b"\n", MAX_LINE)
        async for piece in self._source.pieces():
            if lines:
                cutter.add(piece)
                while (line := cutter.take()) is not None:
                    yield line
            else:
                yield piece
        if rest := cutter.rest():
            yield rest

    async def show(self, octets: bytes, whole: bool) -> None:
        """See `Face`."""
        if not self._raw:
            text = self._decode(octets).replace("\r\n", "\n")
            octets = plain(text, keep="\t\n").encode()
        await self._outlet.put(octets)

    def note(self, text: str) -> None:
        """See `Face`."""
        print(f"* {text}", file=sys.stderr, flush=True)

    async def close(self) -> None:
        """See `Face`."""
        await self._outlet.flush()


class Prompt:
    """Somebody who types; a prompt stays whole while lines scroll by above it.

    Args:
        tool: whose history it is.
        interrupted: called for Ctrl-C, which is a key here and no signal.
    """

    def __init__(self, tool: str, interrupted: Callable[[], None]) -> None:
        self._interrupted = interrupted
        self._session = make_prompt(tool)
        self._outlet = Outlet(above_the_prompt)
        self._cutter = Cutter(b"\n", _SHOWN_WHOLE)
        self._timer: asyncio.TimerHandle | None = None

    async def said(self, lines: bool) -> AsyncIterator[bytes]:
        """See `Face`; each line is one by itself, with an end where octets are asked for."""
        while True:
            try:
                # Signals are the conversation's.
                text = await self._session.prompt_async(handle_sigint=False)
            except EOFError:
                return
            except KeyboardInterrupt:
                self._interrupted()
                return
            octets = text.encode(errors="surrogateescape")
            yield octets if lines else octets + b"\n"

    async def show(self, octets: bytes, whole: bool) -> None:
        """See `Face`."""
        if self._timer is not None:
            self._timer.cancel()
        self._cutter.add(octets)
        shown = b"".join(map(_marked, self._whole_lines()))
        if whole:
            shown += self._unfinished()
        else:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(_PATIENCE_S, self._show_unfinished)
        if shown:
            await self._outlet.put(shown)

    def note(self, text: str) -> None:
        """See `Face`."""
        self._outlet.put_now(f"* {text}\n".encode())

    async def close(self) -> None:
        """See `Face`."""
        if self._timer is not None:
            self._timer.cancel()
        self._show_unfinished()
        await self._outlet.flush()
        if self._session.app.is_running:
            self._session.app.exit(exception=EOFError())

    def _whole_lines(self) -> list[bytes]:
        lines: list[bytes] = []
        while True:
            try:
                line = self._cutter.take()
            except LineTooLong:
                line = self._cutter.rest()
            if line is None:
                return lines
            lines.append(line)

    def _unfinished(self) -> bytes:
        rest = self._cutter.rest()
        return _marked(rest) if rest else b""

    def _show_unfinished(self) -> None:
        if rest := self._unfinished():
            self._outlet.put_now(rest)


def _marked(line: bytes) -> bytes:
    return f"{MARK}{plain(line, keep=chr(9))}\n".encode()
