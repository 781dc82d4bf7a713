"""Calls that may block, in threads that nobody waits for.

A read of a terminal or a write to a pipe may take for ever. The threads of asyncio's executor are
joined when the loop ends, so a program whose server is gone would hang until somebody presses
Enter. These are not.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import Any, TypeVar

Result = TypeVar("Result")


def aside(function: Callable[..., Result], *arguments: Any) -> asyncio.Future[Result]:
    """What the function returns or raises, once it does. Cancelling leaves it running."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Result] = loop.create_future()
    thread = threading.Thread(
        target=_run, args=(loop, future, function, arguments), daemon=True, name="longlink-aside"
    )
    thread.start()
    return future


def _run(
    loop: asyncio.AbstractEventLoop,
    future: asyncio.Future[Result],
    function: Callable[..., Result],
    arguments: tuple[Any, ...],
) -> None:
    settle: Callable[..., None]
    outcome: Any
    try:
        settle, outcome = future.set_result, function(*arguments)
    except Exception as problem:
        settle, outcome = future.set_exception, problem
    with contextlib.suppress(RuntimeError):  # the loop is closed: nobody wants to know any more
        loop.call_soon_threadsafe(_settle, future, settle, outcome)


def _settle(future: asyncio.Future[Any], settle: Callable[..., None], outcome: Any) -> None:
    if not future.done():
        settle(outcome)
