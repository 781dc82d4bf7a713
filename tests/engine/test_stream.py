"""A session on an asyncio transport: TLS, transports that others accepted, and being one of many
users of asyncio's buffers. What it shares with the link is in test_session.py."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
from typing import Any

import pytest

from longlink.engine.agenda import RECEIVE_BYTES, Agenda, agenda_of
from longlink.engine.receiver import Receiver
from longlink.engine.stream import Carrier
from longlink.errors import ConnectionClosedError, ConnectionClosedOK
from longlink.limits import Limits

from .conftest import Clock, Place, Until
from .meeting import echo, publish
from .raw import BINARY, HEAD, PING, TEXT, Frames, Peer, close_frame, frame, text
from .test_link import Body, Giver


class Secure:
    """A raw client under TLS."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.frames = Frames()
        self.waiting: list[tuple[int, bytes]] = []

    @classmethod
    async def open(cls, server: Any, context: ssl.SSLContext) -> Secure:
        peer = cls(
            *await asyncio.open_connection(
                *server.address, ssl=context, server_hostname="localhost", limit=2**16
            )
        )
        peer.writer.write(HEAD)
        head = await peer.reader.readuntil(b"\r\n\r\n")
        assert b" 101 " in head
        return peer

    async def frame(self) -> tuple[int, bytes]:
        async with asyncio.timeout(20):
            while not self.waiting:
                data = await self.reader.read(1 << 16)
                if not data:
                    raise EOFError
                self.waiting = self.frames.feed(data)
        return self.waiting.pop(0)

    async def closed(self) -> int:
        opcode, payload = await self.frame()
        assert opcode == 8
        return int.from_bytes(payload[:2], "big")

    async def leave(self) -> None:
        self.writer.close()
        with contextlib.suppress(ConnectionError, ssl.SSLError):
            await self.writer.wait_closed()


# -- TLS ------------------------------------------------------------------------------------------


async def test_tls_frames_cut_at_every_octet(
    tls: Place, client_context: ssl.SSLContext, until: Until
) -> None:
    said = text("hello") + frame(BINARY, bytes(300)) + frame(PING, b"p")
    async with tls.serve(on_message=echo) as server:
        peer = await Secure.open(server, client_context)
        for n in range(len(said)):
            peer.writer.write(said[n : n + 1])  # a record each
            await peer.writer.drain()
        got = [await peer.frame() for _ in range(3)]
        assert got == [(TEXT, b"hello"), (BINARY, bytes(300)), (10, b"p")]
        peer.writer.write(close_frame())
        assert await peer.closed() == 1000
        assert await peer.reader.read() == b""
        await peer.leave()


@pytest.mark.parametrize(
    "said",
    [b"", b"\x16\x03", b"GET / HTTP/1.1\r\n\r\n", bytes(500)],
    ids=["nothing", "a beginning", "no TLS", "zeros"],
)
@pytest.mark.parametrize("how", ["cut", "reset"])
async def test_tls_handshakes_that_come_to_nothing(
    tls: Place, said: bytes, how: str, caplog: pytest.LogCaptureFixture, until: Until
) -> None:
    caplog.set_level(logging.INFO)
    opened: list[Any] = []
    async with tls.serve(on_message=echo, on_open=opened.append) as server:
        idle = server.agenda.users
        for _ in range(5):
            peer = await Peer.connect(server.address)
            await peer.send(said)
            getattr(peer, how)()
        async with tls.connect(server) as ws:
            await ws.send("fine")
            assert await ws.recv() == "fine"
        await until(lambda: server.agenda.users == idle)
    assert len(opened) == 1
    assert not [record for record in caplog.records if record.name.startswith("longlink")]


async def test_tls_slow_reader_is_closed_and_bounded(
    tls: Place, client_context: ssl.SSLContext, until: Until
) -> None:
    opened: list[Any] = []
    async with tls.serve(on_open=opened.append, on_message=echo, max_backlog=2**17) as server:
        peer = await Secure.open(server, client_context)
        [ws] = opened
        sent = 0
        while publish(ws, sent):
            assert sent < 5000
            sent += 1
            if sent % 8 == 0:
                await asyncio.sleep(0)
        assert ws.session.close_sent.code == 1013
        assert ws.session.outbox.size <= 2**17 + 20_000
        for n in range(sent):
            assert await peer.frame() == (BINARY, n.to_bytes(4, "big") * 2500)
        assert await peer.closed() == 1013
        await peer.leave()


