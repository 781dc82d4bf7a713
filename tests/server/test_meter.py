from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from longlink.server.meter import Meter


class Clock:
    """Stands in for the event loop: time passes when told."""

    def __init__(self) -> None:
        self.now = 100.0
        self.calls: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        entry = (self.now + delay, callback)
        self.calls.append(entry)
        return self.Handle(self, entry)

    class Handle:
        def __init__(self, clock: Clock, entry: Any) -> None:
            self.clock, self.entry = clock, entry

        def cancel(self) -> None:
            self.clock.calls.remove(self.entry)

    def advance(self, seconds: float) -> None:
        self.now += seconds
        due = [entry for entry in self.calls if entry[0] <= self.now]
        for entry in due:
            self.calls.remove(entry)
            entry[1]()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    return clock


def test_the_rate_is_told_each_second_until_it_is_zero(clock: Clock) -> None:
    told: list[float] = []
    meter = Meter(told.append)
    for _ in range(5):
        meter.count()
    assert len(clock.calls) == 1
    clock.advance(1)
    meter.count()
    clock.advance(1)
    clock.advance(1)
    clock.advance(1)
    assert told == [5.0, 1.0, 0.0]
    assert clock.calls == []


def test_a_change_without_messages_is_told_once(clock: Clock) -> None:
    told: list[float] = []
    meter = Meter(told.append)
    meter.touch()
    clock.advance(1)
    clock.advance(1)
    assert told == [0.0]
    assert clock.calls == []
    meter.touch()
    clock.advance(1)
    assert told == [0.0, 0.0]


def test_a_late_timer_does_not_exaggerate(clock: Clock) -> None:
    told: list[float] = []
    meter = Meter(told.append)
    for _ in range(10):
        meter.count()
    clock.advance(2.5)
    assert told == [4.0]


def test_a_stopped_meter_has_no_timer(clock: Clock) -> None:
    told: list[float] = []
    meter = Meter(told.append)
    meter.count()
    meter.stop()
    meter.count()
    meter.touch()
    assert clock.calls == []
    assert told == []
