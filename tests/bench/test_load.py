"""The load generator: it works with real servers, and it notices each way to be wrong."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import pytest
import trustme
import websockets.asyncio.server

import longlink
from tests.bench.programs import BUILT, LoadFailed, answering, floor, frame, load

pytestmark = pytest.mark.usefixtures("programs")

SIZES = [0, 1, 15, 16, 125, 126, 65535, 65536, 300_000]


def context() -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("localhost").configure_cert(made)
    return made


@contextlib.asynccontextmanager
async def of_websockets(**options: Any) -> AsyncIterator[int]:
    """The server of the `websockets` package: an echo."""

    async def echo(ws: websockets.asyncio.server.ServerConnection) -> None:
        async for message in ws:
            await ws.send(message)

    options = {"compression": None, **options}
    async with websockets.asyncio.server.serve(echo, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@contextlib.asynccontextmanager
async def of_ours(**options: Any) -> AsyncIterator[int]:
    """Our server: an echo."""

    async def echo(ws: longlink.ServerConnection) -> None:
        async for message in ws:
            await ws.send(message)

    options = {"compression": None, **options}
    async with longlink.serve(echo, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


@contextlib.asynccontextmanager
async def sharing(**options: Any) -> AsyncIterator[int]:
    """Our server: what one says, all hear."""
    everybody: set[longlink.ServerConnection] = set()

    async def share(ws: longlink.ServerConnection) -> None:
        everybody.add(ws)
        async for message in ws:
            longlink.broadcast(everybody, message)

    options = {"compression": None, **options}
    async with longlink.serve(share, "127.0.0.1", 0, **options) as server:
        yield next(iter(server.sockets)).getsockname()[1]


BOTH = pytest.mark.parametrize("server", [of_websockets, of_ours])


# -- with real servers ----------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("size", SIZES)
async def test_echo_of_each_form_of_length(server: Any, size: int) -> None:
    async with server() as port:
        found = await load("echo", port, "--connections", 3, "--in-flight", 2, "--size", size)
    assert found["count"] > 0
    assert found["rate"] == pytest.approx(found["count"] / found["seconds"], rel=0.01)
    assert 0 < found["p50_us"] <= found["p99_us"] <= found["p999_us"] <= found["max_us"]


@BOTH
@pytest.mark.parametrize("options", [["--text"], ["--json", "--size", 1024], ["--path", "/a?b"]])
async def test_echo_of_texts(server: Any, options: list[object]) -> None:
    async with server() as port:
        assert (await load("echo", port, *options))["count"] > 0


@BOTH
@pytest.mark.parametrize("size", [32, 65536, 400_000])
async def test_echo_over_tls(server: Any, size: int) -> None:
    async with server(ssl=context()) as port:
        found = await load(
            "echo", port, "--tls", "--connections", 2, "--in-flight", 2, "--size", size
        )
    assert found["count"] > 0


@BOTH
@pytest.mark.parametrize("size", [0, 5, 1024, 100_000])
async def test_compressed_echo(server: Any, size: int) -> None:
    async with server(compression="deflate") as port:
        found = await load("echo", port, "--deflate", "--json", "--connections", 4, "--size", size)
    assert found["count"] > 0
    if size == 1024:
        assert found["payload_bytes"] < 512


@BOTH
@pytest.mark.parametrize("tls", [False, True])
async def test_handshakes(server: Any, tls: bool) -> None:
    async with server(ssl=context() if tls else None) as port:
        found = await load("handshake", port, "--in-flight", 4, *["--tls"][: int(tls)], least=11)
    assert found["count"] > 10
    assert found["errors"] == 0


@pytest.mark.parametrize("window", [1, 8])
async def test_fanout(window: int) -> None:
    async with sharing() as port:
        found = await load(
            "fanout", port, "--connections", 20, "--window", window, least=20 * window
        )
    assert found["count"] >= 20 * window


async def test_compressed_fanout() -> None:
    async with sharing(compression="deflate") as port:
        found = await load(
            "fanout", port, "--connections", 20, "--deflate", "--json", "--size", 1024, least=20
        )
    assert found["count"] >= 20
    assert found["payload_bytes"] < 512


@BOTH
async def test_storm(server: Any) -> None:
    async with server() as port:
        found = await load("storm", port, "--connections", 100)
    assert (found["count"], found["errors"]) == (100, 0)


@BOTH
async def test_idle_connections_answer_pings(server: Any) -> None:
    async with server(ping_interval=0.2, ping_timeout=1) as port:
        found = await load("idle", port, "--connections", 40, "--hold", 2)
    assert (found["count"], found["errors"]) == (40, 0)


async def test_half_open_connections_that_the_server_gives_up_are_counted() -> None:
    async with of_ours(open_timeout=0.5) as port:
        held = await load("idle", port, "--connections", 40, "--half-open", "--hold", 0)
        lost = await load("idle", port, "--connections", 40, "--half-open", "--hold", 1.5)
    assert (held["count"], held["errors"]) == (40, 0)
    assert lost["errors"] == 40


async def test_one_broadcast_to_idle_connections() -> None:
    async with sharing() as port:
        found = await load("idle", port, "--connections", 60, "--hold", 0.1, "--then-broadcast")
    assert found["count"] == 60
    assert found["p50_us"] > 0


# -- with servers that are wrong ------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 7])
async def test_answers_may_be_cut_anywhere(step: int) -> None:
    async with answering(step=step) as port:
        found = await load("echo", port, "--connections", 2, "--in-flight", 4, "--size", 130)
    assert found["count"] > 0


async def test_several_answers_may_come_at_once() -> None:
    kept: list[bytes] = []

    def four_at_once(number: int, first: int, payload: bytes) -> bytes:
        kept.append(frame(first, payload))
        if len(kept) < 4:
            return b""
        joined = b"".join(kept)
        kept.clear()
        return joined

    async with answering(four_at_once) as port:
        # The last messages are fewer than four: only that is complained about.
        with pytest.raises(LoadFailed, match=r"missing|nothing happened"):
            await load("echo", port, "--connections", 1, "--in-flight", 7, "--patience", 0.5)


async def test_a_ping_between_two_echoes_is_answered() -> None:
    pongs: list[bytes] = []

    def asking(number: int, first: int, payload: bytes) -> bytes:
        if first == 0x8A:
            pongs.append(payload)
            return b""
        return frame(0x89, b"there?") + frame(first, payload)

    async with answering(asking) as port:
        await load("echo", port, "--connections", 1, "--size", 70_000)
    assert pongs[0] == b"there?"


WRONG = {
    "shorter": (lambda n, first, p: frame(first, p[:-1]), "wrong length: 199"),
    "longer": (lambda n, first, p: frame(first, p + b"."), "wrong length: 201"),
    "another opcode": (lambda n, first, p: frame(0x81, p), "wrong opcode: 0x1"),
    "another first octet": (lambda n, first, p: frame(first, b"~" + p[1:]), "wrong octets"),
    "another last octet": (lambda n, first, p: frame(first, p[:-1] + b"~"), "wrong octets"),
    "two octets exchanged": (lambda n, first, p: frame(first, p[1::-1] + p[2:]), "wrong octets"),
    "moved by one": (lambda n, first, p: frame(first, p[1:] + p[:1]), "wrong octets"),
    "twice": (lambda n, first, p: 2 * frame(first, p), "wrong octets|echo of nothing"),
    "fragments": (lambda n, first, p: frame(first & 15, p[:9]) + frame(0x80, p[9:]), "fragments"),
    "masked": (lambda n, first, p: bytes([first, 254, 0, 200, 0, 0, 0, 0]) + p, "masks"),
    "a reserved bit": (lambda n, first, p: frame(first | 0x40, p), "reserved bit"),
    "a long Ping": (lambda n, first, p: frame(0x89, bytes(126)), "wrong control frame"),
    "a Close": (lambda n, first, p: frame(0x88, b"\x03\xf3why"), "closed connection 0 with 1011"),
    "nothing": (lambda n, first, p: b"", "nothing happened for 0.4 s"),
    "one is missing": (
        lambda n, first, p: frame(first, p) if n != 5 else b"",
        "wrong octets|nothing",
    ),
}


@pytest.mark.parametrize("how", WRONG)
async def test_a_wrong_echo_is_noticed(how: str) -> None:
    answer, complaint = WRONG[how]
    async with answering(answer) as port:
        with pytest.raises(LoadFailed, match=complaint):
            await load("echo", port, "--connections", 1, "--size", 200, "--patience", 0.4)


async def test_a_wrong_octet_in_the_middle_is_found_in_time() -> None:
    def spoilt(number: int, first: int, payload: bytes) -> bytes:
        return frame(first, payload[:5000] + b"~" + payload[5001:])

    async with answering(spoilt) as port:
        with pytest.raises(LoadFailed, match="wrong octets"):
            await load("echo", port, "--connections", 1, "--size", 10_000, "--seconds", 5)


async def test_echoes_in_another_order_are_noticed() -> None:
    kept: list[bytes] = []

    def swapped(number: int, first: int, payload: bytes) -> bytes:
        kept.append(frame(first, payload))
        return kept.pop() + kept.pop() if len(kept) == 2 else b""

    async with answering(swapped) as port:
        with pytest.raises(LoadFailed, match="wrong octets in message 0"):
            await load("echo", port, "--connections", 1, "--in-flight", 2)


async def test_an_echo_that_never_comes_is_noticed_although_others_go_on() -> None:
    seen: list[bytes] = []

    def silent_to_one(number: int, first: int, payload: bytes) -> bytes:
        if not seen:
            seen.append(payload)
            return b""
        return frame(first, payload)

    async with answering(silent_to_one) as port:
        with pytest.raises(LoadFailed, match=r"missing|nothing happened"):
            await load("echo", port, "--connections", 2, "--patience", 0.5)


@pytest.mark.parametrize(
    ("head", "complaint"),
    [
        (lambda accept: b"HTTP/1.1 404 Not Found\r\n\r\n", "no 101: HTTP/1.1 404 Not Found"),
        (
            lambda accept: b"HTTP/1.1 101 .\r\nUpgrade: websocket\r\n\r\n",
            "wrong Sec-WebSocket-Accept",
        ),
        (
            lambda accept: (
                b"HTTP/1.1 101 .\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
                + accept[::-1]
                + b"\r\n\r\n"
            ),
            "wrong Sec-WebSocket-Accept",
        ),
        (
            lambda accept: (
                b"HTTP/1.1 101 .\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: "
                + accept
                + b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
            ),
            "not offered",
        ),
        (lambda accept: 5000 * b"x", "more than 4096"),
    ],
)
async def test_a_wrong_opening_handshake_is_noticed(head: Any, complaint: str) -> None:
    async with answering(head=head) as port:
        with pytest.raises(LoadFailed, match=complaint):
            await load("echo", port, "--connections", 1)


async def test_a_server_without_compression_is_not_measured_with_it() -> None:
    async with of_ours() as port:
        with pytest.raises(LoadFailed, match="does not compress"):
            await load("echo", port, "--deflate")


async def test_nobody_listening() -> None:
    with pytest.raises(LoadFailed, match="Connection refused"):
        await load("echo", 1)


@pytest.mark.parametrize(
    "words", [[], ["echo"], ["echo", "--port", "x"], ["echo", "--port", "1", "2"]]
)
def test_a_senseless_command_line_is_refused(words: list[str]) -> None:
    done = subprocess.run([BUILT / "load", *words], capture_output=True, text=True)
    assert done.returncode == 2
    assert "--connections N" in done.stderr


# -- processor time -------------------------------------------------------------------------------

BURN_S = 0.3
BURNER = """
import subprocess, sys, threading, time
BURN = '''
import sys, threading, time
def burn():
    while time.thread_time() < {0}: pass
sys.stdin.readline()
threading.Thread(target=burn).start()
sys.stdin.read()
'''
child = subprocess.Popen([sys.executable, "-c", BURN.format(sys.argv[1])])
print("ready", flush=True)
child.wait()
"""


async def test_processor_time_is_that_of_all_threads_of_all_descendants() -> None:
    """What is watched waits; its child has a thread that burns a known time."""
    burner = await asyncio.create_subprocess_exec(
        sys.executable, "-c", BURNER, str(BURN_S), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert burner.stdin is not None
    assert burner.stdout is not None
    await burner.stdout.readline()
    await asyncio.sleep(0.3)  # the child is started, too
    async with floor("echo") as (port, _):
        measured = asyncio.create_task(
            load("idle", port, "--connections", 1, "--hold", 2.5, "--server-pid", burner.pid)
        )
        await asyncio.sleep(1)
        burner.stdin.write(b"now\n")
        found = await measured
    burner.stdin.close()
    await burner.wait()
    burnt_s = found["server_busy"] * found["seconds"]
    assert BURN_S * 0.95 < burnt_s < BURN_S * 1.2
    assert found["server_cpu_us"] == pytest.approx(1e6 * burnt_s, rel=0.02)
    assert found["server_rss_kib"] > 5000
    assert found["generator_busy"] < 0.1
