"""Opening handshakes, said by a bare socket to a whole server: what it answers, octet for octet.

A refusal is one complete answer, never 101, and the end of the connection. Where the text leaves a
choice, the strict one is expected. Sections are of RFC 6455 unless another RFC is named.
"""

from __future__ import annotations

import asyncio
import struct
from typing import Any

import pytest

from longlink import Headers, NegotiationError, Response, serve
from tests.api.raw import Raw, frame, port_of
from tests.strict.raw import (
    BINARY,
    CLOSE,
    FIN,
    GOOD,
    GOODBYE,
    KEY,
    PATIENCE,
    TEXT,
    Answer,
    Heard,
    check_accepted,
    check_refusal,
    exchange,
    request,
)

BODY = "Content-Length: 5"
HUGE = "x" * 20_000
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"


def upgrade_line(text: str) -> bytes:
    return request(line=text)


def rows(statuses: tuple[int, ...], section: str, name: str, *heads: bytes) -> list[Any]:
    """Cases of one meaning: any of these answers is right."""
    return [
        pytest.param(octets, statuses, id=f"{section}: {name}" + (f" {i}" if i else ""))
        for i, octets in enumerate(heads)
    ]


def values(name: str, *given: str) -> list[bytes]:
    return [request(f"{name}: {value}") for value in given]


def octets_in(template: str, octets: str) -> list[bytes]:
    return [request(template.replace("?", octet)) for octet in octets]