async def test_tls_answers_unread_stop_the_reading(
    tls: Place, client_context: ssl.SSLContext, until: Until
) -> None:
    opened: list[Any] = []
    async with tls.serve(on_open=opened.append, on_message=echo, max_backlog=2**18) as server:
        peer = await Secure.open(server, client_context)
        [ws] = opened
        total, payload = 400, bytes(50_000)
        for _ in range(total):
            peer.writer.write(frame(BINARY, payload))
        await until(lambda: ws.session.paused)
        for _ in range(100):
            await asyncio.sleep(0)
        assert ws.state == 1
        for _ in range(total):
            assert await peer.frame() == (BINARY, payload)
        peer.writer.write(close_frame())
        assert await peer.closed() == 1000
        await peer.leave()


async def test_tls_peer_vanishes(
    tls: Place, client_context: ssl.SSLContext, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    left: list[Any] = []
    async with tls.serve(on_message=echo, on_close=left.append) as server:
        for _ in range(3):
            peer = await Secure.open(server, client_context)
            peer.writer.write(text("hello")[:4])
            peer.writer.transport.abort()
        await until(lambda: len(left) == 3)
        assert [ws.close_code for ws in left] == [1006] * 3
    assert not [record for record in caplog.records if record.name.startswith("longlink")]


async def test_tls_limits_are_told(
    tls: Place, client_context: ssl.SSLContext, until: Until
) -> None:
    async with tls.serve(on_message=echo, max_size=1000) as server:
        peer = await Secure.open(server, client_context)
        peer.writer.write(frame(BINARY, bytes(1001)))
        assert await peer.closed() == 1009
        await peer.leave()


async def test_tls_close_behind_a_failure_is_not_lost_to_a_reset(
    tls: Place, client_context: ssl.SSLContext, until: Until
) -> None:
    async with tls.serve(on_message=echo, max_size=1000) as server:
        peer = await Secure.open(server, client_context)
        peer.writer.write(frame(BINARY, bytes(3_000_000)))
        peer.writer.write(text("more") * 1000)
        assert await peer.closed() == 1009
        await peer.leave()


async def test_tls_keepalive_and_close_timeout(
    tls: Place, client_context: ssl.SSLContext, clock: Clock, until: Until
) -> None:
    opened: list[Any] = []
    left: list[Any] = []
    async with tls.serve(
        on_open=opened.append, on_message=echo, on_close=left.append, close_timeout=5
    ) as server:
        silent = await Secure.open(server, client_context)
        clock.turn(20.2)
        assert (await silent.frame())[0] == PING
        clock.turn(20.2)
        assert await silent.closed() == 1011
        await until(lambda: left)
        rude = await Secure.open(server, client_context)
        opened[1].close()
        assert await rude.closed() == 1000
        clock.turn(5.2)
        assert len(left) == 2
        await silent.leave()
        await rude.leave()


async def test_our_client_and_server_say_goodbye(place: Place, until: Until) -> None:
    async def handler(ws: Any) -> None:
        async for message in ws:
            await ws.send(message)

    async with place.serve(handler) as server:
        idle = server.agenda.users
        ws = await place.connect(server)
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close(1000, "bye")
        with pytest.raises(ConnectionClosedOK):
            await ws.recv()
        assert (ws.close_code, ws.close_reason) == (1000, "bye")
        other = await place.connect(server)
        for connection in server.connections:
            connection.close(3999, "out")
        with pytest.raises(ConnectionClosedError):
            await other.recv()
        await other.wait_closed()
        assert (other.close_code, other.close_reason) == (3999, "out")
        await until(lambda: server.agenda.users == idle)
        assert not server.agenda.strays


# -- transports of others --------------------------------------------------------------------------


class Fake(asyncio.Transport):
    """A transport that holds back what it is given until `drain`."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol: Any = None
        self.held = b""
        self.marks: list[Any] = []
        self.log: list[str] = []
        self.closing = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or 0

    def get_write_buffer_size(self) -> int:
        return len(self.held)

    def write(self, data: Any) -> None:
        before = len(self.held)
        self.held += data
        if before <= self.high < len(self.held):
            self.protocol.pause_writing()

    def drain(self, count: int) -> bytes:
        taken, before = self.held[:count], len(self.held)
        self.held = self.held[count:]
        if len(self.held) <= self.high // 4 < before and before > self.high:
            self.protocol.resume_writing()
        return taken

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return {"peername": ("1.2.3.4", 5), "sockname": ("5.6.7.8", 9)}.get(name, default)

    def can_write_eof(self) -> bool:
        return True

    def write_eof(self) -> None:
        self.log.append("eof")

    def is_closing(self) -> bool:
        return self.closing

    def close(self) -> None:
        self.log.append("close")
        self.closing = True

    def abort(self) -> None:
        self.log.append("abort")
        self.closing = True

    def pause_reading(self) -> None:
        self.log.append("pause")

    def resume_reading(self) -> None:
        self.log.append("resume")


class Witness(Receiver):
    def __init__(self) -> None:
        self.log: list[Any] = []

    def on_head(self, session: Any, head: bytes) -> None:
        session.send_head(b"HTTP/1.1 101 Switching Protocols\r\n\r\n")
        session.welcome(self)

    def on_message(self, message: str | bytes) -> None:
        self.log.append(message)

    def on_congested(self) -> None:
        self.log.append("congested")

    def on_drained(self) -> None:
        self.log.append("drained")

    def on_end(self) -> None:
        self.log.append("end")


class Meeting:
    """A carrier on a fake transport, past the opening handshake."""

    def __init__(self, witness: Witness | None = None, **limits: Any) -> None:
        self.witness = witness or Witness()
        self.agenda = agenda_of(asyncio.get_running_loop(), Agenda)
        self.carrier = Carrier(False, self.witness, Limits.of(limits), self.agenda)
        self.transport = Fake()
        self.transport.protocol = self.carrier
        self.carrier.connection_made(self.transport)
        self.carrier.data_received(HEAD)
        assert self.carrier.stream is not None
        self.stream = self.carrier.stream
        assert self.transport.drain(10**6).startswith(b"HTTP/1.1 101 ")
        self.witness.log.clear()


async def test_octets_that_somebody_else_read() -> None:
    meeting = Meeting(max_size=None, max_queue=None)
    large = bytes(3 * RECEIVE_BYTES)
    meeting.carrier.data_received(text("a") + frame(BINARY, large) + text("b"))
    assert meeting.witness.log == ["a", large, "b"]
    meeting.carrier.connection_lost(None)
    meeting.carrier.connection_lost(None)
    assert meeting.witness.log[3:] == ["end"]


async def test_a_full_transport_is_given_no_more_until_it_asks() -> None:
    meeting = Meeting(write_limit=1000)
    transport, stream, log = meeting.transport, meeting.stream, meeting.witness.log
    meeting.agenda.begin()
    stream.send(bytes(3000))
    meeting.agenda.finish()
    assert len(transport.held) == 3004
    assert log == ["congested"]
    assert stream.congested()
    meeting.agenda.begin()
    stream.send(bytes(500))
    meeting.agenda.finish()
    assert len(transport.held) == 3004
    meeting.agenda.begin()
    transport.drain(3000)
    meeting.agenda.finish()
    assert len(transport.held) == 4 + 504
    assert log == ["congested", "drained"]
    assert not stream.congested()
    meeting.agenda.begin()
    stream.send(bytes(3000))
    meeting.agenda.finish()
    transport.drain(10_000)
    assert log == ["congested", "drained"] * 2
    stream.abort()
    stream.abort()
    assert log[4:] == ["end"]
    assert transport.log == ["abort"]


async def test_it_hangs_up_when_the_transport_has_taken_all() -> None:
    meeting = Meeting(write_limit=1000)
    transport, stream = meeting.transport, meeting.stream
    meeting.agenda.begin()
    stream.send(bytes(3000))
    meeting.agenda.finish()
    meeting.agenda.begin()
    stream.fail(1011)
    meeting.agenda.finish()
    assert transport.log == []
    meeting.agenda.begin()
    transport.drain(3000)
    meeting.agenda.finish()
    assert transport.log == ["eof"]
    assert transport.held.endswith(b"\x88\x02\x03\xf3")
    assert meeting.witness.log[-1] == "end"
    transport.closing = True
    meeting.carrier.connection_lost(None)


async def test_a_transport_that_is_closing_is_not_touched() -> None:
    meeting = Meeting()
    meeting.transport.closing = True
    meeting.stream.pause(0)
    meeting.stream.resume()
    meeting.stream.fail(1011)
    meeting.stream.flush()
    assert meeting.transport.log == []
    meeting.carrier.connection_lost(None)
    assert meeting.witness.log == ["end"]


async def test_end_of_stream_with_output_waiting() -> None:
    meeting = Meeting(write_limit=1000)
    meeting.agenda.begin()
    meeting.stream.send(bytes(3000))
    meeting.agenda.finish()
    meeting.agenda.begin()
    meeting.stream.send(b"last")
    meeting.agenda.finish()
    assert meeting.carrier.eof_received() is False
    assert meeting.transport.held.endswith(b"\x82\x04last")
    assert meeting.witness.log[-1] == "end"
    meeting.carrier.connection_lost(None)


async def test_a_bug_while_octets_arrive_costs_this_connection(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Broken(Witness):
        def on_message(self, message: str | bytes) -> None:
            raise ValueError("a bug")

    broken, other = Meeting(Broken()), Meeting()
    broken.carrier.data_received(text("x"))
    assert broken.transport.log[-1] == "abort"
    assert len(caplog.records) == 1
    other.carrier.data_received(text("fine"))
    assert other.witness.log == ["fine"]
    other.carrier.connection_lost(None)


async def test_addresses() -> None:
    meeting = Meeting()
    assert meeting.stream.address(True) == ("1.2.3.4", 5)
    assert meeting.stream.address(False) == ("5.6.7.8", 9)
    meeting.carrier.connection_lost(None)


# -- handing over ----------------------------------------------------------------------------------


@pytest.mark.parametrize("later", [False, True])
async def test_handing_over_keeps_every_octet_in_order(later: bool, until: Until) -> None:
    giver = Giver(later)
    loop = asyncio.get_running_loop()
    agenda = agenda_of(loop, Agenda)
    agenda.add_user()
    server = await loop.create_server(
        lambda: Carrier(False, giver, Limits(), agenda), "127.0.0.1", 0
    )
    address = server.sockets[0].getsockname()
    head = b"POST / HTTP/1.1\r\nHost: test\r\n\r\n"
    body = b"".join(b"%06d" % n for n in range(30_000))

    async def one(cut: int) -> None:
        peer = await Peer.connect(address)
        await peer.send((head + body)[:cut])
        await peer.send((head + body)[cut:])
        peer.sock.shutdown(1)
        assert await peer.rest() == b"%d octets" % len(head + body)
        peer.cut()

    cuts = [len(head), len(head) + 1, len(head) + 50_000, 10, 170_000]
    await asyncio.gather(*(one(cut) for cut in cuts * 4))
    for protocol in giver.protocols:
        await protocol.lost
        assert protocol.got == head + body
    for session in giver.sessions:
        session.pause(0)
        session.resume()
        session.abort()
    server.close()
    await server.wait_closed()
    agenda.drop_user()


async def test_a_stream_that_is_made_within_anothers_turn() -> None:
    """As in an HTTP server that gets a plain request and an upgrade in one segment."""
    inner = Meeting()
    inner.carrier.data_received(text("before"))

    class Body2(Body):
        def data_received(self, data: bytes) -> None:
            inner.carrier.data_received(text("within"))
            super().data_received(data)

    class Through(Receiver):
        def on_head(self, session: Any, head: bytes) -> None:
            session.hand_over(Body2(), head)

    outer = Carrier(False, Through(), Limits(), inner.agenda)
    transport = Fake()
    transport.set_protocol = lambda protocol: None  # type: ignore[method-assign]
    transport.protocol = outer
    outer.connection_made(transport)
    outer.data_received(b"GET / HTTP/1.1\r\n\r\nrest")
    assert inner.witness.log == ["before", "within"]
    assert not inner.agenda.active
    inner.carrier.connection_lost(None)
