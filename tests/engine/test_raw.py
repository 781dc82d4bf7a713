"""The four promises of the engine, tried with bare sockets: all messages, all listeners, no
slow neighbour, nothing left behind."""

from __future__ import annotations

import asyncio
import contextlib
import random
import select
import socket
import sys
from pathlib import Path
from typing import Any

import pytest

import longlink

from .conftest import Place, Until
from .raw import BINARY, CLOSE, HEAD, TEXT, Peer, close_frame, descriptors, frame, text

TALKER = Path(__file__).with_name("talker.py")

# Under coverage every line costs ten times as much, and the run without it is the proof.
TRACED = sys.gettrace() is not None
MANY = 2_000 if TRACED else 100_000
CYCLES = 500 if TRACED else 10_000


def callback_echo() -> dict[str, Any]:
    return {"on_message": lambda ws, message: ws.send(message)}


def handler_echo() -> dict[str, Any]:
    async def handler(ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    return {"handler": handler}


@pytest.mark.parametrize("style", [callback_echo, handler_echo])
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_100_000_messages_come_back_equal(link: Place, style: Any) -> None:
    await talk(link, style, MANY)


@pytest.mark.parametrize("style", [callback_echo, handler_echo])
@pytest.mark.asyncio(loop_factories=["uvloop"])
async def test_messages_come_back_equal_on_uvloop(plain: Place, style: Any) -> None:
    await talk(plain, style, MANY // 20)


@pytest.mark.parametrize("style", [callback_echo, handler_echo])
@pytest.mark.asyncio(loop_factories=["asyncio"])
async def test_messages_come_back_equal_on_a_transport(stream: Place, style: Any) -> None:
    await talk(stream, style, MANY // 20)


async def talk(place: Place, style: Any, count: int) -> None:
    """`count` messages of 0 B to 1 MiB, fragmented and cut arbitrarily, from one connection."""
    seed = random.randrange(2**32)
    async with place.serve(**style(), max_backlog=2**24) as server:
        port = str(server.address[1])
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            str(TALKER),
            port,
            str(seed),
            str(count),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, problem = await process.communicate()
    assert process.returncode == 0, f"seed {seed}: {problem.decode()}"
    messages, octets = map(int, out.split())
    assert messages == count
    assert octets > count * 500


class Crowd:
    """Many bare clients that only listen; `gather` reads whatever has come, without waiting."""

    def __init__(self) -> None:
        self.poll = select.epoll()
        self.socks: dict[int, socket.socket] = {}
        self.got: dict[int, bytearray] = {}

    def join(self, address: Any, count: int) -> None:
        for n in range(count):
            sock = socket.socket()
            sock.bind((f"127.0.0.{2 + n % 4}", 0))
            sock.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                sock.connect(address)
            self.socks[sock.fileno()] = sock
            self.got[sock.fileno()] = bytearray()
            self.poll.register(sock, select.EPOLLIN)

    def say(self, data: bytes) -> None:
        for sock in self.socks.values():
            assert sock.send(data) == len(data)

    def gather(self) -> bool:
        for fd, _ in self.poll.poll(0, 2048):
            data = self.socks[fd].recv(1 << 18)
            assert data
            self.got[fd] += data
        return True

    def leave(self) -> None:
        for sock in self.socks.values():
            sock.close()
        self.poll.close()


async def test_a_broadcast_to_1000_is_complete_and_in_order_at_each(
    link: Place, until: Until
) -> None:
    listeners, chance = 1000, random.Random(7)
    messages: list[str | bytes] = []
    for n in range(60):
        size = chance.choice((0, 10, 125, 126, 1000, 5000, 20_000))
        messages.append(f"{n}:" + "x" * size if n % 2 else b"%d:" % n + bytes(size))
    wire = b"".join(
        frame(TEXT, m.encode(), key=None) if isinstance(m, str) else frame(BINARY, m, key=None)
        for m in messages
    )
    async with link.serve(on_message=lambda ws, message: None) as server:
        crowd = Crowd()
        crowd.join(server.address, listeners)
        await until(lambda: len(crowd.poll.poll(0)) == 0 and len(server.agenda.strays) == listeners)
        crowd.say(HEAD)
        await until(lambda: len(server.connections) == listeners)
        await until(lambda: crowd.gather() and all(crowd.got.values()))
        for got in crowd.got.values():
            assert got.startswith(b"HTTP/1.1 101 ")
            assert got.endswith(b"\r\n\r\n")
            got.clear()
        for message in messages:
            longlink.broadcast(server.connections, message)
            await asyncio.sleep(0)
            crowd.gather()
        await until(
            lambda: crowd.gather() and all(len(got) >= len(wire) for got in crowd.got.values())
        )
        assert all(got == wire for got in crowd.got.values())
        crowd.leave()


async def test_one_that_stops_reading(plain: Place, until: Until) -> None:
    """It delays nobody, costs its limit and no more, and is closed with 1013."""
    limit, size = 2**18, 20_000
    closed: list[Any] = []
    async with plain.serve(
        on_message=lambda ws, message: None, on_close=closed.append, max_backlog=limit
    ) as server:
        others = [await Peer.open(server.address) for _ in range(30)]
        known = server.connections
        slow = await Peer.open(server.address, receive_buffer=4096)
        [ws] = server.connections - known
        sent = 0
        while ws.state == 1:
            assert sent < 2000, "40 MB and still not closed"
            longlink.broadcast(server.connections, b"%06d" % sent + bytes(size))
            for peer in others:  # each of them has it before the next one is sent
                opcode, payload = await peer.frame()
                assert (opcode, int(payload[:6]), len(payload)) == (BINARY, sent, size + 6)
            waiting = ws.session.outbox
            assert waiting is None or waiting.size <= limit + 2 * size
            sent += 1
        assert ws.session.close_sent.code == 1013
        await others[0].send(text("never mind"))
        longlink.broadcast(server.connections, b"later")
        for peer in others:
            assert await peer.frame() == (BINARY, b"later")
        got = 0
        while (frame_ := await slow.frame())[0] == BINARY:  # it reads again
            assert int(frame_[1][:6]) == got
            got += 1
        assert frame_[0] == CLOSE
        assert int.from_bytes(frame_[1][:2], "big") == 1013
        assert got == sent - 1  # the one that was too much is the only one missing
        assert await slow.recv() == b""
        await until(lambda: closed == [ws])
        slow.cut()
        for peer in others:
            await peer.leave()


KINDS = ("polite", "cut", "reset", "mid-handshake", "mid-frame", "ours", "refused", "said")


async def come_and_go(address: Any, n: int) -> None:
    """One connection, which ends in one of the ways there are."""
    kind = KINDS[n % len(KINDS)]
    sock = socket.socket()
    sock.bind((f"127.0.0.{2 + n % 8}", 0))
    peer = Peer(sock)
    await peer.loop.sock_connect(sock, address)
    if kind == "mid-handshake":
        await peer.send(HEAD[: n % len(HEAD)])
        peer.reset() if n % 3 else peer.cut()
        return
    if kind == "refused":
        await peer.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert b" 426 " in await peer.rest()
        peer.cut()
        return
    await peer.send(HEAD)
    await peer.answer()
    if kind == "polite":
        await peer.leave()
    elif kind == "ours":
        await peer.send(text("close"))
        await peer.closed()
        await peer.send(close_frame())
        peer.cut()
    elif kind == "mid-frame":
        await peer.send(text("a whole one") + frame(BINARY, bytes(500))[: 1 + n % 400])
        peer.reset() if n % 3 else peer.cut()
    elif kind == "said":
        await peer.send(text("hello"))
        assert await peer.text() == "hello"
        peer.reset() if n % 3 else peer.cut()
    elif kind == "reset":
        peer.reset()
    else:
        peer.cut()


@pytest.mark.parametrize(("name", "cycles"), [("link", CYCLES), ("stream", CYCLES // 10)])
async def test_cycles_leave_nothing_behind(
    request: pytest.FixtureRequest,
    until: Until,
    name: str,
    cycles: int,
    caplog: pytest.LogCaptureFixture,
) -> None:
    place: Place = request.getfixturevalue(name)
    came, left = [0], [0]

    def count(of: list[int]) -> Any:
        def on(ws: Any) -> None:
            of[0] += 1

        return on

    def on_message(ws: Any, message: str) -> None:
        ws.close() if message == "close" else ws.send(message)

    # What the loop keeps for itself (a reader of subprocesses, …) is there before.
    async with place.serve(on_message=on_message):
        pass
    await asyncio.sleep(0)
    tasks, before = asyncio.all_tasks(), descriptors()
    async with place.serve(
        on_message=on_message, on_open=count(came), on_close=count(left)
    ) as server:
        agenda = server.agenda
        idle = agenda.users
        await come_and_go(server.address, 0)
        await until(lambda: agenda.users == idle)
        served = descriptors()
        numbers = iter(range(cycles))

        async def work() -> None:
            for n in numbers:
                await come_and_go(server.address, n)

        await asyncio.gather(*(work() for _ in range(50)))
        await until(lambda: agenda.users == idle)
        assert descriptors() == served
        assert asyncio.all_tasks() == tasks
        assert not server.connections
        assert not agenda.strays
        assert not any(agenda.wheel.ticks.values())
        assert came == left
        assert came[0] >= cycles * 6 / len(KINDS)
    await until(lambda: descriptors() == before)
    assert asyncio.all_tasks() == tasks
    assert agenda.wheel.timer is None
    scheduled = getattr(asyncio.get_running_loop(), "_scheduled", [])
    assert not [handle for handle in scheduled if not handle.cancelled()]
    assert not caplog.records
