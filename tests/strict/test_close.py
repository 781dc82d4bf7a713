"""How a connection ends, in both roles: what is believed, what is said back, what the user is told.

Sections are of RFC 6455 unless another is named.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from longlink import ConnectionClosed, LocalProtocolError, serve
from tests.api.raw import Raw, port_of
from tests.strict.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PATIENCE,
    PING,
    PONG,
    TEXT,
    Heard,
    Talk,
    conversing,
    request,
)

ROLES = pytest.mark.parametrize("role", ["server", "client"])
REASON = b"x" * 123


def code_of(number: int) -> bytes:
    return struct.pack("!H", number)


# -- their Close ----------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("reason", [b"", b"bye", REASON, "é".encode() * 61, "🦄".encode() * 30])
@pytest.mark.parametrize("code", [1000, 1001, 1003, 1007, 1011, 1012, 1013, 1014, 3000, 3999, 4999])
async def test_a_close_is_echoed_and_reported(role: str, code: int, reason: bytes) -> None:
    """§5.5.1, §7.4: codes of the IANA registry and those of libraries and applications, too."""
    async with conversing(role) as talk:
        talk.send_close(code, reason)
        await talk.closes(code)
        assert await talk.gone() == code
        assert talk.heard.ws.close_reason == reason.decode()
        (end,) = talk.heard.ends
        assert end.rcvd_then_sent is True


@ROLES
async def test_an_empty_close_is_answered_empty_and_reported_as_1005(role: str) -> None:  # §7.1.5
    async with conversing(role) as talk:
        talk.send(FIN | CLOSE)
        await talk.closes(None)
        assert await talk.gone() == 1005


RESERVED = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 1999, 2000, 2999, 5000, 9999, 65535]


@ROLES
@pytest.mark.parametrize(
    ("payload", "code"),
    [
        pytest.param(b"\x03", 1002, id="5.5.1: one octet"),
        pytest.param(b"\x00", 1002, id="5.5.1: one octet that is 0"),
        *(pytest.param(code_of(each), 1002, id=f"7.4: code {each}") for each in RESERVED),
        *(
            pytest.param(code_of(each) + b"why", 1002, id=f"7.4: code {each} and a reason")
            for each in (999, 1005, 1015, 2999, 5000)
        ),
        pytest.param(code_of(1000) + b"\xff", 1007, id="8.1: reason that is not UTF-8"),
        pytest.param(code_of(1000) + b"cut\xc3", 1007, id="8.1: reason cut in a character"),
        pytest.param(code_of(1000) + b"x" * 121 + b"\xe2\x82", 1007, id="8.1: a long one cut"),
        pytest.param(code_of(1000) + b"\xed\xa0\x80", 1007, id="8.1: a surrogate"),
    ],
)
async def test_a_close_that_breaks_a_rule_fails(role: str, payload: bytes, code: int) -> None:
    async with conversing(role) as talk:
        talk.send(FIN | TEXT, b"before")
        talk.send(FIN | CLOSE, payload)
        await talk.fails(code, "before")


@ROLES
async def test_nothing_after_their_close_is_believed(role: str) -> None:  # §5.5.1
    async with conversing(role) as talk:
        talk.raw.send(
            talk.octets(FIN | TEXT, b"before")
            + talk.octets(FIN | CLOSE, code_of(1000))
            + talk.octets(FIN | TEXT, b"after")
            + talk.octets(FIN | PING, b"after")
            + talk.octets(FIN | CLOSE, code_of(4000))
            + b"\xff" * 1000
        )
        await talk.closes(1000)
        if role == "server":
            await talk.ends()
        assert await talk.gone() == 1000
        assert talk.heard.messages == ["before"]


@ROLES
async def test_a_close_inside_a_fragmented_message_is_a_close(role: str) -> None:  # §5.4
    async with conversing(role) as talk:
        talk.send(TEXT, b"never")
        talk.send(CONTINUATION, b" finished")
        assert await talk.leaves() == 1000
        assert talk.heard.messages == []


@ROLES
async def test_what_was_asked_before_their_close_is_answered_before_ours(role: str) -> None:
    async with conversing(role) as talk:
        talk.raw.send(talk.octets(FIN | PING, b"x") + talk.octets(FIN | CLOSE, code_of(1000)))
        assert await talk.recv() == (FIN | PONG, b"x")
        await talk.closes(1000)
        assert await talk.gone() == 1000


# -- ours -----------------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("code", [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
async def test_a_code_that_may_not_travel_is_refused(role: str, code: int) -> None:  # §7.4
    async with conversing(role) as talk:
        with pytest.raises(LocalProtocolError):
            await talk.heard.ws.close(code)
        talk.heard.ws.send("still here")
        assert await talk.recv() == (FIN | TEXT, b"still here")
        assert await talk.leaves() == 1000


@ROLES
@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62])
async def test_a_reason_over_123_octets_is_refused(role: str, reason: str) -> None:  # §5.5
    async with conversing(role) as talk:
        with pytest.raises(LocalProtocolError):
            await talk.heard.ws.close(1000, reason)
        with pytest.raises((LocalProtocolError, ValueError)):
            await talk.heard.ws.ping("x" * 126)
        talk.heard.ws.send("still here")
        assert await talk.recv() == (FIN | TEXT, b"still here")
        assert await talk.leaves() == 1000


@ROLES
async def test_nothing_is_sent_after_our_close(role: str) -> None:  # §5.5.1
    async with conversing(role) as talk:
        ws = talk.heard.ws
        ws.send("last")
        closing = [asyncio.ensure_future(ws.close(4000, "first")) for _ in range(3)]
        again = ws.close(4001, "second")
        for call in (lambda: ws.send("x"), lambda: ws.send(b"x"), ws.ping, ws.pong):
            with pytest.raises(ConnectionClosed):
                await call()
        with pytest.raises(ConnectionClosed):
            await ws.send(["in", "fragments"])
        assert await talk.recv() == (FIN | TEXT, b"last")
        assert await talk.closes(4000) == "first"
        talk.send(FIN | PING, b"not to be answered")
        talk.send(FIN | TEXT, b"too late")
        talk.send_close(4000, b"first")
        if role == "server":
            await talk.ends()
        assert await talk.gone() == 4000
        await asyncio.gather(*closing)
        await again
        assert talk.heard.messages == []
        assert talk.heard.ends[0].rcvd_then_sent is False


@ROLES
async def test_what_was_sent_before_our_close_arrives_before_it(role: str) -> None:
    async with conversing(role) as talk:
        ws = talk.heard.ws
        for number in range(20):
            ws.send(bytes([number]) * 20_000)
        closing = asyncio.ensure_future(ws.close())
        for number in range(20):
            assert await talk.recv() == (FIN | BINARY, bytes([number]) * 20_000)
        await talk.closes(1000)
        talk.send_close(1000)
        assert await talk.gone() == 1000
        await closing


@ROLES
@pytest.mark.parametrize("code", [1000, 4000])
async def test_both_close_at_once(role: str, code: int) -> None:  # §7.1.2: one Close each, clean
    async with conversing(role) as talk:
        closing = asyncio.ensure_future(talk.heard.ws.close(code))
        talk.send_close(1001)
        await talk.closes(code)
        if role == "server":
            await talk.ends()
        assert await talk.gone() == 1001
        await closing


@ROLES
async def test_their_close_may_be_wrong_after_ours(role: str) -> None:
    """There is one Close of ours, and it is said; theirs is not believed."""
    async with conversing(role) as talk:
        closing = asyncio.ensure_future(talk.heard.ws.close(1000))
        await talk.closes(1000)
        talk.send_close(1005)
        await talk.ends()
        assert await talk.gone() == 1006
        await closing


# -- TCP ------------------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize(
    "last",
    [
        pytest.param(lambda talk: b"", id="between messages"),
        pytest.param(lambda talk: talk.octets(FIN | TEXT, b"cut")[:1], id="in a header"),
        pytest.param(lambda talk: talk.octets(FIN | TEXT, b"cut")[:-1], id="in a frame"),
        pytest.param(lambda talk: talk.octets(TEXT, b"cut"), id="between fragments"),
        pytest.param(lambda talk: talk.octets(FIN | CLOSE, b"\x03\xe8")[:-1], id="in a Close"),
    ],
)
@pytest.mark.parametrize("how", ["closed", "reset", "half closed"])
async def test_tcp_that_ends_without_a_close_is_1006(role: str, last: Any, how: str) -> None:
    """§7.1.5: told once, and nothing is said."""
    async with conversing(role) as talk:
        talk.send(FIN | TEXT, b"before")
        talk.raw.send(last(talk))
        while not talk.heard.messages:  # noqa: ASYNC110  one turn of the loop
            await asyncio.sleep(0)
        if how == "reset":
            talk.raw.reset()
        elif how == "closed":
            await talk.raw.close()
        else:
            talk.raw.writer.write_eof()
            await talk.ends()
        assert await talk.gone() == 1006
        assert talk.heard.messages == ["before"]


@ROLES
async def test_a_reset_ends_every_wait_once(role: str) -> None:  # §7.2.1
    async with conversing(role, max_backlog=None) as talk:
        ws = talk.heard.ws
        waits: list[Any] = [asyncio.ensure_future(ws.send(bytes(2**24))) for _ in range(2)]
        waits += [asyncio.ensure_future(ws.wait_closed()), await ws.ping()]
        await asyncio.sleep(0)
        assert not any(wait.done() for wait in waits)
        talk.raw.reset()
        async with asyncio.timeout(PATIENCE):
            outcomes = await asyncio.gather(*waits, return_exceptions=True)
        assert [type(outcome).__name__ for outcome in outcomes] == [
            *["ConnectionClosedError"] * 2,
            "NoneType",
            "ConnectionClosedError",
        ]
        assert await talk.gone() == 1006


async def test_a_reset_hurts_nobody_else() -> None:
    heard = [Heard() for _ in range(10)]
    waiting = iter(heard)

    async with serve(lambda ws: next(waiting).listen(ws), "127.0.0.1", 0) as server:
        raws = []
        for _ in heard:
            raw = await Raw.connect(port_of(server))
            raw.send(request())
            await raw.head()
            raws.append(raw)
        for raw in raws[::2]:
            raw.frame(TEXT, b"begun")
            raw.reset()
        for raw in raws[1::2]:
            raw.frame(FIN | TEXT, b"fine")
            raw.frame(FIN | CLOSE, code_of(1000))
            await raw.end()
            await raw.close()
        for each in heard:
            await each.over.wait()
    assert [each.code for each in heard] == [1006, 1000] * 5
    assert [each.messages for each in heard] == [[], ["fine"]] * 5


async def test_a_reset_during_the_opening_handshake_leaves_nothing() -> None:
    async with serve(Heard().listen, "127.0.0.1", 0) as server:
        for said in (b"", b"GET / HT", request()[:-1], request()):
            raw = await Raw.connect(port_of(server))
            raw.send(said)
            await asyncio.sleep(0)
            raw.reset()
        async with conversing("server") as talk:
            assert await talk.leaves() == 1000
        while server.connections:  # noqa: ASYNC110  one turn of the loop
            await asyncio.sleep(0)


async def test_the_server_closes_tcp_first() -> None:  # §7.1.1
    for first in ("ours", "theirs"):
        async with conversing("server") as talk:
            if first == "ours":
                closing = asyncio.ensure_future(talk.heard.ws.close())
                await talk.closes(1000)
                talk.send_close(1000)
            else:
                talk.send_close(1000)
                await talk.closes(1000)
            await talk.ends()
            assert await talk.gone() == 1000
            if first == "ours":
                await closing


@pytest.mark.parametrize("first", ["ours", "theirs"])
async def test_the_client_lets_the_server_close_tcp(first: str) -> None:  # §7.1.1
    async with conversing("client") as talk:
        if first == "ours":
            closing = asyncio.ensure_future(talk.heard.ws.close())
            await talk.closes(1000)
            talk.send_close(1000)
        else:
            talk.send_close(1000)
            await talk.closes(1000)
        for _ in range(100):
            await asyncio.sleep(0)
        assert not talk.raw.reader.at_eof()
        assert await talk.gone() == 1000
        if first == "ours":
            await closing


async def test_the_client_does_not_wait_for_ever() -> None:  # §7.1.1
    async with conversing("client", close_timeout=0.2) as talk:
        talk.send_close(1000)
        await talk.closes(1000)
        await talk.ends()
        assert await talk.gone() == 1000


# -- deadlines ------------------------------------------------------------------------------------


@ROLES
async def test_a_close_that_is_never_answered_ends_at_the_deadline(role: str) -> None:  # §7.1.1
    async with conversing(role, close_timeout=0.2) as talk:
        closing = asyncio.ensure_future(talk.heard.ws.close(1001, "bye"))
        assert await talk.closes(1001) == "bye"
        await talk.ends()
        async with asyncio.timeout(PATIENCE):
            await closing
        assert await talk.gone() == 1006
        assert talk.heard.ends[0].rcvd is None


@ROLES
async def test_chatter_does_not_put_off_the_end(role: str) -> None:
    async with conversing(role, close_timeout=0.3) as talk:
        closing = asyncio.ensure_future(talk.heard.ws.close())
        await talk.closes(1000)
        async with asyncio.timeout(PATIENCE):
            ended = asyncio.create_task(talk.raw.end())
            while not ended.done():
                talk.send(FIN | TEXT, b"and another thing")
                await asyncio.wait([ended], timeout=0.01)
            await closing
        assert await talk.gone() == 1006
        assert talk.heard.messages == []


@ROLES
async def test_a_peer_that_stops_reading_makes_send_wait_and_does_not_stop_close(role: str) -> None:
    async with conversing(role, close_timeout=0.3) as talk:
        ws = talk.heard.ws
        sent = 0

        async def pour() -> None:
            nonlocal sent
            while True:
                await ws.send(bytes(50_000))
                sent += 1

        talk.raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        pouring = asyncio.create_task(pour())
        still = 0
        while still < 1000:  # turns without a message
            before = sent
            await asyncio.sleep(0)
            still = 0 if sent > before else still + 1
        assert not pouring.done()
        assert ws.session.outbox is not None
        assert ws.session.outbox.size < 2**20
        closing = asyncio.ensure_future(ws.close())
        async with asyncio.timeout(PATIENCE):
            await closing
            with pytest.raises(ConnectionClosed):
                await pouring
        assert await talk.gone() == 1006


@ROLES
async def test_a_peer_that_is_silent_after_a_ping_is_failed(role: str) -> None:
    async with conversing(role, ping_interval=0.1, ping_timeout=0.2) as talk:
        first, _ = await talk.recv()
        assert first == FIN | PING
        while first == FIN | PING:
            first, payload = await talk.recv()
        assert (first, payload[:2]) == (FIN | CLOSE, code_of(1011))
        await talk.ends()
        assert await talk.gone() == 1006


@ROLES
async def test_a_peer_that_answers_pings_stays(role: str) -> None:
    async with conversing(role, ping_interval=0.1, ping_timeout=0.3) as talk:
        for _ in range(8):
            first, payload = await talk.recv()
            assert first == FIN | PING
            talk.send(FIN | PONG, payload)
        assert await talk.leaves_after_pings() == 1000


@pytest.mark.parametrize("answers", [True, False])
async def test_a_server_that_shuts_down_says_1001_to_everybody(answers: bool) -> None:  # §7.4.1
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, close_timeout=0.3) as server:
        port = port_of(server)
        async with Raw.open(server) as raw, asyncio.timeout(PATIENCE):
            server.close()
            talk = Talk(raw, "server", heard)
            await talk.closes(1001)
            with pytest.raises(OSError):
                await Raw.connect(port)
            if answers:
                talk.send_close(1001)
            await talk.ends()
            await talk.gone()
            await server.wait_closed()
    assert heard.code == (1001 if answers else 1006)
