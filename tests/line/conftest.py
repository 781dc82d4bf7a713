"""Line servers in this process, on the reactor and on asyncio's transports, and raw peers."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink import line

DEADLINE_S = 20
Handler = Callable[[line.Line], Coroutine[Any, Any, object]]


@pytest.fixture(params=["linked", "streamed"])
def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """On what lines are carried: the reactor, or transports as where there is no epoll."""
    name: str = request.param
    if name == "streamed":
        monkeypatch.setattr("longlink.line.server.AVAILABLE", False)
    return name


@asynccontextmanager
async def serving(handler: Handler, **rules: Any) -> AsyncIterator[tuple[str, int]]:
    """A server on a free port of this machine: its host and port."""
    async with line.serve(handler, "127.0.0.1", 0, **rules) as server:
        yield server.sockets[0].getsockname()


class Peer:
    """Somebody at the other end, without longlink."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, octets: bytes, *, last: bool = False) -> None:
        """Send octets, and the end of the stream after the last."""
        self.writer.write(octets)
        if last:
            self.writer.write_eof()

    async def line(self) -> bytes:
        """The next line with its end; b"" at the end of the stream."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.readline()

    async def rest(self) -> bytes:
        """Everything until the end of the stream."""
        async with asyncio.timeout(DEADLINE_S):
            return await self.reader.read()

    def reset(self) -> None:
        """Leave as a machine that crashed and came back."""
        sock = self.writer.get_extra_info("socket")
        linger = b"\x01\x00\x00\x00\x00\x00\x00\x00"
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


@asynccontextmanager
async def meeting(where: tuple[str, int], **options: Any) -> AsyncIterator[Peer]:
    """A raw peer that is connected."""
    peer = Peer(*await asyncio.open_connection(*where, **options))
    try:
        yield peer
    finally:
        peer.writer.close()


async def in_time(work: Awaitable[Any]) -> Any:
    """What `work` gives, before patience ends."""
    async with asyncio.timeout(DEADLINE_S):
        return await work
