"""Messages per second, told once a second while something changes and not at all when idle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

PERIOD_S = 1.0


class Meter:
    """Counts messages; one timer for everybody, which sleeps when nothing happens.

    Args:
        tell: called with the messages per second of the period that just ended.
    """

    def __init__(self, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._count = 0
        self._rate = 0.0
        self._changed = False
        self._began = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._stopped = False

    def count(self) -> None:
        """A message was sent."""
        self._count += 1
        if self._timer is None:
            self.touch()

    def touch(self) -> None:
        """Something else changed that is worth telling, for example who is here."""
        self._changed = True
        if self._timer is None and not self._stopped:
            loop = asyncio.get_running_loop()
            self._began = loop.time()
            self._timer = loop.call_later(PERIOD_S, self._tick)

    def stop(self) -> None:
        """No more telling."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        elapsed = max(loop.time() - self._began, PERIOD_S)
        before, self._rate, self._count = self._rate, self._count / elapsed, 0
        self._timer = None
        if self._rate or before or self._changed:
            # Again in a second: the last word of a busy time must be a rate of zero.
            self._changed = False
            self._began = loop.time()
            self._timer = loop.call_later(PERIOD_S, self._tick)
            self._tell(self._rate)
