"""The timer wheel, on a loop whose clock is turned by hand."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import pytest

from longlink.engine.wheel import GRACE_S, STALL_S, TICK_S, Wheel


class Handle:
    def __init__(self, when: float, callback: Callable[[], None]) -> None:
        self.when = when
        self.callback = callback
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


class Loop:
    """As much of an event loop as a wheel needs. `turn_to` fires what is due."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.handles: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, callback: Callable[[], None]) -> Handle:
        self.handles.append(Handle(when, callback))
        return self.handles[-1]

    def call_soon(self, callback: Callable[[], None]) -> Handle:
        """Between timers and what they put off, a loop looks at its sockets."""
        self.handles.append(Handle(self.now, callback))
        return self.handles[-1]

    def armed(self) -> list[Handle]:
        self.handles = [handle for handle in self.handles if not handle.cancelled]
        return self.handles

    def turn_to(self, now: float) -> None:
        self.now = now
        while due := [handle for handle in self.armed() if handle.when <= now]:
            first = min(due, key=lambda handle: handle.when)
            self.handles.remove(first)
            first.callback()


class Item:
    """Notes when it was asked; answers with `answers`, then with "nothing more"."""

    def __init__(self, *answers: float) -> None:
        self.tick = self.place = 0
        self.answers = list(answers)
        self.asked: list[float] = []
        self.aborted = 0
        self.act: Callable[[float], Any] = lambda now: None

    def on_deadline(self, now: float) -> float:
        self.asked.append(now)
        self.act(now)
        return self.answers.pop(0) if self.answers else 0.0

    def abort(self) -> None:
        self.aborted += 1


@pytest.fixture
def loop() -> Loop:
    return Loop()


@pytest.fixture
def wheel(loop: Loop) -> Wheel:
    return Wheel(loop)  # type: ignore[arg-type]


def test_never_early_and_at_most_a_tick_late(loop: Loop, wheel: Wheel) -> None:
    items = {}
    for hundredth in range(1, 60):
        deadline = 1000 + hundredth / 100
        items[deadline] = Item()
        wheel.schedule(items[deadline], deadline)
    for hundredth in range(200):
        loop.turn_to(1000 + hundredth / 100)
    for deadline, item in items.items():
        [asked] = item.asked
        assert deadline < asked <= deadline + TICK_S + 0.0101  # the clock's own steps


def test_one_timer_however_many_items(loop: Loop, wheel: Wheel) -> None:
    for n in range(1000):
        wheel.schedule(Item(), 1000 + n / 10)
        wheel.schedule(Item(), 1100 - n / 10)
        assert len(loop.armed()) == 1


def test_the_timer_is_for_the_earliest(loop: Loop, wheel: Wheel) -> None:
    late, early = Item(), Item()
    wheel.schedule(late, 1010)
    wheel.schedule(early, 1001)
    loop.turn_to(1001.2)
    assert (len(early.asked), len(late.asked)) == (1, 0)
    loop.turn_to(1010.2)
    assert (len(early.asked), len(late.asked)) == (1, 1)
    assert not loop.armed()


def test_moving_a_deadline_later_costs_nothing_until_the_old_one_comes(
    loop: Loop, wheel: Wheel
) -> None:
    item = Item(1020.0)
    wheel.schedule(item, 1010)
    tick, [handle] = item.tick, loop.armed()
    wheel.schedule(item, 1020)
    assert item.tick == tick
    assert loop.armed() == [handle]
    loop.turn_to(1010.2)
    assert item.asked == [1010.2]
    loop.turn_to(1020.2)
    assert item.asked == [1010.2, 1020.2]


def test_moving_a_deadline_earlier(loop: Loop, wheel: Wheel) -> None:
    item = Item()
    wheel.schedule(item, 1010)
    wheel.schedule(item, 1002)
    loop.turn_to(1002.2)
    assert item.asked == [1002.2]
    loop.turn_to(1011)
    assert item.asked == [1002.2]


def test_cancelled_is_not_asked(loop: Loop, wheel: Wheel) -> None:
    item, other = Item(), Item()
    wheel.schedule(item, 1001)
    wheel.schedule(other, 1001)
    wheel.cancel(item)
    assert item.tick == 0
    loop.turn_to(1002)
    assert not item.asked
    assert len(other.asked) == 1


def test_cancelling_what_is_not_on_it(wheel: Wheel) -> None:
    wheel.cancel(Item())


def test_cancelled_by_one_that_is_asked_before_it(loop: Loop, wheel: Wheel) -> None:
    items = [Item() for _ in range(20)]

    def cancel_all(now: float) -> None:
        for item in items:
            wheel.cancel(item)

    for item in items:
        item.act = cancel_all
        wheel.schedule(item, 1001)
    loop.turn_to(1002)
    assert sum(len(item.asked) for item in items) == 1
    assert not loop.armed()


def test_scheduled_from_within(loop: Loop, wheel: Wheel) -> None:
    first, second = Item(), Item()
    first.act = lambda now: wheel.schedule(second, now + 5)
    wheel.schedule(first, 1001)
    loop.turn_to(1001.2)
    loop.turn_to(1006.4)
    assert second.asked == [1006.4]


