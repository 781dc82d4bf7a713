"""Opening handshakes of our client: what it says, and what it believes, octet for octet.

An answer that is not the right one is an error that says so, TCP is closed, and nothing is
delivered. Sections are of RFC 6455 unless another RFC is named.
"""

from __future__ import annotations

import asyncio
import base64
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import trustme

from longlink import (
    ConnectionClosedError,
    Deflate,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidProtocol,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    SecurityError,
    connect,
)
from longlink.wire.handshake import accept_key
from tests.api.raw import FIN, PING, TEXT, Raw, frame, header_of

PATIENCE = 20  # seconds after which a test fails: nothing here takes one
ANY = "ws://server.example/"
KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # §1.3
HELLO = frame(FIN | TEXT, b"hello", mask=False)

Talk = Callable[[Raw, str], Awaitable[None]]


class Peer:
    """A server of octets: what it was asked, and whether the client has left it."""

    def __init__(self, talk: Talk) -> None:
        self.talk = talk
        self.heads: list[str] = []
        self.left = 0
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raw = Raw(reader, writer)
        try:
            head = await raw.head()
            self.heads.append(head)
            await self.talk(raw, head)
            await raw.end()
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.left += 1
            await raw.close()

    @asynccontextmanager
    async def there(self, tls: ssl.SSLContext | None = None) -> AsyncIterator[dict[str, Any]]:
        """The options of `connect` that lead to it, whatever the URI says."""
        server = await asyncio.start_server(self.serve, "127.0.0.1", 0, ssl=tls)
        self.port = server.sockets[0].getsockname()[1]
        try:
            async with asyncio.timeout(PATIENCE):
                yield {"host": "127.0.0.1", "port": self.port, "proxy": None}
                while self.left < len(self.heads):  # noqa: ASYNC110  a test waits for TCP to end
                    await asyncio.sleep(0)
        finally:
            server.close()


def agreement(head: str, *more: str, without: str = "", **changed: str) -> bytes:
    """The right 101, with lines changed, left out or added."""
    lines = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec_WebSocket_Accept": accept_key(str(header_of(head, "Sec-WebSocket-Key"))),
        **changed,
    }
    kept = [f"{name.replace('_', '-')}: {text}" for name, text in lines.items() if name != without]
    text = "\r\n".join(["HTTP/1.1 101 Switching Protocols", *kept, *more, "", ""])
    return text.encode("latin-1")


def says(answer: bytes | Callable[[str], bytes]) -> Talk:
    async def talk(raw: Raw, head: str) -> None:
        raw.send(answer if isinstance(answer, bytes) else answer(head))

    return talk


async def refused(talk: Talk, uri: str = ANY, **how: Any) -> BaseException:
    """What connect raises. The client has left, or this would not return."""
    peer = Peer(talk)
    async with peer.there() as place:
        with pytest.raises((InvalidHandshake, OSError)) as caught:
            await connect(uri, **{**place, **how})
    return caught.value


