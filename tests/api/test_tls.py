"""TLS: certificates, large messages, slow readers, ends of all kinds, strangers at the door.

Every test runs on the reactor's port, and on the event loop's own listener as where there is no
epoll; each on asyncio and on uvloop.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme
import websockets.asyncio.client

import longlink.api.client
import longlink.api.secure
import longlink.api.server
from longlink import Connection, ConnectionClosedError, Server, State, connect, serve
from longlink.engine.seal import Seal
from tests.api.raw import (
    CLOSE,
    FIN,
    TEXT,
    Raw,
    echo,
    header_of,
    idle,
    port_of,
    request,
    switching,
    until,
)

Names = dict[str, Any]


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def stranger() -> trustme.CA:
    """An authority that nobody trusts."""
    return trustme.CA()


@pytest.fixture
def ours(authority: trustme.CA) -> ssl.SSLContext:
    """The server's."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    authority.issue_cert("localhost").configure_cert(context)
    return context


@pytest.fixture
def theirs(authority: trustme.CA) -> ssl.SSLContext:
    """A client's, who trusts the authority."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    authority.configure_trust(context)
    return context


@pytest.fixture(params=["reactor", "transports"], autouse=True)
async def carrier(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who accepts."""
    name: str = request.param
    if name != "reactor":
        monkeypatch.setattr(longlink.api.server, "AVAILABLE", False)
        monkeypatch.setattr(longlink.api.client, "AVAILABLE", False)
    return name


def uri_of(server: Server, path: str = "/") -> str:
    return f"wss://localhost:{port_of(server)}{path}"


def reach(server: Server, context: ssl.SSLContext, **options: Any) -> Any:
    """Our client on its way to a server."""
    return connect(uri_of(server), host="127.0.0.1", ssl=context, **options)


@asynccontextmanager
async def raw_tls(server: Server, context: ssl.SSLContext) -> AsyncIterator[Raw]:
    """A client that speaks octets, after its opening handshake."""
    raw = await Raw.connect(port_of(server), ssl=context, server_hostname="localhost")
    try:
        raw.send(request())
        assert (await raw.head()).startswith("HTTP/1.1 101 ")
        yield raw
    finally:
        await raw.close()


def loud(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno > logging.INFO]


# -- talking --------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [0, 1, 125, 126, 16_384, 65_536, 3_000_000])
async def test_messages_of_every_size_come_back(
    ours: ssl.SSLContext, theirs: ssl.SSLContext, size: int
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours, max_size=2**22) as server:
        async with reach(server, theirs, max_size=2**22) as ws:
            for message in (b"\xa5" * size, "x" * size):
                await ws.send(message)
                assert await ws.recv() == message


