"""Handshakes: connect, ask, be answered, close, and again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from time import monotonic_ns
from typing import Any, Final

from ...api.connection import Connection
from ...engine.reactor import Reactor
from .call import Exchange, is_possible
from .histogram import Histogram
from .work import Work

_FAILED_S: Final = 0.05  # before the next attempt after one that failed


class HandshakeWork(Work):
    """So many at once, each again as soon as it is closed."""

    unit = "handshakes"
    talks = False

    def __init__(self, *given: Any) -> None:
        Work.__init__(self, *given)
        self.histogram = Histogram()
        self.begun = self.done = 0
        self.going = 0
        self.tasks: set[asyncio.Task[None]] = set()

    async def enter(self) -> None:
        await (await self.opening.first(Connection)).close()

    async def fill(self) -> None:
        pass

    @property
    def latency(self) -> Histogram:
        return self.histogram

    @property
    def count(self) -> int:
        return self.done

    def totals(self) -> tuple[int, int]:
        return self.begun, self.done

    def start(self) -> Callable[[int], object] | None:
        self.tally.flowing = True
        self.going = self.plan.window
        again = self._caller()
        for _ in range(self.plan.window):
            again()
        return None

    def owed(self) -> int:
        return self.going

    slow = owed

    def _caller(self) -> Callable[[], None]:
        """What begins one more, in the quickest way there is."""
        wish = self.opening.wish()
        if not isinstance(self.agenda, Reactor) or not is_possible(wish):
            return self._talk
        exchange = Exchange(
            wish,
            self.agenda,
            self.opening.address(),
            self.opening.sources(),
            self.histogram.add,
            lambda problem: self._over(problem, call),
        )

        def call() -> None:
            self.begun += 1
            exchange.call()

        return call

    def _talk(self) -> None:
        """One more by way of `longlink.connect`."""
        self.begun += 1
        task = asyncio.get_running_loop().create_task(self._connect())
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    async def _connect(self) -> None:
        begin, problem = monotonic_ns(), None
        try:
            connection = await self.opening.one(Connection, 0)
            self.histogram.add(monotonic_ns() - begin)
            await connection.close()
        except Exception as failure:
            problem = failure
        self._over(problem, self._talk)

    def _over(self, problem: Exception | None, again: Callable[[], None]) -> None:
        """One is over: have another instead."""
        pause_s = 0.0
        if problem is None:
            self.done += 1
            self.refused_in_a_row = 0
        else:
            pause_s = _FAILED_S
            if not self.refused(problem):
                self.faults.over.set()
        if not self.tally.flowing:
            self.going -= 1
        elif pause_s:
            asyncio.get_running_loop().call_later(pause_s, self._again, again)
        else:
            again()

    def _again(self, again: Callable[[], None]) -> None:
        if self.tally.flowing:
            again()
        else:
            self.going -= 1
