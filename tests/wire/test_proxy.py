"""Addresses of proxies, and what they say to CONNECT (RFC 9110 9.3.6)."""

from __future__ import annotations

import base64

import pytest

from longlink.errors import InvalidProxy, InvalidProxyMessage, InvalidProxyStatus
from longlink.wire import uri
from longlink.wire.proxy import MAX_INTERIM, Proxy, Tunnel, connect_request, parse_proxy

LIMITS = {"max_head": 1000, "max_line": 200, "max_headers": 5}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("http://proxy", Proxy("http", "proxy", 80)),
        ("http://proxy:3128", Proxy("http", "proxy", 3128)),
        ("HTTPS://Proxy.Example/", Proxy("https", "proxy.example", 443)),
        ("socks5://proxy", Proxy("socks5", "proxy", 1080)),
        ("socks5h://[::1]:1", Proxy("socks5h", "::1", 1)),
        ("socks4://10.0.0.1", Proxy("socks4", "10.0.0.1", 1080)),
        ("socks4a://u@h", Proxy("socks4a", "h", 1080, "u", "")),
        ("http://us%40er:p%3Ass@proxy:1", Proxy("http", "proxy", 1, "us@er", "p:ss")),
        ("http://bücher", Proxy("http", "xn--bcher-kva", 80)),
    ],
)
def test_an_address(text: str, expected: Proxy) -> None:
    assert parse_proxy(text) == expected
    assert parse_proxy(text).speaks_http == text.lower().startswith("http")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "proxy",
        "proxy:80",
        "//proxy",
        "ftp://proxy",
        "socks6://proxy",
        "http://",
        "http://:80",
        "http://proxy:0",
        "http://proxy:65536",
        "http://proxy/path",
        "http://proxy?query",
        "http://proxy#fragment",
        "http://pro xy",
        "http://proxy\r\nX: y",
        "http://user:pass word@proxy",
        "http://user:%0d%0a@proxy",
    ],
)
def test_an_address_that_is_none(text: str) -> None:
    with pytest.raises(InvalidProxy) as caught:
        parse_proxy(text)
    assert caught.value.proxy == text


def test_no_message_tells_the_password() -> None:
    with pytest.raises(InvalidProxy) as caught:
        parse_proxy("http://user:secret@proxy/path")
    assert str(caught.value).startswith("invalid proxy 'http://…@proxy/path': ")
    with pytest.raises(InvalidProxy) as caught:
        parse_proxy("user:secret@proxy")
    assert "secret" not in str(caught.value)
    assert "secret" not in repr(parse_proxy("http://user:secret@proxy"))


def test_what_is_asked() -> None:
    target = uri.parse("wss://user:secret@server.example/path?query")
    assert connect_request(parse_proxy("http://proxy"), target, None) == (
        b"CONNECT server.example:443 HTTP/1.1\r\nHost: server.example:443\r\n\r\n"
    )
    proxy = parse_proxy("http://me:pass@proxy")
    head = connect_request(proxy, uri.parse("ws://[::1]:8765"), "agent/1").decode()
    assert head.startswith("CONNECT [::1]:8765 HTTP/1.1\r\nHost: [::1]:8765\r\n")
    assert "\r\nUser-Agent: agent/1\r\n" in head
    credentials = base64.b64encode(b"me:pass").decode()
    assert f"\r\nProxy-Authorization: Basic {credentials}\r\n" in head


GOOD = [
    b"HTTP/1.1 200 OK\r\n\r\n",
    b"HTTP/1.0 200 Connection established\r\n\r\n",
    b"HTTP/1.1 204 \r\nX: y\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n",  # to be ignored
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
]


@pytest.mark.parametrize("answer", GOOD)
def test_a_tunnel_opens_with_the_last_octet_of_the_head(answer: bytes) -> None:
    assert Tunnel(100, **LIMITS).feed(answer)
    tunnel = Tunnel(100, **LIMITS)
    opened = [tunnel.feed(bytes([octet])) for octet in answer]
    assert opened == [False] * (len(answer) - 1) + [True]


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (b"HTTP/1.1 407 Who\r\nContent-Length: 4\r\nX: y\r\n\r\nbody", b"body"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n", b""),
        (b"HTTP/1.1 502 No\r\n\r\n" + b"x" * 200, b"x" * 100),
        (b"HTTP/1.1 101 Switching\r\n\r\n", b""),
    ],
)
def test_a_refusal_is_told_with_its_body(answer: bytes, body: bytes) -> None:
    for pieces in ([answer], [bytes([octet]) for octet in answer]):
        tunnel = Tunnel(100, **LIMITS)
        with pytest.raises(InvalidProxyStatus) as caught:
            any(tunnel.feed(piece) for piece in pieces)
        assert caught.value.body == body
        assert caught.value.status == int(answer[9:12])
    assert str(caught.value).startswith(f"proxy answered {caught.value.status} '")


@pytest.mark.parametrize(
    "answer",
    [
        b"\x05\x00",
        b"SSH-2.0-OpenSSH\r\n\r\n",
        b"HTTP/2.0 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\nX: y\n\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 " + b"x" * 300,
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 6 + b"\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 1000,
        b"HTTP/1.1 200 OK\r\n\r\n\x81\x02hi",
    ],
)
def test_what_is_no_answer(answer: bytes) -> None:
    with pytest.raises(InvalidProxyMessage):
        Tunnel(100, **LIMITS).feed(answer)


def test_a_proxy_that_leaves() -> None:
    tunnel = Tunnel(100, **LIMITS)
    tunnel.feed(b"HTTP/1.1 200")
    assert isinstance(tunnel.refusal(), InvalidProxyMessage)
    tunnel = Tunnel(100, **LIMITS)
    tunnel.feed(b"HTTP/1.1 403 No\r\n\r\nbecause")
    refusal = tunnel.refusal()
    assert isinstance(refusal, InvalidProxyStatus)
    assert refusal.body == b"because"


def test_a_proxy_that_never_comes_to_the_point() -> None:
    tunnel, interim = Tunnel(100, **LIMITS), b"HTTP/1.1 100 Continue\r\n\r\n"
    for _ in range(MAX_INTERIM):
        assert not tunnel.feed(interim)
    with pytest.raises(InvalidProxyMessage, match="more than 100 interim answers"):
        tunnel.feed(interim)
