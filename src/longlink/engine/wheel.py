"""One timer for all deadlines.

A connection has many deadlines (opening, keepalive, stalled write, closing) but only ever
waits for the next one, and nearly all of them are moved before they are due. So there is
one set of connections for each tick of the clock, one loop timer for the earliest tick,
and moving a deadline later costs nothing: the connection is asked when the old tick comes
and answers with the new time.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

TICK_S = 0.1
NEVER_S = 1e9  # a deadline later than this is none: no loop's clock gets there

logger = logging.getLogger("longlink.engine")


class Timed(Protocol):
    """What a wheel keeps: `tick` belongs to the wheel, 0 when not on it."""

    tick: int

    def on_deadline(self, now: float) -> float:
        """Act on what is due at `now`; returns the next deadline, or 0.0 for none."""

    def abort(self) -> None:
        """End at once: it failed to act."""


class Wheel:
    """Deadlines in ticks of TICK_S, none early, each at most one tick late."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ticks: dict[int, set[Timed]] = {}
        self.timer: asyncio.TimerHandle | None = None
        self.armed_tick = 0

    def schedule(self, item: Timed, deadline: float) -> None:
        """See that `item.on_deadline` is called at `deadline` (seconds of the loop's clock)."""
        if deadline >= NEVER_S:
            return
        tick = int(deadline / TICK_S) + 1
        if item.tick:
            if item.tick <= tick:
                return  # it is asked earlier, and will say then how much later it wants
            self.cancel(item)
        item.tick = tick
        members = self.ticks.get(tick)
        if members is None:
            self.ticks[tick] = {item}
            if self.timer is None or tick < self.armed_tick:
                self._arm(tick)
        else:
            members.add(item)

    def cancel(self, item: Timed) -> None:
        """Forget `item`."""
        members = self.ticks.get(item.tick)
        item.tick = 0
        if members is not None:
            members.discard(item)

    def expire(self, now: float) -> None:
        """Call everything that is due at `now`."""
        for tick in sorted(tick for tick in self.ticks if tick * TICK_S <= now):
            for item in self.ticks.pop(tick):
                if item.tick == tick:  # not cancelled by one that was called before it
                    item.tick = 0
                    deadline = _ask(item, now)
                    if deadline:
                        self.schedule(item, deadline)
        self._rearm()

    def stop(self) -> None:
        """Take the timer off the loop."""
        if self.timer is not None:
            self.timer.cancel()
            self.timer = None

    def _on_timer(self) -> None:
        self.timer = None
        self.expire(self.loop.time())

    def _rearm(self) -> None:
        for tick in [tick for tick, members in self.ticks.items() if not members]:
            del self.ticks[tick]
        self.stop()
        if self.ticks:
            self._arm(min(self.ticks))

    def _arm(self, tick: int) -> None:
        self.stop()
        self.armed_tick = tick
        self.timer = self.loop.call_at(tick * TICK_S, self._on_timer)


def _ask(item: Timed, now: float) -> float:
    """What `item` answers. A bug of ours costs one connection, not everybody's deadlines."""
    try:
        return item.on_deadline(now)
    except Exception:
        logger.exception("internal error in a deadline of %r", item)
        item.abort()
        return 0.0