async def request_for(uri: str, **how: Any) -> str:
    """The head that goes out."""
    peer = Peer(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    async with peer.there() as place:
        with pytest.raises(InvalidStatus):
            await connect(uri, **{**place, **how})
    return peer.heads[0]


# -- what goes out (B1) ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "target", "host"),
    [
        pytest.param("ws://h.example", "/", "h.example", id="3: empty path"),
        pytest.param("ws://h.example?a=b", "/?a=b", "h.example", id="3: only a query"),
        pytest.param("ws://h.example/?", "/", "h.example", id="3: empty query"),
        pytest.param("ws://h.example:80/", "/", "h.example", id="4.1: the default port"),
        pytest.param("ws://h.example:443/", "/", "h.example:443", id="4.1: port 443 on ws"),
        pytest.param("ws://H.Example:8080/A", "/A", "h.example:8080", id="4.1: another port"),
        pytest.param("ws://[::1]:8080/", "/", "[::1]:8080", id="4.1: IPv6"),
        pytest.param("ws://[0:0::1]/", "/", "[::1]", id="4.1: IPv6 in long"),
        pytest.param("ws://u:p@h.example/x", "/x", "h.example", id="3: no userinfo"),
        pytest.param("ws://h.example/a%2Fb%20c?x=%23", "/a%2Fb%20c?x=%23", "h.example", id="raw"),
        pytest.param("ws://h.example//a/../b", "//a/../b", "h.example", id="nothing is tidied up"),
        pytest.param("ws://bücher.example/ü", "/%C3%BC", "xn--bcher-kva.example", id="an IRI"),
    ],
)
async def test_target_and_host(uri: str, target: str, host: str) -> None:
    head = await request_for(uri)
    assert head.split("\r\n")[0] == f"GET {target} HTTP/1.1"
    assert header_of(head, "Host") == host
    assert "#" not in head.split("\r\n")[0]


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"compression": None},
        {
            "origin": "https://page.example",
            "subprotocols": ["a", "b"],
            "additional_headers": [("Cookie", "a=b"), ("X-A", "1")],
        },
    ],
    ids=["default", "without compression", "with everything"],
)
async def test_each_header_of_the_handshake_goes_out_once(how: dict[str, Any]) -> None:
    """§4.1; 9112 3.2."""
    head = await request_for("ws://u:p@h.example/", **how)
    names = [line.partition(":")[0].lower() for line in head.split("\r\n")[1:-2]]
    assert len(names) == len(set(names))
    assert names[0] == "host"  # 9110 7.2: first, if only for good manners
    assert header_of(head, "Upgrade") == "websocket"
    assert header_of(head, "Connection") == "Upgrade"
    assert header_of(head, "Sec-WebSocket-Version") == "13"
    for name in ("Content-Length", "Transfer-Encoding", "Expect", "TE", "Keep-Alive"):
        assert header_of(head, name) is None
    assert head.isascii()


async def test_keys_are_sixteen_fresh_octets() -> None:
    """§4.1, item 7."""
    peer = Peer(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    async with peer.there() as place:
        for _ in range(20):
            with pytest.raises(InvalidStatus):
                await connect(ANY, **place)
    keys = {str(header_of(head, "Sec-WebSocket-Key")) for head in peer.heads}
    assert len(keys) == 20
    assert {len(base64.b64decode(key, validate=True)) for key in keys} == {16}


# -- URIs that lead nowhere (B2) ------------------------------------------------------------------


@pytest.mark.parametrize(
    "uri",
    [
        pytest.param("ws://h/#f", id="3: fragment"),
        pytest.param("ws://h/a#", id="3: empty fragment"),
        pytest.param("http://h/", id="3: http"),
        pytest.param("https://h/", id="3: https"),
        pytest.param("wss:h", id="3: no slashes"),
        pytest.param("ws:///x", id="3: no host"),
        pytest.param("ws://", id="3: nothing"),
        pytest.param("ws://h:0/", id="4.1: port 0"),
        pytest.param("ws://h:65536/", id="4.1: port 65536"),
        pytest.param("ws://h:8a/", id="4.1: port 8a"),
        pytest.param("ws://h/\r\nX: y", id="CR LF"),
        pytest.param("ws://h/a b", id="blank in the path"),
        pytest.param("ws://h /", id="blank in the host"),
        pytest.param(" ws://h/", id="blank before"),
        pytest.param("ws://h/\t", id="tab"),
        pytest.param("ws://h/\0", id="NUL"),
        pytest.param("ws://a,b/", id="two hosts"),
        pytest.param("ws://h\\@evil/", id="backslash"),
        pytest.param("", id="empty"),
    ],
)
def test_a_uri_that_leads_nowhere_is_refused_before_anything_is_connected(uri: str) -> None:
    with pytest.raises(InvalidURI):
        connect(uri)


# -- other answers (B3) ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "status", [200, 204, 301, 302, 400, 401, 403, 404, 407, 426, 429, 500, 503]
)
@pytest.mark.parametrize("framing", ["length", "chunked", "end"])
async def test_another_status_is_told_with_headers_and_body(status: int, framing: str) -> None:
    """§4.1: not 101; 9112 6.3: however the body is framed."""
    body = b"" if status == 204 else b"because of this"
    lines = {
        "length": b"Content-Length: %d\r\n\r\n%s" % (len(body), body),
        "chunked": b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(body), body),
        "end": b"Connection: close\r\n\r\n" + body,
    }

    async def talk(raw: Raw, head: str) -> None:
        raw.send(b"HTTP/1.1 %d Reason why\r\nX-A: 1\r\nX-A: 2\r\n" % status + lines[framing])
        raw.writer.write_eof()

    problem = await refused(talk)
    assert isinstance(problem, InvalidStatus)
    assert (problem.status, problem.reason, problem.body) == (status, "Reason why", body)
    assert problem.headers.get_all("x-a") == ["1", "2"]


