"""A link under TLS: its handshake on the reactor, ends of all kinds, and handing it over. What it
shares with other carriers is in test_session.py and test_stream.py."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

from longlink.engine.reactor import reactor_of
from longlink.engine.receiver import Receiver
from longlink.engine.seal import Seal
from longlink.engine.sealed import Sealed
from longlink.engine.shake import Shake
from longlink.limits import Limits
from longlink.native.kernel import Buffer

from .conftest import Clock, Place, Until
from .meeting import echo
from .raw import HEAD, close_frame, frame, text
from .test_link import Body, Giver
from .test_stream import Secure


class Listening:
    """A port whose connections shake hands on the reactor and report to `receiver`."""

    def __init__(self, receiver: Receiver, context: ssl.SSLContext, **limits: Any) -> None:
        self.receiver = receiver
        self.context = context
        self.limits = Limits.of(limits)
        self.reactor = reactor_of(asyncio.get_running_loop())
        self.sessions: list[Sealed] = []
        self.problems: list[Exception] = []

    def accepted(self, sock: socket.socket, deadline: float | None = None) -> Shake:
        shake = Shake(sock, self.reactor, self.receiver, deadline, self.over)
        shake.begin(Seal(self.context, False))
        return shake

    def over(self, shake: Shake, problem: Exception | None) -> None:
        if problem is not None:
            self.problems.append(problem)
            return
        assert shake.seal is not None
        fd, reactor = shake.sock.detach(), self.reactor
        session = Sealed(
            fd, reactor.poll, False, self.receiver, self.limits, reactor, shake.seal, None
        )
        self.sessions.append(session)
        session.catch_up()

    def pair(self) -> socket.socket:
        """The other end of a connection that was just accepted."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        theirs.setblocking(False)
        self.accepted(ours)
        return theirs


@asynccontextmanager
async def streams(
    sock: socket.socket, context: ssl.SSLContext
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """asyncio's end of the connection, whatever the loop."""
    reader, writer = await asyncio.open_connection(
        sock=sock, ssl=context, server_hostname="localhost", limit=2**20
    )
    try:
        yield reader, writer
    finally:
        writer.transport.abort()


@pytest.fixture
async def listening(server_context: ssl.SSLContext, until: Until) -> AsyncIterator[Any]:
    made: list[Listening] = []

    def listen(receiver: Receiver, **limits: Any) -> Listening:
        made.append(Listening(receiver, server_context, **limits))
        made[0].reactor.add_user()
        return made[-1]

    yield listen
    for each in made:
        each.reactor.drop_user()


# -- handing over ---------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [False, True])
@pytest.mark.parametrize("cut", [0, 1, 50_000, -10, 170_000])
async def test_handing_over_keeps_every_octet_in_order(
    listening: Any, client_context: ssl.SSLContext, later: bool, cut: int, until: Until
) -> None:
    giver = Giver(later)
    head = b"POST / HTTP/1.1\r\nHost: test\r\n\r\n"
    body = b"".join(b"%06d" % n for n in range(30_000))
    place = listening(giver)
    async with streams(place.pair(), client_context) as (_, writer):
        writer.write((head + body)[: len(head) + cut])
        await writer.drain()
        writer.write((head + body)[len(head) + cut :])
        await writer.drain()
        await until(lambda: giver.protocols and len(giver.protocols[0].got) == len(head + body))
        [protocol] = giver.protocols
        assert protocol.got == head + body
        writer.close()
        assert await protocol.lost is None
        await until(lambda: place.reactor.users == 1)
        assert not place.reactor.strays


class Answering(Body):
    """Writes what it was made with, and notes when it should not write, or may again."""

    def __init__(self, answer: bytes) -> None:
        super().__init__()
        self.answer = answer
        self.log: list[str] = []

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if self.answer:
            self.transport.write(self.answer)
            self.transport.close()
            self.transport.close()
            self.transport.write(b"too late")

    def pause_writing(self) -> None:
        self.log.append("pause")

    def resume_writing(self) -> None:
        self.log.append("resume")


class Handing(Receiver):
    """Hands the connection to the protocol it was made with."""

    def __init__(self, protocol: Any) -> None:
        self.protocol = protocol

    def on_head(self, session: Any, head: bytes) -> None:
        session.hand_over(self.protocol, head)


async def test_a_large_answer_arrives_whole_before_the_end(
    listening: Any, client_context: ssl.SSLContext, until: Until
) -> None:
    answer = bytes(n * 13 % 251 for n in range(3_000_000))
    protocol = Answering(answer)
    place = listening(Handing(protocol))
    async with streams(place.pair(), client_context) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: protocol.log)
        assert protocol.log == ["pause"]
        assert await reader.read(-1) == answer
        assert await protocol.lost is None
        assert protocol.transport.is_closing()
    await until(lambda: place.reactor.users == 1)


