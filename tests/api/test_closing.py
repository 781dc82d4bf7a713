"""How connections end, on every carrier: what is reported, and that no log speaks of it."""

from __future__ import annotations

import asyncio
import logging
import ssl
import struct
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest

import longlink.api.client
import longlink.api.server
from longlink import (
    Close,
    Connection,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    State,
    broadcast,
    connect,
    serve,
)
from tests.api.raw import (
    BINARY,
    CLOSE,
    FIN,
    PING,
    TEXT,
    Raw,
    answering,
    frame,
    pair,
    port_of,
    request,
    switching,
    until,
    uri_of,
)


@pytest.fixture(autouse=True)
def nobody_speaks_of_it(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """That a peer left, however rudely, is never a warning."""
    caplog.set_level(logging.DEBUG)
    yield
    loud = [r.getMessage() for r in caplog.get_records("call") if r.levelno > logging.INFO]
    assert loud == []


class Carried:
    """A server on one kind of carrier, and raw clients for it."""

    def __init__(self, server_tls: ssl.SSLContext | None, client_tls: ssl.SSLContext | None):
        self.server_tls = server_tls
        self.client_tls = client_tls

    @asynccontextmanager
    async def meet(self, **options: Any) -> AsyncIterator[tuple[Raw, Connection]]:
        """A raw client, and its connection at the server."""
        options.setdefault("close_timeout", 5)
        came: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        options.setdefault("handler", lambda ws: ws.wait_closed())
        async with serve(
            host="127.0.0.1", port=0, ssl=self.server_tls, on_open=came.set_result, **options
        ) as server:
            how = {"ssl": self.client_tls, "server_hostname": "localhost"}
            raw = await Raw.connect(port_of(server), **how if self.client_tls else {})
            raw.send(request())
            assert (await raw.head()).startswith("HTTP/1.1 101 ")
            try:
                yield raw, await came
            finally:
                raw.writer.transport.abort()


@pytest.fixture(params=["link", "stream", "tls"])
def carried(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Carried:
    if request.param == "tls":
        return Carried(request.getfixturevalue("server_tls"), request.getfixturevalue("client_tls"))
    if request.param == "stream":
        monkeypatch.setattr(longlink.api.server, "AVAILABLE", False)
        monkeypatch.setattr(longlink.api.client, "AVAILABLE", False)
    return Carried(None, None)


async def outcome(ws: Connection) -> ConnectionClosed:
    """Receive to the end; what it was."""
    closed: ConnectionClosed | None = None
    while closed is None:
        try:
            await ws.recv()
        except ConnectionClosed as end:
            closed = end
    await ws.wait_closed()
    assert ws.state is State.CLOSED
    assert closed.code == ws.close_code
    assert closed.reason == ws.close_reason
    return closed


def payload(code: int, reason: bytes = b"") -> bytes:
    return struct.pack("!H", code) + reason


# -- the peer closes ------------------------------------------------------------------------------

UNFIT = [
    (b"\x03", 1002),  # one octet
    *[(payload(code), 1002) for code in (0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999)],
    *[(payload(code), 1002) for code in (5000, 65535)],
    (payload(1000, b"\xff"), 1007),
    (payload(1000, "é".encode()[:1]), 1007),
    (payload(1000, b"\xed\xa0\x80"), 1007),
]


@pytest.mark.parametrize(("wrong", "code"), UNFIT)
async def test_a_close_that_may_not_travel_fails_the_connection(
    carried: Carried, wrong: bytes, code: int
) -> None:
    """RFC 6455 §5.5.1, §7.4."""
    async with carried.meet() as (raw, ours):
        raw.frame(FIN | CLOSE, wrong)
        closed = await outcome(ours)
        assert isinstance(closed, ConnectionClosedError)
        assert closed.rcvd is None
        assert closed.sent is not None
        assert (closed.sent.code, closed.code, closed.rcvd_then_sent) == (code, 1006, None)
        assert (await raw.recv_close())[0] == code
        assert await raw.end() == b""


FIT = [
    (1000, "", True),
    (1001, "going", True),
    *[(code, "", False) for code in (1002, 1003, 1007, 1008, 1009, 1010, 1011)],
    *[(code, "later", False) for code in (1012, 1013, 1014)],
    *[(code, "x" * 123, False) for code in (3000, 3999, 4000, 4999)],
    (1000, "é" * 61, True),
]


@pytest.mark.parametrize(("code", "reason", "fine"), FIT)
async def test_a_close_is_answered_and_reported(
    carried: Carried, code: int, reason: str, fine: bool
) -> None:
    """Code and reason of theirs, ours the same, and who was first (§5.5.1, §7.1.5)."""
    async with carried.meet() as (raw, ours):
        raw.frame(FIN | CLOSE, payload(code, reason.encode()))
        closed = await outcome(ours)
        assert isinstance(closed, ConnectionClosedOK if fine else ConnectionClosedError)
        assert (closed.rcvd, closed.rcvd_then_sent) == (Close(code, reason), True)
        assert closed.sent is not None
        assert closed.sent.code == code
        assert (await raw.recv_close())[0] == code
        assert await raw.end() == b""  # the server closes TCP first (§7.1.1)


async def test_iteration_ends_quietly_after_both_agreed(carried: Carried) -> None:
    heard = []

    async def handler(ws: Connection) -> None:
        async for message in ws:
            heard.append(message)
        heard.append(ws.close_reason)

    async with carried.meet(handler=handler) as (raw, ours):
        raw.frame(FIN | TEXT, b"one")
        raw.frame(FIN | CLOSE, payload(1001, b"bye"))
        await ours.wait_closed()
        await until(lambda: len(heard) == 2)
    assert heard == ["one", "bye"]


# -- we close -------------------------------------------------------------------------------------


@pytest.mark.parametrize("code", [1000, 1001, 3000, 4000, 4999])
async def test_our_own_code_is_no_error_of_ours(carried: Carried, code: int) -> None:
    """Not for whoever receives, not for a handler that iterates; it is one for the peer."""
    ended = []

    async def handler(ws: Connection) -> None:
        async for _ in ws:
            pass
        ended.append(ws.close_code)
        with pytest.raises(ConnectionClosedOK):
            await ws.send("too late")

    async with carried.meet(handler=handler) as (raw, ours):
        closing = asyncio.ensure_future(ours.close(code, "enough"))
        assert await raw.recv_close() == (code, "enough")
        raw.frame(FIN | CLOSE, payload(code))
        await closing
        await until(lambda: ended)
        closed = await outcome(ours)
    assert ended == [code]
    assert isinstance(closed, ConnectionClosedOK)
    assert (closed.sent, closed.rcvd) == (Close(code, "enough"), Close(code, ""))
    assert closed.rcvd_then_sent is False


async def test_who_is_closed_with_an_application_code_has_an_error() -> None:
    async with pair() as (ours, theirs):
        await asyncio.gather(ours.close(4001, "no"), ours.wait_closed(), theirs.wait_closed())
        closed = await outcome(theirs)
        assert isinstance(closed, ConnectionClosedError)
        assert (closed.rcvd, closed.rcvd_then_sent) == (Close(4001, "no"), True)
        assert isinstance(await outcome(ours), ConnectionClosedOK)


async def test_nothing_goes_out_after_our_close(carried: Carried) -> None:
    """§5.5.1: no data, no ping, no pong, no second Close."""
    async with carried.meet() as (raw, ours):
        closing = asyncio.ensure_future(ours.close(1000))
        assert await raw.recv_close() == (1000, "")
        for talk in (ours.send, ours.ping, ours.pong):
            with pytest.raises(ConnectionClosed):
                await talk(b"x")
        with pytest.raises(ConnectionClosed):
            await ours.send([b"x", b"y"])
        broadcast([ours], "x")
        raw.frame(FIN | PING, b"?")
        raw.frame(FIN | TEXT, b"still here")
        again = ours.close(4000, "other")
        raw.frame(FIN | CLOSE, payload(1000))
        await asyncio.gather(closing, again)
        assert await raw.end() == b""
        assert ours.close_code == 1000


async def test_both_close_at_once(carried: Carried) -> None:
    async with carried.meet() as (raw, ours):
        raw.frame(FIN | CLOSE, payload(1001, b"theirs"))
        await ours.close(4000, "ours")
        assert await raw.recv_close() == (4000, "ours")
        assert await raw.end() == b""
        closed = await outcome(ours)
        assert (closed.sent, closed.rcvd) == (Close(4000, "ours"), Close(1001, "theirs"))
        assert closed.rcvd_then_sent is False
        assert isinstance(closed, ConnectionClosedOK)


async def test_a_client_waits_for_the_server_to_close_tcp(carried: Carried) -> None:
    """§7.1.1, and then cuts it at its deadline."""
    still_open = []

    async def never_close(raw: Raw, head: str) -> None:
        raw.send(switching(head))
        assert await raw.recv_close() == (1000, "")
        raw.frame(FIN | CLOSE, payload(1000), mask=False)
        ended = asyncio.ensure_future(raw.end())
        await asyncio.sleep(0)
        still_open.append(not ended.done())
        assert await ended == b""
        still_open.append(False)

    async with answering(never_close) as uri:
        ws = await connect(uri, close_timeout=0.05)
        await ws.close()
        assert ws.close_code == 1000
        await until(lambda: still_open == [True, False])


# -- TCP ends without a word ----------------------------------------------------------------------


def transport_of(raw: Raw) -> Any:
    return raw.writer.transport


async def vanish_silently(raw: Raw) -> None:
    raw.writer.transport.abort() if raw.writer.get_extra_info("ssl_object") else raw.writer.close()


async def vanish_by_reset(raw: Raw) -> None:
    raw.reset()


async def vanish_in_a_frame(raw: Raw) -> None:
    raw.send(frame(FIN | BINARY, bytes(1000))[:100])
    raw.writer.close()


async def vanish_in_a_header(raw: Raw) -> None:
    raw.send(b"\x82")
    raw.reset()


async def vanish_half(raw: Raw) -> None:
    if raw.writer.can_write_eof():
        raw.writer.write_eof()
    else:
        raw.writer.transport.abort()


VANISHING = [
    vanish_silently,
    vanish_by_reset,
    vanish_in_a_frame,
    vanish_in_a_header,
    vanish_half,
]


@pytest.mark.parametrize("vanish", VANISHING, ids=lambda vanish: vanish.__name__)
async def test_everybody_who_waits_is_told_1006_once(
    carried: Carried, vanish: Callable[[Raw], Any]
) -> None:
    left: list[Connection] = []
    async with carried.meet(on_close=left.append, write_limit=1000, max_backlog=None) as (
        raw,
        ours,
    ):
        transport_of(raw).pause_reading()
        for _ in range(20):  # uvloop's TLS reads on for a while
            while not ours.session.congested():
                ours.send(bytes(2**18))
            await asyncio.sleep(0)
        calls = [
            asyncio.ensure_future(call)
            for call in (
                ours.recv(),
                ours.send(bytes(5000)),
                ours.send([b"a", b"b"]),
                ours.wait_closed(),
            )
        ]
        pong = ours.ping()
        await asyncio.sleep(0)
        await vanish(raw)
        if vanish is vanish_half:
            transport_of(raw).resume_reading()
            await raw.end()
        results = await asyncio.gather(*calls, return_exceptions=True)
        with pytest.raises(ConnectionClosedError):
            await (await pong)
        assert results[3] is None
        for result in results[:3]:
            assert isinstance(result, ConnectionClosedError), results
            assert (result.rcvd, result.sent, result.rcvd_then_sent) == (None, None, None)
        assert (ours.close_code, ours.close_reason) == (1006, "")
        await until(lambda: left)
    assert left == [ours]


@pytest.mark.parametrize("octets", [b"\x00" * 500, b"\xff" * 500, b"GET / HTTP/1.1\r\n\r\n" * 50])
async def test_garbage_is_answered_with_1002_though_more_of_it_lies_in_the_kernel(
    carried: Carried, octets: bytes
) -> None:
    """Unread input would turn our close into a reset, which destroys the Close frame."""
    async with carried.meet() as (raw, ours):
        raw.send(octets * 2000)  # a megabyte
        assert (await raw.recv_close())[0] == 1002
        raw.writer.write_eof() if raw.writer.can_write_eof() else raw.writer.close()
        assert await raw.end() == b""
        closed = await outcome(ours)
        assert closed.sent is not None
        assert closed.sent.code == 1002


@pytest.mark.parametrize("sent", ["", "GET", request(), request() + "\x81"])
async def test_leaving_during_the_opening_handshake(carried: Carried, sent: str) -> None:
    async with serve(None, "127.0.0.1", 0, ssl=carried.server_tls, on_message=print) as server:
        how = {"ssl": carried.client_tls, "server_hostname": "localhost"}
        for leave in VANISHING[:2]:
            raw = await Raw.connect(port_of(server), **how if carried.client_tls else {})
            raw.send(sent)
            await leave(raw)
            with suppress(OSError):
                await raw.close()
        # Others are unharmed.
        uri = uri_of(server, scheme="wss" if carried.server_tls else "ws")
        tls: dict[str, Any] = (
            {"ssl": carried.client_tls, "host": "127.0.0.1"} if carried.client_tls else {}
        )
        async with connect(uri.replace("127.0.0.1", "localhost") if tls else uri, **tls) as ws:
            await (await ws.ping())


async def test_a_handler_that_talks_on_to_one_who_left_is_no_fault(carried: Carried) -> None:
    over = []

    async def handler(ws: Connection) -> None:
        try:
            while True:
                await ws.send(b"x" * 1000)
                await asyncio.sleep(0)
        finally:
            over.append(ws.close_code)

    async with carried.meet(handler=handler) as (raw, _):
        raw.reset()
        await until(lambda: over)
    assert over == [1006]


@pytest.mark.parametrize("wrong", [b"\xa1\x80\0\0\0\0", b"\x81\x01x"], ids=["rsv2", "unmasked"])
async def test_who_closes_behind_a_broken_rule_says_which(carried: Carried, wrong: bytes) -> None:
    async def handler(ws: Connection) -> None:
        await ws.send(await ws.recv())  # and returns, which closes

    async with carried.meet(handler=handler) as (raw, _):
        raw.send(frame(FIN | TEXT, b"hi") + wrong)
        assert await raw.recv() == (FIN | TEXT, b"hi")
        code, reason = await raw.recv_close()
    assert code == 1002
    assert "RFC 6455" in reason
