"""Examples that speak in lines: greeting, reversing, sensors; over TCP and UDP."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket

from websockets.asyncio.client import connect

from tests.examples.conftest import Start, begin, run
from tests.server.product import DEADLINE_S, serving, soon


async def exchange(address: tuple[str, int], data: bytes) -> bytes:
    """What `nc` would print: send, say that no more comes, read to the end."""
    reader, writer = await asyncio.open_connection(*address)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(DEADLINE_S):
        answer = await reader.read()
    writer.close()
    return answer


async def test_five_are_greeted_and_then_it_ends(
    start: Start, python_environment: dict[str, str]
) -> None:
    example = await begin(python_environment, "greet", "--port", "0")
    example.place = await example.line()
    said = await exchange(example.address, "你好\r\nx\x1b[31m\nunfinished".encode())
    assert (
        said.decode()
        == "测试成功！\n收到的信息:你好\n收到的信息:x\x1b[31m\n收到的信息:unfinished\n"
    )
    assert await example.line("said 'x") == r"1: said 'x\x1b[31m'"
    for _ in range(3):
        assert (await exchange(example.address, b"")).decode() == "测试成功！\n"
    port = str(example.address[1])
    code, steps, problems = await run(python_environment, "greet_client", "--port", port)
    assert (code, problems) == (0, "")
    assert steps.splitlines() == [
        f"connecting to 127.0.0.1:{port}",
        "connected",
        "sent 'Ho'",
        "sent 'first blood'",
        "received '测试成功！'",
        "received '收到的信息:Ho'",
        "received '收到的信息:first blood'",
        "the server closed",
    ]
    code, rest, problems = await example.end()
    assert (code, problems) == (0, "")
    assert rest.endswith("5: left\n")


async def test_the_client_says_why_it_failed(python_environment: dict[str, str]) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))  # nobody listens
        port = str(sock.getsockname()[1])
        code, out, problems = await run(python_environment, "greet_client", "--port", port)
    assert (code, out) == (1, f"connecting to 127.0.0.1:{port}\n")
    assert problems.startswith("failed: ")
    assert "refused" in problems.lower() or "connect call failed" in problems.lower()
    assert problems.count("\n") == 1


REVERSED = {
    "first blood\r\nsecond\n": "doolb tsrif\n",
    "测试 👩‍👩‍👧 e\u0301\t": "e\u0301 👩‍👩‍👧 试测\n",
    "  trimmed \0": "demmirt\n",
    "no end": "dne on\n",
}


async def test_a_line_comes_back_reversed(start: Start) -> None:
    async with start("reverse") as reverse:
        for said, answer in REVERSED.items():
            assert (await exchange(reverse.address, said.encode())).decode() == answer


async def test_a_datagram_comes_back_reversed(start: Start) -> None:
    async with start("reverse", "--udp") as reverse:
        for said, answer in list(REVERSED.items())[1:]:  # a datagram is one line
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(reverse.address)
                sock.setblocking(False)
                sock.send(said.encode())
                async with asyncio.timeout(DEADLINE_S):
                    data = await asyncio.get_running_loop().sock_recv(sock, 4096)
                assert data.decode() == answer


async def test_lines_of_a_sensor_reach_the_pages(
    start: Start, python_environment: dict[str, str]
) -> None:
    async with start("sensors", "--line-port", "0") as sensors:
        lines = sensors.address
        sensors.place = await sensors.line("^http")
        async with connect(sensors.ws) as ws:
            assert await soon(ws) == "{}"
            sensor = await begin(python_environment, "sensor", *map(str, lines), "kitchen")
            assert await sensor.line() == "connected"
            values = [json.loads(str(await soon(ws)))["kitchen"] for _ in range(2)]
            assert all(17 <= value <= 23 for value in values)
            sensor.process.send_signal(signal.SIGINT)
            assert await sensor.end() == (0, "", "")
            for bad in (b"garbage", b" 5", b"x nan", b"x 1e999", b"POST / HTTP/1.1\r\n"):
                answer = await exchange(lines, bad + b"\nkitchen 2\n")
                assert answer == b"error: expected a name and a number\n"
            assert await exchange(lines, b"kitchen 1\n") == b""
            assert await soon(ws) == '{"kitchen": 1.0}'


async def test_a_sensor_comes_back_and_reads_what_it_is_told(
    python_environment: dict[str, str],
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()

    async def cut(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.put_nowait((await reader.readline()).decode())
        writer.write(b"led on\x1b")
        writer.close()

    async with await asyncio.start_server(cut, "127.0.0.1", 0) as server:
        place = map(str, server.sockets[0].getsockname()[:2])
        sensor = await begin(python_environment, "sensor", *place, "hall")
        async with asyncio.timeout(DEADLINE_S):
            for _ in range(2):
                assert re.fullmatch(r"hall \d\d\.\d\d\n", await heard.get())
                assert await sensor.line() == "connected"
                assert await sensor.line() == r"heard b'led on\x1b'"
                assert await sensor.line() == "lost: the server closed"
        sensor.process.send_signal(signal.SIGINT)
        assert (await sensor.end())[0] == 0


async def test_a_sensor_in_the_room_of_longlink_serve(python_environment: dict[str, str]) -> None:
    async with serving(python_environment, "--line-port", "0") as product:
        assert product.process.stdout is not None
        place = (await product.process.stdout.readline()).decode().split()[-1].split(":")
        async with connect(f"{product.ws}ws") as ws:
            sensor = await begin(python_environment, "sensor", *place, "kitchen")
            assert await sensor.line() == "connected"
            while not re.fullmatch(r"kitchen \d\d\.\d\d", str(await soon(ws))):
                pass
            await ws.send("well done")
            assert await sensor.line("well done")
            sensor.process.send_signal(signal.SIGINT)
            assert (await sensor.end())[0] == 0
