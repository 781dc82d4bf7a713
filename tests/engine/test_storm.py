"""Thousands of visitors who come, break off, reset, cancel and read slowly, in any order.

Afterwards nothing is left of them: no connection, task, descriptor or object, and no line in the
log above INFO, for somebody who just went is no news. `LONGLINK_STORM` says how many come to each
kind of server; the run under the address sanitizer has them by the ten thousand.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import ssl
import struct
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

from longlink import Connection, ConnectionClosed, LonglinkError, broadcast
from longlink.engine.agenda import agenda_of

from .conftest import Place, Until

TRACED = sys.gettrace() is not None or "coverage" in sys.modules
VISITS = int(os.environ.get("LONGLINK_STORM") or (120 if TRACED else 600))
AT_ONCE = 40
THE_LOOPS = 2  # descriptors that an event loop takes for itself when it needs them first
LINGER_NOT = struct.pack("ii", 1, 0)  # closing sends a reset

# Requests that are refused, or never complete.
BAD_HEADS = [
    b"",
    b"\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
    b"GET",
    b"GET / HTTP/1.1\r\nHost: a",
    b"GET / HTTP/1.1\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: a b\r\n" + b"x: y\r\n" * 200,
]
HEAD = (
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


def frame(first: int, payload: bytes) -> bytes:
    """A frame of a client whose masking key is zero."""
    length = len(payload)
    if length < 126:
        return bytes((first, 0x80 | length)) + bytes(4) + payload
    if length < 65536:
        return struct.pack("!BBH", first, 0xFE, length) + bytes(4) + payload
    return struct.pack("!BBQ", first, 0xFF, length) + bytes(4) + payload


ORDERS = [b"echo", b"flood", b"close", b"abort", b"ping", b"all", b"give up", b"push"]
FRAMES = [
    *[frame(0x81, order) for order in ORDERS],
    frame(0x82, bytes(70_000)),
    frame(0x01, b"half "),
    frame(0x89, b"are you there?"),
    frame(0x8A, b"unasked"),
]
LAST_WORDS = [
    frame(0x88, b"\x03\xe8"),
    frame(0x88, b"\x0f\xa0bye"),
    frame(0x88, b""),
    frame(0x88, b"x"),
    frame(0x82, b"0123456789")[:9],
    frame(0x82, bytes(70_000))[:3],
    b"\x81\x05hello",
    b"\xff\xff\xff\xff",
    b"\x82\xff" + b"\xff" * 8,
    b"",
]


class Host:
    """The server's side, with a mind of its own."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.here: set[Connection] = set()
        self.came = 0
        self.left = 0

    def on_open(self, ws: Connection) -> None:
        self.came += 1
        self.here.add(ws)

    def on_close(self, ws: Connection) -> None:
        self.left += 1
        self.here.discard(ws)

    def on_message(self, ws: Connection, message: str | bytes) -> None:
        """Callback style: do what the message says."""
        match message:
            case "flood":
                for _ in range(20):
                    ws.send(bytes(50_000))
            case "close":
                ws.close(4000, "as you wish")
            case "abort":
                ws.session.abort()
            case "ping":
                ws.ping()
            case "all" | "push":
                broadcast(self.here, "for everybody")
            case "give up":
                broadcast(self.here, bytes(20_000))
                self.chance.choice(sorted(self.here, key=id)).close()
            case _:
                ws.send(message)

    async def handle(self, ws: Connection) -> None:
        """Coroutine style: the same, and now and then it loses patience."""
        async for message in ws:
            if message == "give up":
                return
            self.on_message(ws, message)
            if self.chance.random() < 0.2:
                with suppress(TimeoutError):
                    await asyncio.wait_for(ws.recv(), 0)
            if message == "flood":
                await ws.send("that was much")


