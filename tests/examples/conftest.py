"""An example as a process of its own, as somebody starts it who has just cloned the project."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.browser.conftest import browser, tabs
from tests.server.product import DEADLINE_S

__all__ = ["browser", "tabs"]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Example:
    """A running example: what it prints, what is typed to it, how it ends."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.place = ""

    @property
    def url(self) -> str:
        """The address of its page."""
        return self.place

    @property
    def ws(self) -> str:
        """The same for a WebSocket client."""
        return self.place.replace("http", "ws")

    @property
    def address(self) -> tuple[str, int]:
        """The same for a socket."""
        found = re.search(r"(127\.0\.0\.1)\D+(\d+)", self.place)
        assert found, self.place
        return found[1], int(found[2])

    async def line(self, pattern: str = "") -> str:
        """The next line of its output that has this pattern."""
        assert self.process.stdout is not None
        seen = []
        async with asyncio.timeout(DEADLINE_S):
            while data := await self.process.stdout.readline():
                seen.append(data.decode().rstrip("\n"))
                if re.search(pattern, seen[-1]):
                    return seen[-1]
        assert self.process.stderr is not None
        problem = (await self.process.stderr.read()).decode()
        raise AssertionError(f"no line like {pattern!r} in {seen}; {problem}")

    def type(self, line: str) -> None:
        """Type a line at its console."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{line}\n".encode())

    async def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, the rest of stdout, stderr."""
        async with asyncio.timeout(DEADLINE_S):
            out, problems = await self.process.communicate()
        assert self.process.returncode is not None
        return self.process.returncode, out.decode(), problems.decode()

    async def stop(self) -> None:
        """Ctrl-C, which it must take for an ordinary end."""
        self.process.send_signal(signal.SIGINT)
        code, _, problems = await self.end()
        assert (code, problems) == (0, "")


async def begin(environment: Mapping[str, str], name: str, *arguments: str) -> Example:
    """Start examples/NAME.py with these arguments."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(EXAMPLES / f"{name}.py"), *arguments),
        env={**environment, "PYTHONUNBUFFERED": "1"},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    return Example(process)


async def refuses_other_sites(uri: str) -> None:
    """A page of another site must not talk to it with its visitors' cookies."""
    with pytest.raises(InvalidStatus) as refused:
        await connect(uri, origin="http://elsewhere.example")  # type: ignore[arg-type]
    assert refused.value.response.status_code == 403


Start = Callable[..., AbstractAsyncContextManager[Example]]


@pytest.fixture
def start(python_environment: dict[str, str]) -> Start:
    """A context manager: `start(name, *arguments)` runs an example on a free port."""

    @asynccontextmanager
    async def start(name: str, *arguments: str, port: int = 0) -> AsyncIterator[Example]:
        example = await begin(python_environment, name, *arguments, "--port", str(port))
        try:
            example.place = (await example.line()).split()[-1]
            if example.place.startswith("http"):
                await refuses_other_sites(example.ws)
            yield example
            await example.stop()
        finally:
            if example.process.returncode is None:
                example.process.kill()
                await example.end()

    return start


async def run(environment: Mapping[str, str], name: str, *arguments: str) -> tuple[int, str, str]:
    """Run an example that ends by itself: exit code, stdout, stderr."""
    example = await begin(environment, name, *arguments)
    return await example.end()
