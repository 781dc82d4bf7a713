"""The server's half of the opening handshake: requests parsed, judged and answered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import h11
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longlink.errors import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidHost,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidProtocol,
    InvalidUpgrade,
    NegotiationError,
    RequestLineTooLong,
    SecurityError,
)
from longlink.wire.handshake import (
    SAME_HOST,
    Headers,
    Origins,
    Refusal,
    Request,
    Response,
    accept,
    add_server_headers,
    check_hosts,
    check_origins,
    check_subprotocols,
    head_end,
    is_upgrade,
    last,
    parse_request,
    parse_response,
    refuse,
    respond,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
LIMITS = {"max_head": 16_384, "max_line": 8192, "max_headers": 100}

GOOD = {
    "Host": "h",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
Value = str | bytes | Sequence[str | bytes] | None


def head(line: str | bytes = "GET / HTTP/1.1", /, **changes: Value) -> bytes:
    """A good request, changed: None leaves a header out, a list repeats it."""
    fields: dict[str, Value] = dict(GOOD)
    for name, value in changes.items():
        fields[next((old for old in GOOD if _same(old, name)), name.replace("_", "-"))] = value
    lines = [_octets(line)]
    for name, value in fields.items():
        values = [value] if isinstance(value, (str, bytes)) else value or []
        lines += [name.encode() + b": " + _octets(one) for one in values]
    return b"\r\n".join([*lines, b"", b""])


def _same(old: str, name: str) -> bool:
    return old.lower() == name.replace("_", "-").lower()


def _octets(text: str | bytes) -> bytes:
    return text.encode("latin-1") if isinstance(text, str) else text


def answer(octets: bytes, **options: Any) -> Response:
    """What a server sends for these octets: 101 or a refusal."""
    try:
        return accept(parse_request(octets, **LIMITS), **options)
    except Refusal as refusal:
        check_refusal(refusal)
        return refusal.response


def check_refusal(refusal: Refusal) -> None:
    """A refusal is complete: it ends the connection and says how long it is."""
    response = refusal.response
    assert 400 <= response.status_code <= 599
    # The answer to HEAD has the length, but not the body.
    assert int(response.headers["Content-Length"]) == len(response.body) or not response.body
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert "close" in response.headers["Connection"]
    assert response.body.decode().rstrip("\n").isprintable()
    assert str(refusal).isprintable()
    assert len(response.body) < 1000
    response.serialize()


class TestAccept:
    def test_sample_of_the_rfc(self) -> None:  # RFC 6455 1.3
        response = answer(head())
        assert response.serialize() == (
            b"HTTP/1.1 101 Switching Protocols\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"
            b"\r\n"
        )

    @pytest.mark.parametrize(
        "octets",
        [
            pytest.param(head(Sec_WebSocket_Key=f" \t{KEY} \t"), id="blanks-around-the-key"),
            pytest.param(head(Sec_WebSocket_Key=b"AQIDBAUGBwgJCgsMDQ4PEC=="), id="key-of-4.1"),
            pytest.param(head(Upgrade="WebSocket"), id="upgrade-mixed-case"),
            pytest.param(head(Upgrade="WEBSOCKET"), id="upgrade-upper-case"),
            pytest.param(head(Upgrade="h2c, websocket"), id="upgrade-list"),
            pytest.param(head(Upgrade=["h2c", "websocket"]), id="upgrade-on-two-lines"),
            pytest.param(head(Upgrade="foo/1,,websocket,"), id="upgrade-with-empty-elements"),
            pytest.param(head(Connection="upgrade"), id="connection-lower-case"),
            pytest.param(head(Connection="UPGRADE"), id="connection-upper-case"),
            pytest.param(head(Connection="keep-alive, Upgrade"), id="connection-list"),
            pytest.param(head(Connection=",Upgrade,"), id="connection-empty-elements"),
            pytest.param(head(Connection=["keep-alive", "Upgrade"]), id="connection-on-two-lines"),
            pytest.param(head(Content_Length="0"), id="empty-body"),
            pytest.param(head("GET / HTTP/1.2"), id="higher-minor-version"),  # RFC 9110 2.5
            pytest.param(b"\r\n" + head(), id="empty-line-before"),  # RFC 9112 2.2
            pytest.param(head(Host="h:8008"), id="host-with-port"),
            pytest.param(head(Host="[::1]:8008"), id="host-ipv6"),
            pytest.param(head(Cookie="a=é"), id="latin-1-cookie"),
            pytest.param(head(Cookie="a=全国".encode()), id="utf-8-cookie"),
            pytest.param(head(Sec_WebSocket_Extensions="foo; bar=1, baz"), id="unknown-extension"),
            pytest.param(
                head(Sec_WebSocket_Extensions=["x; a", "y; b"]), id="extensions-on-two-lines"
            ),
            pytest.param(head().replace(b": ", b":"), id="no-blank-after-colon"),
            pytest.param(head().replace(b"Upgrade:", b"uPGRADE:"), id="names-in-any-case"),
        ],
    )
    def test_accepted(self, octets: bytes) -> None:
        response = answer(octets)
        assert response.status_code == 101
        names = [name for name, _ in response.headers.raw_items()]
        assert names == ["Upgrade", "Connection", "Sec-WebSocket-Accept"]

    @pytest.mark.parametrize(
        "target",
        ["/", "/a%2Fb%20c?x=%23", "//x", "/%ff", "/%", "/?", "/a?b?c", '/?{"a":[1]}|\\^`', "/;,@:"],
    )
    def test_target_stays_as_it_came(self, target: str) -> None:
        request = parse_request(head(f"GET {target} HTTP/1.1"), **LIMITS)
        assert request.path == target
        assert accept(request).status_code == 101

    @pytest.mark.parametrize(
        ("target", "path", "host"),
        [
            ("http://h/p", "/p", "h"),
            ("HTTP://Other:1/p?q", "/p?q", "Other:1"),
            ("ws://h", "/", "h"),
            ("wss://h?q", "/?q", "h"),
            ("https://[::1]//p", "//p", "[::1]"),
        ],
    )
    def test_host_of_an_absolute_target_counts(self, target: str, path: str, host: str) -> None:
        # RFC 9112 3.2.2
        request = parse_request(head(f"GET {target} HTTP/1.1"), **LIMITS)
        assert (request.path, request.headers["Host"]) == (path, host)
        assert accept(request).status_code == 101


REFUSED = [
    # Sec-WebSocket-Key: RFC 6455 4.2.1, 11.3.1
    pytest.param(head(Sec_WebSocket_Key=None), 400, id="key-missing"),
    pytest.param(head(Sec_WebSocket_Key=[KEY, KEY]), 400, id="key-twice"),
    pytest.param(head(Sec_WebSocket_Key=[KEY, "AAAAAAAAAAAAAAAAAAAAAA=="]), 400, id="two-keys"),
    pytest.param(head(Sec_WebSocket_Key=""), 400, id="key-empty"),
    pytest.param(head(Sec_WebSocket_Key="AAAAAAAAAAAAAAAAAAAA"), 400, id="key-of-15-octets"),
    pytest.param(head(Sec_WebSocket_Key="A" * 23 + "="), 400, id="key-of-17-octets"),
    pytest.param(head(Sec_WebSocket_Key="A" * 24), 400, id="key-of-18-octets"),
    pytest.param(head(Sec_WebSocket_Key=KEY[:-2]), 400, id="key-without-padding"),
    pytest.param(head(Sec_WebSocket_Key=KEY[:-1]), 400, id="key-with-half-its-padding"),
    pytest.param(head(Sec_WebSocket_Key=KEY + "="), 400, id="key-with-too-much-padding"),
    pytest.param(head(Sec_WebSocket_Key="-_" * 11 + "=="), 400, id="key-in-the-url-alphabet"),
    pytest.param(head(Sec_WebSocket_Key="é" * 22 + "=="), 400, id="key-not-base64"),
    pytest.param(head(Sec_WebSocket_Key=KEY[:10] + " " + KEY[11:]), 400, id="key-with-blank"),
    pytest.param(head(Sec_WebSocket_Key=f"{KEY}, {KEY}"), 400, id="key-list"),
    # Sec-WebSocket-Version: RFC 6455 4.2.2, 4.4, 11.3.5
    *(
        pytest.param(head(Sec_WebSocket_Version=version), 426, id=f"version-{version}")
        for version in ("0", "8", "12", "14", "130", "255")
    ),
    *(
        pytest.param(head(Sec_WebSocket_Version=version), 400, id=f"version-{version!r}")
        for version in ("", "13, 8", "013", "+13", "1_3", "13.0", "256", "-1", "x", "13;", "¹³")
    ),
    pytest.param(head(Sec_WebSocket_Version=None), 400, id="version-missing"),
    pytest.param(head(Sec_WebSocket_Version=["13", "13"]), 400, id="version-twice"),
    pytest.param(head(Sec_WebSocket_Version=["13", "8"]), 400, id="two-versions"),
    # Upgrade: RFC 6455 4.2.1, RFC 9110 7.8
    pytest.param(head(Upgrade=None), 426, id="upgrade-missing"),
    *(
        pytest.param(head(Upgrade=upgrade), 426, id=f"upgrade-{upgrade!r}")
        for upgrade in ("", "websockets", "web socket", "xwebsocket", "h2c", "websocket/13")
    ),
    pytest.param(head(Upgrade="websocket, ="), 426, id="upgrade-malformed-list"),
    pytest.param(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n", 426, id="plain-get"),
    # Connection: RFC 6455 4.2.1
    pytest.param(head(Connection=None), 426, id="connection-missing"),
    *(
        pytest.param(head(Connection=connection), 426, id=f"connection-{connection!r}")
        for connection in (
            "",
            "close",
            "keep-alive",
            "upgraded",
            "x-upgrade",
            "up grade",
            '"Upgrade"',
        )
    ),
    # Method: RFC 6455 4.1; case counts, RFC 9110 9.1
    *(
        pytest.param(head(f"{method} / HTTP/1.1"), 405, id=f"method-{method}")
        for method in (
            "POST",
            "HEAD",
            "PUT",
            "DELETE",
            "OPTIONS",
            "PATCH",
            "TRACE",
            "get",
            "Get",
            "!",
        )
    ),
    pytest.param(head("OPTIONS * HTTP/1.1"), 405, id="options-asterisk"),
    pytest.param(head("CONNECT h:80 HTTP/1.1"), 405, id="connect"),
    pytest.param(head(f"{'G' * 5000} / HTTP/1.1"), 405, id="method-of-5000-octets"),
    pytest.param(head(f"{'G' * 10_000} / HTTP/1.1"), 400, id="method-of-10000-octets"),
    # Version of HTTP: RFC 9112 2.3, 3
    pytest.param(head("GET / HTTP/2.0"), 505, id="http-2.0"),
    pytest.param(b"PRI * HTTP/2.0\r\n\r\n", 505, id="preface-of-http-2"),
    pytest.param(head("GET / HTTP/0.9"), 505, id="http-0.9"),
    pytest.param(head("GET / HTTP/1.0"), 505, id="http-1.0"),
    *(
        pytest.param(head(f"GET / {version}"), 400, id=f"http-version-{version!r}")
        for version in (
            *("HTTP/1.1x", "HTTP/11", "http/1.1", "HTTP/1", "HTTP/1.", "HTTP/1.10", "HTTP/+1.1"),
            *(
                "HTTP/1,1",
                "XHTTP/1.1",
                "HTTP",
                "",
                "HTTP/¹.1",
                "ICY/1.1",
                "HTTP/-1.1",
                "HTTP/1.1 x",
            ),
        )
    ),
    # Request line: RFC 9112 3
    pytest.param(head("GET /"), 400, id="http-0.9-request-line"),
    pytest.param(head("GET  / HTTP/1.1"), 400, id="two-blanks"),
    pytest.param(head("GET / HTTP/1.1 "), 400, id="blank-at-the-end"),
    pytest.param(head(" GET / HTTP/1.1"), 400, id="blank-at-the-start"),
    pytest.param(head("GET\t/\tHTTP/1.1"), 400, id="tabs"),
    pytest.param(head("G(T / HTTP/1.1"), 400, id="method-not-a-token"),
    pytest.param(head(" / HTTP/1.1"), 400, id="method-empty"),
    pytest.param(head(""), 400, id="request-line-empty"),
    pytest.param(b"\r\n\r\n" + head(), 400, id="two-empty-lines-before"),
    pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, id="tls-hello"),
    pytest.param(b"\x00" * 100, 400, id="zeros"),
    pytest.param(b"", 400, id="nothing"),
    # Target: RFC 9112 3.2, RFC 6455 3
    *(
        pytest.param(head(b"GET " + target + b" HTTP/1.1"), 400, id=f"target-{target!r}")
        for target in (
            *(
                b"",
                b"/a b",
                b"/#",
                b"/a#b",
                "/é".encode(),
                b"/\xe9",
                b"/\x7f",
                b"/\x00",
                b"/\r",
                b"/\n",
            ),
            *(
                b"a",
                b"*",
                b"?a",
                b"http:/h/",
                b"http:///p",
                b"http://",
                b"http://u@h/",
                b"ftp://h/",
            ),
            *(b"http://h:99999/", b"http://a,b/", b"h:80", b"/\t", b"/\x85"),
        )
    ),
    # Host: RFC 9112 3.2
    pytest.param(head(Host=None), 400, id="host-missing"),
    pytest.param(head(Host=["h", "h"]), 400, id="host-twice"),
    pytest.param(head(Host=["h", "evil"]), 400, id="two-hosts"),
    *(
        pytest.param(head(Host=host), 400, id=f"host-{host!r}")
        for host in (
            *(
                "",
                "a b",
                "a, b",
                "a,b",
                "u@h",
                "u:p@h",
                "h:x",
                "h:1:2",
                "h:65536",
                "h:+80",
                "h: 80",
            ),
            *(
                "h/",
                "h/p",
                "h?",
                "h#",
                "http://h",
                "[::1",
                "::1]",
                "[::g]",
                "[]",
                "a\\b",
                "<h>",
                "é",
            ),
            *("h:-1", "%", "%zz", '"h"', "h:٨", "[1.2.3.4]", "[::1]x", ":80"),
        )
        if host.isascii() or host == "é"
    ),
    pytest.param(
        head("GET http://h/ HTTP/1.1", Host="a b"), 400, id="bad-host-beside-absolute-target"
    ),
    # Body: RFC 9112 6
    pytest.param(head(Content_Length="5") + b"hello", 400, id="body-after-the-head"),
    pytest.param(head(Content_Length="5"), 400, id="body-announced"),
    pytest.param(head(Transfer_Encoding="chunked"), 400, id="body-chunked"),
    pytest.param(head(Transfer_Encoding="chunked", Content_Length="5"), 400, id="te-and-cl"),
    pytest.param(head(Transfer_Encoding="chunked", Content_Length="0"), 400, id="te-and-cl-0"),
    pytest.param(head(Transfer_Encoding=["chunked", "chunked"]), 400, id="te-twice"),
    pytest.param(head(Content_Length=["5", "5"]), 400, id="cl-twice"),
    pytest.param(head(Content_Length=["0", "5"]), 400, id="two-cls"),
    pytest.param(head("POST / HTTP/1.0", Transfer_Encoding="chunked"), 400, id="te-in-http-1.0"),
    *(
        pytest.param(head(Transfer_Encoding=coding), 400, id=f"te-{coding!r}")
        for coding in (
            *(
                "",
                "identity",
                "chunked, identity",
                "identity, chunked",
                "gzip, chunked",
                "xchunked",
            ),
            *("chunked;q=1", '"chunked"', "chunked,", ",chunked", "chunked chunked", "\x0bchunked"),
        )
    ),
    *(
        pytest.param(head(Content_Length=length), 400, id=f"cl-{length!r}")
        for length in ("", "+1", "-0", "1_0", "0x0", "0 0", "0,0", "0;", "²", "a", "1" * 40)
    ),
    # Expectations: RFC 9110 7.8, 10.1.1
    pytest.param(head(Expect="100-continue"), 417, id="expect"),
    # Octets: RFC 9110 5.5, 9112 2.2
    *(
        pytest.param(head(X=b"a" + bytes([octet]) + b"b"), 400, id=f"value-with-0x{octet:02x}")
        for octet in [*range(9), *range(10, 32), 127, 0x85]
    ),
    pytest.param(head().replace(b"\r\n", b"\n"), 400, id="lf-only"),  # RFC 9112 2.2
    pytest.param(head().replace(b"\r\nUpgrade", b"\nUpgrade"), 400, id="one-bare-lf"),
    pytest.param(head().replace(b"\r\nUpgrade", b"\rUpgrade"), 400, id="one-bare-cr"),
    pytest.param(head().replace(b"\r\n", b"\r"), 400, id="cr-only"),
    pytest.param(head().replace(b"\r\nUpgrade", b"\r\n Upgrade"), 400, id="folded"),
    pytest.param(head().replace(b"Upgrade:", b"Upgrade :"), 400, id="blank-before-colon"),
    pytest.param(head().replace(b"Upgrade:", b"Upgrade"), 400, id="no-colon"),
    pytest.param(head() + b"\x81\x80", 400, id="more-than-a-head"),
    # Origin: RFC 6455 4.2.2, 10.2
    pytest.param(head(Origin="http://evil"), 403, id="origin-elsewhere"),
    pytest.param(head(Origin=["http://h", "http://h"]), 400, id="origin-twice"),
    # Subprotocols and extensions: RFC 6455 4.1, 9.1, 11.3.4
    *(
        pytest.param(head(Sec_WebSocket_Protocol=offer), 400, id=f"subprotocols-{offer!r}")
        for offer in ("", ",", "a b", "a;b", '"a"', "a/b", "é", "a, a", ["a", "a"])
    ),
    *(
        pytest.param(head(Sec_WebSocket_Extensions=offer), 400, id=f"extensions-{offer!r}")
        for offer in ("", ";", "=x", '"unterminated', "a b", "a;b=", "a;;b", ["a", "b;"])
    ),
    # Limits: RFC 9112 3, RFC 6585 5
    pytest.param(head(f"GET /{'a' * 9000} HTTP/1.1"), 414, id="request-line-9-KB"),
    pytest.param(head(f"GET /{'a' * 65_536} HTTP/1.1"), 414, id="request-line-64-KB"),
    pytest.param(b"GET /" + b"a" * 20_000, 414, id="request-line-endless"),
    pytest.param(b"G" * 20_000, 400, id="method-endless"),
    pytest.param(head(X="a" * 8190), 431, id="header-line-over-8-KiB"),
    pytest.param(head(X=["a" * 8000] * 3), 431, id="head-over-16-KiB"),
    pytest.param(head(X="a" * 100_000), 431, id="header-100-KB"),
    pytest.param(head(X="a" * 1_000_000), 431, id="header-1-MB"),
    pytest.param(head(X=["a"] * 96), 431, id="101-headers"),
    pytest.param(head(X=["a"] * 1000), 431, id="1005-headers"),
    pytest.param(head(X=["a"] * 10_000), 431, id="10005-headers"),
    pytest.param(b"GET / HTTP/1.1\r\n" + b"A: b\r\n" * 5000, 431, id="headers-endless"),
]


@pytest.mark.parametrize(("octets", "status"), REFUSED)
def test_refused(octets: bytes, status: int) -> None:
    assert answer(octets).status_code == status


@pytest.mark.parametrize(
    ("line", "status"),
    [("GET /" + "a" * 8178 + " HTTP/1.1", 101), ("GET /" + "a" * 8179 + " HTTP/1.1", 414)],
)
def test_request_line_at_the_limit(line: str, status: int) -> None:
    assert len(line) == 8192 + (status == 414)
    assert answer(head(line)).status_code == status


def test_405_tells_what_is_allowed() -> None:  # RFC 9110 15.5.6
    response = answer(head("POST / HTTP/1.1"))
    assert response.headers["Allow"] == "GET"
    assert response.headers["Connection"] == "close"


@pytest.mark.parametrize("change", [{"Sec_WebSocket_Version": "8"}, {"Upgrade": None}])
def test_426_tells_what_to_upgrade_to(change: dict[str, Value]) -> None:
    # RFC 9110 15.5.22, RFC 6455 4.4
    response = answer(head(**change))
    assert response.headers["Upgrade"] == "websocket"
    assert response.headers["Connection"] == "Upgrade, close"
    assert response.headers["Sec-WebSocket-Version"] == "13"


def test_refused_head_has_no_body() -> None:  # RFC 9110 9.3.2
    with pytest.raises(Refusal) as caught:
        accept(parse_request(head("HEAD / HTTP/1.1")))
    assert caught.value.response.body == b""
    assert int(caught.value.response.headers["Content-Length"]) > 0


@pytest.mark.parametrize(
    ("octets", "cause"),
    [
        (head("GET / HTTP/2.0"), InvalidProtocol),
        (head("POST / HTTP/1.1"), InvalidMethod),
        (head(Upgrade="h2c"), InvalidUpgrade),
        (head(Origin="null"), InvalidOrigin),
        (head(Sec_WebSocket_Key="x"), InvalidHeaderValue),
        (b"\r\n", InvalidMessage),
        (b"GET " + b"a" * 9000, RequestLineTooLong),
        (head(X="a" * 9000), SecurityError),
    ],
)
def test_refusal_knows_its_cause(octets: bytes, cause: type[InvalidHandshake]) -> None:
    with pytest.raises(Refusal) as caught:
        accept(parse_request(octets, **LIMITS))
    assert isinstance(caught.value.__cause__, cause)
    assert str(caught.value) == str(caught.value.__cause__)
    assert caught.value.status == caught.value.response.status_code


class TestIsUpgrade:
    @pytest.mark.parametrize(
        "upgrade", ["websocket", "WebSocket", "h2c, websocket", ["x", "websocket"]]
    )
    def test_yes(self, upgrade: Value) -> None:
        assert is_upgrade(parse_request(head(Upgrade=upgrade)))
        # Badly, but it asks: the refusal is ours to write.
        assert is_upgrade(parse_request(head("POST / HTTP/1.1", Upgrade=upgrade, Connection=None)))

    @pytest.mark.parametrize("upgrade", [None, "h2c", "websockets", "web socket", ""])
    def test_no(self, upgrade: Value) -> None:
        assert not is_upgrade(parse_request(head(Upgrade=upgrade)))

    def test_not_in_http_1_0(self) -> None:  # RFC 9110 7.8
        assert not is_upgrade(parse_request(head("GET / HTTP/1.0")))


@pytest.mark.parametrize(
    ("octets", "method", "path", "version"),
    [
        (b"GET / HTTP/1.0\r\n\r\n", "GET", "/", "HTTP/1.0"),
        (head("POST /a?b HTTP/1.1", Content_Length="5"), "POST", "/a?b", "HTTP/1.1"),
        (head("PUT / HTTP/1.1", Transfer_Encoding="Chunked"), "PUT", "/", "HTTP/1.1"),
        (head("OPTIONS * HTTP/1.1"), "OPTIONS", "*", "HTTP/1.1"),
        (head("CONNECT h:80 HTTP/1.1"), "CONNECT", "h:80", "HTTP/1.1"),
        (head("GET / HTTP/1.9"), "GET", "/", "HTTP/1.1"),
    ],
)
def test_requests_for_others_are_parsed(
    octets: bytes, method: str, path: str, version: str
) -> None:
    request = parse_request(octets, **LIMITS)
    assert (request.method, request.path, request.version) == (method, path, version)


# A page at each origin, seen by a server that was asked for as each host.
SAME = [
    ("http://example.com", "example.com", "itself"),
    ("https://example.com", "example.com", "tls-ended-by-a-proxy"),
    ("http://example.com:8000", "example.com", "port-of-the-page"),
    ("http://example.com", "example.com:8008", "port-of-the-server"),
    ("http://example.com:8000", "example.com:8008", "both-ports"),
    ("http://EXAMPLE.com", "example.COM", "case"),
    ("HTTP://example.com", "example.com", "case-of-the-scheme"),
    ("http://example.com.", "example.com", "dot-at-the-end-of-the-page"),
    ("http://example.com", "example.com.:8008", "dot-at-the-end-of-the-host"),
    ("http://127.0.0.1:3000", "127.0.0.1:8008", "ipv4"),
    ("http://[::1]:3000", "[::1]:8008", "ipv6"),
    ("http://[::1]", "[0:0:0:0:0:0:0:1]", "ipv6-in-another-spelling"),
    ("http://localhost", "localhost:8008", "localhost"),
    ("http://xn--mnchen-3ya.de", "xn--mnchen-3ya.de", "idn"),
]
FOREIGN = [
    ("null", "example.com", "null"),
    ("NULL", "null", "null-as-host"),
    ("", "example.com", "empty"),
    ("http://evil.com", "example.com", "another-host"),
    ("http://example.com.evil.com", "example.com", "prefix"),
    ("http://evil-example.com", "example.com", "suffix"),
    ("http://evilexample.com", "example.com", "suffix-without-dash"),
    ("http://sub.example.com", "example.com", "subdomain"),
    ("http://example.com", "sub.example.com", "parent-domain"),
    ("http://example.com@evil.com", "example.com", "userinfo"),
    ("http://evil.com@example.com", "example.com", "userinfo-before-the-host"),
    ("http://u:p@example.com", "example.com", "user-and-password"),
    ("http://evil.com/example.com", "example.com", "host-in-the-path"),
    ("http://evil.com?example.com", "example.com", "host-in-the-query"),
    ("http://evil.com#example.com", "example.com", "host-in-the-fragment"),
    ("http://evil.com\\example.com", "example.com", "backslash"),
    ("http://example.com/", "example.com", "slash-at-the-end"),
    ("http://example.com/p", "example.com", "path"),
    ("http://example.com:80:81", "example.com", "two-ports"),
    ("http://example.com:x", "example.com", "port-name"),
    ("http://example.com:65536", "example.com", "port-too-large"),
    ("http://example.com http://evil.com", "example.com", "list"),
    ("http://evil.com, http://example.com", "example.com", "list-with-comma"),
    ("file://", "example.com", "file"),
    ("file://example.com", "example.com", "file-on-the-host"),
    ("ftp://example.com", "example.com", "another-scheme"),
    ("ws://example.com", "example.com", "scheme-of-websocket"),
    ("chrome-extension://example.com", "example.com", "extension"),
    ("javascript://example.com", "example.com", "javascript"),
    ("example.com", "example.com", "no-scheme"),
    ("//example.com", "example.com", "no-scheme-but-slashes"),
    ("http:example.com", "example.com", "no-slashes"),
    ("http:/example.com", "example.com", "one-slash"),
    ("http:///example.com", "example.com", "three-slashes"),
    ("http://", "example.com", "no-host"),
    ("http://.", "example.com", "only-a-dot"),
    ("http://example.com..", "example.com", "two-dots-at-the-end"),
    ("http://.example.com", "example.com", "dot-at-the-start"),
    ("http://example%2ecom", "example.com", "encoded-dot"),
    ("http://exampl\xe9.com", "example.com", "latin-1"),
    ("http://example.com\t", "example.com\t.evil", "never-a-host"),
    ("http://127.0.0.1.evil.com", "127.0.0.1", "address-as-prefix"),
    ("http://localhost", "127.0.0.1", "two-names-of-loopback"),
    ("http://[::1]", "127.0.0.1", "two-families-of-loopback"),
    ("http://2130706433", "127.0.0.1", "address-as-a-number"),
    ("http://[::1", "[::1]", "bracket-missing"),
    ("http://::1", "[::1]", "brackets-missing"),
]


@pytest.mark.parametrize(("origin", "host"), [pytest.param(o, h, id=name) for o, h, name in SAME])
def test_page_of_the_same_host(origin: str, host: str) -> None:
    assert answer(head(Origin=origin, Host=host)).status_code == 101


@pytest.mark.parametrize(
    ("origin", "host"), [pytest.param(o, h, id=name) for o, h, name in FOREIGN]
)
def test_page_from_elsewhere(origin: str, host: str) -> None:
    request = Request("/", Headers({**GOOD, "Host": "h"}))
    del request.headers["Host"]
    request.headers.add_trusted("Host", host)
    request.headers.add_trusted("Origin", origin)
    with pytest.raises(Refusal) as caught:
        accept(request)
    assert caught.value.response.status_code == 403


def test_origin_is_nobodys_without_a_host() -> None:
    request = Request("/", Headers({**GOOD, "Origin": "http://h"}))
    del request.headers["Host"]
    with pytest.raises(Refusal):
        accept(request)


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        pytest.param(SAME_HOST, None, 101, id="same-host-without-origin"),
        pytest.param(None, "http://evil", 101, id="any"),
        pytest.param(None, "null", 101, id="any-null"),
        pytest.param(None, ["http://a", "http://b"], 400, id="any-but-not-two"),
        pytest.param(["http://a"], "http://a", 101, id="listed"),
        pytest.param(["http://a"], "http://a:80", 403, id="listed-without-port"),
        pytest.param(["http://a"], "https://a", 403, id="listed-with-another-scheme"),
        pytest.param(["http://a"], "http://h", 403, id="same-host-not-listed"),
        pytest.param(["http://a"], None, 403, id="no-origin-not-listed"),
        pytest.param(["http://a", None], None, 101, id="no-origin-listed"),
        pytest.param(["http://a", None], "null", 403, id="null-is-not-none"),
        pytest.param(["null"], "null", 101, id="null-listed"),
        pytest.param([], None, 403, id="nobody"),
        pytest.param([re.compile(r"https?://(\w+\.)?a")], "https://b.a", 101, id="pattern"),
        pytest.param(
            [re.compile(r"https?://(\w+\.)?a")], "https://b.a.evil", 403, id="pattern-prefix"
        ),
        pytest.param([re.compile(r".*")], None, 403, id="pattern-without-origin"),
        pytest.param([SAME_HOST, "http://a"], "http://a", 101, id="same-host-or-listed"),
        pytest.param([SAME_HOST, "http://a"], None, 101, id="same-host-in-a-list-without-origin"),
        pytest.param([SAME_HOST, "http://a"], "http://b", 403, id="neither-same-host-nor-listed"),
    ],
)
def test_origins(origins: Origins, origin: Value, status: int) -> None:
    assert answer(head(Origin=origin), origins=origins).status_code == status


def test_check_origins() -> None:
    listed: Origins = ["http://a", re.compile("b"), SAME_HOST, None]
    for good in (SAME_HOST, None, listed):
        check_origins(good)
    for bad in ("http://a", ["http://a", 1], [re.compile(b"")]):
        with pytest.raises(TypeError):
            check_origins(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 101),
        ("LOCALHOST:8008", 101),
        ("localhost.", 101),
        ("[::1]:1", 101),
        ("evil.com", 421),  # DNS rebinding
        ("localhost.evil.com", 421),
        ("local", 421),
        ("127.0.0.1", 421),
    ],
)
def test_hosts(host: str, status: int) -> None:
    hosts = ["Localhost", "[::1]"]
    check_hosts(hosts)
    response = answer(head(Host=host, Origin=f"http://{host}"), hosts=hosts)
    assert response.status_code == status


def test_hosts_without_a_host() -> None:
    request = Request("/", Headers(GOOD))
    del request.headers["Host"]
    with pytest.raises(Refusal) as caught:
        accept(request, hosts=["h"])
    assert isinstance(caught.value.__cause__, InvalidHost)


def test_check_hosts() -> None:
    check_hosts(None)
    with pytest.raises(TypeError):
        check_hosts("localhost")
    with pytest.raises(ValueError, match="'::1' is malformed"):
        check_hosts(["localhost", "::1"])


class TestSubprotocols:
    @pytest.mark.parametrize(
        ("offer", "spoken", "chosen"),
        [
            pytest.param("chat, superchat", ["chat"], "chat", id="the-only-one"),
            pytest.param("chat, superchat", ["superchat", "chat"], "superchat", id="servers-taste"),
            pytest.param(["a", "b"], ["b"], "b", id="several-lines"),
            pytest.param("a,,b", ["b"], "b", id="empty-element"),
            pytest.param(" a\t,\tb ", ["b"], "b", id="blanks"),
            pytest.param("Chat", ["chat"], None, id="case-counts"),
            pytest.param("a", ["b"], None, id="nothing-in-common"),
            pytest.param(None, ["chat"], None, id="none-offered"),
            pytest.param("chat", None, None, id="none-spoken"),
            pytest.param(
                "__class__, __proto__", ["__proto__"], "__proto__", id="names-of-attributes"
            ),
        ],
    )
    def test_default_choice(
        self, offer: Value, spoken: list[str] | None, chosen: str | None
    ) -> None:
        response = answer(head(Sec_WebSocket_Protocol=offer), subprotocols=spoken)
        assert response.status_code == 101
        assert response.headers.get("Sec-WebSocket-Protocol") == chosen

    def test_application_chooses(self) -> None:
        asked = []

        def select(connection: object, offered: Sequence[str]) -> str | None:
            asked.append((connection, offered))
            return offered[-1]

        octets = head(Sec_WebSocket_Protocol=["b, a", "c"])
        response = answer(octets, select_subprotocol=select, connection="me", subprotocols=["a"])
        assert response.headers["Sec-WebSocket-Protocol"] == "c"
        assert asked == [("me", ["b", "a", "c"])]

    @pytest.mark.parametrize("chosen", ["d", "", "A", "a\r\nX: y", 7])
    def test_application_chooses_what_was_not_offered(self, chosen: Any) -> None:
        response = answer(head(Sec_WebSocket_Protocol="a"), select_subprotocol=lambda *_: chosen)
        assert response.status_code == 500

    def test_application_insists_on_one(self) -> None:
        def select(connection: object, offered: Sequence[str]) -> str | None:
            raise NegotiationError("subprotocol chat is required")

        response = answer(head(), select_subprotocol=select)
        assert (response.status_code, response.body) == (400, b"subprotocol chat is required\n")

    def test_application_refuses_in_its_own_words(self) -> None:
        def select(connection: object, offered: Sequence[str]) -> str | None:
            raise Refusal(respond(503, "later\n"))

        assert answer(head(), select_subprotocol=select).body == b"later\n"

    def test_errors_of_the_application_pass(self) -> None:
        def select(connection: object, offered: Sequence[str]) -> str | None:
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            accept(parse_request(head()), select_subprotocol=select)

    def test_check(self) -> None:
        check_subprotocols(["a", "b"])
        check_subprotocols(())
        with pytest.raises(TypeError):
            check_subprotocols("chat")
        for bad in (["a b"], [""], ["a\r\n"], ["a\x00"], ["é"], ["a", "a"], ["a,b"]):
            with pytest.raises(InvalidHeaderValue):
                check_subprotocols(bad)


def test_extensions_hook_answers() -> None:
    asked = []

    def negotiate(offered: list[Any]) -> str | None:
        asked.append(offered)
        return "bar; x=1"

    octets = head(Sec_WebSocket_Extensions=["foo", "bar; x=1"])
    response = answer(octets, extensions=negotiate)
    assert response.headers["Sec-WebSocket-Extensions"] == "bar; x=1"
    assert asked == [[("foo", []), ("bar", [("x", "1")])]]
    assert "Sec-WebSocket-Extensions" not in answer(octets, extensions=lambda _: None).headers
    assert "Sec-WebSocket-Extensions" not in answer(head(), extensions=negotiate).headers


class TestResponse:
    def test_written(self) -> None:
        response = Response(200, "OK", Headers(X="1"), b"body")
        assert response.serialize() == b"HTTP/1.1 200 OK\r\nX: 1\r\n\r\nbody"
        assert Response(299, "").serialize() == b"HTTP/1.1 299 \r\n\r\n"

    @pytest.mark.parametrize("reason", ["a\r\nX: y", "a\nb", "a\x00", "日本", " a"])
    def test_reason_must_stand_on_its_line(self, reason: str) -> None:  # RFC 9112 4
        with pytest.raises(InvalidHeaderValue):
            Response(200, reason).serialize()

    @pytest.mark.parametrize("status", [0, 99, 600, -200])
    def test_status_must_be_one(self, status: int) -> None:
        with pytest.raises(ValueError, match="status code"):
            Response(status, "").serialize()

    def test_application_refuses_with_headers_and_body(self) -> None:
        headers = Headers({"WWW-Authenticate": "Basic", "Content-Length": "999"})
        headers["Connection"] = "keep-alive"
        headers["Transfer-Encoding"] = "chunked"
        response = last(Response(401, "Unauthorized", headers, b"who?"))
        assert list(response.headers.raw_items()) == [
            ("WWW-Authenticate", "Basic"),
            ("Content-Length", "4"),
            ("Connection", "close"),
        ]

    def test_application_words_its_405(self) -> None:
        assert last(Response(405, "No", Headers(Allow="GET, POST"))).headers["Allow"] == "GET, POST"

    @pytest.mark.parametrize("status", [204, 304])
    def test_answers_without_body(self, status: int) -> None:  # RFC 9110 8.6
        response = last(Response(status, "", Headers(), b"body"))
        assert response.body == b""
        assert "Content-Length" not in response.headers

    def test_101_is_not_a_refusal(self) -> None:
        with pytest.raises(ValueError, match="101"):
            last(Response(101, "Switching Protocols"))

    def test_respond(self) -> None:
        assert respond(503, "später\n").serialize() == (
            b"HTTP/1.1 503 Service Unavailable\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\n"
            b"Content-Length: 8\r\n"
            b"Connection: close\r\n"
            b"\r\n"
            b"sp\xc3\xa4ter\n"
        )

    def test_refusal_without_words_shows_its_status(self) -> None:
        assert str(Refusal(respond(503))) == "503 Service Unavailable"

    def test_every_problem_has_an_answer(self) -> None:
        assert refuse(InvalidHandshake("x")).response.status_code == 400
        assert refuse(InvalidHeader("X")).response.status_code == 400


class TestServerHeaders:
    def test_added(self) -> None:
        response = Response(200, "OK")
        add_server_headers(response, "longlink", 784111777.9)
        # RFC 9110 5.6.7
        assert response.headers["Date"] == "Sun, 06 Nov 1994 08:49:37 GMT"
        assert response.headers["Server"] == "longlink"

    def test_second_by_second(self) -> None:
        dates = []
        for now in (0.0, 0.9, 1.0):
            response = Response(200, "OK")
            add_server_headers(response, None, now)
            dates.append(response.headers["Date"])
            assert "Server" not in response.headers
        assert [date[-6:-4] for date in dates] == ["00", "00", "01"]

    def test_those_of_the_application_stay(self) -> None:
        response = Response(200, "OK", Headers(Date="today", Server="mine"))
        add_server_headers(response, "longlink", 0)
        assert list(response.headers.raw_items()) == [("Date", "today"), ("Server", "mine")]

    def test_server_header_cannot_inject(self) -> None:
        with pytest.raises(InvalidHeaderValue):
            add_server_headers(Response(200, "OK"), "a\r\nX: y", 0)


@pytest.mark.parametrize(
    ("method", "path"),
    [("G T", "/"), ("", "/"), ("GET", "/ a"), ("GET", "/\r\n"), ("GET", "/#"), ("GET", "")],
)
def test_request_that_would_break_its_line(method: str, path: str) -> None:
    with pytest.raises(ValueError, match="request line"):
        Request(path, Headers(), method).serialize()


FULL = head(
    "GET http://h:8008/a?b HTTP/1.1",
    Host="h:8008",
    Origin="http://h",
    Sec_WebSocket_Protocol="chat",
    Sec_WebSocket_Extensions='a; b="c"',
    Cookie="a=全国".encode(),
)


def test_every_truncated_head_is_refused() -> None:
    for size in range(len(FULL)):
        with pytest.raises(Refusal):
            parse_request(FULL[:size], **LIMITS)


def test_verdict_of_a_head_that_was_given_up() -> None:
    """What `head_end` gives up at any point, `parse_request` refuses."""
    for octets in (parameter.values[0] for parameter in REFUSED):
        try:
            end = head_end(octets, 0, max_head=16_384, max_line=8192)  # type: ignore[arg-type]
        except InvalidHandshake:
            with pytest.raises(Refusal):
                parse_request(octets, **LIMITS)  # type: ignore[arg-type]
        else:
            assert 0 <= end <= len(octets)  # type: ignore[arg-type]


MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(FULL)), st.integers(0, 8), st.binary(max_size=4)), max_size=4
)


def mutated(changes: list[tuple[int, int, bytes]]) -> bytes:
    octets = FULL
    for at, size, new in changes:
        octets = octets[:at] + new + octets[at + size :]
    return octets


@given(st.binary() | MUTATIONS.map(mutated))
@example(head(Sec_WebSocket_Protocol=" " * 8000 + "@"))
@example(head(Sec_WebSocket_Extensions='a;b="' + "\\" * 8000))
@example(head(Host="[" + ":" * 8000 + "]"))
@example(head(Origin="http://" + "a" * 8000 + "\\"))
@example(head("GET http://" + "[" * 8000 + " HTTP/1.1"))
def test_any_octets_are_accepted_or_refused(octets: bytes) -> None:
    response = answer(octets, subprotocols=["chat"])
    written = response.serialize()
    # What goes out is one well-formed response.
    read = parse_response(written[: len(written) - len(response.body)])
    assert (read.status_code, read.headers) == (response.status_code, response.headers)


@given(MUTATIONS.map(mutated))
def test_what_we_accept_h11_accepts_and_reads_alike(octets: bytes) -> None:
    """Another strict parser: where ours takes a head, so does it, and sees the same."""
    try:
        request = parse_request(octets, **LIMITS)
    except Refusal:
        return
    peer = h11.Connection(h11.SERVER)
    peer.receive_data(octets.removeprefix(b"\r\n"))  # it does not know RFC 9112 2.2
    event = peer.next_event()
    assert isinstance(event, h11.Request)
    theirs = [(name.decode(), value.decode("latin-1")) for name, value in event.headers]
    ours = [(name.lower(), value) for name, value in request.headers.raw_items() if name != "Host"]
    assert ours == [item for item in theirs if item[0] != "host"]
    assert event.method.decode() == request.method
    assert event.target.decode().endswith(request.path.lstrip("/"))