class Crowd:
    """The visitors."""

    def __init__(self, seed: int, address: Any, context: ssl.SSLContext | None) -> None:
        self.chance = random.Random(seed)
        self.address = address
        self.context = context

    async def come(self) -> None:
        """One visit in octets, whose end is anything but planned."""
        chance = self.chance
        name = None if self.context is None else "localhost"
        reader, writer = await asyncio.open_connection(
            *self.address, ssl=self.context, server_hostname=name, limit=2**16
        )
        try:
            if chance.random() < 0.15:
                say(writer, chance.choice(BAD_HEADS))
            else:
                say(writer, HEAD)
                await self.speak(writer, reader)
            await self.leave(writer, reader)
        except (OSError, asyncio.IncompleteReadError):
            pass  # they were faster
        finally:
            with suppress(OSError, AttributeError):  # closed already
                sock = writer.get_extra_info("socket")
                sock.setsockopt(1, 13, LINGER_NOT)  # SOL_SOCKET, SO_LINGER
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()

    async def speak(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        chance = self.chance
        for _ in range(chance.randrange(6)):
            octets = b"".join(chance.choices(FRAMES, k=chance.randrange(1, 8)))
            if chance.random() < 0.2:
                octets = octets[: chance.randrange(len(octets))]
            say(writer, octets)
            if chance.random() < 0.5:
                await turns(chance.randrange(4))
            if chance.random() < 0.5 and not reader.at_eof():
                await read_some(reader)

    async def leave(self, writer: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        chance = self.chance
        say(writer, chance.choice(LAST_WORDS))
        match chance.randrange(4):
            case 0:
                await turns(chance.randrange(6))
            case 1:
                if writer.can_write_eof() and not writer.is_closing():
                    writer.write_eof()
                await turns(chance.randrange(6))
            case 2:
                writer.close()
            case 3:
                await read_some(reader)

    async def call(self, place: Place, server: Any) -> None:
        """One visit of our own client, cancelled wherever it happens to be."""
        with suppress(asyncio.CancelledError, LonglinkError, OSError):
            await self.cut(lambda: self.converse(place, server), self.chance.randrange(60))

    async def converse(self, place: Place, server: Any) -> None:
        chance = self.chance
        async with place.connect(server, close_timeout=5) as ws:
            with suppress(ConnectionClosed):
                while True:
                    await ws.send(chance.choice(ORDERS).decode())
                    await self.cut(ws.recv, chance.randrange(3))
                    await self.cut(ws.ping, chance.randrange(3))
                    await self.cut(lambda: ws.send([b"in ", b"parts"]), 40)

    async def cut(self, call: Callable[[], Awaitable[Any]], patience: int) -> None:
        """Await what `call` gives, for so many turns of the loop."""
        waiting = asyncio.ensure_future(call())
        try:
            await turns(patience)
        finally:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)
        if not waiting.cancelled():
            waiting.result()


def say(writer: asyncio.StreamWriter, octets: bytes) -> None:
    """Write, unless the server has left: asyncio would complain of the visitor."""
    if not writer.is_closing():
        writer.write(octets)


async def turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


async def read_some(reader: asyncio.StreamReader) -> None:
    """What comes next, unless the server has nothing to say for a while."""
    reading = asyncio.ensure_future(reader.read(2**16))
    await turns(20)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


def alive() -> list[str]:
    """Connections and sessions that are not freed, by their names."""
    gc.collect()
    names = ("Connection", "Link", "Stream")
    found = [type(item).__name__ for item in gc.get_objects()]
    return [name for name in found if name in names]


@pytest.mark.parametrize("style", ["callbacks", "handler"])
async def test_a_storm_leaves_nothing_behind(
    place: Place, style: str, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    seed = random.Random(f"{place.name} {style}").randrange(2**32)
    host = Host(seed)
    options: dict[str, Any] = {"on_open": host.on_open, "on_close": host.on_close}
    if style == "callbacks":
        options["on_message"] = host.on_message
    files, known = len(os.listdir("/proc/self/fd")), len(alive())
    async with place.serve(
        host.handle if style == "handler" else None, max_backlog=2**18, **options
    ) as server:
        crowd = Crowd(seed, server.address, place.client)
        numbers = iter(range(VISITS))

        async def visit() -> None:
            for number in numbers:
                await (crowd.call(place, server) if number % 4 == 0 else crowd.come())

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(visit())
        await until(lambda: not server.connections and not agenda_of(server.loop).strays)
    assert host.came > VISITS // 2
    assert host.left == host.came
    assert not host.here
    await until(lambda: len(os.listdir("/proc/self/fd")) <= files + THE_LOOPS)
    assert len(alive()) <= known
    loud = [r.getMessage() for r in caplog.records if r.levelno > logging.INFO]
    # That is about this machine, and no visitor's doing.
    assert [line for line in loud if not line.startswith("event loop blocked")] == []
