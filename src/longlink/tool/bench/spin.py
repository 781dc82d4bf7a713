"""A loop that does not sleep while it measures.

To wake somebody costs the server's system call about two microseconds, and only a server that is
slower than we are would pay for that. What we spin away is counted, and is no work. Whoever
else wants this processor, perhaps the server, has it when nothing has come for a while.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from time import monotonic_ns

from ...engine.reactor import Reactor
from .probe import Tally

_EVENTS = 64  # at once, before what they are answered leaves
_SPELL_NS = 1_000_000  # so long until the event loop has its turn: timers, signals
_LOOK_NS = 50_000  # no look at nothing takes so long: somebody else had the processor
_PATIENCE_NS = 200_000  # some round trips
_make_way = getattr(os, "sched_yield", bool)


class Spin:
    """Runs the reactor again and again.

    Args:
        sleeps: lets the event loop sleep nevertheless. Even so it is we who run the reactor,
            which would look for a while before it lets the loop sleep, as if that were work.
        pace: called between two turns with the time, to send what is due by then.

    Attributes:
        idle_ns: spent in turns in which nothing came and nothing went.
    """

    __slots__ = ("busy_at", "handle", "idle_ns", "loop", "pace", "reactor", "sleeps", "tally")

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        reactor: Reactor,
        tally: Tally,
        pace: Callable[[int], object] | None,
        sleeps: bool,
    ) -> None:
        self.loop = loop
        self.reactor = reactor
        self.tally = tally
        self.pace = pace
        self.sleeps = sleeps
        self.idle_ns = 0
        self.busy_at = 0
        self.handle: asyncio.Handle | None = None

    def start(self) -> None:
        """From now on."""
        descriptor = self.reactor.poll.fileno()
        self.loop.remove_reader(descriptor)
        if self.sleeps:
            self.loop.add_reader(descriptor, self.look)
        else:
            self._go_on()

    def stop(self) -> None:
        """The reactor is on its own again."""
        if self.handle is not None:
            self.handle.cancel()
            self.handle = None
        self.loop.add_reader(self.reactor.poll.fileno(), self.reactor.run_once)

    def look(self) -> None:
        """One turn."""
        count = self.reactor.poll.wait(_EVENTS)
        if count > 0:
            self.reactor._turn(count)  # it never hovers

    def run(self) -> None:
        """One spell."""
        now = monotonic_ns()
        until = now + _SPELL_NS
        while now < until:
            sent = self.tally.sent
            count = self.reactor.poll.wait(_EVENTS)
            if self.pace is not None:
                self.pace(now)
            sent = self.tally.sent - sent
            if count > 0 or sent:
                self.reactor._turn(count)  # it never hovers: we do
            before = now
            now = monotonic_ns()
            if count > 0 or sent:
                self.busy_at = now
            elif now - before < _LOOK_NS:
                self.idle_ns += now - before
            if now - self.busy_at > _PATIENCE_NS:
                _make_way()
        self._go_on()

    def _go_on(self) -> None:
        self.handle = self.loop.call_soon(self.run)