async def test_another_client_of_ours_and_theirs(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        how: Names = {"host": "127.0.0.1", "ssl": theirs}
        async with websockets.asyncio.client.connect(uri_of(server), **how) as ws:
            for message in ("text", b"x" * 500_000):
                await ws.send(message)
                assert await ws.recv() == message
        assert (ws.close_code, ws.close_reason) == (1000, "")


async def test_many_messages_in_one_go_keep_their_order(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        async with raw_tls(server, theirs) as raw:
            for number in range(1000):
                raw.frame(FIN | TEXT, b"%d" % number)
            for number in range(1000):
                assert await raw.recv() == (FIN | TEXT, b"%d" % number)


async def test_a_handshake_and_a_message_in_single_octets(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = theirs.wrap_bio(incoming, outgoing, server_hostname="localhost")

        async def drip() -> None:
            for octet in outgoing.read():
                writer.write(bytes((octet,)))
                await asyncio.sleep(0)

        async def patiently(act: Any) -> Any:
            while True:
                try:
                    return act()
                except ssl.SSLWantReadError:
                    await drip()
                    incoming.write(await reader.read(65536))

        await patiently(client.do_handshake)
        for octet in request().encode():
            client.write(bytes((octet,)))
        await drip()
        assert (await patiently(lambda: client.read(12))) == b"HTTP/1.1 101"
        writer.close()


@pytest.mark.parametrize("ending", ["client", "server"])
async def test_the_closing_handshake_says_code_and_reason(
    ours: ssl.SSLContext, theirs: ssl.SSLContext, ending: str
) -> None:
    ends: list[tuple[int | None, str | None]] = []

    async def talk(ws: Connection) -> None:
        if ending == "server":
            await ws.close(4001, "server")
        await ws.wait_closed()
        ends.append((ws.close_code, ws.close_reason))

    async with serve(talk, "127.0.0.1", 0, ssl=ours) as server:
        async with reach(server, theirs) as ws:
            if ending == "client":
                await ws.close(4001, "client")
            await ws.wait_closed()
            assert (ws.close_code, ws.close_reason) == (4001, ending)
    assert ends == [(4001, ending)]


async def test_the_end_of_tls_is_said_too(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> None:
    async with serve(idle, "127.0.0.1", 0, ssl=ours) as server:
        async with raw_tls(server, theirs) as raw:
            raw.frame(FIN | CLOSE, struct.pack("!H", 1000))
            assert await raw.recv_close() == (1000, "")
            assert await raw.reader.read() == b""  # close_notify: no error


async def test_a_server_that_ends_says_1001(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> None:
    async with serve(idle, "127.0.0.1", 0, ssl=ours) as server:
        clients = [await reach(server, theirs) for _ in range(5)]
        server.close()
        for ws in clients:
            await ws.wait_closed()
            assert ws.close_code == 1001


# -- certificates ---------------------------------------------------------------------------------


async def test_a_client_certificate_is_seen_by_the_handler(
    authority: trustme.CA, ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    async def greet(ws: Connection) -> None:
        names = ws.transport.get_extra_info("peercert")["subjectAltName"]
        await ws.send(repr(names))

    ours.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(ours)
    authority.issue_cert("ann@example.com").configure_cert(theirs)
    async with serve(greet, "127.0.0.1", 0, ssl=ours) as server, reach(server, theirs) as ws:
        assert await ws.recv() == "(('email', 'ann@example.com'),)"


@pytest.mark.parametrize("shown", ["none", "of a stranger"])
async def test_a_client_without_a_good_certificate_is_not_let_in(
    authority: trustme.CA,
    stranger: trustme.CA,
    ours: ssl.SSLContext,
    theirs: ssl.SSLContext,
    shown: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(ours)
    if shown == "of a stranger":
        stranger.issue_cert("eve@example.com").configure_cert(theirs)
    entered: list[Connection] = []
    how: Names = {"on_open": entered.append, "ssl": ours}
    async with serve(None, "127.0.0.1", 0, **how) as server:
        # TLS 1.3: a client is through with its handshake before the server has judged it.
        with pytest.raises((OSError, longlink.InvalidMessage)):
            await reach(server, theirs)
    assert entered == []
    assert loud(caplog) == []


@pytest.mark.parametrize("fault", ["expired", "another name", "of a stranger"])
async def test_our_client_refuses_a_server_that_is_not_who_it_should_be(
    authority: trustme.CA,
    stranger: trustme.CA,
    theirs: ssl.SSLContext,
    fault: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    issuer = stranger if fault == "of a stranger" else authority
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificate = issuer.issue_cert(
        "other.example" if fault == "another name" else "localhost",
        not_before=yesterday - timedelta(days=1),
        not_after=yesterday if fault == "expired" else None,
    )
    certificate.configure_cert(context)
    async with serve(idle, "127.0.0.1", 0, ssl=context) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await reach(server, theirs)
        assert server.connections == set()
    assert loud(caplog) == []


async def test_the_client_names_the_server_and_speaks_http_1_1(
    authority: trustme.CA, ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    named: list[str | None] = []
    ours.sni_callback = lambda sock, name, context: named.append(name)
    async with serve(idle, "127.0.0.1", 0, ssl=ours) as server, reach(server, theirs) as ws:
        spoken = ws.transport.get_extra_info("ssl_object")
        assert spoken.selected_alpn_protocol() == "http/1.1"
        assert spoken.version() in ("TLSv1.2", "TLSv1.3")
    assert named == ["localhost"]


async def test_a_server_certificate_by_name(
    authority: trustme.CA, ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    other = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("other.example").configure_cert(other)

    def choose(sock: Any, name: str | None, context: ssl.SSLContext) -> None:
        if name == "other.example":
            sock.context = other

    ours.sni_callback = choose
    async with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        for name in ("localhost", "other.example"):
            async with reach(server, theirs, server_hostname=name) as ws:
                await ws.send(name)
                assert await ws.recv() == name


@pytest.mark.parametrize(
    ("opened", "kind"), [(False, longlink.InvalidMessage), (True, ConnectionClosedError)]
)
async def test_what_was_wrong_with_tls_is_the_cause(
    ours: ssl.SSLContext, theirs: ssl.SSLContext, opened: bool, kind: type[Exception]
) -> None:
    spoilt = asyncio.Event()

    async def spoil(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = Raw(reader, writer)
        head = await raw.head()
        if opened:
            raw.send(switching(head))
            await raw.recv()
        record = b"\x17\x03\x03" + struct.pack("!H32s", 32, b"not sealed")
        os.write(writer.get_extra_info("socket").fileno(), record)
        await raw.end()
        await raw.close()
        spoilt.set()

    async def talk(uri: str) -> None:
        async with connect(uri, host="127.0.0.1", ssl=theirs) as ws:
            await ws.send("open")
            await ws.recv()

    server = await asyncio.start_server(spoil, "127.0.0.1", 0, ssl=ours)
    uri = f"wss://localhost:{server.sockets[0].getsockname()[1]}/"
    async with server:
        with pytest.raises(kind) as caught:
            await talk(uri)
        await spoilt.wait()
    assert isinstance(caught.value.__cause__, ssl.SSLError)


# -- slow readers ---------------------------------------------------------------------------------


async def test_send_waits_for_a_slow_reader(ours: ssl.SSLContext, theirs: ssl.SSLContext) -> None:
    sent: list[int] = []

    async def flood(ws: Connection) -> None:
        for number in range(200):
            await ws.send(b"x" * 65_536)
            sent.append(number)

    async with serve(flood, "127.0.0.1", 0, ssl=ours, compression=None) as server:
        async with raw_tls(server, theirs) as raw:
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = -1
            while len(sent) != before or not sent:
                before = len(sent)
                for _ in range(50):
                    await asyncio.sleep(0)
            assert len(sent) < 200
            raw.writer.transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(200):
                assert len((await raw.recv())[1]) == 65_536


async def test_a_reader_that_is_too_slow_is_cut_off_and_the_others_are_served(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    connections: list[Connection] = []
    how: Names = {"ssl": ours, "compression": None, "max_backlog": 2**18, "stall_timeout": 0.3}
    async with serve(None, "127.0.0.1", 0, on_open=connections.append, **how) as server:
        async with raw_tls(server, theirs) as raw, reach(server, theirs) as quick:
            raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
            await until(lambda: len(connections) == 2)
            slow, other = connections
            while slow.state is State.OPEN:
                longlink.broadcast([slow], b"x" * 65_536)
                other.send("ping")
                assert await quick.recv() == "ping"
            await slow.wait_closed()
            raw.writer.transport.abort()
        assert server.connections == set()


async def test_a_handler_that_does_not_read_stops_the_sender(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    go = asyncio.Event()
    got: list[int] = []

    async def late(ws: Connection) -> None:
        await go.wait()
        async for message in ws:
            got.append(len(message))

    async with serve(late, "127.0.0.1", 0, ssl=ours, max_queue=4) as server:
        async with raw_tls(server, theirs) as raw:
            transport: Any = raw.writer.transport
            sent, stalled = 0, 0
            while stalled < 50 and sent < 2000:
                if transport.get_write_buffer_size() < 65_536:
                    raw.frame(FIN | TEXT, b"x" * 65_536)
                    sent, stalled = sent + 1, 0
                stalled += 1
                await asyncio.sleep(0)
            assert sent < 2000
            go.set()
            await until(lambda: len(got) == sent)


# -- peers that go --------------------------------------------------------------------------------


@pytest.mark.parametrize("how", ["reset", "end without close_notify", "close_notify alone"])
async def test_a_peer_that_vanishes_is_no_error(
    ours: ssl.SSLContext,
    theirs: ssl.SSLContext,
    how: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    ends: list[BaseException] = []

    async def listen(ws: Connection) -> None:
        try:
            await ws.recv()
        except ConnectionClosedError as end:
            ends.append(end)
            raise

    async with serve(listen, "127.0.0.1", 0, ssl=ours) as server:
        raw = await Raw.connect(port_of(server), ssl=theirs, server_hostname="localhost")
        raw.send(request())
        await raw.head()
        if how == "reset":
            raw.reset()
        elif how == "close_notify alone":
            raw.writer.close()
        else:
            with socket.socket(fileno=os.dup(raw.writer.get_extra_info("socket").fileno())) as sock:
                sock.shutdown(socket.SHUT_WR)
        await until(lambda: ends)
        await raw.close()
        await until(lambda: not server.connections)
    assert loud(caplog) == []


async def test_what_was_said_before_the_end_is_heard(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    heard: list[str | bytes] = []

    async def listen(ws: Connection) -> None:
        async for message in ws:
            heard.append(message)

    async with serve(listen, "127.0.0.1", 0, ssl=ours) as server:
        async with raw_tls(server, theirs) as raw:
            for _ in range(50):
                raw.frame(FIN | TEXT, b"x" * 1000)
            raw.frame(FIN | CLOSE, struct.pack("!H", 1000))
        await until(lambda: not server.connections)
    assert len(heard) == 50


async def test_a_client_of_ours_notices_that_the_server_vanished(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    async with serve(idle, "127.0.0.1", 0, ssl=ours) as server:
        ws = await reach(server, theirs)
        server.abort_clients()
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        assert ws.close_code == 1006


# -- strangers ------------------------------------------------------------------------------------

HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32)


@pytest.mark.parametrize(
    "said",
    [
        b"",
        HELLO,
        b"\x16",
        b"\x16\x03\x01\x00\x05hello",
        b"\x16\x03\x01\xff\xff" + b"x" * 500,
        b"\x80\x2e\x01\x03\x01",
        b"\x00" * 100,
        b"\r\n\r\n",
    ],
)
@pytest.mark.parametrize("end", ["end", "reset"])
async def test_a_scanner_leaves_no_trace_in_the_log(
    ours: ssl.SSLContext,
    theirs: ssl.SSLContext,
    said: bytes,
    end: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(said)
        await raw.writer.drain()
        for _ in range(5):
            await asyncio.sleep(0)
        if end == "reset":
            raw.reset()
        await raw.close()
        async with reach(server, theirs) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    assert loud(caplog) == []


async def test_who_says_nothing_or_stalls_in_the_handshake_is_dropped_after_open_timeout(
    ours: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours, open_timeout=0.1) as server:
        for said in (b"", HELLO):
            raw = await Raw.connect(port_of(server))
            raw.send(said)
            await raw.end()
            await raw.close()
    assert loud(caplog) == []


async def test_who_says_nothing_after_the_handshake_is_cut_off_at_once(
    ours: ssl.SSLContext, theirs: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    how: Names = {"open_timeout": 0.3, "close_timeout": 1000, "ssl_handshake_timeout": 10}
    async with serve(echo, "127.0.0.1", 0, ssl=ours, **how) as server:
        raw = await Raw.connect(port_of(server), ssl=theirs, server_hostname="localhost")
        assert await raw.end() == b""
        await until(lambda: not server.agenda.strays)
        await raw.close()
    assert loud(caplog) == []


@pytest.mark.parametrize(
    "said", [request(), "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "\x05\x01\x00" * 4]
)
async def test_plain_speech_on_a_port_for_tls_is_answered_plainly(
    ours: ssl.SSLContext, said: str, carrier: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(said)
        if carrier == "reactor":
            status, head, body = await raw.answer()
            assert (status, header_of(head, "connection")) == (400, "close")
            assert body == b"this port speaks TLS: use https:// or wss://\n"
        assert b"HTTP" not in await raw.end()
        await raw.close()
    assert loud(caplog) == []


async def test_tls_on_a_plain_port_fails_at_once(
    theirs: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(echo, "127.0.0.1", 0, open_timeout=1000) as server:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            await reach(server, theirs, open_timeout=1000)
    assert loud(caplog) == []


async def test_handshakes_under_way_end_with_the_server(ours: ssl.SSLContext, carrier: str) -> None:
    if carrier != "reactor":
        pytest.skip("asyncio's servers forget those who are still shaking hands")
    async with serve(echo, "127.0.0.1", 0, ssl=ours, open_timeout=1000) as server:
        peers = [await Raw.connect(port_of(server)) for _ in range(3)]
        peers[0].send(HELLO)
        peers[1].send("GET /")
        for _ in range(10):
            await asyncio.sleep(0)
    for raw in peers:
        await raw.end()
        await raw.close()


# -- the price of a handshake ---------------------------------------------------------------------


@asynccontextmanager
async def counting(
    carrier: str, context: ssl.SSLContext, **options: Any
) -> AsyncIterator[tuple[Server, list[Any]]]:
    """A server that echoes, and the seals that it made for handshakes."""
    if carrier != "reactor":
        pytest.skip("asyncio's servers make a transport for everybody")
    made: list[Any] = []

    def make(context: ssl.SSLContext, client: bool) -> Seal:
        made.append(Seal(context, client))
        return made[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(longlink.api.secure, "Seal", make)
        async with serve(echo, "127.0.0.1", 0, ssl=context, **options) as server:
            yield server, made


async def test_those_above_so_many_handshakes_wait_for_their_turn(
    ours: ssl.SSLContext,
    theirs: ssl.SSLContext,
    carrier: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(longlink.api.secure, "MOST_SHAKING", 2)
    async with counting(carrier, ours, open_timeout=1000) as (server, made):
        stalled = [await Raw.connect(port_of(server)) for _ in range(2)]
        for raw in stalled:
            raw.send(HELLO)
        await until(lambda: len(made) == 2)
        coming = asyncio.create_task(reach(server, theirs)._open())
        port = server.front.secured
        assert port is not None
        await until(lambda: len(port.shaking) == 3)
        for _ in range(5):
            await asyncio.sleep(0)
        assert len(made) == 2
        stalled[0].reset()
        async with await coming as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
        assert len(made) == 3
        await until(lambda: len(port.shaking) == 1)
        for raw in stalled:
            await raw.close()


async def test_a_turn_is_waited_for_until_the_handshake_is_late(
    ours: ssl.SSLContext, carrier: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(longlink.api.secure, "MOST_SHAKING", 0)
    async with counting(carrier, ours, ssl_handshake_timeout=0.05) as (server, made):
        raw = await Raw.connect(port_of(server))
        raw.send(HELLO)
        assert await raw.end() == b""
        await raw.close()
        assert made == []


async def test_nobody_shakes_hands_where_there_is_no_room(
    ours: ssl.SSLContext, theirs: ssl.SSLContext, carrier: str
) -> None:
    async with counting(carrier, ours) as (server, made):
        room, server.room = server.room, 0
        with pytest.raises(OSError):
            await reach(server, theirs)
        assert made == []
        server.room = room
        async with reach(server, theirs):
            pass


async def test_a_fault_in_the_middle_of_a_handshake_is_one_error_in_the_log(
    ours: ssl.SSLContext,
    theirs: ssl.SSLContext,
    carrier: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with counting(carrier, ours) as (server, _):
        monkeypatch.setattr(longlink.api.secure, "Seal", lambda *_: 1 / 0)
        with pytest.raises(OSError):
            await reach(server, theirs)
    assert [(record.name, record.getMessage()) for record in caplog.records] == [
        ("longlink.server", "TLS handshake failed")
    ]


# -- https and wss on one port --------------------------------------------------------------------


async def app(scope: Names, receive: Any, send: Any) -> None:
    if scope["type"] == "lifespan":
        return
    body = scope["scheme"].encode()
    start = {"type": "http.response.start", "status": 200}
    await send(start | {"headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


async def test_pages_and_websockets_share_a_port(
    ours: ssl.SSLContext, theirs: ssl.SSLContext
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=ours, http=app) as server:
        raw = await Raw.connect(port_of(server), ssl=theirs, server_hostname="localhost")
        for _ in range(2):
            raw.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n")
            status, _, body = await raw.answer()
            assert (status, body) == (200, b"https")
        raw.send(request())
        assert (await raw.head()).startswith("HTTP/1.1 101 ")
        raw.frame(FIN | TEXT, b"hello")
        assert await raw.recv() == (FIN | TEXT, b"hello")
        await raw.close()
