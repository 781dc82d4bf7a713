"""One conversation in lines, as its user sees it: readline, send, close.

Theory of operation. Whatever carries the octets brings them to `arrived` and sends what is in the
outbox; between the two is this class, and it is the same on the reactor, on an asyncio transport
and over UDP. What can be awaited is a native `Wait`, as on a WebSocket: a line that is there
costs no future and no trip through the event loop, a cancelled `readline` has taken nothing,
and a task that waits for a line goes on inside the turn in which it came, so that what it
answers leaves with that turn.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Coroutine, Iterable
from typing import Any

from ..errors import ConcurrencyError, LineClosed, LineTooLong
from ..native.kernel import DONE, PENDING, Wait, Waker
from .flow import READ, Flow, is_waiting, spoken, wake

# What a `Wait` waits for, beside what flow.py has.
_LINE = 0
_LINE_BYTES = 1
_NEXT = 2
_DRAIN = 4
_CLOSED = 5

LINES_PER_TURN = 256  # one connection's share, so that one writer does not make the others deaf


class Line(Flow):
    """A conversation in lines; `serve` and `connect` make them.

    Attributes:
        remote_address, local_address: as the socket module shapes them; of IPv4 (host, port).
        rules: what it lives under.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        state = "closed" if self.over else "closing" if self.closing else "open"
        return f"<{type(self).__name__} {state} {spoken(self.remote_address)}>"

    # Receiving.

    def readline(self, decode: bool = True) -> Coroutine[Any, Any, Any]:
        """The next line without its end: str, or bytes.

        What stands unfinished when the other side ends is the last line.

        Args:
            decode: True gives str; octets that are no UTF-8 become U+FFFD. False gives bytes.

        Raises:
            LineClosed: over, and every line that came before was taken; LineTimeout: none came
                in time; LineTooLong. After each of these it is closed.
            ConcurrencyError: another task is reading.
        Cancellation loses nothing.
        """
        return Wait(self, _LINE if decode else _LINE_BYTES)

    def read(self) -> Coroutine[Any, Any, bytes]:
        """What has come, line or not, as it came; b"" when they send no more.

        Raises LineFailed when it was lost. Cancellation loses nothing.
        """
        return Wait(self, READ)

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, str]:
        """As `readline`; LineClosed ends the loop, LineFailed is raised."""
        return Wait(self, _NEXT)

    # Sending.

    def send(self, text: str | bytes, end: str | bytes | None = None) -> Awaitable[None]:
        r"""Queue a line; awaiting the result waits only while the other side is slow.

        The line is on its way when the call returns: nothing need be awaited. A line break
        within the text is not seen to: the other side will read two lines.

        Args:
            text: str is sent as UTF-8.
            end: what is put behind it; None for `newline` of the rules, "" for nothing.

        Raises:
            LineClosed: over, or closing. UnicodeError: not text; nothing was sent.
        """
        octets = _octets(text) + (self.rules.newline if end is None else _octets(end))
        if self.silent or not self._has_room():
            raise self.closed()
        self.put(octets)
        return DONE if self.waiting() <= self.rules.limits.write_limit else Wait(self, _DRAIN)

    def _has_room(self) -> bool:
        """Whether more may be queued: a slow reader costs its own connection."""
        most = self.rules.limits.max_backlog
        if most is None or self.waiting() <= most:
            return True
        self.flush()
        if not self.over and self.waiting() > most:
            waiting = self.waiting()
            self.lose(f"too slow: {waiting} bytes waiting, the limit is {most} (max_backlog)")
        return not self.over

    # Closing.

    def close(self) -> Awaitable[None]:
        """Send what is queued and close; awaiting the result waits for the end of it.

        What they still send is read and thrown away, for `close_timeout` at most: left unread,
        it would make our close a reset, and destroy what we just sent. Safe to call again.
        """
        if not self.closing:
            self.end_with(LineClosed("closed by us"))
        return Wait(self, _CLOSED)

    def finish(self) -> None:
        """Say that we send no more, behind what is queued; what they still say can be read.

        Over TLS this closes: there both ways end at once.
        """
        if not self.silent:
            self.silent = True
            self.end_sending()

    def wait_closed(self) -> Coroutine[Any, Any, None]:
        """Wait until it is over, whoever ends it."""
        return Wait(self, _CLOSED)

    async def __aenter__(self) -> Line:
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.close()

    # Waiting.

    def attempt(self, wait: Wait) -> Any:
        """What a `Wait` wants, or PENDING after its future was set."""
        kind = wait.kind
        if kind < _DRAIN:
            return self._attempt_line(wait)
        if self.over:
            if kind == _CLOSED:
                return None
            raise self.closed()
        if kind == _DRAIN and self.waiting() <= self.rules.limits.write_limit:
            return None
        wait.future = self.agenda.loop.create_future()
        # Those that were cancelled meanwhile must not pile up.
        self.parked = [each for each in self.parked if is_waiting(each)]
        self.parked.append(wait)
        return PENDING

    def _attempt_line(self, wait: Wait) -> Any:
        other = self.reading
        if other is not None and other is not wait and is_waiting(other):
            raise ConcurrencyError("another task is reading from this line already")
        if self.streak >= LINES_PER_TURN:
            return self._attempt_later(wait)
        octets = self._taken(wait.kind)
        if octets is None:
            if self.finished or self.closing or self.over:
                return self._nothing_left(wait.kind)
            return self._attempt_when_it_comes(wait)
        self.streak += 1
        self.reading = None
        self.unpark()
        return octets if wait.kind in (_LINE_BYTES, READ) else octets.decode(errors="replace")

    def _taken(self, kind: int) -> bytes | None:
        """What there is for a reader of this kind."""
        if kind == READ:
            return self.intake.rest() or None
        try:
            octets = self.intake.take()
        except LineTooLong as problem:
            self.reading = None
            self.refuse(problem)
            self.intake.rest()
            raise
        if octets is None and self.finished:
            return self.intake.rest() or None  # unfinished, and the last
        return octets

    def _nothing_left(self, kind: int) -> Any:
        self.reading = None
        peaceful = self.problem is None or type(self.problem) is LineClosed
        if kind == READ and peaceful:
            return b""
        if kind == _NEXT and peaceful:
            raise StopAsyncIteration
        raise self.closed()

    def _attempt_later(self, wait: Wait) -> Any:
        """It had its share of this turn: let the others have theirs."""
        self._wants(wait)
        wait.future = self.agenda.loop.create_future()
        self.agenda.loop.call_soon(wake, wait)
        return PENDING

    def _attempt_when_it_comes(self, wait: Wait) -> Any:
        self.unpark()
        self._wants(wait)
        wait.future = Waker(self.agenda.loop)
        return PENDING

    def _wants(self, wait: Wait) -> None:
        """From now on the line that it wants is late, unless that was so before."""
        self.streak = 0
        if self.reading is not wait:
            self.reading = wait
            self.reading_since = self.agenda.clock()
            if self.rules.timeout is not None:
                self.agenda.wheel.schedule(self, self.reading_since + self.rules.timeout)


def broadcast(lines: Iterable[Line], text: str | bytes, end: str | bytes | None = None) -> None:
    """Send a line to many; who is gone, or reads too slowly, is skipped. Never waits.

    Args:
        lines: for example those of a server; safe to give though somebody leaves meanwhile.
        text, end: as in `Line.send`.

    Raises UnicodeError, TypeError: nothing was sent.
    """
    octets = _octets(text)
    for each in tuple(lines):
        with contextlib.suppress(LineClosed):
            each.send(octets, end)


def _octets(text: str | bytes) -> bytes:
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, (bytes, bytearray, memoryview)):
        return bytes(text)
    raise TypeError(f"a line is str or bytes, not {type(text).__name__}")