REFUSED = [
    # The key.
    *rows((400,), "4.2.1", "no key", request(without="Sec-WebSocket-Key")),
    *rows(
        *((400,), "11.3.1", "two keys"),
        request(f"Sec-WebSocket-Key: {KEY}", f"Sec-WebSocket-Key: {KEY}"),
        request(f"Sec-WebSocket-Key: {KEY}", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="),
        request(f"Sec-WebSocket-Key: {KEY}, {KEY}"),
    ),
    *rows(
        *((400,), "4.2.1", "key that is not base64 of 16 octets"),
        *values("Sec-WebSocket-Key", "", "x", "not base64 at all!!!!!!!", "=" * 24),
        *values("Sec-WebSocket-Key", "A" * 20, "A" * 23 + "=", "A" * 24, "A" * 22, "A" * 23),
        *values("Sec-WebSocket-Key", "A" * 22 + "===", "-_" * 11 + "==", "A" * 10 + " " + "A" * 11),
    ),
    # The version.
    *rows(
        (426,),
        "4.4",
        "version not spoken",
        *values("Sec-WebSocket-Version", *["8", "12", "14", "0", "255"]),
    ),
    *rows(
        *((400,), "4.2.1", "version that is none"),
        *values("Sec-WebSocket-Version", "", "013", "13.0", "+13", "256", "x", "13, 8", "13, 13"),
        request(without="Sec-WebSocket-Version"),
    ),
    *rows(
        *((400,), "11.3.5", "two versions"),
        request("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 13"),
        request("Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 13"),
    ),
    # Upgrade and Connection.
    *rows(
        *((426, 400), "4.2.1", "no upgrade to WebSocket"),
        b"GET / HTTP/1.1\r\nHost: h\r\n\r\n",
        request(without="Upgrade"),
        *values("Upgrade", "", "websockets", "web socket", "xwebsocket", "h2c", '"websocket"'),
        *values("Upgrade", "websocket/13", "websocket;v=13", "websocket h2c"),
    ),
    *rows(
        *((426, 400), "4.2.1", "no upgrade of this connection"),
        request(without="Connection"),
        *values("Connection", "", "close", "keep-alive", "upgraded", "x-upgrade", '"Upgrade"'),
        *values("Connection", "Upgrade keep-alive", "Upgrade;q=1", "up grade"),
    ),
    # The request line.
    *rows(
        *((405,), "4.1", "another method"),
        *(
            upgrade_line(f"{method} / HTTP/1.1")
            for method in ("POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "get", "GETS")
        ),
        upgrade_line("OPTIONS * HTTP/1.1"),
        upgrade_line("CONNECT example.test:80 HTTP/1.1"),
    ),
    *rows((505, 400, 426), "4.2.1", "HTTP/1.0", upgrade_line("GET / HTTP/1.0")),
    *rows(
        *((505, 400), "RFC 9112 2.3", "another version of HTTP"),
        *(
            upgrade_line(f"GET / {version}")
            for version in ("HTTP/2.0", "HTTP/0.9", "HTTP/3", "HTTP/1.1x", "HTTP/11", "http/1.1")
        ),
        *(
            upgrade_line(f"GET / {version}")
            for version in ("HTTP/1", "HTTP/1.10", "HTTP/-1.1", "HTTP/1,1", "ICY/1.1", "")
        ),
        upgrade_line("GET /"),
        PREFACE,
    ),
    *rows(
        *((400,), "RFC 9112 3", "malformed request line"),
        *map(
            upgrade_line,
            ("GET  / HTTP/1.1", "GET /  HTTP/1.1", "GET / HTTP/1.1 ", " GET / HTTP/1.1"),
        ),
        *map(
            upgrade_line, ("GET\t/\tHTTP/1.1", "G(T / HTTP/1.1", " / HTTP/1.1", "", "GET HTTP/1.1")
        ),
        b"\r\n\r\n" + request(),
    ),
    *rows(
        *((400,), "RFC 9112 3.2", "malformed target"),
        *(
            upgrade_line(f"GET {target} HTTP/1.1")
            for target in (
                "/a b",
                "/#",
                "/a#b",
                "/\xe9",
                "/\xc3\xa9",
                "/\x7f",
                "/\x01",
                "a",
                "?a",
                "*",
            )
        ),
        *(
            upgrade_line(f"GET {target} HTTP/1.1")
            for target in (
                "http:/h/",
                "http:///p",
                "http://u@h/",
                "ftp://h/",
                "h:80",
                "http://a b/",
            )
        ),
    ),
    # Host.
    *rows((400,), "RFC 9112 3.2", "no host", request(without="Host")),
    *rows(
        *((400,), "RFC 9112 3.2", "two hosts"),
        request("Host: example.test", "Host: example.test"),
        request("Host: example.test", "Host: other.test"),
    ),
    *rows(
        *((400,), "RFC 9112 3.2", "malformed host"),
        *values(
            "Host", "a b", "a, b", "a,b", "u@h", "h:x", "h:1:2", "h:65536", "h/p", "h?q", "h#f"
        ),
        *values("Host", "http://h", "[::1", "::1]", "[::g]", "<h>", "\xe9", "%zz", '"h"', "a\\b"),
    ),
    # Field lines.
    *rows(
        *((400,), "RFC 9112 5.1", "malformed field line"),
        *map(request, ("X : a", "X\t: a", " X: a", "\tX: a", ": a", "no colon", "X(: a", '"X": a')),
        *map(request, ("X\x00: a", "X\x80: a", "X\xe9: a", "X Y: a", "X@: a", "X[1]: a", "X/: a")),
        request().replace(b"\r\nHost", b"\r\n Host", 1),  # white space before the first one (2.2)
    ),
    *rows(
        *((400,), "RFC 9112 5.2", "folded line"),
        request("X: a\r\n b"),
        request("X: a\r\n\tb"),
        request().replace(b"Connection: Upgrade", b"Connection:\r\n Upgrade"),
        request("X: a\r\n "),
    ),
    *rows(
        *((400,), "RFC 9110 5.5", "control character in a value"),
        *octets_in("X: a?b", "\x00\x01\x07\x08\x0b\x0c\x0e\x1b\x1f\x7f"),
        *octets_in("X: ?", "\x00\x7f"),
    ),
    *rows(
        *((400,), "RFC 9112 2.2", "bare CR"),
        *map(request, ("X: a\rb", "X: a\rSec-WebSocket-Protocol: b", "X: \r", "X: a\r")),
        upgrade_line("GET /\r HTTP/1.1"),
        upgrade_line("GET / HTTP/1.1\r"),
        request().replace(b"\r\n", b"\r"),
    ),
    *rows(
        *((400,), "RFC 9112 2.2", "bare LF"),
        *map(request, ("X: a\nb", "X: a\nHost: b", "X: a\n")),
        upgrade_line("GET /\n HTTP/1.1"),
        request().replace(b"\r\n", b"\n"),
        request().replace(b"\r\nUpgrade", b"\nUpgrade"),
        request()[:-2] + b"\n",
        request()[:-4] + b"\n\n",
    ),
    # Bodies.
    *rows(
        *((400,), "RFC 9112 6", "body"),
        request(BODY) + b"hello",
        request(BODY) + frame(FIN | TEXT, b""),
        request("Transfer-Encoding: chunked") + b"5\r\nhello\r\n0\r\n\r\n",
        request("Transfer-Encoding: chunked") + b"0\r\n\r\n",
        request("Transfer-Encoding: chunked", BODY) + b"0\r\n\r\n",
        request("Transfer-Encoding: chunked", "Trailer: X") + b"0\r\nX: a\r\n\r\n",
    ),
    *rows(
        *((400,), "RFC 9112 6.3", "length that cannot be told"),
        *values("Content-Length", "+0", "-0", "0x0", "0,0", "", "a", "0 0", "9" * 30),
        request("Content-Length: 0", "Content-Length: 0"),
        request("Content-Length: 0", "Content-Length: 5") + b"hello",
        *values("Transfer-Encoding", "identity", "xchunked", "", "gzip"),
        request("Transfer-Encoding: chunked", "Transfer-Encoding: identity"),
    ),
    *rows(
        *((417, 400), "RFC 9110 7.8, 10.1.1", "expectation, which would need 100 before 101"),
        *values("Expect", "100-continue", "100-Continue", "something", ""),
        request("Expect: 100-continue", BODY),
    ),
    # Origin.
    *rows((403,), "10.2", "page of another site", request("Origin: http://evil.test")),
    *rows(
        *((403, 400), "RFC 6454 7.3", "two origins"),
        request("Origin: http://example.test", "Origin: http://evil.test"),
        request("Origin: http://evil.test", "Origin: http://example.test"),
    ),
    *rows(
        *((403, 400), "10.2", "origin that only looks like ours"),
        *values("Origin", "null", "", "example.test", "http://example.test.evil.test"),
        *values("Origin", "http://evil.test/example.test", "http://example.test@evil.test"),
        *values("Origin", "http://example.test http://evil.test", "http://xexample.test"),
    ),
    # Subprotocols and extensions.
    *rows(
        *((400,), "11.3.4", "malformed list of subprotocols"),
        *values(
            "Sec-WebSocket-Protocol", "", ",", "a b", "a;b", '"a"', "a/b", "a, a", "a=b", "\xe9"
        ),
        request("Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"),
    ),
    *rows(
        *((400,), "9.1", "malformed list of extensions"),
        *values(
            "Sec-WebSocket-Extensions", "", ",", ";", "=x", '"unterminated', "a b", "a;", "a;;b"
        ),
        *values("Sec-WebSocket-Extensions", "a;b=", "a;=c", 'a;b="', 'a;b=""', 'a;b="c d"', "a/b"),
        request("Sec-WebSocket-Extensions: a", "Sec-WebSocket-Extensions: b;"),
    ),
    # Limits.
    *rows((414,), "RFC 9112 3", "target over the limit", upgrade_line(f"GET /{HUGE} HTTP/1.1")),
    *rows((414,), "RFC 9112 3", "request line without end", b"GET /" + b"a" * 20_000),
    *rows(
        *((431,), "RFC 6585 5", "head over a limit"),
        request(f"X: {HUGE}"),
        request(f"{HUGE}: x"),
        request(*(f"X{number}: a" for number in range(10_000))),
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 5000,
        b"GET / HTTP/1.1\r\nX: " + b"a" * 20_000,
    ),
    # What is not HTTP at all.
    *rows((400,), "RFC 9112 2.2", "TLS hello", bytes.fromhex("160301020001000100fc0303")),
    *rows((400,), "RFC 9112 2.2", "frame", frame(FIN | TEXT, b"hello")),
]


@pytest.mark.parametrize(("octets", "statuses"), REFUSED)
async def test_refused_with_one_answer_and_the_end(
    octets: bytes, statuses: tuple[int, ...]
) -> None:
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, subprotocols=["a"]) as server:
        check_refusal(await exchange(server, octets), *statuses)
    assert heard.connection is None


async def test_head_is_refused_without_a_body() -> None:  # RFC 9110 9.3.2
    async with serve(Heard().listen, "127.0.0.1", 0) as server:
        octets = await exchange(server, request(line="HEAD / HTTP/1.1"))
        check_refusal(octets, 405, method="HEAD")


ACCEPTED = [
    pytest.param(request(*given, line=line), id=f"{section}: {name}")
    for section, name, line, *given in [
        ("1.3", "the sample", "GET /chat HTTP/1.1"),
        ("1.3", "blanks around the key", "GET / HTTP/1.1", f"Sec-WebSocket-Key: \t {KEY} \t"),
        ("1.3", "no blank before the key", "GET / HTTP/1.1", f"Sec-WebSocket-Key:{KEY}"),
        *(
            ("RFC 9110 7.8", "Upgrade has it in a list", "GET / HTTP/1.1", *given)
            for given in (
                ["Upgrade: WebSocket"],
                ["Upgrade: WEBSOCKET"],
                ["Upgrade: h2c, websocket"],
                ["Upgrade: h2c", "Upgrade: websocket"],
                ["Upgrade: ,websocket,,"],
                ["uPGRADE: websocket"],
            )
        ),
        *(
            ("RFC 9110 5.6.1", "Connection has it in a list", "GET / HTTP/1.1", *given)
            for given in (
                ["Connection: keep-alive, Upgrade"],
                ["Connection: UPGRADE"],
                ["Connection: ,Upgrade,"],
                ["Connection: keep-alive", "Connection: upgrade"],
                ["Connection: keep-alive\t,\tUpgrade"],
            )
        ),
        *(
            ("RFC 9112 3.2", "a host in any form", "GET / HTTP/1.1", f"Host: {host}")
            for host in ("example.test:", "EXAMPLE.test:65535", "[::1]:80", "127.0.0.1", "a_b.test")
        ),
        (
            "RFC 9112 5.1",
            "blanks around a value",
            "GET / HTTP/1.1",
            "Sec-WebSocket-Version:\t13 \t",
        ),
        ("RFC 9112 5.1", "no blank before a value", "GET / HTTP/1.1", "Sec-WebSocket-Version:13"),
        ("RFC 9110 2.5", "a later minor version", "GET / HTTP/1.2"),
        ("RFC 9110 8.6", "a body of no octets", "GET / HTTP/1.1", "Content-Length: 0"),
        ("RFC 9110 5.5", "octets over 127 in a value", "GET / HTTP/1.1", "Cookie: \xc3\xa9"),
        ("RFC 9110 5.5", "an empty value", "GET / HTTP/1.1", "X:"),
        ("RFC 9112 3", "a request line of 8000 octets", f"GET /{'a' * 7986} HTTP/1.1"),
        ("RFC 9112 3.2.2", "a target in absolute form", "GET http://example.test/p HTTP/1.1"),
        (
            "11.3.3",
            "Sec-WebSocket-Accept, which says nothing here",
            "GET / HTTP/1.1",
            "Sec-WebSocket-Accept: x",
        ),
        ("10.2", "a page of the same host", "GET / HTTP/1.1", "Origin: http://example.test"),
        (
            "9.1",
            "an extension that nobody knows",
            "GET / HTTP/1.1",
            "Sec-WebSocket-Extensions: foo; bar",
        ),
        (
            "9.1",
            "extensions on two lines",
            "GET / HTTP/1.1",
            *["Sec-WebSocket-Extensions: foo"] * 2,
        ),
        (
            "4.2.2",
            "subprotocols that nobody speaks",
            "GET / HTTP/1.1",
            "Sec-WebSocket-Protocol: x, A",
        ),
    ]
]


@pytest.mark.parametrize("octets", ACCEPTED)
async def test_accepted_with_just_what_was_asked_for(octets: bytes) -> None:
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, subprotocols=["a"]) as server:
        answer = check_accepted(await exchange(server, octets + GOODBYE))
    assert not answer.all("Sec-WebSocket-Protocol")
    assert not answer.all("Sec-WebSocket-Extensions")
    assert heard.code == 1000


