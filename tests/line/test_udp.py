"""Lines over UDP: who is in a conversation, who is answered, and who is not."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import select
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink import line
from longlink.line.post import Post, unanswerable, worth

from .conftest import DEADLINE_S, Handler, in_time

linux = pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's packet information")


async def echo(talk: line.Line) -> None:
    async for text in talk:
        await talk.send(f"got {text}")


@asynccontextmanager
async def serving(
    handler: Handler, host: str | None = "127.0.0.1", **rules: Any
) -> AsyncIterator[int]:
    """A server on a free port of this machine."""
    async with line.serve_datagrams(handler, host, 0, **rules) as server:
        yield server.sockets[0].getsockname()[1]


class Peer:
    """Somebody who writes datagrams, without longlink."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        self.sock.settimeout(DEADLINE_S)

    def say(self, octets: bytes, port: int, host: str = "127.0.0.1") -> None:
        self.sock.sendto(octets, (host, port))

    async def heard(self) -> tuple[bytes, Any]:
        """The next datagram, and from where."""
        return await asyncio.to_thread(self.sock.recvfrom, 65536)

    def heard_nothing(self) -> bool:
        """Whether there is none."""
        return not select.select([self.sock], [], [], 0)[0]


@pytest.fixture
def peer() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.sock.close()


@pytest.fixture
def other() -> Iterator[Peer]:
    peer = Peer()
    yield peer
    peer.sock.close()


async def test_each_address_has_a_conversation_of_its_own(peer: Peer, other: Peer) -> None:
    async def count(talk: line.Line) -> None:
        number = 0
        async for text in talk:
            number += 1
            await talk.send(f"{number} {text}")

    async with serving(count) as port:
        for answer in (b"1 a\n", b"2 a\n"):
            peer.say(b"a\r\n", port)
            assert await peer.heard() == (answer, ("127.0.0.1", port))
        other.say(b"b", port)
        assert (await other.heard())[0] == b"1 b\n"


async def test_a_handler_for_tcp_serves_and_who_comes_again_is_greeted_again(peer: Peer) -> None:
    async def greet(talk: line.Line) -> None:
        await talk.send("hello")
        await talk.send((await talk.readline())[::-1])

    async with serving(greet) as port:
        for _ in range(2):
            peer.say(b"abc\n", port)
            assert [(await peer.heard())[0], (await peer.heard())[0]] == [b"hello\n", b"cba\n"]


async def test_a_datagram_is_a_line_whatever_is_in_it(peer: Peer) -> None:
    async with serving(echo) as port:
        peer.say(b"a\nb\n", port)
        assert (await peer.heard())[0] == b"got a\nb\n"


async def test_one_that_is_too_long_gets_an_error_line(peer: Peer) -> None:
    async with serving(echo, max_line=100) as port:
        peer.say(bytes(101), port)
        assert (await peer.heard())[0] == b"error: datagram of 101 bytes, the limit is 100\n"
        peer.say(b"x", port)
        assert (await peer.heard())[0] == b"got x\n"