@pytest.mark.parametrize(
    ("framing", "most"),
    [
        (b"Content-Length: 100000000\r\n\r\n", 65536),
        (b"Connection: close\r\n\r\n", 65536),
        (b"Transfer-Encoding: chunked\r\n\r\nffffff\r\n", 65536),
        (b"Transfer-Encoding: chunked\r\n\r\n" + b"0" * 1000 + b"5\r\n", 0),
        (b"Content-Length: -1\r\n\r\n", 0),
        (b"Content-Length: 5, 6\r\n\r\n", 0),
        (b"Content-Length: 99999999999999999999999999\r\n\r\n", 0),
    ],
    ids=["length", "to the end", "chunk", "endless size", "negative", "two lengths", "huge"],
)
async def test_a_body_without_an_end_is_kept_up_to_a_limit(framing: bytes, most: int) -> None:
    async def talk(raw: Raw, head: str) -> None:
        raw.send(b"HTTP/1.1 403 No\r\n" + framing)
        while True:
            raw.send(b"x" * 65536)
            await raw.writer.drain()

    problem = await refused(talk)
    assert isinstance(problem, InvalidStatus)
    assert problem.body is not None
    assert len(problem.body) == most


async def test_credentials_do_not_follow_a_redirect_to_another_origin() -> None:
    far = Peer(says(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"))
    async with far.there():
        location = b"Location: http://127.0.0.1:%d/there\r\n\r\n" % far.port
        near = Peer(says(b"HTTP/1.1 302 Found\r\n" + location))
        async with near.there():
            with pytest.raises(InvalidStatus) as caught:
                await connect(
                    f"ws://u:p@127.0.0.1:{near.port}/",
                    additional_headers={"Cookie": "a=b", "X-Api-Key": "k"},
                    proxy=None,
                )
    assert caught.value.status == 404
    (head,) = far.heads
    for name in ("Authorization", "Cookie", "X-Api-Key"):
        assert header_of(head, name) is None
        assert header_of(near.heads[0], name) is not None


# -- agreements that are none (B4 to B8) ----------------------------------------------------------


def changed(name: str, *values: str) -> list[dict[str, str]]:
    return [{name: value} for value in values]


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        pytest.param(changes, kind, id=f"{section}: {next(iter(changes.items()))}")
        for section, kind, group in [
            (
                "4.1 item 2",
                InvalidUpgrade,
                [
                    {"without": "Upgrade"},
                    *changed("Upgrade", "", "websockets", "web socket", "h2c", "h2c, websocket"),
                    *changed("Upgrade", "websocket, websocket", "websocket/13", "xwebsocket", "13"),
                ],
            ),
            (
                "4.1 item 3",
                InvalidUpgrade,
                [
                    {"without": "Connection"},
                    *changed("Connection", "", "close", "keep-alive", "upgraded", "x-upgrade"),
                    *changed("Connection", "Up grade", "Upgrade;q=1", '"Upgrade"'),
                ],
            ),
            (
                "4.1 item 4",
                InvalidHeader,
                [
                    {"without": "Sec_WebSocket_Accept"},
                    *changed("Sec_WebSocket_Accept", "", accept_key(KEY), "x", "=" * 28),
                ],
            ),
            (
                "4.1 item 6",
                (InvalidHeader, NegotiationError),
                [
                    *changed("Sec_WebSocket_Protocol", "c", "A", "a, b", "a b", "", "a,"),
                ],
            ),
            (
                "4.1 item 5",
                (InvalidHeader, NegotiationError),
                [
                    *changed("Sec_WebSocket_Extensions", "x", "", "a;", "bbf-usp-protocol", ","),
                    *changed("Sec_WebSocket_Extensions", "permessage-deflate, permessage-deflate"),
                    *changed("Sec_WebSocket_Extensions", "permessage-deflate, x"),
                    *changed("Sec_WebSocket_Extensions", "x-webkit-deflate-frame"),
                ],
            ),
            (
                "7692 7.1",
                (InvalidHeader, NegotiationError),
                changed(
                    "Sec_WebSocket_Extensions",
                    "permessage-deflate; unknown",
                    "permessage-deflate; server_no_context_takeover=1",
                    "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
                    "permessage-deflate; server_max_window_bits",
                    "permessage-deflate; server_max_window_bits=7",
                    "permessage-deflate; server_max_window_bits=16",
                    "permessage-deflate; server_max_window_bits=08",
                    "permessage-deflate; client_max_window_bits",
                    "permessage-deflate; client_max_window_bits=16",
                ),
            ),
        ]
        for changes in group
    ],
)
async def test_an_agreement_that_is_none(
    changes: dict[str, str], kind: type[Exception] | tuple[type[Exception], ...]
) -> None:
    problem = await refused(
        says(lambda head: agreement(head, **changes) + HELLO), subprotocols=["a", "b"]
    )
    assert isinstance(problem, kind)
    assert isinstance(problem, InvalidHandshake)
    assert problem.status == 101


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("Sec-WebSocket-Accept", "the same", id="11.3.3: the right Accept twice"),
        pytest.param("Sec-WebSocket-Accept", "x", id="11.3.3: a second, wrong Accept"),
        pytest.param("Sec-WebSocket-Protocol", "b", id="11.3.4: two subprotocols"),
        pytest.param("Sec-WebSocket-Protocol", "a", id="11.3.4: the same subprotocol twice"),
        pytest.param("Sec-WebSocket-Extensions", "permessage-deflate", id="9.1: one more"),
        pytest.param("Upgrade", "websocket", id="4.1: Upgrade twice"),
    ],
)
async def test_a_line_too_many(name: str, value: str) -> None:
    def answer(head: str) -> bytes:
        proof = accept_key(str(header_of(head, "Sec-WebSocket-Key")))
        extra = f"{name}: {proof if value == 'the same' else value}"
        good = {"Sec_WebSocket_Protocol": "a", "Sec_WebSocket_Extensions": "permessage-deflate"}
        return agreement(head, extra, **good)

    problem = await refused(says(answer), subprotocols=["a", "b"])
    assert isinstance(problem, (InvalidHeader, NegotiationError))


