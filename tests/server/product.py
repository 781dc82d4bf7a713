"""`longlink serve` as a process of its own, and clients to talk to it."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect

DEADLINE_S = 30  # for things that take milliseconds on a machine that is not busy


class Product:
    """A running `longlink` with its lines."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.banner = ""
        self.log: list[str] = []

    @classmethod
    async def start(
        cls,
        environment: Mapping[str, str],
        *arguments: str,
        through: Sequence[str] = (),
        pass_fds: Sequence[int] = (),
    ) -> Self:
        """Start the process; `arguments` follow `longlink`, which follows what it is started
        through."""
        process = await asyncio.create_subprocess_exec(
            *(*through, sys.executable, "-m", "longlink", *arguments),
            pass_fds=pass_fds,
            env={**environment, "PYTHONUNBUFFERED": "1"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        return cls(process)

    async def ready(self) -> Self:
        """Wait for the line with the address."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            self.banner = (await self.process.stdout.readline()).decode()
            if not self.banner:
                raise AssertionError("".join([line async for line in self._lines()]))
        return self

    @property
    def url(self) -> str:
        """The address to open."""
        found = re.search(r"https?://\S+", self.banner)
        assert found, self.banner
        return found[0]

    @property
    def ws(self) -> str:
        """The same for a WebSocket client."""
        return self.url.replace("http", "ws")

    async def line(self, pattern: str) -> str:
        """The next line of the log that has this pattern."""
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines():
                if re.search(pattern, line):
                    return line
        raise AssertionError(f"no line like {pattern!r} in {self.log}")

    async def _lines(self) -> AsyncIterator[str]:
        assert self.process.stderr is not None
        while data := await self.process.stderr.readline():
            line = data.decode().rstrip("\n")
            self.log.append(line)
            yield line

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self.process.send_signal(number)

    async def end(self) -> tuple[int, str, list[str]]:
        """Wait for its end: exit code, the rest of stdout, all lines of the log."""
        assert self.process.stdout is not None
        async with asyncio.timeout(DEADLINE_S):
            async for _ in self._lines():
                pass
            rest = (await self.process.stdout.read()).decode()
            return await self.process.wait(), rest, self.log

    async def stop(self) -> list[str]:
        """Stop it as a service manager does; it must end well. Returns all lines of the log."""
        self.signal(signal.SIGTERM)
        code, _, log = await self.end()
        assert code == 0, log
        assert not any("Traceback" in line for line in log), log
        return log


@asynccontextmanager
async def serving(
    environment: Mapping[str, str], *arguments: str, **how: Any
) -> AsyncIterator[Product]:
    """A server on a free port of this machine, or on what is passed on to it; stopped at the end
    if it still runs. `how` is for `Product.start`."""
    place = () if how or {"--port", "--uds"} & set(arguments) else ("--port", "0")
    product = await Product.start(environment, "serve", *place, *arguments, **how)
    try:
        yield await product.ready()
    finally:
        if product.process.returncode is None:
            product.process.kill()
        await product.end()


class Chat:
    """A client that speaks `chat`."""

    def __init__(self, connection: ClientConnection) -> None:
        self.connection = connection

    async def event(self, kind: str) -> dict[str, Any]:
        """The next event of this kind; others are skipped."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.connection.recv()
                if isinstance(message, str):
                    event: dict[str, Any] = json.loads(message)
                    if event["type"] == kind:
                        return event

    async def next(self) -> Any:
        """The next message that is not `stats`, an event or bytes."""
        async with asyncio.timeout(DEADLINE_S):
            while True:
                message = await self.connection.recv()
                if isinstance(message, bytes):
                    return message
                event = json.loads(message)
                if event["type"] != "stats":
                    return event

    async def send(self, kind: str, **fields: object) -> None:
        """Send an event."""
        await self.connection.send(json.dumps({"type": kind, **fields}))

    async def say(self, text: str) -> None:
        """Send a message."""
        await self.send("message", text=text)


@asynccontextmanager
async def chatting(url: str, **options: Any) -> AsyncIterator[Chat]:
    """A `chat` client, connected."""
    async with connect(url, subprotocols=["chat"], **options) as connection:  # type: ignore[list-item]
        yield Chat(connection)


async def soon(connection: ClientConnection) -> str | bytes:
    """The next message of a raw client."""
    async with asyncio.timeout(DEADLINE_S):
        return await connection.recv()


async def closed(connection: ClientConnection) -> tuple[int | None, str | None]:
    """Code and reason of a connection's end, once it has come."""
    async with asyncio.timeout(DEADLINE_S):
        await connection.wait_closed()
    return connection.close_code, connection.close_reason


async def until(condition: Callable[[], bool]) -> None:
    """Let the event loop turn until something in this process is so."""
    async with asyncio.timeout(DEADLINE_S):
        while not condition():  # noqa: ASYNC110  conditions of any kind
            await asyncio.sleep(0)
