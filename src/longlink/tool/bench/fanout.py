"""Fan-out: one speaks, the server tells everybody; a message is delivered when the last has it."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Any

from .pace import Pace
from .probe import Ear, Probe, Round, Speaker, Tally
from .script import NUMBERS
from .work import Work, shown


class FanOutWork(Work):
    """A speaker, number 0, and those who listen."""

    kind = Speaker
    unit = "deliveries"

    def _tally(self) -> Tally:
        self.round = Round(self.agenda, self.script, self)
        return self.round

    async def fill(self) -> None:
        (self.speaker,) = self.probes.values()
        await self.opening.more(Ear, self.plan.count, self._take, self.unopened)
        self.round.prepare(self.speaker, self.plan.count, self.plan.window)

    def start(self) -> Callable[[int], object] | None:
        if self.plan.rate is not None:
            return Pace(self.plan.rate, self.plan.window, [self.round])
        self.tally.flowing = True
        for _ in range(self.plan.window):
            self.round.say(monotonic_ns())
        return None

    def owed(self) -> int:
        return sum(self.round.sent - ear.received for ear in self._ears())

    def slow(self) -> int:
        return sum(ear.received < self.round.sent for ear in self._ears())

    def lost(self, probe: Probe) -> None:
        Work.lost(self, probe)
        if isinstance(probe, Speaker):
            self.faults.over.set()  # nobody is left to say anything
        elif not self.leaving:
            self.round.dropped(probe)

    def _ears(self) -> list[Ear]:
        return [probe for probe in self.probes.values() if isinstance(probe, Ear)]

    def _take(self, probe: Any) -> None:
        Work._take(self, probe)
        if isinstance(probe, Ear):
            probe.listen(self.round)

    def _is_extra(self, probe: Probe) -> bool:
        return probe.received == self.round.sent

    def _judge(self, probe: Probe, message: str | bytes) -> str:
        origin = self.script.describe(message)
        if origin is None:
            return f"heard {shown(message)}, which the speaker did not say: is somebody else there?"
        return f"heard message {origin[0]} when {probe.received % NUMBERS} was due"
