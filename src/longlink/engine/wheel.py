"""One timer for all deadlines.

A connection has many deadlines (opening, keepalive, stalled write, closing) but only ever
waits for the next one, and nearly all of them are moved before they are due. So there is
one list of connections for each tick of the clock, one loop timer for the earliest tick,
and moving a deadline later costs nothing: the connection is asked when the old tick comes
and answers with the new time.

Nobody is asked before the loop has looked at its sockets: whatever came in before the deadline
shall be known when it is judged, and uvloop calls timers first. If our own loop was blocked
(the timer came STALL_S late), that is said once in the log, and all that is due gets GRACE_S
more, so that what piled up in the kernel is read first; `resumed` tells keepalives from when
on silence is the peer's. Stalls are only seen where a deadline is near: no others matter.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Protocol

TICK_S = 0.1
_TICK_S = TICK_S  # for the compiled module alone
STALL_S = 1.0  # later than this is no jitter: the loop was blocked
GRACE_S = 1.0
QUIET_S = 10.0  # between two lines in the log about that
NEVER_S = 1e9  # a deadline later than this is none: no loop's clock gets there

logger = logging.getLogger("longlink.engine")


class Timed(Protocol):
    """What a wheel keeps: `tick` and `place` belong to the wheel, tick 0 when not on it."""

    tick: int
    place: int

    def on_deadline(self, now: float) -> float:
        """Act on what is due at `now`; returns the next deadline, or 0.0 for none."""

    def abort(self) -> None:
        """End at once: it failed to act."""


class Wheel:
    """Deadlines in ticks of TICK_S, none early, each at most one tick late."""

    __slots__ = (
        "armed_tick",
        "due",
        "graced",
        "loop",
        "lost",
        "resumed",
        "ticks",
        "timer",
        "told",
    )

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.ticks: dict[int, list[Timed]] = {}
        self.timer: asyncio.Handle | None = None
        self.armed_tick = 0
        self.due = 0.0  # when the timer should come
        self.lost = 0.0  # seconds in which it was blocked, in all
        self.resumed = 0.0  # when the loop came back from the last stall
        self.told = -QUIET_S  # when that was last said
        self.graced = False  # what is due was given GRACE_S

    def schedule(self, item: Timed, deadline: float) -> None:
        """See that `item.on_deadline` is called at `deadline` (seconds of the loop's clock)."""
        if deadline >= NEVER_S:
            return
        tick = _tick_of(deadline)
        if item.tick:
            if item.tick <= tick:
                return  # it is asked earlier, and will say then how much later it wants
            self.cancel(item)
        item.tick = tick
        members = self.ticks.get(tick)
        if members is None:
            members = self.ticks[tick] = []
            if self.timer is None or tick < self.armed_tick:
                self._arm(tick)
        item.place = len(members)
        members.append(item)

    def cancel(self, item: Timed) -> None:
        """Forget `item`."""
        members = self.ticks.get(item.tick)
        item.tick = 0
        place = item.place
        # Those who are being asked right now are on no list any more.
        if members is not None and place < len(members) and members[place] is item:
            last = members.pop()
            if last is not item:
                members[place] = last
                last.place = place

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
        self.timer = self.loop.call_soon(self._on_turn)

    def _on_turn(self) -> None:
        """uvloop comes here in the turn of the timer, and sees its sockets only after that."""
        self.timer = self.loop.call_soon(self._on_sockets_seen)

    def _on_sockets_seen(self) -> None:
        self.timer = None
        now = self.loop.time()
        late = now - self.due
        if late >= STALL_S:
            self.resumed = now
            self.lost += late
            if now - self.told >= QUIET_S:
                self.told = now
                logger.warning("event loop blocked for %.1f s", late)
            if not self.graced:  # not twice in a row: a loop that is always late has deadlines too
                self.graced = True
                self._arm(_tick_of(now + GRACE_S))
                return
        self.graced = False
        self.expire(now)

    def _rearm(self) -> None:
        for tick in [tick for tick, members in self.ticks.items() if not members]:
            del self.ticks[tick]
        self.stop()
        if self.ticks:
            self._arm(min(self.ticks))

    def _arm(self, tick: int) -> None:
        self.stop()
        self.armed_tick = tick
        self.due = max(tick * TICK_S, self.loop.time())
        self.timer = self.loop.call_at(self.due, self._on_timer)


def _tick_of(deadline: float) -> int:
    """The first tick that is not before `deadline`."""
    return int(deadline / _TICK_S) + 1


def _ask(item: Timed, now: float) -> float:
    """What `item` answers. A bug of ours costs one connection, not everybody's deadlines."""
    try:
        return item.on_deadline(now)
    except Exception:
        logger.exception("internal error in a deadline of %r", item)
        item.abort()
        return 0.0
