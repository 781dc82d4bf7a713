"""What a run does to the server: one class for each mode, and what they have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, ClassVar, Final

from ...engine.agenda import Agenda
from ..connect.ending import of_failure
from ..plain import plain
from .fault import Faults
from .histogram import Histogram
from .opening import Opening
from .plan import Plan
from .probe import Probe, Tally
from .script import Script

_LOOK_S: Final = 0.005  # how often to look whether everything has come
_FENCE_S: Final = 1.0
_SHOWN: Final = 40  # octets of a message nobody understands
_MOST_REFUSED: Final = 64  # in a row, and nobody tries again


class Work:
    """Connections that do something.

    Args:
        opening: opens them. faults: gets what goes wrong.

    Attributes:
        unit: what is counted. tally: shared by the connections. probes: those that are open.
    """

    kind: ClassVar[type[Probe]]  # of its connections
    unit: ClassVar[str] = "messages"
    talks: ClassVar[bool] = True  # all the time, so that it makes sense to spin

    def __init__(self, plan: Plan, opening: Opening, faults: Faults, agenda: Agenda) -> None:
        self.plan = plan
        self.opening = opening
        self.faults = faults
        self.agenda = agenda
        self.script = Script(plan.size, plan.text)
        self.tally = self._tally()
        self.probes: dict[int, Any] = {}
        self.leaving = False
        self.enlisted = 0
        self.refused_in_a_row = 0

    def _tally(self) -> Tally:
        return Tally(self.agenda, self.script, self)

    @property
    def latency(self) -> Histogram:
        """Of what was answered."""
        return self.tally.latency

    @property
    def count(self) -> int:
        """How many of `unit` so far."""
        return self.tally.received

    def totals(self) -> tuple[int, int]:
        """What was sent and received since the connections were opened."""
        return self.tally.sent, self.tally.received

    # The stages, in this order.

    async def enter(self) -> None:
        """Open the first connection. Raises what `longlink.connect` does."""
        self._take(await self.opening.first(self.kind))

    async def fill(self) -> None:
        """Open the others. Raises what `longlink.connect` does."""
        await self.opening.more(self.kind, self.plan.count - 1, self._take, self.unopened)

    def start(self) -> Callable[[int], object] | None:
        """Begin; returns what is to be called with the time again and again, if anything."""
        raise NotImplementedError

    def halt(self) -> None:
        """Begin nothing any more; what is on its way may arrive."""
        self.tally.flowing = False

    def owed(self) -> int:
        """How many answers are missing."""
        return sum(probe.sent - probe.received for probe in self.probes.values())

    def slow(self) -> int:
        """How many connections they are missing on."""
        return sum(probe.sent > probe.received for probe in self.probes.values())

    async def settle(self) -> None:
        """Wait for what is missing, and look for what nobody asked for: it must come before the
        answer to a Ping."""
        if not await self.until(lambda: not self.owed(), self.plan.timeout):
            owed = self.owed()
            text = f"{self.slow():,} connections wait since {self.plan.timeout:g} s (--timeout)"
            self.faults.add("missing", text, count=owed)
            return
        wanted = self.tally.pongs + sum(map(_ping, list(self.probes.values())))
        await self.until(lambda: self.tally.pongs >= wanted, _FENCE_S)

    async def leave(self) -> None:
        """Close all connections."""
        self.leaving = True
        for probe in list(self.probes.values()):
            probe.close()
        if not await self.until(lambda: not self.probes, self.plan.timeout):
            for probe in list(self.probes.values()):
                probe.session.abort()

    async def until(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait so long until it is true; returns whether it is. Ends early with the run."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        while not done():
            if loop.time() > end or (self.faults.over.is_set() and not self.leaving):
                return done()
            await asyncio.sleep(_LOOK_S)
        return True

    # What probes tell.

    def strange(self, probe: Probe, message: str | bytes) -> None:
        """A message that had not to come, or not now. It ends the run: one is enough to tell."""
        self.halt()
        if self.faults.over.is_set():
            return
        text = f"connection {probe.number} {self._judge(probe, message)}"
        self.faults.add("extra" if self._is_extra(probe) else "wrong", text, fatal=True)

    def lost(self, probe: Probe) -> None:
        """A connection is over."""
        self.probes.pop(probe.number, None)
        if self.leaving:
            return
        text = f"connection {probe.number}, {plain(str(probe.session.closed()))}"
        self.faults.add("lost", text, fatal=not self.probes)

    def unopened(self, problem: Exception) -> bool:
        """One could not be opened: figures would be of other than what was asked for."""
        raise problem

    def refused(self, problem: Exception) -> bool:
        """One could not be opened, which is counted; returns whether to go on."""
        ending = of_failure(problem, self.opening.uri, self.plan.timeout)
        self.faults.add("refused", ending.text)
        self.refused_in_a_row += 1
        return self.refused_in_a_row < _MOST_REFUSED

    def _is_extra(self, probe: Probe) -> bool:
        return probe.received == probe.sent

    def _judge(self, probe: Probe, message: str | bytes) -> str:
        """What was wrong with it."""
        raise NotImplementedError

    def _take(self, probe: Any) -> None:
        """This one is open."""
        number = self.enlisted
        self.enlisted += 1
        self.refused_in_a_row = 0
        self.probes[number] = probe
        probe.enlist(self.tally, number)


def shown(message: str | bytes) -> str:
    """The beginning of a message as it can be shown."""
    if not message:
        return "an empty message"
    more = "..." if len(message) > _SHOWN else ""
    return f"{plain(message[:_SHOWN])!r}{more}"


def _ping(probe: Probe) -> int:
    """Ask for a sign; how many were asked."""
    if not probe.session.sendable():
        return 0
    probe.session.send_ping(b"")
    return 1
