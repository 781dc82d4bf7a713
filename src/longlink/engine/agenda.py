"""What is to be done before the event loop sleeps.

One agenda for each event loop. Connections that were given something to send write their
name on it once, however often they are given more, and are flushed together: at the end
of a turn, or by one `call_soon` when the sending was done by a task, a timer or another
thread's `call_soon_threadsafe`. Connections that used up their share of a turn are carried
over to the next one. What connections share lies here, too: the receive buffer, a pool of
outboxes, the wheel of deadlines.
"""

from __future__ import annotations

import asyncio
import logging
from asyncio import current_task
from collections.abc import Coroutine
from typing import Any

from ..limits import Limits
from ..native.kernel import Buffer, Outbox, Waker
from ..wire.reader import HEADROOM
from .terms import Terms
from .wheel import Wheel

RECEIVE_BYTES = 256 * 1024
logger = logging.getLogger("longlink.engine")

# What a callback of the user may raise through us. A cancelled future's result is no
# cancellation of ours.
FAULTS = (Exception, asyncio.CancelledError)

# Outboxes kept for reuse: enough for a message to so many at once. Each of at most 4 KiB.
_POOLED = 4096


class Agenda:
    """The work of one event loop; `run` is called by the loop, `wake` by those who add to it."""

    __slots__ = (
        "active",
        "again",
        "buffer",
        "dirty",
        "flushed",
        "loop",
        "now",
        "pool",
        "retired",
        "strays",
        "tasks",
        "terms",
        "users",
        "view",
        "wakers",
        "waking",
        "wheel",
        "woken",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.now = loop.time()
        self.active = False  # a turn is on: whoever writes something down needn't wake us
        self.waking = False
        self.users = 0
        self.retired = False
        self.dirty: list[Any] = []  # sessions with output
        self.flushed = False  # something was sent at the end of the last turn
        self.wakers: list[Waker] = []  # of tasks that have received something
        self.again: list[Any] = []  # sessions with unread octets in hand
        self.pool: list[Outbox] = []
        self.strays: set[Any] = set()  # sessions that are not open yet, or not any more
        self.tasks: set[asyncio.Task[None]] = set()
        self.buffer = Buffer(HEADROOM + RECEIVE_BYTES)
        self.view = memoryview(self.buffer)
        self.wheel = Wheel(loop)
        self.woken = loop.create_future()  # what tasks wake up to
        self.woken.set_result(None)
        self.terms: Terms | None = None  # of those who came last

    def clock(self) -> float:
        """Seconds of the loop's clock, read once a turn."""
        if not self.active:
            self.now = self.loop.time()
        return self.now

    def terms_of(self, limits: Limits) -> Terms:
        """The limits as numbers, for everybody in a row who lives under the same."""
        terms = self.terms
        if terms is None or terms.limits is not limits:
            terms = self.terms = Terms(limits)
        return terms

    def add_user(self) -> None:
        """A connection or listener begins to rely on this agenda."""
        self.users += 1

    def drop_user(self) -> None:
        """One is gone; the last one takes everything off the loop."""
        self.users -= 1
        if self.users == 0:
            self.retire()

    def retire(self) -> None:
        """Nobody is left."""
        self.retired = True
        self.wheel.stop()
        if _AGENDAS.get(self.loop) is self:
            _AGENDAS.pop(self.loop, None)

    def add_dirty(self, session: Any) -> None:
        """`session` has output. It says so once, when its outbox stops being empty."""
        self.dirty.append(session)
        if not self.active:
            self.wake()

    def add_again(self, session: Any) -> None:
        """`session` has octets in hand for the next turn."""
        self.again.append(session)
        if not self.active:
            self.wake()

    def add_waker(self, waker: Waker) -> None:
        """The task of `waker` has received something. See `Waker.expect`."""
        self.wakers.append(waker)
        if not self.active:
            self.wake()

    def wake(self) -> None:
        """See that `run` is called soon, once."""
        if not self.waking:
            self.waking = True
            self.loop.call_soon(self.run)

    def tidy(self) -> None:
        """Something is left for the end of a turn, if none is on."""
        if not self.active:
            self.wake()

    def keep(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` as a task that is not forgotten before it is done."""
        task = self.loop.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def begin(self) -> None:
        """A turn begins: until `finish`, what is written down needs no waking."""
        self.active = True
        self.flushed = False
        self.now = self.loop.time()

    def run(self) -> None:
        """A turn without new octets: carry on with what was left, then flush."""
        self.waking = False
        self.begin()
        self.finish()

    def finish(self) -> None:
        """The end of every turn: those with something in hand get their share, all flush."""
        try:
            if self.again:
                again, self.again = self.again, []
                for session in again:
                    try:
                        session.proceed()
                    except FAULTS:
                        self.crashed(session)
            if self.wakers:
                self.run_wakers()
            while self.dirty:
                self.flushed = True
                dirty, self.dirty = self.dirty, []
                for session in dirty:
                    try:
                        self.flush(session)
                    except FAULTS:
                        self.crashed(session)
        finally:
            self.active = False
            if self.again or self.wakers or self.dirty:  # of the last only what raised leaves any
                self.wake()

    def flush(self, session: Any) -> None:
        """Have `session` send what it has."""
        session.flush()

    def run_wakers(self) -> None:
        """Go on with tasks here and not by way of the event loop, so that what they answer
        leaves with this turn. For them it is as if no turn were on, only that nobody needs
        waking to flush."""
        wakers, self.wakers = self.wakers, []
        # Who feeds a session by hand may do so in a task, and two can't run at the same time.
        free = current_task(self.loop) is None
        waking, self.waking, self.active = self.waking, True, False
        try:
            for waker in wakers:
                if free:
                    waker.run(self.woken)
                elif not waker.done():
                    waker.set_result(None)
        except BaseException:
            # Only what is to end the program comes this far. Should it go on, nobody sleeps on.
            self.wakers += wakers
            raise
        finally:
            self.waking, self.active = waking, True

    def crashed(self, session: Any) -> None:
        """A bug of ours, inside an `except`: it costs one connection, not all of them."""
        logger.exception("internal error on %r", session)
        session.abort()

    def borrow(self) -> Outbox:
        """An empty outbox."""
        return self.pool.pop() if self.pool else Outbox()

    def give_back(self, outbox: Outbox) -> None:
        """Take an empty outbox back."""
        if len(self.pool) < _POOLED:
            self.pool.append(outbox)


_AGENDAS: dict[asyncio.AbstractEventLoop, Agenda] = {}


def agenda_of(loop: asyncio.AbstractEventLoop, make: type[Agenda] = Agenda) -> Agenda:
    """The agenda of `loop`, made by `make` when there is none."""
    agenda = _AGENDAS.get(loop)
    if agenda is None:
        for other in list(_AGENDAS):  # other threads have theirs
            stale = _AGENDAS.get(other) if other.is_closed() else None
            if stale is not None:
                stale.retire()
        agenda = _AGENDAS[loop] = make(loop)
    return agenda