async def test_one_empty_line_before_the_request_is_ignored() -> None:  # RFC 9112 2.2
    async with serve(Heard().listen, "127.0.0.1", 0) as server:
        check_accepted(await exchange(server, b"\r\n" + request() + GOODBYE))


async def test_a_head_may_be_cut_anywhere() -> None:  # TCP is a stream
    octets = request("Origin: http://example.test")
    async with serve(Heard().listen, "127.0.0.1", 0) as server:
        for cut in range(1, len(octets)):
            raw = await Raw.connect(port_of(server))
            raw.send(octets[:cut])
            await asyncio.sleep(0)
            raw.send(octets[cut:] + GOODBYE)
            check_accepted(await raw.end())
            await raw.close()


async def test_a_head_may_come_octet_by_octet_with_its_frames() -> None:
    heard = Heard()
    octets = request() + frame(FIN | TEXT, b"hello") + GOODBYE
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        check_accepted(await exchange(server, *(octets[i : i + 1] for i in range(len(octets)))))
    assert heard.messages == ["hello"]


async def test_frames_in_the_segment_of_the_head_are_frames() -> None:
    heard = Heard()
    many = b"".join(frame(FIN | BINARY, bytes([number])) for number in range(200))
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        check_accepted(await exchange(server, request() + many + GOODBYE))
    assert heard.messages == [bytes([number]) for number in range(200)]


