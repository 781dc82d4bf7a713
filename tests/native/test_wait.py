"""Wait and Done as awaitables and as tasks, on asyncio and on uvloop."""

from __future__ import annotations

import asyncio
import gc
import weakref
from collections.abc import Awaitable
from typing import Any

import pytest

from tests.native.gate import VALUES, Gate, make, ready, turn

pytestmark = pytest.mark.asyncio(loop_factories=["asyncio", "uvloop"])


@pytest.fixture
def gate(kernel: Any) -> Gate:
    return Gate(kernel)


# -- at once --------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_a_result_at_once(kernel: Any, value: object) -> None:
    assert await kernel.Wait(ready(kernel, value), 0) is value


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_a_result_at_once_to_a_task(kernel: Any, value: object) -> None:
    assert await asyncio.create_task(kernel.Wait(ready(kernel, value), 0)) is value


@pytest.mark.parametrize("value", VALUES, ids=repr)
async def test_a_result_later(gate: Gate, value: object) -> None:
    async def around() -> Any:
        return await gate.wait()

    tasks = [asyncio.create_task(gate.wait()), asyncio.create_task(around())]
    await turn()
    gate.open(value, value)
    assert [await task is value for task in tasks] == [True, True]


async def test_no_trip_through_the_loop_for_a_result_at_once(kernel: Any) -> None:
    ran: list[int] = []
    asyncio.get_running_loop().call_soon(ran.append, 1)
    for _ in range(10):
        await kernel.Wait(ready(kernel, 1), 0)
        await kernel.DONE
    assert ran == []


async def test_source_and_kind_can_be_read(kernel: Any) -> None:
    seen: list[Any] = []
    source = make(kernel, lambda source, wait: seen.append((source, wait, wait.kind)))
    wait = kernel.Wait(source, 7)
    assert (wait.source, wait.kind, wait.future) == (source, 7, None)
    await wait
    assert seen == [(source, wait, 7)]


async def test_waiting_gives_a_wait(kernel: Any) -> None:
    source = ready(kernel, "value")
    wait = kernel.waiting(source, 7)
    assert type(wait) is kernel.Wait
    assert (wait.source, wait.kind, wait.future) == (source, 7, None)
    assert await wait == "value"
    with pytest.raises(TypeError):
        kernel.waiting(None, 7)


# -- later ----------------------------------------------------------------------------------------


async def test_it_asks_again_until_there_is_a_result(gate: Gate) -> None:
    task = asyncio.create_task(gate.wait())
    for attempts in range(1, 5):
        await turn()
        assert gate.attempts == attempts
        gate.open()
    await turn()
    gate.open("at last")
    assert await task == "at last"


async def test_inside_of_a_coroutine(gate: Gate) -> None:
    async def twice() -> Any:
        return await gate.wait(), await gate.wait()

    task = asyncio.create_task(twice())
    await turn()
    gate.open(1)
    await turn()
    gate.open(2)
    assert await task == (1, 2)


async def test_gather(gate: Gate) -> None:
    both = asyncio.gather(gate.wait(), gate.wait(), gate.kernel.DONE)
    await turn()
    gate.open("a", "b")
    assert sorted(map(str, await both)) == ["None", "a", "b"]


async def test_one_future_wakes_many(kernel: Any) -> None:
    future = asyncio.get_running_loop().create_future()

    def attempt(source: Any, wait: Any) -> Any:
        wait.future = future
        return future.result() if future.done() else kernel.PENDING

    source = make(kernel, attempt)
    tasks = [asyncio.create_task(kernel.Wait(source, 0)) for _ in range(10)]
    await turn()
    future.set_result("all")
    assert await asyncio.gather(*tasks) == ["all"] * 10


async def test_the_future_is_forgotten_with_the_result(gate: Gate) -> None:
    wait = gate.wait()
    task = asyncio.create_task(wait)
    await turn()
    assert wait.future is gate.parked[0]
    gate.open(1)
    await task
    assert wait.future is None


