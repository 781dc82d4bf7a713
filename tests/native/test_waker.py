"""What a task is parked on: woken there and then, by the event loop, or for its cancellation."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Generator
from typing import Any

import pytest

name: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="nobody")


class Parked:
    """Awaits a waker, as `Wait` does."""

    def __init__(self, waker: Any) -> None:
        self.waker = waker

    def __await__(self) -> Generator[Any, Any, str]:
        self.waker._asyncio_future_blocking = True
        yield self.waker
        self.waker.result()
        return f"woken in {name.get()}"


async def park(waker: Any) -> asyncio.Task[str]:
    """A task that is parked on `waker`, in a context of its own."""

    async def body() -> str:
        name.set("the task")
        return await Parked(waker)

    task = asyncio.create_task(body())
    await asyncio.sleep(0)
    return task


@pytest.fixture
async def waker(kernel: Any) -> Any:
    return kernel.Waker(asyncio.get_running_loop())


def at_once(loop: asyncio.AbstractEventLoop, call: Any) -> asyncio.Future[Any]:
    """What `call` returns when it is called outside of any task."""
    future = loop.create_future()

    def now() -> None:
        try:
            future.set_result(call())
        except BaseException as error:
            future.set_exception(error)

    loop.call_soon(now)
    return future


async def test_run_goes_on_before_it_returns(waker: Any) -> None:
    task = await park(waker)

    def run() -> tuple[bool, bool]:
        before = task.done()
        waker.run()
        return before, task.done()

    assert await at_once(asyncio.get_running_loop(), run) == (False, True)
    assert await task == "woken in the task"
    assert name.get() == "nobody"
    assert (waker.done(), waker.cancelled()) == (True, False)


async def test_run_with_a_future_that_is_done(waker: Any) -> None:
    """A task goes on by it, whatever it is given; anybody else gets the waker."""
    woken = asyncio.get_running_loop().create_future()
    woken.set_result(None)
    task = await park(waker)
    await at_once(asyncio.get_running_loop(), lambda: waker.run(woken))
    assert await task == "woken in the task"
    other, called = type(waker)(asyncio.get_running_loop()), list[object]()
    other.add_done_callback(called.append)
    other.run(woken)
    assert called == [other]


async def test_run_with_a_function_that_is_bound_to_nothing(waker: Any) -> None:
    woken = asyncio.get_running_loop().create_future()
    waker.add_done_callback(str.maketrans)
    with pytest.raises(TypeError, match="must be a dict"):
        waker.run(woken)


async def test_run_in_a_context_that_is_entered_asks_the_loop(waker: Any) -> None:
    context = contextvars.copy_context()

    async def body() -> str:
        return await Parked(waker)

    task = asyncio.get_running_loop().create_task(body(), context=context)
    await asyncio.sleep(0)

    def run() -> bool:
        context.run(waker.run)
        return task.done()

    assert await at_once(asyncio.get_running_loop(), run) is False
    assert await task == "woken in nobody"


async def test_set_result_asks_the_loop(waker: Any) -> None:
    task = await park(waker)
    waker.set_result(None)
    assert waker.done()
    assert not task.done()
    assert await task == "woken in the task"


async def test_it_is_expected_once(waker: Any) -> None:
    assert [waker.expect(), waker.expect()] == [True, False]
    assert not waker.done()
    waker.set_result(None)
    assert not waker.expect()


async def test_it_wakes_once(waker: Any) -> None:
    waker.run()
    assert waker.done()
    assert waker.run() is None
    with pytest.raises(asyncio.InvalidStateError):
        waker.set_result(None)
    assert not waker.cancel()


@pytest.mark.parametrize("expected", [False, True])
async def test_a_task_that_is_cancelled(waker: Any, expected: bool) -> None:
    task = await park(waker)
    if expected:
        waker.expect()
    assert task.cancel("enough")
    assert waker.cancelled()
    await at_once(asyncio.get_running_loop(), waker.run)  # too late: it does nothing
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert caught.value.args in {("enough",), ()}


async def test_a_result_there_is_none_of(waker: Any) -> None:
    for ask in (waker.result, waker.exception):
        with pytest.raises(asyncio.InvalidStateError):
            ask()
    waker.cancel()
    for ask in (waker.result, waker.exception):
        with pytest.raises(asyncio.CancelledError):
            ask()


async def test_a_callback_that_comes_late_is_called(waker: Any) -> None:
    waker.set_result(None)
    called: list[object] = []
    waker.add_done_callback(called.append)
    assert called == []
    await asyncio.sleep(0)
    assert called == [waker]


async def test_a_callback_that_is_removed_is_not_called(waker: Any) -> None:
    called: list[object] = []
    waker.add_done_callback(called.append)
    assert waker.remove_done_callback(print) == 0
    assert waker.remove_done_callback(called.append) == 1
    assert waker.remove_done_callback(called.append) == 0
    waker.run()
    await asyncio.sleep(0)
    assert called == []


async def test_one_task_at_a_time(waker: Any) -> None:
    waker.add_done_callback(print)
    with pytest.raises(RuntimeError, match="only one"):
        waker.add_done_callback(print)


async def test_what_the_callback_raises_is_the_callers(waker: Any) -> None:
    def leave(waker: Any) -> None:
        raise SystemExit

    waker.add_done_callback(leave)
    with pytest.raises(SystemExit):
        waker.run()
    assert name.get() == "nobody"


async def test_it_is_a_future_of_its_loop(waker: Any) -> None:
    assert asyncio.isfuture(waker)
    assert waker.get_loop() is asyncio.get_running_loop()
