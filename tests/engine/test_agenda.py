"""The work list: one wake-up for everything that is sent outside a turn."""

from __future__ import annotations

import asyncio
import gc
import logging
from typing import Any

import pytest

from longlink.engine.agenda import Agenda, agenda_of
from longlink.native.kernel import Waker

from .conftest import Until


class Counted:
    """An event loop that counts `call_soon`."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.soon: list[Any] = []
        self.time = self.loop.time
        self.create_future = self.loop.create_future

    def call_soon(self, callback: Any, *arguments: Any, context: Any = None) -> None:
        self.soon.append(callback)

    def is_closed(self) -> bool:
        return False


class Session:
    """Notes what it is asked to do, and does `act`."""

    def __init__(self, log: list[str], name: str, act: Any = None) -> None:
        self.log, self.name, self.act = log, name, act

    def _note(self, what: str) -> None:
        self.log.append(f"{self.name} {what}")
        if self.act is not None:
            self.act()

    def flush(self) -> None:
        self._note("flush")

    def proceed(self) -> None:
        self._note("proceed")

    def abort(self) -> None:
        self.log.append(f"{self.name} abort")


@pytest.fixture
async def counted() -> Counted:
    return Counted()


@pytest.fixture
async def agenda(counted: Counted) -> Agenda:
    return Agenda(counted)  # type: ignore[arg-type]


async def test_many_outputs_one_wake_up(agenda: Agenda, counted: Counted) -> None:
    log: list[str] = []
    for n in range(5):
        agenda.add_dirty(Session(log, str(n)))
    assert len(counted.soon) == 1
    counted.soon.pop()()
    assert log == [f"{n} flush" for n in range(5)]
    assert not counted.soon


async def test_within_a_turn_nobody_is_woken(agenda: Agenda, counted: Counted) -> None:
    log: list[str] = []
    agenda.begin()
    agenda.add_dirty(Session(log, "a"))
    agenda.tidy()
    assert not counted.soon
    agenda.finish()
    assert log == ["a flush"]
    assert not counted.soon


async def test_shares_go_before_flushes_and_the_rest_is_next_turn(
    agenda: Agenda, counted: Counted
) -> None:
    log: list[str] = []
    greedy = Session(log, "greedy")
    greedy.act = lambda: agenda.add_again(greedy)
    agenda.add_again(greedy)
    agenda.add_dirty(Session(log, "other"))
    counted.soon.pop()()
    assert log == ["greedy proceed", "other flush"]
    assert len(counted.soon) == 1
    greedy.act = None
    counted.soon.pop()()
    assert log[2:] == ["greedy proceed"]
    assert not counted.soon


async def test_output_that_a_flush_makes_is_flushed_in_the_same_turn(
    agenda: Agenda, counted: Counted
) -> None:
    log: list[str] = []
    last = Session(log, "last")
    agenda.add_dirty(Session(log, "first", lambda: agenda.add_dirty(last)))
    counted.soon.pop()()
    assert log == ["first flush", "last flush"]


def waker(loop: Any, callback: Any) -> Waker:
    """One that is expected to be run, and then calls `callback`."""
    waker = Waker(loop)
    waker.add_done_callback(lambda _: callback())
    waker.expect()
    return waker


async def test_tasks_go_on_before_the_flush(agenda: Agenda, counted: Counted) -> None:
    log: list[str] = []
    answer = Session(log, "answer")

    def task() -> None:
        log.append("task")
        agenda.add_dirty(answer)

    agenda.add_waker(waker(counted, task))
    agenda.add_waker(waker(counted, task))
    assert len(counted.soon) == 1
    asyncio.get_running_loop().call_soon(counted.soon.pop())
    await asyncio.sleep(0)
    assert log == ["task", "task", "answer flush", "answer flush"]
    assert counted.soon == []


async def test_within_a_task_the_loop_is_asked() -> None:
    log: list[str] = []
    agenda = Agenda(asyncio.get_running_loop())
    agenda.add_waker(waker(agenda.loop, lambda: log.append("task")))
    agenda.run()
    assert log == []
    await asyncio.sleep(0)
    assert log == ["task"]


async def test_an_exit_in_a_task_loses_nobody(agenda: Agenda, counted: Counted) -> None:
    log: list[str] = []

    def leave() -> None:
        raise SystemExit

    def turn() -> None:
        with pytest.raises(SystemExit):
            counted.soon.pop()()
        counted.soon.pop()()  # it is called again for those who are left

    agenda.add_waker(waker(counted, leave))
    agenda.add_waker(waker(counted, lambda: log.append("task")))
    agenda.add_dirty(Session(log, "answer"))
    asyncio.get_running_loop().call_soon(turn)
    await asyncio.sleep(0)
    assert log == ["task", "answer flush"]
    assert counted.soon == []
    assert not agenda.active


@pytest.mark.parametrize("problem", [ValueError("a bug"), asyncio.CancelledError()])
@pytest.mark.parametrize("what", ["add_dirty", "add_again"])
async def test_one_that_raises_costs_itself_only(
    agenda: Agenda,
    counted: Counted,
    what: str,
    problem: BaseException,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log: list[str] = []

    def fail() -> None:
        raise problem

    getattr(agenda, what)(Session(log, "a", fail))
    getattr(agenda, what)(Session(log, "b"))
    with caplog.at_level(logging.ERROR, "longlink.engine"):
        counted.soon.pop()()
    assert len(caplog.records) == 1
    assert [entry.split()[0] for entry in log] == ["a", "a", "b"]
    assert log[1] == "a abort"
    assert not agenda.active


async def test_an_exit_goes_through_and_leaves_the_agenda_usable(
    agenda: Agenda, counted: Counted
) -> None:
    log: list[str] = []

    def leave() -> None:
        raise SystemExit

    agenda.add_dirty(Session(log, "a", leave))
    with pytest.raises(SystemExit):
        counted.soon.pop()()
    assert not agenda.active
    agenda.add_dirty(Session(log, "b"))
    counted.soon.pop()()
    assert log == ["a flush", "b flush"]


async def test_clock_is_read_once_a_turn_and_never_stale_outside(
    agenda: Agenda, counted: Counted
) -> None:
    now = 5.0
    counted.time = lambda: now
    assert agenda.clock() == 5
    now = 6.0
    assert agenda.clock() == 6
    agenda.begin()
    now = 7.0
    assert agenda.clock() == 6
    agenda.finish()
    assert agenda.clock() == 7


async def test_outboxes_are_used_again_within_bounds(agenda: Agenda) -> None:
    box = agenda.borrow()
    agenda.give_back(box)
    assert agenda.borrow() is box
    boxes = [agenda.borrow() for _ in range(10_000)]
    for box in boxes:
        agenda.give_back(box)
    again = {id(agenda.borrow()) for _ in range(10_000)}
    assert len(again & {id(box) for box in boxes}) < 5000


async def test_kept_work_is_not_forgotten(until: Until) -> None:
    agenda = Agenda(asyncio.get_running_loop())
    done = []

    async def work() -> None:
        await asyncio.sleep(0)
        gc.collect()
        await asyncio.sleep(0)
        done.append(1)

    agenda.keep(work())
    assert len(agenda.tasks) == 1
    await until(lambda: done)
    await until(lambda: not agenda.tasks)


async def test_one_agenda_for_a_loop_until_its_last_user_is_gone() -> None:
    loop = asyncio.get_running_loop()
    agenda = agenda_of(loop)
    assert agenda_of(loop) is agenda
    agenda.add_user()
    agenda.add_user()
    agenda.drop_user()
    assert agenda_of(loop) is agenda
    agenda.drop_user()
    successor = agenda_of(loop)
    assert successor is not agenda
    agenda.retire()  # a second time: not the successor's business
    assert agenda_of(loop) is successor


def test_agendas_of_closed_loops_are_forgotten() -> None:
    loop = asyncio.new_event_loop()
    agenda_of(loop).add_user()
    loop.close()
    other = asyncio.new_event_loop()
    try:
        agenda_of(other)
        assert agenda_of(loop).users == 0
    finally:
        agenda_of(loop).retire()
        agenda_of(other).retire()
        other.close()