@pytest.mark.parametrize("change", [str.swapcase, str.lower, lambda proof: proof[:-1]])
async def test_an_accept_that_is_nearly_right(change: Callable[[str], str]) -> None:
    """§4.1, item 4: compared octet for octet, unlike the headers around it."""

    def answer(head: str) -> bytes:
        proof = accept_key(str(header_of(head, "Sec-WebSocket-Key")))
        return agreement(head, Sec_WebSocket_Accept=change(proof))

    assert isinstance(await refused(says(answer)), InvalidHeaderValue)


async def test_an_extension_that_was_not_offered_at_all() -> None:
    """§4.1, item 5."""
    answer = says(lambda head: agreement(head, Sec_WebSocket_Extensions="permessage-deflate"))
    assert isinstance(await refused(answer, compression=None), NegotiationError)


async def test_a_larger_window_than_was_offered() -> None:
    """7692 7.1.2.1."""
    bits = "permessage-deflate; server_max_window_bits=12"
    answer = says(lambda head: agreement(head, Sec_WebSocket_Extensions=bits))
    problem = await refused(answer, compression=Deflate(window_bits=10))
    assert isinstance(problem, NegotiationError)


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": "WebSocket"},
        {"Upgrade": "WEBSOCKET"},
        {"Connection": "upgrade"},
        {"Connection": "keep-alive, UPGRADE"},
        {"Connection": ",Upgrade,"},
        {"Sec_WebSocket_Protocol": "b"},
        {"Sec_WebSocket_Extensions": "permessage-deflate"},
        {"Sec_WebSocket_Extensions": "permessage-deflate; server_no_context_takeover"},
        {"Sec_WebSocket_Extensions": 'permessage-deflate; server_max_window_bits="9"'},
        {"Sec_WebSocket_Version": "13"},
        {"Content_Length": "5"},  # 9112 6.3: a 1xx has no body, whatever it says
        {"Transfer_Encoding": "chunked"},
        {"Set_Cookie": "a=\xe9"},
    ],
    ids=str,
)
async def test_an_agreement_in_other_words(changes: dict[str, str]) -> None:
    """§4.1; 9110 5.6.1; 7692 7.1.1.1, 7.1.2.1: a server may limit itself unasked."""
    peer = Peer(says(lambda head: agreement(head, **changes) + HELLO))
    async with peer.there() as place:
        ws = await connect(ANY, subprotocols=["a", "b"], close_timeout=0.05, **place)
        assert await ws.recv() == "hello"
        assert ws.subprotocol == changes.get("Sec_WebSocket_Protocol")
        await ws.close()


