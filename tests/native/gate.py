"""Sources to wait on, and what a source may give: shared by the tests of Wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

# Results that are easily mistaken for something else on the way out of a StopIteration.
VALUES = [
    None,
    0,
    "text",
    (),
    (1, 2),
    ((1, 2),),
    [1],
    ValueError("a value, not raised"),
    StopIteration(5),
    StopIteration,
]


def make(kernel: Any, attempt: Callable[[Any, Any], Any]) -> Any:
    """A source with this attempt."""
    return type("Probe", (kernel.Source,), {"attempt": attempt})()


def ready(kernel: Any, value: object) -> Any:
    """A source that has its result at once."""
    return make(kernel, lambda source, wait: value)


class Gate:
    """A source's other side: results are put here, and a wait without one is parked."""

    def __init__(self, kernel: Any) -> None:
        self.results: list[Any] = []
        self.parked: list[Any] = []
        self.attempts = 0
        self.kernel = kernel
        self.source = make(kernel, lambda source, wait: self.attempt(wait))

    def attempt(self, wait: Any) -> Any:
        self.attempts += 1
        if self.results:
            return self.results.pop(0)
        wait.future = asyncio.get_running_loop().create_future()
        self.parked.append(wait.future)
        return self.kernel.PENDING

    def wait(self) -> Any:
        return self.kernel.Wait(self.source, 0)

    def open(self, *results: Any) -> None:
        self.results += results
        for future in self.parked:
            if not future.done():
                future.set_result(None)
        self.parked.clear()


async def turn() -> None:
    """Let every task run that can."""
    for _ in range(3):
        await asyncio.sleep(0)
