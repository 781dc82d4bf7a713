"""Wait and Done step by step, without an event loop: send, throw, close."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.native.gate import VALUES, make, ready


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_result_without_a_loop(kernel: Any, value: object) -> None:
    wait = kernel.Wait(ready(kernel, value), 0)
    with pytest.raises(StopIteration) as caught:
        wait.send(None)
    assert caught.value.value is value


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_a_result_of_the_iterator(kernel: Any, value: object) -> None:
    steps = kernel.Wait(ready(kernel, value), 0).__await__()
    with pytest.raises(StopIteration) as caught:
        next(steps)
    assert caught.value.value is value


def test_a_driver_that_looks_at_nothing(kernel: Any) -> None:
    # asyncio's tasks throw what a future has; another driver may only go on.
    loop = asyncio.new_event_loop()
    for end, expected in (
        (lambda future: future.cancel(), asyncio.CancelledError),
        (lambda future: future.set_exception(OSError()), OSError),
    ):
        future = loop.create_future()

        def attempt(source: Any, wait: Any, future: Any = future) -> Any:
            wait.future = future
            return kernel.PENDING

        wait = kernel.Wait(make(kernel, attempt), 0)
        assert wait.send(None) is future
        assert future._asyncio_future_blocking is True
        end(future)
        with pytest.raises(expected):
            wait.send(None)
    loop.close()


def test_a_wait_needs_a_source(kernel: Any) -> None:
    if not kernel.COMPILED:
        pytest.skip("types are checked by the compiled face, and by the type checker")
    for source in (None, 5):
        with pytest.raises(TypeError):
            kernel.Wait(source, 0)


@pytest.mark.parametrize(
    "arguments",
    [
        (KeyError("k"),),
        (KeyError,),
        (KeyError, KeyError("k")),
        (KeyError, "k"),
        (KeyError, KeyError("k"), None),
    ],
    ids=repr,
)
def test_throw_as_generators_have_it(kernel: Any, arguments: Any) -> None:
    for thing in (kernel.Wait(ready(kernel, 1), 0), kernel.DONE):
        with pytest.raises(KeyError):
            thing.throw(*arguments)


def test_throw_with_a_traceback(kernel: Any) -> None:
    try:
        raise KeyError("k")
    except KeyError as error:
        thrown = error
    for thing in (kernel.Wait(ready(kernel, 1), 0), kernel.DONE):
        with pytest.raises(KeyError) as caught:
            thing.throw(KeyError, thrown, thrown.__traceback__)
        assert caught.value is thrown


def test_they_are_coroutines_for_everyone(kernel: Any) -> None:
    for thing in (kernel.Wait(ready(kernel, 1), 0), kernel.DONE):
        assert isinstance(thing, Coroutine)
        assert asyncio.iscoroutine(thing)
        assert inspect.isawaitable(thing)


def test_done_without_a_loop(kernel: Any) -> None:
    for ask in (lambda: kernel.DONE.send(None), lambda: next(kernel.DONE.__await__())):
        with pytest.raises(StopIteration) as caught:
            ask()
        assert caught.value.value is None
    assert kernel.DONE.close() is None


def test_the_sentinel_is_one(kernel: Any) -> None:
    assert kernel.PENDING is kernel.PENDING
    assert kernel.PENDING is not None