@pytest.mark.parametrize("second", [request(), b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"])
async def test_a_second_request_behind_the_first_is_a_bad_frame(second: bytes) -> None:
    """§4.2.2, §5.1: "G" is a frame with reserved bits; there is no second answer."""
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        answer = Answer.of(await exchange(server, request() + second))
    assert answer.status == 101
    assert answer.rest[:1] == bytes((FIN | CLOSE,))
    assert answer.rest[1] == len(answer.rest) - 2
    assert answer.rest[2:4] == struct.pack("!H", 1002)
    assert heard.messages == []
    assert heard.code == 1006


async def test_octets_behind_a_refusal_do_not_destroy_it() -> None:
    """Left unread they would turn the close into a reset (RFC 9112 9.6)."""
    async with serve(Heard().listen, "127.0.0.1", 0) as server:
        check_refusal(await exchange(server, request(without="Host"), b"x" * 500_000), 400)


@pytest.mark.parametrize(
    ("target", "seen"),
    [
        ("/a%2Fb%20c?x=%23", "/a%2Fb%20c?x=%23"),
        ("//x", "//x"),
        ("/%ff", "/%ff"),
        ("/%", "/%"),
        ("/../a/./b", "/../a/./b"),
        ("/?", "/?"),
        ("/{a|b}", "/{a|b}"),
        ("http://example.test/p?q", "/p?q"),
        ("http://example.test", "/"),
        ("HTTP://example.test?q", "/?q"),
        ("ws://example.test/p", "/p"),
    ],
)
async def test_the_application_sees_the_target_as_it_came(target: str, seen: str) -> None:
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        check_accepted(await exchange(server, request(line=f"GET {target} HTTP/1.1") + GOODBYE))
    assert heard.ws.request.path == seen


async def test_the_host_of_an_absolute_target_counts() -> None:  # RFC 9112 3.2.2
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        octets = request("Host: other.test", line="GET http://example.test/ HTTP/1.1") + GOODBYE
        check_accepted(await exchange(server, octets))
        assert heard.ws.request.headers["Host"] == "example.test"
        page = "Origin: http://other.test"
        octets = request(page, "Host: other.test", line="GET http://example.test/ HTTP/1.1")
        check_refusal(await exchange(server, octets), 403)


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (["Sec-WebSocket-Protocol: b, a"], "a"),
        (["Sec-WebSocket-Protocol: x", "Sec-WebSocket-Protocol: b"], "b"),
        (["Sec-WebSocket-Protocol: x,,b"], "b"),
        (["Sec-WebSocket-Protocol: \tx ,\tb "], "b"),
        (["Sec-WebSocket-Protocol: A, B"], None),
        (["Sec-WebSocket-Protocol: ab"], None),
        ([], None),
    ],
)
async def test_one_subprotocol_that_was_offered_or_none(
    offered: list[str], chosen: str | None
) -> None:  # §4.2.2, §11.3.4
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, subprotocols=["a", "b"]) as server:
        answer = check_accepted(await exchange(server, request(*offered) + GOODBYE))
    assert answer.all("Sec-WebSocket-Protocol") == ([] if chosen is None else [chosen])
    assert heard.ws.subprotocol == chosen


