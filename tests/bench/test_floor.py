"""The floor: little of a server, but what it does is right."""

from __future__ import annotations

import asyncio

import pytest
from websockets.asyncio.client import connect

from tests.bench.programs import floor, frame, load

pytestmark = pytest.mark.usefixtures("programs")

REQUEST = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
WAYS = pytest.mark.parametrize("ways", [["echo"], ["echo", "--whole"]])


@WAYS
@pytest.mark.parametrize("size", [0, 1, 32, 125, 126, 65535, 65536, 300_000, 3_000_000])
async def test_echo(ways: list[str], size: int) -> None:
    async with floor(*ways) as (port, pid):
        found = await load(
            "echo", port, "--size", size, "--connections", 5, "--in-flight", 3, "--server-pid", pid
        )
    assert found["count"] > 0
    assert found["server_cpu_us"] > 0


@WAYS
async def test_another_client_agrees(ways: list[str]) -> None:
    async with floor(*ways) as (port, _), connect(f"ws://127.0.0.1:{port}", compression=None) as ws:
        for message in ("", "a", "Käse" * 50, b"\0" * 70_000, bytes(range(256)) * 4000):
            await ws.send(message)
            assert await ws.recv() == message
        await (await ws.ping(b"there?"))
        await ws.close(3000, "done")
        assert (ws.close_code, ws.close_reason) == (3000, "done")


async def opened(
    port: int, request: bytes = REQUEST
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request)
    head = await reader.readuntil(b"\r\n\r\n")
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in head
    return reader, writer


def masked(first: int, payload: bytes) -> bytes:
    """A client's frame with a masking key of zeros: as it stands."""
    plain = frame(first, payload)
    at = len(plain) - len(payload)
    return bytes([plain[0], plain[1] | 128]) + plain[2:at] + bytes(4) + payload


@WAYS
@pytest.mark.parametrize("step", [1, 2, 3, 5, 50])
async def test_frames_may_be_cut_anywhere(ways: list[str], step: int) -> None:
    said = [bytes([number]) * size for number, size in enumerate([3, 0, 130, 1, 200])]
    octets = b"".join(masked(0x82, payload) for payload in said)
    octets += masked(0x89, b"there?") + masked(0x88, b"\x03\xe8")
    async with floor(*ways) as (port, _):
        reader, writer = await opened(port)
        for start in range(0, len(octets), step):
            writer.write(octets[start : start + step])
            await asyncio.sleep(0.001)
        right = b"".join(frame(0x82, payload) for payload in said)
        assert await reader.read() == right + frame(0x8A, b"there?") + frame(0x88, b"\x03\xe8")
        writer.close()


async def test_a_request_may_be_cut() -> None:
    async with floor("echo") as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for start in range(0, len(REQUEST), 30):
            writer.write(REQUEST[start : start + 30])
            await asyncio.sleep(0.002)
        assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in await reader.readuntil(b"\r\n\r\n")
        writer.close()


@WAYS
async def test_who_does_not_read_gets_everything_later(ways: list[str]) -> None:
    said = [bytes([number]) * 1_000_000 for number in range(12)]
    async with floor(*ways) as (port, _):
        reader, writer = await opened(port)
        for payload in said:
            writer.write(masked(0x82, payload))
        await asyncio.sleep(0.3)
        for payload in said:
            right = frame(0x82, payload)
            assert await reader.readexactly(len(right)) == right
        writer.close()


@pytest.mark.parametrize("size", [0, 32, 1024, 70_000])
async def test_fanout(size: int) -> None:
    async with floor("fanout") as (port, _):
        found = await load(
            "fanout", port, "--connections", 30, "--window", 4, "--size", size, least=120
        )
    assert found["count"] >= 30 * 4


async def test_a_slow_subscriber_gets_everything_later() -> None:
    said = [bytes([number]) * 500_000 for number in range(20)]
    async with floor("fanout") as (port, _):
        uri = f"ws://127.0.0.1:{port}"
        reader, writer = await opened(port)
        async with connect(uri, compression=None) as speaker:
            for payload in said:
                await speaker.send(payload)
                assert await speaker.recv() == payload
            for payload in said:
                right = frame(0x82, payload)
                assert await reader.readexactly(len(right)) == right
        writer.close()


async def test_who_is_gone_disturbs_nobody() -> None:
    async with floor("fanout") as (port, _):
        uri = f"ws://127.0.0.1:{port}"
        async with connect(uri, compression=None) as speaker:
            for _ in range(20):
                gone = await connect(uri, compression=None)
                gone.transport.abort()
                await speaker.send("still here")
                assert await speaker.recv() == "still here"


async def test_something_else_than_a_websocket_is_dropped() -> None:
    async with floor("echo") as (port, _):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await reader.read() == b""
        writer.close()
