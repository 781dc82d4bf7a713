"""Open loop: messages are due at a steady rate, whatever becomes of those before.

In a closed loop the server decides when the next message is sent, so while it stands still
nobody asks, and the time that others would have waited is never seen ("coordinated omission").
Here a latency counts from when a message was due.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

_NS: Final = 1_000_000_000


class Pace:
    """Sends what is due, on one connection after the other.

    Args:
        rate: messages a second. window: in flight on each connection, at most; what is due
            waits while there is no room, and its latency grows.
        probes: who sends; one that has no room is passed over.

    Attributes:
        behind: messages that were due and are not sent.
    """

    def __init__(self, rate: float, window: int, probes: Sequence[Any]) -> None:
        self.step = _NS / rate
        self.window = window
        self.probes = probes
        self.begin: int | None = None
        self.issued = 0
        self.turn = 0
        self.behind = 0

    def __call__(self, now: int) -> None:
        """Send what is due by `now`."""
        if self.begin is None:
            self.begin = now
        while (due := self.begin + int(self.issued * self.step)) <= now:
            probe = self._next()
            if probe is None:
                break
            probe.say(due)
            self.issued += 1
        self.behind = max(0, int((now - self.begin) / self.step) + 1 - self.issued)

    def _next(self) -> Any:
        """The next one with room, if there is one."""
        for _ in range(len(self.probes)):
            probe = self.probes[self.turn]
            self.turn = (self.turn + 1) % len(self.probes)
            if probe.has_room(self.window):
                return probe
        return None