async def test_nobody_gets_more_than_three_times_what_came_from_there(
    peer: Peer, other: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    async def flood(talk: line.Line) -> None:
        async for text in talk:
            await talk.send("x" * int(text), end="")

    async with serving(flood) as port:
        for asked, allowed in ((b"110", True), (b"111", False)):
            peer.say(asked, port)
            if allowed:
                assert len((await peer.heard())[0]) == 110
        other.say(b"2700".ljust(900), port)
        assert len((await other.heard())[0]) == 2700
        assert peer.heard_nothing()
        peer.say(b"100", port)  # a conversation of its own: the one before is over
        assert len((await peer.heard())[0]) == 100
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert record.getMessage().startswith("no answer of 111 bytes to 127.0.0.1:")


async def test_who_trusts_everybody_may_answer_anything(peer: Peer) -> None:
    async def flood(talk: line.Line) -> None:
        await talk.readline()
        await talk.send("x" * 5000)

    async with serving(flood, factor=None) as port:
        peer.say(b"x", port)
        assert len((await peer.heard())[0]) == 5001


def test_what_a_datagram_is_worth() -> None:
    assert worth(1, socket.AF_INET, 3.0) == 3 * 46
    assert worth(1000, socket.AF_INET, 3.0) == 3 * 1028
    assert worth(1, socket.AF_INET6, 3.0) == 3 * 49


@pytest.mark.parametrize(
    ("source", "answered"),
    [
        (("192.0.2.1", 40000), True),
        (("fe80::1%lo", 40000, 0, 1), True),
        (("255.255.255.255", 40000), False),
        (("224.0.0.251", 40000), False),
        (("ff02::1", 40000, 0, 0), False),
        (("0.0.0.0", 40000), False),
        (("192.0.2.1", 0), False),
        (("192.0.2.1", 19), False),
        (("192.0.2.1", 1023), False),
        (("192.0.2.1", 7007), False),
        (("::1", 7007, 0, 0), False),
    ],
)
def test_who_is_answered(source: Any, answered: bool) -> None:
    assert (unanswerable(source, 7007) is None) is answered


async def test_two_servers_of_the_same_never_answer_each_other(
    peer: Peer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "longlink.line")
    async with serving(echo) as port:
        same = Peer("127.0.0.2", port)
        same.say(b"x", port)
        peer.say(b"y", port)
        assert (await peer.heard())[0] == b"got y\n"  # it came behind the other one
        assert same.heard_nothing()
        same.sock.close()
    assert f"datagram from 127.0.0.2:{port} ignored: our own port" in caplog.text


@linux
async def test_what_was_sent_to_everybody_is_not_answered(peer: Peer, other: Peer) -> None:
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
    async with serving(echo, "0.0.0.0") as port:
        peer.say(b"x", port, "127.255.255.255")
        other.say(b"y", port)
        assert (await other.heard())[0] == b"got y\n"
        assert peer.heard_nothing()


@linux
async def test_an_answer_comes_from_the_address_that_was_written_to(peer: Peer) -> None:
    async with serving(echo, None) as port:
        peer.say(b"x", port, "127.0.0.3")
        assert await peer.heard() == (b"got x\n", ("127.0.0.3", port))
        async with line.connect_datagrams("::1", port) as talk:
            await talk.send("y")
            assert await in_time(talk.readline()) == "got y"


async def test_the_longest_silent_makes_room(peer: Peer, other: Peer) -> None:
    left: list[str] = []

    async def remember(talk: line.Line) -> None:
        try:
            await echo(talk)
        except line.LineFailed as problem:
            left.append(str(problem))

    third = Peer()
    async with serving(remember, max_connections=2) as port:
        for each in (peer, other, peer, third):
            each.say(b"x", port)
            assert (await each.heard())[0] == b"got x\n"
        assert left == ["forgotten: too many others"]
        peer.say(b"x", port)
        assert (await peer.heard())[0] == b"got x\n"
        assert len(left) == 1
    third.sock.close()


async def test_who_is_silent_is_forgotten_and_not_told(peer: Peer) -> None:
    ended: asyncio.Future[Exception] = asyncio.get_running_loop().create_future()

    async def hear(talk: line.Line) -> None:
        try:
            await echo(talk)
        except line.LineTimeout as problem:
            ended.set_result(problem)

    async with line.serve_datagrams(hear, "127.0.0.1", 0, timeout=0.2) as server:
        peer.say(b"x", server.sockets[0].getsockname()[1])
        await peer.heard()
        assert str(await asyncio.wait_for(ended, 20)) == "no line came for 0.2 s (timeout)"
        assert server.lines == set()
    assert peer.heard_nothing()


async def test_more_than_anybody_takes_is_lost(peer: Peer) -> None:
    go_on = asyncio.Event()
    heard: list[str] = []

    async def hear(talk: line.Line) -> None:
        await go_on.wait()
        heard.extend([await talk.readline() for _ in range(16)])
        await talk.send("done")
        heard.append(await talk.readline())

    async with serving(hear) as port:
        for number in range(40):
            peer.say(b"%d" % number, port)
        probe = Peer()
        probe.say(b"x", port)
        go_on.set()
        assert (await peer.heard())[0] == b"done\n"
        probe.sock.close()
    assert heard == [str(number) for number in range(16)]


async def test_an_address_that_is_taken_is_named() -> None:
    async with serving(echo) as port:
        with pytest.raises(OSError, match=f"cannot listen on UDP 127.0.0.1:{port}: "):
            await line.serve_datagrams(echo, "127.0.0.1", port)


# -- the client ------------------------------------------------------------------------------------


async def test_a_client_hears_when_nobody_listens() -> None:
    async with serving(echo) as port:
        pass
    async with line.connect_datagrams("127.0.0.1", port) as talk:
        await talk.send("x")
        with pytest.raises(line.LineFailed, match=f"refused: nothing listens on UDP .*:{port}"):
            await in_time(talk.readline())
        with pytest.raises(line.LineFailed, match="refused"):
            await talk.send("y")


async def test_a_client_waits_so_long() -> None:
    silent = Peer()
    port = silent.sock.getsockname()[1]
    async with line.connect_datagrams("127.0.0.1", port, timeout=0.2) as talk:
        await talk.send("x")
        with pytest.raises(TimeoutError, match=r"no line came for 0\.2 s"):
            await talk.readline()
    silent.sock.close()


async def test_a_datagram_that_no_datagram_can_be() -> None:
    async with serving(echo) as port, line.connect_datagrams("127.0.0.1", port) as talk:
        with pytest.raises(line.DatagramTooLong, match=f"of 65508 bytes to .*{port}.* is 65507"):
            await talk.send("x" * 65507)
        await talk.send("x")
        assert await in_time(talk.readline()) == "got x"


async def test_everybody_else_is_not_heard_by_a_client(peer: Peer) -> None:
    async with serving(echo) as port, line.connect_datagrams("127.0.0.1", port) as talk:
        peer.say(b"not asked\n", talk.local_address[1])
        await talk.send("x")
        assert await in_time(talk.read()) == b"got x\n"


class Narrow(Post):
    """A post whose datagrams take a way that is full soon: over loopback UDP never is."""

    def __init__(self, sock: socket.socket, way: socket.socket) -> None:
        Post.__init__(self, sock, asyncio.get_running_loop())
        self.way = way

    def _send(self, octets: bytes, note: Any, address: Any) -> None:
        self.way.send(octets)


async def test_what_the_kernel_has_no_room_for_waits_and_not_without_end(peer: Peer) -> None:
    near, far = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    near.setblocking(False)
    far.setblocking(False)
    post = Narrow(socket.socket(socket.AF_INET, socket.SOCK_DGRAM), near)
    for number in range(2000):
        post.send(b"%d" % number, ("127.0.0.1", 9))
    received: list[int] = []
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.1):
            while True:
                received.append(int(await asyncio.get_running_loop().sock_recv(far, 100)))
    assert received == list(range(len(received)))
    assert 256 < len(received) < 1000
    post.close()
    near.close()
    far.close()
