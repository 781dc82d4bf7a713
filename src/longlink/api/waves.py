"""Saying goodbye to many in waves: those who come back don't all come in the same second."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from ..engine.agenda import Agenda
from ..engine.wheel import TICK_S
from ..wire.phase import State
from .connection import Connection

WAVE = 256  # most of them in one turn: those who stay are served in between


class Waves:
    """Sends Close to many connections, evenly over `seconds`.

    On the wheel of deadlines: each tick closes those whose time has come, the first at once.
    Those who leave by themselves meanwhile are no matter.
    """

    def __init__(self, seconds: float, code: int, reason: str, agenda: Agenda) -> None:
        self.seconds = seconds
        self.said = (code, reason)
        self.agenda = agenda
        self.tick = self.place = 0
        self.waiting: list[Connection] = []
        self.count = 0  # at the beginning
        self.begun = 0.0
        self.done = asyncio.Event()

    async def roll(self, connections: Iterable[Connection]) -> None:
        """Close them all. Cancellation leaves the rest open."""
        self.waiting = list(connections)
        self.count = len(self.waiting)
        self.begun = self.agenda.loop.time()
        try:
            self._wave()
            await self.done.wait()
        finally:
            self.waiting.clear()
            self.agenda.wheel.cancel(self)

    def on_deadline(self, now: float) -> float:
        """The next wave; see `Timed`."""
        self._wave()
        return 0.0

    def abort(self) -> None:
        """See `Timed`: the rest learns it by being cut off."""
        self.done.set()

    def _wave(self) -> None:
        now = self.agenda.loop.time()
        due = len(self.waiting) - self._staying(now + TICK_S - self.begun)
        for _ in range(min(due, WAVE)):
            self.waiting.pop().session.send_close(*self.said)
        while self.waiting and self.waiting[-1].state is not State.OPEN:
            self.waiting.pop()  # when all have left, there is nothing to wait for
        if not self.waiting:
            self.done.set()
        elif due > WAVE:
            self.agenda.loop.call_soon(self._wave)
        else:
            self.agenda.wheel.schedule(self, now + TICK_S)

    def _staying(self, passed: float) -> int:
        """How many may still stay when so many seconds have passed."""
        if passed >= self.seconds:
            return 0
        return int(self.count * (1 - passed / self.seconds))