async def test_a_large_answer_has_the_time_it_takes(
    listening: Any, client_context: ssl.SSLContext, clock: Clock, until: Until
) -> None:
    """The last words of a response are no closing handshake, as long as they are being read."""
    answer = bytes(n * 13 % 251 for n in range(6_000_000))
    protocol = Answering(answer)
    place = listening(Handing(protocol), close_timeout=10)
    async with streams(place.pair(), client_context) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        got = await reader.readexactly(1_000_000)
        for _ in range(3):
            clock.turn(7)
            got += await reader.readexactly(1_000_000)
        assert got + await reader.read(-1) == answer
    await until(lambda: place.reactor.users == 1)


async def test_a_large_answer_that_nobody_reads_is_cut(
    listening: Any, client_context: ssl.SSLContext, clock: Clock, until: Until
) -> None:
    protocol = Answering(bytes(8_000_000))
    place = listening(Handing(protocol), close_timeout=10)
    async with streams(place.pair(), client_context) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: protocol.log)
        for _ in range(50):
            await asyncio.sleep(0)
        clock.turn(10.2)
        clock.turn(10.2)
        assert await protocol.lost is None


async def test_the_end_is_said_though_there_is_no_room_for_it_yet(
    listening: Any, client_context: ssl.SSLContext, until: Until
) -> None:
    """Without it the peer could not tell an end from a cut."""

    async def fill(most: int) -> tuple[int, bool]:
        """Write single octets as long as there is room, and close: how many, and whether the
        end was said."""
        protocol = Answering(b"")
        place = listening(Handing(protocol), close_timeout=None)
        ours, theirs = socket.socketpair()
        for sock in (ours, theirs):
            sock.setblocking(False)
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
        place.accepted(ours)
        client = Seal(client_context, True, "localhost")
        buffer = Buffer(65536)

        def hear() -> None:
            with suppress(BlockingIOError):
                octets = client.tail + theirs.recv(4096)
                buffer.put(0, octets)
                client.open(buffer, memoryview(buffer), 0, len(octets))

        done = client.shake(b"")
        while not done:
            theirs.send(client.said())
            await asyncio.sleep(0)
            with suppress(BlockingIOError):
                done = client.shake(theirs.recv(4096))
        client.put(b"GET / HTTP/1.1\r\n\r\n")
        theirs.send(client.said())
        await until(lambda: protocol.got)
        [session] = place.sessions
        count = 0
        while count < most and not session.outbox:
            protocol.transport.write(b"x")
            session.flush()
            count += 1
        protocol.transport.close()
        for _ in range(1000):
            await asyncio.sleep(0)
            hear()
        session.abort()
        theirs.close()
        return count, client.ended

    many, _ = await fill(10_000)
    assert await fill(many - 1) == (many - 1, True)


async def test_a_protocol_that_does_not_read_learns_that_they_are_gone(
    listening: Any, client_context: ssl.SSLContext, clock: Clock, until: Until
) -> None:
    protocol = Answering(b"")
    place = listening(Handing(protocol), close_timeout=10)
    async with streams(place.pair(), client_context) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: protocol.got)
        protocol.transport.pause_reading()
        writer.write(bytes(1000))
        await writer.drain()
        writer.transport.abort()
        await asyncio.sleep(0.01)
        protocol.transport.write(b"anybody?")
        await asyncio.sleep(0.01)
        clock.turn(10.2)
        await until(lambda: place.reactor.users == 1)
        assert await protocol.lost is None


async def test_a_protocol_that_reads_later(
    listening: Any, client_context: ssl.SSLContext, until: Until
) -> None:
    protocol = Answering(b"")
    place = listening(Handing(protocol))
    async with streams(place.pair(), client_context) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: protocol.got)
        protocol.transport.pause_reading()
        protocol.transport.pause_reading()
        assert not protocol.transport.is_reading()
        before = len(protocol.got)
        writer.write(bytes(100_000))
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(protocol.got) == before
        protocol.transport.resume_reading()
        await until(lambda: len(protocol.got) == before + 100_000)
        protocol.transport.abort()
        protocol.transport.abort()
        assert await protocol.lost is None
        protocol.transport.write(b"x")
        protocol.transport.resume_reading()