async def test_blanks_around_the_accept() -> None:
    """9110 5.5: they are not part of the value."""

    def answer(head: str) -> bytes:
        proof = accept_key(str(header_of(head, "Sec-WebSocket-Key")))
        return agreement(head, Sec_WebSocket_Accept=f" \t {proof} \t ") + HELLO

    peer = Peer(says(answer))
    async with peer.there() as place:
        ws = await connect(ANY, close_timeout=0.05, **place)
        assert await ws.recv() == "hello"
        await ws.close()


# -- answers that are no HTTP/1.1 (9112) ----------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        pytest.param("HTTP/1.0 101 Switching", InvalidProtocol, id="9110 7.8: HTTP/1.0"),
        pytest.param("HTTP/2.0 101 Switching", InvalidProtocol, id="9112 2.3: HTTP/2.0"),
        pytest.param("HTTP/0.9 200 OK", InvalidProtocol, id="9112 2.3: HTTP/0.9"),
        pytest.param("http/1.1 101 Switching", InvalidMessage, id="9112 2.3: letter case"),
        pytest.param("HTTP/1.1 101", InvalidMessage, id="9112 4: no space"),
        pytest.param("HTTP/1.1  101 Switching", InvalidMessage, id="9112 4: two spaces"),
        pytest.param("HTTP/1.1 1O1 Switching", InvalidMessage, id="9112 4: letters"),
        pytest.param("HTTP/1.1 0101 Switching", InvalidMessage, id="9112 4: four digits"),
        pytest.param("HTTP/1.1 099 Switching", InvalidMessage, id="9112 4: status 099"),
        pytest.param("HTTP/1.1 600 Switching", InvalidMessage, id="9110 15: status 600"),
        pytest.param("HTTP/11 101 Switching", InvalidMessage, id="9112 2.3: HTTP/11"),
        pytest.param("ICY 200 OK", InvalidMessage, id="another protocol"),
        pytest.param("", InvalidMessage, id="an empty line first"),
        pytest.param("HTTP/1.1 101 a\0b", InvalidHandshake, id="9112 4: NUL"),
        pytest.param("HTTP/1.1 101 a\rb", InvalidHandshake, id="9112 2.2: bare CR"),
    ],
)
async def test_a_status_line_that_is_none(line: str, kind: type[Exception]) -> None:
    def answer(head: str) -> bytes:
        good = agreement(head)
        return line.encode() + good[good.index(b"\r\n") :]

    assert isinstance(await refused(says(answer)), kind)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("X : y", id="9112 5.1: blank before the colon"),
        pytest.param(" X: y", id="9112 5.2: folded"),
        pytest.param("no colon", id="9112 5: no colon"),
        pytest.param(": y", id="9110 5.1: empty name"),
        pytest.param("X(: y", id="9110 5.1: name"),
        pytest.param("X\xe9: y", id="9110 5.1: name over 127"),
        pytest.param("X: a\0b", id="9110 5.5: NUL"),
        pytest.param("X: a\rb", id="9112 2.2: bare CR"),
        pytest.param("X: a\nY: b", id="9112 2.2: bare LF"),
    ],
)
async def test_a_header_line_that_is_none(line: str) -> None:
    assert isinstance(
        await refused(says(lambda head: agreement(head, line) + HELLO)), InvalidHandshake
    )


