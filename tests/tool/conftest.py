"""The product's fixtures, for the tools beside it, and a tool in a pipe."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any, NamedTuple

import pytest

from tests.server.conftest import launch, python_environment, run, terminal
from tests.server.product import DEADLINE_S

__all__ = ["launch", "python_environment", "run", "terminal"]


class Done(NamedTuple):
    """What became of a tool: exit code, output, what it said beside."""

    code: int
    out: bytes
    err: str


class Tool:
    """`longlink` with pipes to and from it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process

    async def done(self, given: bytes = b"") -> Done:
        """Give it this and no more; wait for its end."""
        async with asyncio.timeout(DEADLINE_S):
            out, err = await self.process.communicate(given if self.process.stdin else None)
        assert self.process.returncode is not None
        return Done(self.process.returncode, out or b"", (err or b"").decode())

    async def line(self) -> bytes:
        """The next line of its output."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            return await self.process.stdout.readline()

    async def said(self, words: str) -> str:
        """The next line with these words that it says beside its output."""
        assert self.process.stderr is not None
        async with asyncio.timeout(DEADLINE_S):
            while line := (await self.process.stderr.readline()).decode():
                if words in line:
                    return line
        raise AssertionError(f"it never said {words!r}")


@pytest.fixture
async def tool(python_environment: dict[str, str]) -> AsyncIterator[Callable[..., Any]]:
    """A function: `await tool("connect", url)` starts longlink with pipes; `env=` adds variables,
    anything else is for the process."""
    started: list[asyncio.subprocess.Process] = []

    async def start(*arguments: str, env: dict[str, str] | None = None, **how: Any) -> Tool:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "longlink", *arguments),
            env={**python_environment, **(env or {})},
            **{"stdin": pipe, "stdout": pipe, "stderr": pipe, **how},
        )
        started.append(process)
        return Tool(process)

    yield start
    for process in started:
        if process.returncode is None:
            process.kill()
            await process.communicate()
