"""Echo: what is sent must come back, to whoever sent it and in order."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Final

from .pace import Pace
from .probe import Echo, Probe
from .script import NUMBERS
from .work import Work, shown

ROOM: Final = "the server answers more than it was sent: is it a room? try --mode fan-out"


class EchoWork(Work):
    """All connections talk, each for itself."""

    kind = Echo

    def start(self) -> Callable[[int], object] | None:
        probes = list(self.probes.values())
        if self.plan.rate is not None:
            return Pace(self.plan.rate, self.plan.window, probes)
        self.tally.flowing = True
        for probe in probes:
            now = monotonic_ns()
            for _ in range(self.plan.window):
                probe.say(now)
        return None

    def _take(self, probe: Any) -> None:
        Work._take(self, probe)
        probe.prepare(self.plan.window)

    def _judge(self, probe: Probe, message: str | bytes) -> str:
        origin = self.script.describe(message)
        due = probe.received % NUMBERS
        if origin is not None and origin[1] != probe.number:
            return f"got a message that connection {origin[1]} sent; {ROOM}"
        if self._is_extra(probe):
            what = shown(message) if origin is None else f"message {origin[0]} again"
            return f"got {what} when every message was answered; {ROOM}"
        if origin is None:
            return f"got {shown(message)}, {self.script.difference(message, due, probe.number)}"
        behind = (due - origin[0]) % NUMBERS < NUMBERS // 2
        reason = "it came twice, or late" if behind else "one is missing, or the order is wrong"
        return f"got message {origin[0]} when {due} was due: {reason}"