def test_made_earlier_by_one_that_is_asked_before_it(loop: Loop, wheel: Wheel) -> None:
    items = [Item() for _ in range(20)]
    first: list[float] = []

    def hurry(now: float) -> None:
        if not first:
            first.append(now)
            for item in items:
                wheel.schedule(item, now - 5)

    for item in items:
        item.act = hurry
        wheel.schedule(item, 1001)
    loop.turn_to(1001.2)
    assert sorted(len(item.asked) for item in items) == [1] * 19 + [2]


def test_one_that_raises_is_aborted_and_the_others_are_asked(
    loop: Loop, wheel: Wheel, caplog: pytest.LogCaptureFixture
) -> None:
    items = [Item() for _ in range(20)]
    for item in items:
        wheel.schedule(item, 1001)
    later = Item()
    wheel.schedule(later, 1002)

    def fail(now: float) -> None:
        raise ValueError("a bug")

    items[7].act = fail
    with caplog.at_level(logging.ERROR, "longlink.engine"):
        loop.turn_to(1001.2)
    assert [record.message.startswith("internal error") for record in caplog.records] == [True]
    assert [item.aborted for item in items] == [0] * 7 + [1] + [0] * 12
    assert all(len(item.asked) == 1 for item in items)
    loop.turn_to(1002.2)
    assert later.asked


def test_nobody_is_asked_before_the_loop_has_seen_its_sockets(loop: Loop, wheel: Wheel) -> None:
    """On uvloop timers come first in a turn, then what was put off, then the sockets."""
    item = Item()
    wheel.schedule(item, 1001.0)
    loop.now = 1001.1
    for _ in range(2):
        (handle,) = loop.armed()
        loop.handles.clear()
        handle.callback()
        assert item.asked == []
    (handle,) = loop.armed()
    handle.callback()
    assert item.asked == [1001.1]


def blocked(caplog: pytest.LogCaptureFixture) -> list[str]:
    records = [record for record in caplog.records if record.name == "longlink.engine"]
    assert all(record.levelno == logging.WARNING for record in records)
    return [record.getMessage() for record in records]


def test_after_a_stall_everybody_has_a_moment_more(
    loop: Loop, wheel: Wheel, caplog: pytest.LogCaptureFixture
) -> None:
    early, late = Item(), Item()
    wheel.schedule(early, 1001.0)
    wheel.schedule(late, 1020.0)
    loop.turn_to(1031.0)
    assert (early.asked, late.asked, wheel.resumed) == ([], [], 1031.0)
    assert blocked(caplog) == ["event loop blocked for 29.9 s"]
    back = 1031.0 + GRACE_S + 2 * TICK_S
    loop.turn_to(back)
    assert early.asked == late.asked == [back]
    assert len(blocked(caplog)) == 1
    assert loop.armed() == []


def test_what_is_scheduled_after_a_stall_does_not_wait_for_the_moment(
    loop: Loop, wheel: Wheel
) -> None:
    old, new = Item(), Item()
    wheel.schedule(old, 1001.0)
    loop.turn_to(1031.0)
    wheel.schedule(new, 1031.3)
    loop.turn_to(1031.4)
    assert new.asked == old.asked == [1031.4]


def test_one_stall_after_the_other_does_not_put_deadlines_off_for_ever(
    loop: Loop, wheel: Wheel, caplog: pytest.LogCaptureFixture
) -> None:
    item = Item()
    wheel.schedule(item, 1001.0)
    loop.turn_to(1031.0)
    loop.turn_to(1061.0)
    assert item.asked == [1061.0]
    assert wheel.resumed == 1061.0
    assert len(blocked(caplog)) == 2
    wheel.schedule(item, 1062.0)
    loop.turn_to(1091.0)
    assert len(item.asked) == 1
    loop.turn_to(1093.0)
    assert len(item.asked) == 2


def test_a_timer_that_is_a_little_late_is_no_stall(
    loop: Loop, wheel: Wheel, caplog: pytest.LogCaptureFixture
) -> None:
    item = Item()
    wheel.schedule(item, 1001.0)
    loop.turn_to(1001.1 + STALL_S - 0.01)
    assert len(item.asked) == 1
    assert blocked(caplog) == []


def test_late_after_a_long_stall_all_are_asked_once(loop: Loop, wheel: Wheel) -> None:
    items = [Item() for _ in range(50)]
    for n, item in enumerate(items):
        wheel.schedule(item, 1001 + n)
    loop.turn_to(5000)
    loop.turn_to(5001.2)
    assert all(len(item.asked) == 1 for item in items)
    assert not loop.armed()
    assert not wheel.ticks


def test_stop_takes_the_timer_off(loop: Loop, wheel: Wheel) -> None:
    wheel.stop()
    wheel.schedule(Item(), 1001)
    wheel.stop()
    assert not loop.armed()


def test_an_early_wake_up_asks_nobody(loop: Loop, wheel: Wheel) -> None:
    item = Item()
    wheel.schedule(item, 1001)
    wheel.expire(1000.5)
    assert not item.asked
    assert len(loop.armed()) == 1
    loop.turn_to(1001.2)
    assert item.asked


def test_nothing_is_kept_of_those_that_left(loop: Loop, wheel: Wheel) -> None:
    for n in range(1000):
        item = Item()
        wheel.schedule(item, 1001 + n / 100)
        wheel.cancel(item)
    loop.turn_to(1001.5)
    assert not wheel.ticks
    assert not loop.armed()
