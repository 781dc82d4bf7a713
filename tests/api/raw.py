"""Peers that say exactly what they are told, and pairs of connections of ours.

`Raw` speaks octets, so a test may break every rule; `pair()` gives both ends of one connection.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

from longlink import Connection, Server, connect, serve
from longlink.wire.handshake import accept_key

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
FIN = 0x80


class Raw:
    """One end of a TCP connection, as octets."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    @classmethod
    async def connect(cls, port: int, **how: Any) -> Raw:
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=2**24, **how))

    @classmethod
    @asynccontextmanager
    async def open(cls, server: Server | int, **headers: str) -> AsyncIterator[Raw]:
        """A client after its opening handshake."""
        raw = await cls.connect(server if isinstance(server, int) else port_of(server))
        try:
            raw.send(request(**headers))
            assert (await raw.head()).startswith("HTTP/1.1 101 ")
            yield raw
        finally:
            await raw.close()

    def send(self, data: str | bytes) -> None:
        self.writer.write(data.encode("latin-1") if isinstance(data, str) else data)

    def frame(self, first: int, payload: bytes = b"", mask: bool = True) -> None:
        self.send(frame(first, payload, mask))

    async def head(self) -> str:
        """The next HTTP head."""
        return (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")

    async def answer(self) -> tuple[int, str, bytes]:
        """Status, head and body of the next HTTP response that has a Content-Length."""
        head = await self.head()
        length = int(header_of(head, "content-length") or 0)
        return int(head.split()[1]), head, await self.reader.readexactly(length)

    async def recv(self) -> tuple[int, bytes]:
        """First octet and payload of the next frame, unmasked."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        key = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
        return first, masked(await self.reader.readexactly(length), key)

    async def recv_close(self) -> tuple[int, str]:
        """Code and reason of the Close that must be next; pings may come before."""
        first, payload = await self.recv()
        while first == FIN | PING:
            first, payload = await self.recv()
        assert first == FIN | CLOSE, (first, payload)
        return int.from_bytes(payload[:2], "big"), payload[2:].decode()

    async def end(self) -> bytes:
        """What comes until the peer closes TCP; a reset is an end, too."""
        data = b""
        with suppress(OSError):
            while piece := await self.reader.read(2**16):
                data += piece
        return data

    async def close(self) -> None:
        self.writer.close()
        with suppress(OSError):
            await self.writer.wait_closed()

    def reset(self) -> None:
        """End TCP with a reset."""
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SOL_SOCKET, SO_LINGER: on, 0 seconds
        self.writer.transport.abort()


def masked(data: bytes, key: bytes) -> bytes:
    stretched = (key * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(stretched, "big")).to_bytes(
        len(data), "big"
    )


def frame(first: int, payload: bytes = b"", mask: bool = True) -> bytes:
    length, bit = len(payload), 0x80 if mask else 0
    if length < 126:
        head = bytes((first, bit | length))
    elif length < 65536:
        head = struct.pack("!BBH", first, bit | 126, length)
    else:
        head = struct.pack("!BBQ", first, bit | 127, length)
    key = b"\x37\xfa\x21\x3d"
    return head + (key + masked(payload, key) if mask else payload)


def request(target: str = "/", **headers: str | None) -> str:
    """The text of a request that opens a WebSocket; a header given as None is left out."""
    given = {
        "Host": "127.0.0.1",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Key": KEY,
        "Sec_WebSocket_Version": "13",
        **headers,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in given.items() if value]
    return f"GET {target} HTTP/1.1\r\n" + "\r\n".join(lines) + "\r\n\r\n"


def header_of(head: str, name: str) -> str | None:
    """The value of a header in the text of a head."""
    for line in head.split("\r\n")[1:]:
        key, _, value = line.partition(":")
        if key.lower() == name.lower():
            return value.strip()
    return None


async def until(condition: Callable[[], object]) -> None:
    """Let the loop turn until the condition holds."""
    while not condition():  # noqa: ASYNC110  not everything that changes sets an event
        await asyncio.sleep(0)


def port_of(server: Server) -> int:
    port: int = server.sockets[0].getsockname()[1]
    return port


def uri_of(server: Server, path: str = "/", scheme: str = "ws") -> str:
    return f"{scheme}://127.0.0.1:{port_of(server)}{path}"


async def echo(ws: Connection) -> None:
    async for message in ws:
        await ws.send(message)


async def idle(ws: Connection) -> None:
    """A handler that leaves everything to the test."""
    await ws.wait_closed()


@asynccontextmanager
async def pair(
    handler: Callable[[Connection], Awaitable[None]] | None = idle,
    *,
    client: Any = (),
    **options: Any,
) -> AsyncIterator[tuple[Connection, Connection]]:
    """Both ends of a connection: the server's, the client's."""
    opened: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
    options.setdefault("on_open", opened.set_result)
    async with serve(handler, "127.0.0.1", 0, **options) as server:
        async with connect(uri_of(server), **dict(client)) as theirs:
            yield await opened, theirs


@asynccontextmanager
async def answering(script: Callable[[Raw, str], Awaitable[None]]) -> AsyncIterator[str]:
    """URI of a server that reads one request head and then does what `script` says."""
    running: dict[asyncio.Task[Any], Raw] = {}

    async def serve_one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        running[task] = raw = Raw(reader, writer)
        try:
            await script(raw, await raw.head())
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            await raw.close()
            del running[task]

    server = await asyncio.start_server(serve_one, "127.0.0.1", 0, limit=2**24)
    try:
        yield f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()
        # Not cancelled: asyncio's streams would complain.
        for raw in running.values():
            raw.writer.transport.abort()
        if running:
            await asyncio.wait(list(running))


def switching(head: str, **changes: str | None) -> str:
    """The right 101 answer to a request's head, with headers changed or (None) left out."""
    key = header_of(head, "sec-websocket-key") or ""
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Accept": accept_key(key),
        **changes,
    }
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items() if value]
    return "HTTP/1.1 101 Switching Protocols\r\n" + "\r\n".join(lines) + "\r\n\r\n"