@pytest.mark.parametrize("status", [401, 403, 404, 503, 200, 302])
async def test_the_application_answers_something_else(status: int) -> None:  # §4.2.2
    def judge(ws: Any, asked: Any) -> Response:
        answer = ws.respond(status, "no: é\n")
        answer.headers["X-Why"] = "because"
        answer.headers.put("Content-Length", "1")  # what fits the body is said all the same
        return answer

    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, process_request=judge) as server:
        octets = await exchange(server, request() + frame(FIN | TEXT, b"hello"))
    answer = check_refusal(octets, status)
    assert answer["X-Why"] == "because"
    assert answer.rest == "no: é\n".encode()
    assert heard.connection is None


@pytest.mark.parametrize("bad", ["a\r\nX: y", "a\nb", "a\rb", "a\x00b"])
@pytest.mark.parametrize("where", ["value", "name", "reason", "subprotocol", "server_header"])
async def test_what_would_break_the_answer_is_refused_before_it_goes_out(
    where: str, bad: str
) -> None:  # RFC 9110 5.5
    caught: list[Exception] = []

    def judge(ws: Any, asked: Any, answer: Response) -> Response | None:
        try:
            if where == "value":
                answer.headers["X"] = bad
            elif where == "name":
                answer.headers[bad] = "x"
            else:
                return Response(404, bad, Headers(), b"")
        except ValueError as problem:
            caught.append(problem)
        return None

    def select(ws: Any, offered: Any) -> str:
        return bad

    options: dict[str, Any] = {"process_response": judge}
    if where == "subprotocol":
        options = {"select_subprotocol": select}
    if where == "server_header":
        with pytest.raises(ValueError):
            serve(Heard().listen, "127.0.0.1", 0, server_header=bad)
        return
    async with serve(Heard().listen, "127.0.0.1", 0, **options) as server:
        octets = await exchange(server, request("Sec-WebSocket-Protocol: a") + GOODBYE)
    if caught:
        check_accepted(octets)
    else:
        check_refusal(octets, 500)
    assert b"\nX: y" not in octets
    assert b"\x00" not in octets.partition(b"\r\n\r\n")[0]


