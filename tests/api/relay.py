"""Proxies for tests: HTTP with CONNECT, and SOCKS 4 and 5, as octets over asyncio streams."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, TypeAlias

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter


class Relay:
    """A proxy that passes octets on, and remembers what it was asked for.

    Attributes:
        asked: heads of CONNECT, or (host, port) of SOCKS.
        answer: to CONNECT; None passes everything on.
        reply: the code of a SOCKS reply.
    """

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.answer: bytes | None = None
        self.reply = 0
        self.credentials: tuple[bytes, bytes] | None = None
        self.port = 0
        self.tasks: set[asyncio.Task[Any]] = set()

    async def http(self, reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        self.asked.append(head)
        if self.answer is not None:
            writer.write(self.answer)
            await reader.read()
            return
        host, _, port = head.split()[1].rpartition(":")
        onward = await asyncio.open_connection(host.strip("[]"), int(port))
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await splice((reader, writer), onward)

    async def socks5(self, reader: Reader, writer: Writer) -> None:
        _, count = await reader.readexactly(2)
        await reader.readexactly(count)
        if self.credentials is None:
            writer.write(b"\x05\x00")
        else:
            writer.write(b"\x05\x02")
            await reader.readexactly(1)
            given = tuple([await counted(reader) for _ in range(2)])
            writer.write(b"\x01" + bytes([given != self.credentials]))
        _, _, _, kind = await reader.readexactly(4)
        host = await self._address(reader, kind)
        (port,) = struct.unpack("!H", await reader.readexactly(2))
        self.asked.append((host, port))
        writer.write(bytes([5, self.reply, 0, 1, 0, 0, 0, 0, 0, 0]))
        if not self.reply:
            await splice((reader, writer), await asyncio.open_connection("127.0.0.1", port))

    async def _address(self, reader: Reader, kind: int) -> str:
        if kind == 3:
            return (await counted(reader)).decode()
        family, length = (socket.AF_INET, 4) if kind == 1 else (socket.AF_INET6, 16)
        return socket.inet_ntop(family, await reader.readexactly(length))

    async def socks4(self, reader: Reader, writer: Writer) -> None:
        _, _, port, octets = struct.unpack("!BBH4s", await reader.readexactly(8))
        await reader.readuntil(b"\0")
        host = socket.inet_ntoa(octets)
        if host.startswith("0.0.0."):
            host = (await reader.readuntil(b"\0"))[:-1].decode()
        self.asked.append((host, port))
        writer.write(bytes([0, 91 if self.reply else 90, 0, 0, 0, 0, 0, 0]))
        if not self.reply:
            await splice((reader, writer), await asyncio.open_connection("127.0.0.1", port))

    @asynccontextmanager
    async def serving(
        self, talk: Callable[[Reader, Writer], Awaitable[None]], **how: Any
    ) -> AsyncIterator[Relay]:
        """Serve with one of the methods above."""

        async def serve_one(reader: Reader, writer: Writer) -> None:
            task = asyncio.current_task()
            assert task is not None
            self.tasks.add(task)
            try:
                await talk(reader, writer)
            except (OSError, asyncio.IncompleteReadError):
                pass
            finally:
                await end(writer)
                self.tasks.discard(task)

        server = await asyncio.start_server(serve_one, "127.0.0.1", 0, **how)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            while self.tasks:
                await asyncio.wait(list(self.tasks))


async def counted(reader: Reader) -> bytes:
    (length,) = await reader.readexactly(1)
    return await reader.readexactly(length)


async def splice(one: tuple[Reader, Writer], other: tuple[Reader, Writer]) -> None:
    """Pass octets on both ways until both ends have closed."""
    await asyncio.gather(pump(one[0], other[1]), pump(other[0], one[1]))


async def pump(reader: Reader, writer: Writer) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    await end(writer)


async def end(writer: Writer) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