async def test_line_ends_without_cr() -> None:
    """9112 2.2: never mixed; refused throughout."""
    answer = says(lambda head: agreement(head).replace(b"\r\n", b"\n") + HELLO)
    assert isinstance(await refused(answer), InvalidHandshake)


# -- TCP is a stream (B11) ------------------------------------------------------------------------


async def test_an_answer_cut_at_every_offset() -> None:
    ping = frame(FIN | PING, b"", mask=False)
    length = 0

    async def talk(raw: Raw, head: str) -> None:
        nonlocal length
        octets = agreement(head) + HELLO + ping
        length = len(octets)
        raw.writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.send(octets[:offset])
        await raw.writer.drain()
        await asyncio.sleep(0)
        raw.send(octets[offset:])

    peer = Peer(talk)
    async with peer.there() as place:
        offset = 0
        while offset <= length:
            ws = await connect(ANY, close_timeout=None, **place)
            assert await ws.recv() == "hello"
            ws.session.abort()
            offset += 1


async def test_an_answer_octet_by_octet() -> None:
    async def talk(raw: Raw, head: str) -> None:
        for octet in agreement(head) + HELLO:
            raw.send(bytes((octet,)))
            await raw.writer.drain()
            await asyncio.sleep(0)

    peer = Peer(talk)
    async with peer.there() as place:
        ws = await connect(ANY, close_timeout=0.05, **place)
        assert await ws.recv() == "hello"
        await ws.close()


async def test_a_second_answer_behind_the_first_is_no_frame() -> None:
    """§5.1: after 101 there are only frames."""
    again = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    peer = Peer(says(lambda head: agreement(head) + again))
    async with peer.there() as place:
        ws = await connect(ANY, **place)
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        await ws.wait_closed()
        assert ws.session.close_sent is not None
        assert ws.session.close_sent.code == 1002


@pytest.mark.parametrize("interim", [1, 1000])
async def test_interim_answers_are_not_the_answer(interim: int) -> None:
    """9110 15.2: any number of 1xx comes before the final one; 101 is final."""
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
    peer = Peer(says(lambda head: hints * interim + agreement(head) + HELLO))
    async with peer.there() as place:
        ws = await connect(ANY, close_timeout=0.05, **place)
        assert await ws.recv() == "hello"
        await ws.close()


# -- hostile servers (B13) ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("start", "more"),
    [
        (b"", b"x" * 1000),
        (b"HTTP/1.1 101 ", b"x" * 1000),
        (b"HTTP/1.1 101 Switching\r\nX: ", b"x" * 1000),
        (b"HTTP/1.1 101 Switching\r\n", b"X: y\r\n" * 100),
        (b"HTTP/1.1 101 Switching\r\n", b"\r" * 1000),
        (b"", b"\r\n" * 1000),
    ],
    ids=["no line", "line", "header", "headers", "CRs", "empty lines"],
)
async def test_a_head_without_an_end_ends_at_a_limit(start: bytes, more: bytes) -> None:
    """§10.4."""
    sent = 0

    async def talk(raw: Raw, head: str) -> None:
        nonlocal sent
        raw.send(start)
        while True:
            raw.send(more)
            sent += len(more)
            await raw.writer.drain()

    problem = await refused(talk)
    assert isinstance(problem, (SecurityError, InvalidMessage))
    assert sent < 2**24  # what the kernel may hold; the client stopped at 16 KiB


async def test_silence_ends_at_the_deadline() -> None:
    assert isinstance(await refused(says(b""), open_timeout=0.02), TimeoutError)


async def test_dripping_does_not_renew_the_deadline() -> None:
    async def talk(raw: Raw, head: str) -> None:
        while not raw.reader.at_eof():
            raw.send("HTTP/1.1 103 Early Hints\r\n\r\n")
            await raw.writer.drain()
            await asyncio.sleep(0)

    assert isinstance(await refused(talk, open_timeout=0.05), TimeoutError)