async def test_an_application_that_raises_costs_its_own_handshake_only() -> None:
    def judge(ws: Any, asked: Any) -> None:
        if asked.path == "/bad":
            raise RuntimeError("a mistake of the application")

    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, process_request=judge) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        assert " 101 " in await raw.head()
        check_refusal(await exchange(server, request(line="GET /bad HTTP/1.1")), 500)
        raw.send(frame(FIN | TEXT, b"still here") + GOODBYE)
        await raw.end()
        await raw.close()
    assert heard.messages == ["still here"]


async def test_an_application_that_does_not_agree_refuses() -> None:
    def select(ws: Any, offered: Any) -> str:
        raise NegotiationError("none of these")

    async with serve(Heard().listen, "127.0.0.1", 0, select_subprotocol=select) as server:
        check_refusal(await exchange(server, request("Sec-WebSocket-Protocol: a")), 400)


async def test_what_comes_before_the_verdict_waits_in_the_kernel() -> None:  # §10.4
    """Nothing is lost, and no more is read than one buffer holds."""
    go = asyncio.Event()

    async def judge(ws: Any, asked: Any) -> None:
        await go.wait()

    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0, process_request=judge) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        for _ in range(640):  # 32 MB: more than the kernel takes
            raw.frame(FIN | BINARY, bytes(50_000))
        for _ in range(1000):
            await asyncio.sleep(0)
        assert raw.writer.transport.get_write_buffer_size() > 0
        go.set()
        raw.send(GOODBYE)
        check_accepted(await raw.end())
        await raw.close()
    assert [len(message) for message in heard.messages] == [50_000] * 640


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\nHost", request()[:-2]])
async def test_who_does_not_come_to_an_end_is_cut(said: bytes) -> None:  # §10.4
    """408, or nothing to those who said nothing."""
    async with serve(Heard().listen, "127.0.0.1", 0, open_timeout=0.2) as server:
        octets = await exchange(server, said)
        assert octets == b"" if not said else check_refusal(octets, 408)


async def test_dripping_does_not_buy_time() -> None:  # §10.4
    async with serve(Heard().listen, "127.0.0.1", 0, open_timeout=0.3) as server:
        raw = await Raw.connect(port_of(server))
        raw.send("GET / HTTP/1.1\r\n")
        async with asyncio.timeout(PATIENCE):
            ended = asyncio.create_task(raw.end())
            while not ended.done():
                raw.send("X")
                await asyncio.wait([ended], timeout=0.01)
        check_refusal(await ended, 408)
        await raw.close()


def test_the_good_request_is_the_sample_of_the_rfc() -> None:
    """Every case is one change away from it."""
    assert request().count(b"\r\n") == len(GOOD) + 2
