"""The generator and the floor as the tests run them, and a server that answers as it is told."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import json
import subprocess
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "bench"
GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
TIMEOUT_S = 60

Answer = Callable[[int, int, bytes], bytes]


class LoadFailed(Exception):
    """What the generator said on stderr."""


def build() -> None:
    done = subprocess.run(
        ["bash", str(ROOT / "bench" / "build.sh")], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr


async def load(work: str, port: int, *options: object, least: int = 1) -> dict[str, Any]:
    """Runs the generator for a moment; gives its answer. On a busy machine a moment may be too
    short for the `least` that is wanted: then it runs for longer."""
    found = await _load(work, port, 0.12, options)
    if found["count"] < least:
        found = await _load(work, port, 3.0, options)
    return found


async def _load(
    work: str, port: int, seconds: float, options: tuple[object, ...]
) -> dict[str, Any]:
    brief = ["--patience", 3, "--settle", 0.03, "--warm-up", 0.02, "--seconds", seconds]
    words = [work, "--port", port, *brief, *options]
    process = await asyncio.create_subprocess_exec(
        BUILT / "load", *map(str, words), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    said, complained = await asyncio.wait_for(process.communicate(), TIMEOUT_S)
    if process.returncode:
        raise LoadFailed(complained.decode())
    found: dict[str, Any] = json.loads(said)
    return found


@contextlib.asynccontextmanager
async def floor(*words: str) -> AsyncIterator[tuple[int, int]]:
    """A floor server: its port and its process."""
    process = await asyncio.create_subprocess_exec(
        BUILT / "floor", *words, "--port", "0", stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    try:
        name, port = (await process.stdout.readline()).split()
        assert name == b"listening"
        yield int(port), process.pid
    finally:
        process.kill()
        await process.wait()


def frame(first: int, payload: bytes) -> bytes:
    """A frame as a server sends it."""
    size = len(payload)
    if size < 126:
        return bytes([first, size]) + payload
    if size < 65536:
        return bytes([first, 126]) + size.to_bytes(2, "big") + payload
    return bytes([first, 127]) + size.to_bytes(8, "big") + payload


def accept_of(head: bytes) -> bytes:
    key = next(
        line[18:].strip() for line in head.split(b"\r\n") if line.startswith(b"Sec-WebSocket-Key")
    )
    return base64.b64encode(hashlib.sha1(key + GUID).digest())


async def read_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    first, second = await reader.readexactly(2)
    assert second & 128, "a client masks"
    size = second & 127
    if size > 125:
        size = int.from_bytes(await reader.readexactly(2 if size == 126 else 8), "big")
    key = await reader.readexactly(4)
    masked = await reader.readexactly(size)
    keys = (key * (size // 4 + 1))[:size]
    unmasked = int.from_bytes(masked, "big") ^ int.from_bytes(keys, "big")
    return first, unmasked.to_bytes(size, "big")


def opening(accept: bytes) -> bytes:
    return (
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
    )


def faithful(number: int, first: int, payload: bytes) -> bytes:
    return frame(first, payload)


@contextlib.asynccontextmanager
async def answering(
    answer: Answer = faithful,
    *,
    head: Callable[[bytes], bytes] = opening,
    step: int = 1 << 30,
) -> AsyncIterator[int]:
    """A server whose answer to message `number` is what `answer` says, sent in pieces of `step`."""

    async def send(writer: asyncio.StreamWriter, octets: bytes) -> None:
        for start in range(0, len(octets), step):
            writer.write(octets[start : start + step])
            await writer.drain()
            await asyncio.sleep(0)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with (
            contextlib.suppress(ConnectionError, asyncio.IncompleteReadError),
            contextlib.closing(writer),
        ):
            request = await reader.readuntil(b"\r\n\r\n")
            await send(writer, head(accept_of(request)))
            number = 0
            while True:
                first, payload = await read_frame(reader)
                if first == 0x88:
                    return
                await send(writer, answer(number, first, payload))
                number += 1

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]