@pytest.mark.parametrize("said", [b"", b"HTTP", b"HTTP/1.1 101 Switching\r\nUpgrade: webs"])
@pytest.mark.parametrize("how", ["reset", "end"])
async def test_tcp_that_ends_before_the_head_does(said: bytes, how: str) -> None:
    async def talk(raw: Raw, head: str) -> None:
        raw.send(said)
        await raw.writer.drain()
        if how == "reset":
            linger = struct.pack("ii", 1, 0)
            raw.writer.get_extra_info("socket").setsockopt(
                socket.SOL_SOCKET, socket.SO_LINGER, linger
            )
        raw.writer.close()

    problem = await refused(talk)
    assert isinstance(problem, InvalidMessage)
    assert isinstance(problem.__cause__, EOFError)


# -- the caller's own mistakes (B14) --------------------------------------------------------------


@pytest.mark.parametrize(
    "how",
    [
        pytest.param({"additional_headers": {"X": "a\r\nY: b"}}, id="9110 5.5: CR LF"),
        pytest.param({"additional_headers": {"X": "a\nb"}}, id="9110 5.5: LF"),
        pytest.param({"additional_headers": {"X": "a\rb"}}, id="9110 5.5: CR"),
        pytest.param({"additional_headers": {"X": "a\0b"}}, id="9110 5.5: NUL"),
        pytest.param({"additional_headers": {"X": "a\u2028"}}, id="beyond Latin-1"),
        pytest.param({"additional_headers": {"X\r\n": "a"}}, id="9110 5.1: name"),
        pytest.param({"additional_headers": {"X Y": "a"}}, id="9110 5.1: blank in a name"),
        pytest.param({"additional_headers": {"": "a"}}, id="9110 5.1: no name"),
        *[
            pytest.param({"additional_headers": {name: "a"}}, id=f"4.1: {name}")
            for name in (
                "Host",
                "upgrade",
                "Connection",
                "Sec-WebSocket-Key",
                "Sec-WebSocket-Version",
                "Sec-WebSocket-Protocol",
                "Sec-WebSocket-Extensions",
                "Sec-WebSocket-Accept",
                "Content-Length",
                "Transfer-Encoding",
            )
        ],
        pytest.param({"origin": "a\r\nb"}, id="4.1: Origin with CR LF"),
        pytest.param({"origin": "a", "additional_headers": {"Origin": "b"}}, id="4.1: two Origins"),
        pytest.param({"subprotocols": ["a b"]}, id="4.1: subprotocol with a blank"),
        pytest.param({"subprotocols": ["a\r\nX: y"]}, id="4.1: subprotocol with CR LF"),
        pytest.param({"subprotocols": ["a,b"]}, id="4.1: subprotocol with a comma"),
        pytest.param({"subprotocols": [""]}, id="4.1: empty subprotocol"),
        pytest.param({"subprotocols": ["a", "b", "a"]}, id="4.1: subprotocol twice"),
        pytest.param({"user_agent_header": "a\r\nb"}, id="9110 5.5: User-Agent"),
    ],
)
def test_what_cannot_be_said_is_refused_before_anything_is_connected(how: dict[str, Any]) -> None:
    with pytest.raises((InvalidHeader, ValueError)):
        connect(ANY, **how)


@pytest.mark.parametrize("name", ["u%3Aser", "us%0d%0aer", "us%00er"])
def test_credentials_that_cannot_be_said(name: str) -> None:
    """7617 2."""
    with pytest.raises(InvalidURI):
        connect(f"ws://{name}:p@h.example/")