async def test_a_transport_answers_what_transports_are_asked(
    listening: Any, client_context: ssl.SSLContext, until: Until
) -> None:
    protocol = Answering(b"")
    place = listening(Handing(protocol))
    async with streams(place.pair(), client_context) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: protocol.got)
        transport = protocol.transport
        assert transport.get_protocol() is protocol
        assert transport.get_extra_info("ssl_object").version().startswith("TLS")
        assert transport.get_extra_info("sslcontext") is place.context
        assert transport.get_extra_info("cipher") is not None
        assert transport.get_extra_info("peercert") is None
        assert transport.get_extra_info("compression") is None
        assert transport.get_extra_info("pipe", 7) == 7
        assert not transport.can_write_eof()
        with pytest.raises(NotImplementedError):
            transport.write_eof()
        transport.set_write_buffer_limits(1000)
        assert transport.get_write_buffer_limits() == (250, 1000)
        transport.set_write_buffer_limits(low=100)
        assert transport.get_write_buffer_limits() == (100, 400)
        assert transport.get_write_buffer_size() == 0
        transport.writelines([b"a", bytearray(b"b"), memoryview(b"c")])
        assert await reader.readexactly(3) == b"abc"
        transport.abort()


class Buffered(asyncio.BufferedProtocol):
    """Takes seven octets at a time."""

    def __init__(self) -> None:
        self.got = b""
        self.room = bytearray(7)
        self.lost = False

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.room

    def buffer_updated(self, nbytes: int) -> None:
        self.got += self.room[:nbytes]

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True


async def test_a_protocol_with_a_buffer_of_its_own(
    listening: Any, client_context: ssl.SSLContext, until: Until
) -> None:
    protocol = Buffered()
    place = listening(Handing(protocol))
    said = b"GET / HTTP/1.1\r\n\r\n"
    async with streams(place.pair(), client_context) as (_, writer):
        writer.write(said)
        writer.write(b"x" * 1000)
        await until(lambda: len(protocol.got) == len(said) + 1000)
        writer.close()
        await until(lambda: protocol.lost)


async def test_a_protocol_that_raises_costs_its_connection(
    listening: Any,
    client_context: ssl.SSLContext,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Raising(Body):
        def data_received(self, data: bytes) -> None:
            raise ValueError("a bug")

    protocol = Raising()
    place = listening(Handing(protocol))
    async with streams(place.pair(), client_context) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        assert await protocol.lost is None
        with pytest.raises((ConnectionError, EOFError)):
            await reader.readexactly(1)
    assert [record.name for record in caplog.records] == ["asyncio"]


async def test_who_got_it_has_no_deadline_of_ours(
    listening: Any, client_context: ssl.SSLContext, clock: Clock, until: Until
) -> None:
    protocol = Answering(b"")
    place = listening(Handing(protocol), open_timeout=1)
    async with streams(place.pair(), client_context) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: protocol.got)
        clock.turn(100)
        writer.write(b"more")
        await until(lambda: protocol.got.endswith(b"more"))
        assert not protocol.transport.is_closing()
        protocol.transport.abort()


# -- the handshake --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["late", "given up", "gone", "no TLS"])
async def test_a_handshake_that_comes_to_nothing_leaves_nothing(
    listening: Any, clock: Clock, how: str, until: Until
) -> None:
    place = listening(Receiver())
    ours, theirs = socket.socketpair()
    ours.setblocking(False)
    shake = place.accepted(ours, place.reactor.clock() + 5)
    if how == "late":
        clock.turn(5.2)
    elif how == "given up":
        shake.abort()
    elif how == "gone":
        theirs.close()
    else:
        theirs.send(b"GET / HTTP/1.1\r\n\r\n")
    await until(lambda: place.problems)
    [problem] = place.problems
    assert isinstance(problem, OSError)
    assert ours.fileno() == -1
    assert place.reactor.users == 1
    assert not place.reactor.strays
    shake.abort()
    assert len(place.problems) == 1
    theirs.close()


