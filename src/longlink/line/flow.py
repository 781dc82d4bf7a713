"""What carries a line, and when it is over: octets in, output with backpressure, deadlines.

Theory of operation. A carrier (`linked.Linked` on the reactor, `streamed.Streamed` on an asyncio
transport, `udp.Correspondence`) brings octets to `arrived` and implements the hooks at the end of
this file; `line.Line`, in between, is what the user sees.

Reading stops while what came is not taken. A peer that does not read is waited for
(`write_limit`), and no longer than `stall_timeout`, and with no more than `max_backlog` in hand.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from typing import Any

from ..engine.agenda import Agenda
from ..errors import LineClosed, LineFailed, LineTimeout
from ..native.kernel import Outbox, Source, Wait, Waker
from .cutter import Cutter, Intake
from .rules import Rules

# What a `Wait` waits for; line.py has the others.
READ = 3

_NEVER = 1e300
_KEEPALIVE = {"TCP_KEEPIDLE": 60, "TCP_KEEPINTVL": 20, "TCP_KEEPCNT": 3}  # seconds, seconds, times

Address = Any  # as the socket module shapes it


class Flow(Source):
    """One end of a conversation in lines, whatever carries it.

    Its carrier calls `add_user` of the agenda once it has the connection; `ended` takes that back.

    Args:
        rules: what it lives under.
        agenda: the work list of its event loop.
        left: called with it once, when it is over; whoever serves gives one.
        intake: where what comes waits; lines of a stream, where nothing else is said.
    """

    __slots__ = (
        "agenda",
        "closing",
        "closing_since",
        "finished",
        "intake",
        "left",
        "local_address",
        "outbox",
        "over",
        "parked",
        "place",
        "problem",
        "reading",
        "reading_since",
        "remote_address",
        "rules",
        "silent",
        "stalled_since",
        "streak",
        "tick",
    )

    def __init__(
        self,
        rules: Rules,
        agenda: Agenda,
        left: Callable[[Any], object] | None = None,
        intake: Intake | None = None,
    ) -> None:
        self.rules = rules
        self.agenda = agenda
        self.left = left  # called once, when it is over
        self.intake = Cutter(rules.terminators, rules.max_line) if intake is None else intake
        self.local_address: Address = None
        self.remote_address: Address = None
        self.outbox: Outbox | None = None
        self.finished = False  # they send no more
        self.silent = False  # we send no more
        self.closing = False  # nor believe anything that comes
        self.over = False
        self.problem: LineClosed | None = None  # why it is over
        self.reading: Wait | None = None
        self.reading_since = 0.0
        self.closing_since = 0.0
        self.stalled_since = 0.0  # since when a write has made no progress; 0 for not at all
        self.parked: list[Wait] = []  # for room to send more, and for the end
        self.streak = 0  # lines taken without waiting
        self.tick = self.place = 0  # the wheel's

    def refuse(self, problem: LineClosed) -> None:
        """End it for what they did; who serves them says so in a line."""
        if not self.closing:
            if self.left is not None and not self.silent:
                self.put(b"error: " + str(problem).encode() + self.rules.newline)
            self.end_with(problem)

    def lose(self, why: str, number: int = 0) -> None:
        """It is lost: end it at once."""
        if self.problem is None:
            self.problem = LineFailed(why)
            if number:
                self.problem.__cause__ = OSError(number, os.strerror(number))
        self.abort()

    def closed(self) -> LineClosed:
        """What to raise for who goes on."""
        said = "closed by the other side" if self.finished else "we said that we send no more"
        problem = self.problem or LineClosed(said)
        again = type(problem)(*problem.args)  # each has its own traceback
        again.__cause__ = problem.__cause__
        return again

    # What the carrier reports.

    def arrived(self, octets: bytes) -> None:
        """Octets came."""
        if self.closing:
            return
        self.intake.add(octets)
        wait = self.reading
        if wait is not None and is_waiting(wait) and (wait.kind == READ or self.intake.ready()):
            self._arouse(wait)
        if self.intake.room() <= 0:
            self.park()

    def heard_out(self) -> None:
        """They send no more, but may still read what is on its way to them."""
        self.finished = True
        if self.reading is not None:
            self._arouse(self.reading)

    def _arouse(self, wait: Wait) -> None:
        """Let the task that reads have its turn at the end of this one."""
        waker = wait.future
        if isinstance(waker, Waker) and waker.expect():
            self.agenda.add_waker(waker)

    def drained(self) -> None:
        """There is room again, or nothing more to wait for."""
        parked, self.parked = self.parked, []
        for wait in parked:
            wake(wait)

    def ended(self) -> None:
        """It is over; the carrier has let go of everything."""
        if self.over:
            return
        self.over = self.closing = self.silent = True
        self.agenda.wheel.cancel(self)
        if self.outbox is not None:
            self.outbox.clear()
            self.outbox = None
        if self.reading is not None:
            self._arouse(self.reading)
        self.drained()
        if self.left is not None:
            self.left(self)
        self.agenda.drop_user()
        self.agenda.tidy()

    # Ending.

    def end_with(self, problem: LineClosed) -> None:
        """Send what is queued, then close, for this reason."""
        self.problem = problem
        self.closing = self.silent = True
        self.closing_since = self.agenda.clock()
        patience = self.rules.limits.close_timeout
        if patience is not None:
            self.agenda.wheel.schedule(self, self.closing_since + patience)
        if self.reading is not None:
            self._arouse(self.reading)
        self.hang_up()

    # Deadlines.

    def on_deadline(self, now: float) -> float:
        """Act on what is due; returns when to ask again, 0.0 for never (see `Wheel`)."""
        due = min(self._stalled_due(now), self._closing_due(now), self._reading_due(now))
        return 0.0 if self.over or due == _NEVER else due

    def _stalled_due(self, now: float) -> float:
        patience = self.rules.limits.stall_timeout
        if not self.stalled_since or patience is None:
            return _NEVER
        self.flush()  # there may be room, though not enough for the kernel to say so
        due = self.stalled_since + patience if self.stalled_since else _NEVER
        if due <= now:
            self.lose(f"the other side has read nothing for {patience:g} s")
        return due

    def _closing_due(self, now: float) -> float:
        patience = self.rules.limits.close_timeout
        if not self.closing or self.over or patience is None:
            return _NEVER
        due = self.closing_since + patience
        if due <= now:
            self.abort()
        return due

    def _reading_due(self, now: float) -> float:
        patience, wait = self.rules.timeout, self.reading
        if patience is None or self.closing or wait is None or not is_waiting(wait):
            return _NEVER
        due = self.reading_since + patience
        if due <= now:
            self.refuse(LineTimeout(f"no line came for {patience:g} s (timeout)"))
            return self.closing_since + (self.rules.limits.close_timeout or _NEVER)
        return due

    # What the carrier does.

    def put(self, octets: bytes) -> None:
        """Queue octets, to be sent at the end of the turn."""
        if self.outbox is None:
            self.outbox = self.agenda.borrow()
        idle = self.outbox.size == 0
        self.outbox.put(octets)
        if idle:
            self.agenda.add_dirty(self)

    def progressed(self, before: int) -> None:
        """The carrier has tried to send what was `before` octets: see how far it got."""
        left = self.waiting()
        outbox = self.outbox
        if outbox is not None and not outbox.size:
            self.outbox = None
            self.agenda.give_back(outbox)
        if not left:
            self.stalled_since = 0.0
        elif left < before or not self.stalled_since:
            self.stalled_since = self.agenda.clock()
            patience = self.rules.limits.stall_timeout
            if patience is not None:
                self.agenda.wheel.schedule(self, self.stalled_since + patience)
        if self.parked and left <= self.rules.limits.low_water:
            self.drained()

    def proceed(self) -> None:
        """Nothing is ever left for another turn (see `Agenda`)."""

    def waiting(self) -> int:
        """Octets queued that the kernel has not taken."""
        return 0 if self.outbox is None else self.outbox.size

    def flush(self) -> None:
        """Send what is queued, as far as the other side takes it."""
        raise NotImplementedError

    def hang_up(self) -> None:
        """Send what is queued, then close."""
        raise NotImplementedError

    def end_sending(self) -> None:
        """Send what is queued, then end our side."""
        raise NotImplementedError

    def abort(self) -> None:
        """Let go of everything at once, and call `ended`."""
        raise NotImplementedError

    def park(self) -> None:
        """Read no more."""

    def unpark(self) -> None:
        """Read again."""


def spoken(address: Address) -> str:
    """An address as people write it: `127.0.0.1:8008`, `[::1]:8008`, or the path of a socket."""
    if not isinstance(address, tuple):
        return str(address or "unix")
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def keep_alive(sock: Any) -> None:
    """Have a peer of which nothing is heard asked whether it is still there (RFC 9293 3.8.4): it
    may have lost its power, and who has no timeout would wait for it for ever."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEPALIVE.items():
        if sock.family in (socket.AF_INET, socket.AF_INET6) and hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


def is_waiting(wait: Wait) -> bool:
    """Whether its task is parked."""
    return wait.future is not None and not wait.future.done()


def wake(wait: Wait) -> None:
    """Let the task of `wait` try again."""
    if is_waiting(wait):
        wait.future.set_result(None)