# -- TLS (B15) ------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def server_context(certificate: Any) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.mark.parametrize("fault", ["wrong name", "expired", "not yet valid", "untrusted"])
async def test_a_server_that_is_not_who_it_should_be_is_not_asked(
    fault: str, authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """§4.1, item 5; §10.6."""
    now, day = datetime.now(UTC), timedelta(days=1)
    span = {"expired": (now - 2 * day, now - day), "not yet valid": (now + day, now + 2 * day)}
    begin, end = span.get(fault, (None, None))
    issuer = trustme.CA() if fault == "untrusted" else authority
    name = "other.example" if fault == "wrong name" else "server.example"
    certificate = issuer.issue_cert(name, not_before=begin, not_after=end)
    peer = Peer(says(agreement))
    async with peer.there(server_context(certificate)) as place:
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect("wss://server.example/", ssl=trusting, **place)
    assert peer.heads == []


async def test_the_name_and_the_protocol_are_told(
    authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Any, monkeypatch: Any
) -> None:
    """§4.1, item 5: SNI; RFC 7301: http/1.1, never h2."""
    names: list[str | None] = []
    protocols: list[str | None] = []
    context = server_context(authority.issue_cert("server.example"))
    context.set_alpn_protocols(["h2", "http/1.1"])
    context.sni_callback = lambda sock, name, context: names.append(name)

    async def talk(raw: Raw, head: str) -> None:
        session = raw.writer.get_extra_info("ssl_object")
        protocols.append(session.selected_alpn_protocol())
        raw.send(agreement(head) + HELLO)

    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("SSL_CERT_FILE", os.fspath(tmp_path / "ca.pem"))
    peer = Peer(talk)
    async with peer.there(context) as place:
        ws = await connect("wss://server.example/", close_timeout=0.05, **place)
        assert await ws.recv() == "hello"
        await ws.close()
    assert names == ["server.example"]
    assert protocols == ["http/1.1"]
    assert header_of(peer.heads[0], "Host") == f"server.example:{443}".removesuffix(":443")


async def test_another_protocol_is_not_spoken(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    """RFC 7301 3.2: a caller's context that offers h2 to a server that takes it."""
    context = server_context(authority.issue_cert("server.example"))
    context.set_alpn_protocols(["h2"])
    trusting.set_alpn_protocols(["h2", "http/1.1"])
    peer = Peer(says(agreement))
    async with peer.there(context) as place:
        with pytest.raises(NegotiationError, match="TLS agreed on the protocol 'h2'"):
            await connect("wss://server.example/", ssl=trusting, **place)
    assert peer.heads == []


async def test_another_name_that_the_caller_expects(
    authority: trustme.CA, trusting: ssl.SSLContext
) -> None:
    peer = Peer(says(lambda head: agreement(head) + HELLO))
    async with peer.there(server_context(authority.issue_cert("inside.example"))) as place:
        how = {**place, "ssl": trusting, "server_hostname": "inside.example"}
        ws = await connect("wss://server.example/", close_timeout=0.05, **how)
        assert await ws.recv() == "hello"
        await ws.close()


async def test_a_certificate_of_the_client(authority: trustme.CA, trusting: ssl.SSLContext) -> None:
    context = server_context(authority.issue_cert("server.example"))
    context.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(context)
    authority.issue_cert("ann@client.example").configure_cert(trusting)
    shown: list[Any] = []

    async def talk(raw: Raw, head: str) -> None:
        shown.append(raw.writer.get_extra_info("peercert")["subjectAltName"])
        raw.send(agreement(head) + HELLO)

    peer = Peer(talk)
    async with peer.there(context) as place:
        ws = await connect("wss://server.example/", ssl=trusting, close_timeout=0.05, **place)
        assert await ws.recv() == "hello"
        await ws.close()
    assert shown == [(("email", "ann@client.example"),)]


async def test_tls_where_plain_text_is_spoken() -> None:
    """And the other way round: neither hangs, both are errors."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 No\r\n\r\n")
        await reader.read()
        writer.close()

    peer = Peer(says(agreement))
    server = await asyncio.start_server(answer, "127.0.0.1")
    async with server, asyncio.timeout(PATIENCE):
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ssl.SSLError):
            await connect(f"wss://127.0.0.1:{port}/", proxy=None)
    context = server_context(trustme.CA().issue_cert("server.example"))
    async with peer.there(context) as place:
        with pytest.raises(InvalidHandshake):
            await connect("ws://server.example/", **place)
    assert peer.heads == []