async def test_parked_on_a_waker(kernel: Any) -> None:
    results: list[str] = []

    def attempt(source: Any, wait: Any) -> Any:
        if results:
            return results.pop()
        wait.park(asyncio.get_running_loop())
        return kernel.PENDING

    wait = kernel.waiting(make(kernel, attempt), 0)
    task = asyncio.create_task(wait)
    await turn()
    assert type(wait.future) is kernel.Waker
    assert wait.future.get_loop() is asyncio.get_running_loop()
    results.append("late")
    wait.future.set_result(None)
    assert await task == "late"
    with pytest.raises(TypeError):
        wait.park(None)


# -- errors ---------------------------------------------------------------------------------------


async def raised_by(thing: Awaitable[Any]) -> BaseException:
    with pytest.raises(BaseException) as caught:
        await thing
    return caught.value


@pytest.mark.parametrize("as_task", [False, True])
async def test_what_the_attempt_raises_is_raised(kernel: Any, as_task: bool) -> None:
    error = ValueError("from attempt")

    def attempt(source: Any, wait: Any) -> Any:
        raise error

    wait = kernel.Wait(make(kernel, attempt), 0)
    assert await raised_by(asyncio.create_task(wait) if as_task else wait) is error
    assert type(await raised_by(wait)) is RuntimeError


@pytest.mark.parametrize("as_task", [False, True])
async def test_stop_iteration_is_not_a_result(kernel: Any, as_task: bool) -> None:
    def attempt(source: Any, wait: Any) -> Any:
        raise StopIteration(5)

    wait = kernel.Wait(make(kernel, attempt), 0)
    error = await raised_by(asyncio.create_task(wait) if as_task else wait)
    assert type(error) is RuntimeError
    assert type(error.__cause__) is StopIteration


async def test_a_source_must_attempt(kernel: Any) -> None:
    assert type(await raised_by(kernel.Wait(kernel.Source(), 0))) is NotImplementedError


async def test_parking_needs_a_future(kernel: Any) -> None:
    wait = kernel.Wait(make(kernel, lambda source, wait: kernel.PENDING), 0)
    assert type(await raised_by(wait)) is AttributeError


async def test_an_exception_of_the_future_is_raised(gate: Gate) -> None:
    task = asyncio.create_task(gate.wait())
    await turn()
    gate.parked[0].set_exception(OSError("lost"))
    assert type(await raised_by(task)) is OSError
    assert gate.attempts == 1


async def test_a_wait_is_awaited_once(kernel: Any) -> None:
    wait = kernel.Wait(ready(kernel, 1), 0)
    assert await wait == 1
    for again in (wait, asyncio.create_task(wait)):
        with pytest.raises(RuntimeError, match="already awaited"):
            await again
    with pytest.raises(RuntimeError, match="already awaited"):
        wait.send(None)


async def test_a_wait_is_not_shared(gate: Gate) -> None:
    wait = gate.wait()
    task = asyncio.create_task(wait)
    await turn()
    with pytest.raises(RuntimeError, match="already awaited"):
        await wait
    gate.open("mine")
    assert await task == "mine"


# -- cancellation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("within", [False, True])
async def test_cancelling_the_task(gate: Gate, within: bool) -> None:
    wait = gate.wait()

    async def around() -> Any:
        return await wait

    task = asyncio.create_task(around() if within else wait)
    await turn()
    future = gate.parked[0]
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert future.cancelled()
    assert (wait.future, gate.attempts) == (None, 1)


async def test_cancelling_before_it_began(gate: Gate) -> None:
    task = asyncio.create_task(gate.wait())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert gate.attempts == 0


async def test_a_cancellation_can_be_refused(gate: Gate) -> None:
    async def stubborn() -> Any:
        try:
            return await gate.wait()
        except asyncio.CancelledError:
            return await gate.wait()

    task = asyncio.create_task(stubborn())
    await turn()
    task.cancel()
    await turn()
    gate.open("still here")
    assert await task == "still here"


@pytest.mark.parametrize("within", [False, True])
async def test_wait_for_gives_up(gate: Gate, within: bool) -> None:
    async def around() -> Any:
        return await gate.wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(around() if within else gate.wait(), 0.001)
    assert gate.parked[0].cancelled()


