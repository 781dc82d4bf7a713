"""Idle: connections are held, and pinged now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

from .probe import Probe
from .work import Work

_STEP_S: Final = 0.01


class Held(Probe):
    """A connection that does nothing but answer."""

    pinged_at = 0  # when, in nanoseconds; 0 while no answer is awaited

    def on_message(self, message: str | bytes) -> None:
        """Whatever the server says to those who are silent."""
        assert self.tally is not None
        self.tally.greetings += 1

    def on_pong(self, payload: bytes) -> None:
        Probe.on_pong(self, payload)
        if self.pinged_at and self.tally is not None:
            self.tally.latency.add(monotonic_ns() - self.pinged_at)
            self.tally.observer.answered += 1
            self.pinged_at = 0

    def ask(self) -> bool:
        """Ping, unless an answer is awaited; whether it did."""
        if self.pinged_at or not self.session.sendable():
            return False
        self.pinged_at = monotonic_ns()
        self.session.send_ping(b"")
        return True


class IdleWork(Work):
    """Opens, holds, pings. A connection that cannot be opened is counted, and does not end it."""

    kind = Held
    unit = "pongs"
    talks = False
    answered = 0
    pinging: asyncio.Task[None] | None = None

    def start(self) -> Callable[[int], object] | None:
        every = self.plan.duration / 2 if self.plan.ping_every is None else self.plan.ping_every
        self.pinging = asyncio.get_running_loop().create_task(self._ping(every))
        return None

    def halt(self) -> None:
        if self.pinging is not None:
            self.pinging.cancel()

    @property
    def count(self) -> int:
        return self.answered

    def totals(self) -> tuple[int, int]:
        return self.tally.sent, self.answered

    def unopened(self, problem: Exception) -> bool:
        return self.refused(problem)

    def owed(self) -> int:
        return sum(probe.pinged_at > 0 for probe in self.probes.values())

    slow = owed

    async def _ping(self, every: float) -> None:
        """Everybody in turn, spread over the time."""
        loop = asyncio.get_running_loop()
        begin, turn = loop.time(), 0
        probes = list(self.probes.values())
        while True:
            await asyncio.sleep(min(_STEP_S, every / len(probes)))
            due = int((loop.time() - begin) / every * len(probes))
            for number in range(turn, due):
                self.tally.sent += probes[number % len(probes)].ask()
            turn = due