async def test_a_handshake_through_a_narrow_socket(
    listening: Any, client_context: ssl.SSLContext, until: Until
) -> None:
    place = listening(Giver(later=False))
    ours, theirs = socket.socketpair()
    for sock in (ours, theirs):
        sock.setblocking(False)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    filled = 0
    with suppress(BlockingIOError):
        while True:
            filled += ours.send(bytes(64))
    place.accepted(ours)
    client = Seal(client_context, True, "localhost")
    assert not client.shake(b"")
    theirs.send(client.said())
    for _ in range(20):
        await asyncio.sleep(0)
    while filled:
        filled -= len(theirs.recv(min(filled, 4096)))
    done = False
    while not done:
        await asyncio.sleep(0)
        try:
            done = client.shake(theirs.recv(100))
        except BlockingIOError:
            continue
        if done:  # everything was said there, and nobody is woken for room any more
            await asyncio.sleep(0)
            assert place.reactor.poll.wait(1) == 0
        theirs.send(client.said())
    await until(lambda: place.sessions)
    place.sessions[0].abort()
    theirs.close()


# -- ends -----------------------------------------------------------------------------------------


@pytest.fixture
async def quiet(tls: Place, client_context: ssl.SSLContext) -> Callable[..., Any]:
    """A raw client that never answers what TLS says, after its opening handshake."""

    async def connect(address: Any) -> tuple[socket.socket, Seal]:
        loop = asyncio.get_running_loop()
        sock = socket.create_connection(address)
        sock.setblocking(False)
        seal = Seal(client_context, True, "localhost")
        done = seal.shake(b"")
        while not done:
            await loop.sock_sendall(sock, seal.said())
            done = seal.shake(await loop.sock_recv(sock, 65536))
        seal.put(HEAD)
        await loop.sock_sendall(sock, seal.said())
        return sock, seal

    return connect


async def test_who_never_says_goodbye_is_waited_for_as_long_as_was_said(
    tls: Place, quiet: Any, clock: Clock, until: Until
) -> None:
    opened: list[Any] = []
    loop = asyncio.get_running_loop()
    how: dict[str, Any] = {"close_timeout": 1000, "ssl_shutdown_timeout": 3}
    async with tls.serve(on_open=opened.append, on_message=echo, **how) as server:
        sock, seal = await quiet(server.address)
        await until(lambda: opened)
        seal.put(close_frame())
        await loop.sock_sendall(sock, seal.said())
        await until(lambda: opened[0].state == 3)
        session = opened[0].session
        clock.turn(2)
        assert session.fd >= 0
        clock.turn(1.2)
        assert session.fd == -1
        sock.close()


async def test_what_is_no_tls_behind_good_messages_ends_the_connection(
    tls: Place, quiet: Any, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    heard: list[Any] = []
    left: list[Any] = []
    loop = asyncio.get_running_loop()
    async with tls.serve(
        on_message=lambda ws, message: heard.append(message), on_close=left.append
    ) as server:
        sock, seal = await quiet(server.address)
        await until(lambda: server.connections)
        seal.put(text("fine"))
        await loop.sock_sendall(sock, seal.said() + b"\x17\x03\x03\x00\x20" + bytes(32))
        await until(lambda: left)
        assert heard == ["fine"]
        assert left[0].close_code == 1006
        sock.close()
    assert not [record for record in caplog.records if record.levelno > logging.INFO]


async def test_what_is_no_tls_while_the_handler_is_behind(
    tls: Place, quiet: Any, until: Until
) -> None:
    heard: list[Any] = []
    go = asyncio.Event()
    loop = asyncio.get_running_loop()

    async def slow(ws: Any) -> None:
        await go.wait()
        async for message in ws:
            heard.append(message)

    async with tls.serve(slow, max_queue=1) as server:
        sock, seal = await quiet(server.address)
        await until(lambda: server.connections)
        for _ in range(20):
            seal.put(frame(2, bytes(10_000)))
        await loop.sock_sendall(sock, seal.said() + b"\x17\x03\x03\x00\x20" + bytes(32))
        for _ in range(50):
            await asyncio.sleep(0)
        go.set()
        await until(lambda: not server.connections)
        assert len(heard) == 20
        sock.close()


async def test_what_tls_has_to_say_itself_is_bounded_too(
    tls: Place, client_context: ssl.SSLContext, until: Until
) -> None:
    """Answers to requests for new keys, from a peer who reads none of them."""
    left: list[Any] = []
    async with tls.serve(on_message=echo, on_close=left.append) as server:
        peer = await Secure.open(server, client_context)
        [ws] = server.connections
        ws.session.seal.outgoing.write(bytes(200_000))
        peer.writer.write(text("hello"))
        await until(lambda: left)
        assert left[0].close_code == 1006
        await peer.leave()