async def test_wait_for_gives_the_result(gate: Gate) -> None:
    task = asyncio.create_task(asyncio.wait_for(gate.wait(), 60))
    await turn()
    gate.open((1, 2))
    assert await task == (1, 2)


async def test_a_timeout_around(gate: Gate) -> None:
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await gate.wait()


async def test_shield(gate: Gate) -> None:
    inner = asyncio.ensure_future(gate.wait())
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(inner), 0.001)
    gate.open("kept")
    assert await inner == "kept"


async def test_after_a_throw_it_is_over(gate: Gate) -> None:
    wait = gate.wait()
    assert wait.send(None) is gate.parked[0]
    with pytest.raises(KeyError):
        wait.throw(KeyError())
    assert wait.future is None
    assert not gate.parked[0].done()
    with pytest.raises(RuntimeError, match="already awaited"):
        wait.send(None)


@pytest.mark.parametrize("begun", [False, True])
async def test_after_a_close_it_is_over(gate: Gate, begun: bool) -> None:
    wait = gate.wait()
    if begun:
        wait.send(None)
    assert wait.close() is None
    assert wait.close() is None
    assert wait.future is None
    with pytest.raises(RuntimeError, match="already awaited"):
        await wait


# -- kinds ----------------------------------------------------------------------------------------


async def test_tasks_of_them_can_be_shown(gate: Gate) -> None:
    asyncio.get_running_loop().set_debug(True)
    tasks = [asyncio.create_task(gate.wait()), asyncio.create_task(gate.kernel.DONE)]
    assert "Wait" in repr(tasks[0])
    await turn()
    assert "Wait" in repr(tasks[0])
    assert tasks[0].get_stack() == []
    gate.open(1)
    assert await asyncio.gather(*tasks) == [1, None]


async def test_done_is_done_any_number_of_times(kernel: Any) -> None:
    for _ in range(3):
        assert await kernel.DONE is None
        assert await asyncio.create_task(kernel.DONE) is None
        assert await asyncio.wait_for(kernel.DONE, 1) is None
        assert list(await asyncio.gather(kernel.DONE, kernel.DONE)) == [None, None]
    assert isinstance(kernel.DONE, kernel.Done)


# -- forgotten ------------------------------------------------------------------------------------


def named(kernel: Any) -> Any:
    """A source whose waits must not be forgotten."""
    hooks = {"attempt": lambda source, wait: 1, "forgotten": lambda source, kind: f"it.{kind}"}
    return type("Probe", (kernel.Source,), hooks)()


async def test_a_wait_that_nobody_awaited_is_warned_of(kernel: Any) -> None:
    with pytest.warns(RuntimeWarning, match=r"^coroutine 'it\.7' was never awaited$") as caught:
        kernel.Wait(named(kernel), 7)
    assert [warning.filename for warning in caught] == [__file__]


async def test_others_are_not(kernel: Any, gate: Gate, recwarn: pytest.WarningsRecorder) -> None:
    source = named(kernel)
    await kernel.Wait(source, 7)
    kernel.Wait(source, 7).close()
    task = asyncio.create_task(kernel.Wait(source, 7))
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    begun = gate.wait()
    begun.send(None)
    del begun, task
    gate.wait()  # of a source that does not mind
    assert list(recwarn) == []


# -- memory ---------------------------------------------------------------------------------------


async def test_cycles_are_collected(kernel: Any) -> None:
    source = make(kernel, lambda source, wait: kernel.PENDING)
    source.wait = kernel.Wait(source, 0)
    source.wait.future = source.wait
    watcher = weakref.ref(source)
    del source
    gc.collect()
    assert watcher() is None


async def test_a_finished_wait_holds_no_result(kernel: Any) -> None:
    class Result:
        pass

    results = [Result()]
    watcher = weakref.ref(results[0])
    wait = kernel.Wait(make(kernel, lambda source, wait: results.pop()), 0)
    await wait
    gc.collect()
    assert watcher() is None
