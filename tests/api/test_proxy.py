"""Through proxies: HTTP with CONNECT, TLS in TLS, SOCKS; and which one is used."""

from __future__ import annotations

import asyncio
import base64
import builtins
import errno
import socket
import ssl
import sys
from typing import Any

import pytest

from longlink import (
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    ProxyError,
    SecurityError,
    connect,
    process_exception,
    serve,
)
from longlink.api.proxy import of_environment, open_tunnel
from longlink.limits import Limits
from longlink.wire import uri as uris
from tests.api.raw import Raw, answering, echo, header_of, port_of, uri_of
from tests.api.relay import Relay


async def talks(uri: str, **how: Any) -> None:
    async with connect(uri, **how) as ws:
        for message in ("x", "y" * 100_000):
            await ws.send(message)
            assert await ws.recv() == message


# -- HTTP -----------------------------------------------------------------------------------------


async def test_through_an_http_proxy() -> None:
    relay = Relay()
    async with serve(echo, "127.0.0.1", 0) as server, relay.serving(relay.http):
        await talks(
            uri_of(server),
            proxy=f"http://me:p%40ss@127.0.0.1:{relay.port}",
            additional_headers={"Cookie": "a=b"},
            user_agent_header="agent/1",
        )
        (head,) = relay.asked
        place = f"127.0.0.1:{port_of(server)}"
    assert head.startswith(f"CONNECT {place} HTTP/1.1\r\n")
    assert header_of(head, "Host") == place
    assert header_of(head, "User-Agent") == "agent/1"
    assert (
        header_of(head, "Proxy-Authorization") == "Basic " + base64.b64encode(b"me:p@ss").decode()
    )
    assert header_of(head, "Cookie") is None  # that is the server's


async def test_tls_through_an_http_proxy(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    relay = Relay()
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls) as server, relay.serving(relay.http):
        proxy = f"http://127.0.0.1:{relay.port}"
        await talks(uri_of(server, scheme="wss"), ssl=client_tls, proxy=proxy)
        wrong = uri_of(server, scheme="wss")
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(wrong, ssl=client_tls, proxy=proxy, server_hostname="other.example")


@pytest.mark.parametrize("secure", [False, True])
async def test_through_a_proxy_that_speaks_tls(
    secure: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    relay = Relay()
    tls: dict[str, Any] = {"ssl": server_tls} if secure else {}
    ours: dict[str, Any] = {"ssl": client_tls} if secure else {}
    async with serve(echo, "127.0.0.1", 0, **tls) as server:
        async with relay.serving(relay.http, ssl=server_tls):
            uri = uri_of(server, scheme="wss" if secure else "ws")
            proxy = f"https://127.0.0.1:{relay.port}"
            await talks(uri, proxy=proxy, proxy_ssl=client_tls, **ours)
            assert len(relay.asked) == 1
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(uri, proxy=proxy, **ours)  # nobody vouches for the proxy
            with pytest.raises(ssl.SSLCertVerificationError):
                await connect(
                    uri, proxy=proxy, proxy_ssl=client_tls, proxy_server_hostname="x.y", **ours
                )
            assert len(relay.asked) == 1


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (b"HTTP/1.1 407 Who are you\r\nContent-Length: 3\r\n\r\nyouand more", InvalidProxyStatus),
        (b"garbage\r\n\r\n", InvalidProxyMessage),
        (b"\x05\x00", InvalidProxyMessage),
        (b"HTTP/1.1 200 OK\r\n\r\ntoo early", InvalidProxyMessage),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 10_000, InvalidProxyMessage),
        (b"HTTP/1.1 200 " + b"x" * 20_000, InvalidProxyMessage),
    ],
    ids=["407", "garbage", "socks", "early", "endless", "line"],
)
async def test_what_a_proxy_may_not_answer(
    answer: bytes,
    kind: type[ProxyError],
    tls: bool,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
) -> None:
    relay = Relay()
    relay.answer = answer
    how: dict[str, Any] = {"ssl": server_tls} if tls else {}
    async with relay.serving(relay.http, **how):
        proxy = f"{'https' if tls else 'http'}://127.0.0.1:{relay.port}"
        trusting: dict[str, Any] = {"proxy_ssl": client_tls} if tls else {}
        with pytest.raises(kind) as caught:
            await connect("ws://server.example/", proxy=proxy, **trusting)
    if kind is InvalidProxyStatus:
        assert (caught.value.status, caught.value.body) == (407, b"you")


async def test_a_proxy_that_floods_does_not_keep_the_loop() -> None:
    ours, theirs = socket.socketpair()
    turned = asyncio.Event()
    with ours, theirs:
        ours.setblocking(False)
        theirs.sendall(b"HTTP/1.1 403 No\r\nContent-Length: 50000\r\n\r\n" + bytes(50_000))
        loop = asyncio.get_running_loop()
        loop.call_soon(turned.set)
        with pytest.raises(InvalidProxyStatus):
            await open_tunnel(loop, ours, b"CONNECT", Limits())
    assert turned.is_set()


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 200"])
@pytest.mark.parametrize("tls", [False, True])
async def test_a_proxy_that_leaves(
    said: bytes, tls: bool, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(said)

    relay = Relay()
    how: dict[str, Any] = {"ssl": server_tls} if tls else {}
    async with relay.serving(leave, **how):
        proxy = f"{'https' if tls else 'http'}://127.0.0.1:{relay.port}"
        trusting: dict[str, Any] = {"proxy_ssl": client_tls} if tls else {}
        with pytest.raises(InvalidProxyMessage, match="closed TCP before it answered"):
            await connect("ws://server.example/", proxy=proxy, **trusting)


async def test_a_server_that_leaves_between_two_handshakes_inside_tls(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")

    relay = Relay()
    async with relay.serving(leave, ssl=server_tls):
        proxy = f"https://127.0.0.1:{relay.port}"
        with pytest.raises(OSError):
            await connect(
                "wss://server.example/", proxy=proxy, proxy_ssl=client_tls, ssl=client_tls
            )


async def test_no_proxy_where_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        for scheme in ("http", "socks5"):
            with pytest.raises(ConnectionRefusedError):
                await connect("ws://server.example/", proxy=f"{scheme}://127.0.0.1:{port}")


async def test_a_silent_proxy_is_a_timeout() -> None:
    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    relay = Relay()
    async with relay.serving(wait):
        for scheme in ("http", "socks5", "https"):
            proxy = f"{scheme}://127.0.0.1:{relay.port}"
            with pytest.raises(TimeoutError, match="timed out during the opening handshake"):
                await connect("ws://server.example/", proxy=proxy, open_timeout=0.05)


async def test_redirects_go_through_the_proxy_too() -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send(f"HTTP/1.1 302 Moved\r\nLocation: {target}\r\n\r\n")
        await raw.end()

    relay = Relay()
    async with serve(echo, "127.0.0.1", 0) as server, relay.serving(relay.http):
        target = uri_of(server)
        async with answering(script) as uri:
            await talks(uri, proxy=f"http://127.0.0.1:{relay.port}")
    assert len(relay.asked) == 2


async def test_the_place_of_the_caller_is_what_the_proxy_is_asked_for() -> None:
    relay = Relay()
    async with serve(echo, "127.0.0.1", 0) as server, relay.serving(relay.http):
        await talks(
            "ws://any.example/",
            host="127.0.0.1",
            port=port_of(server),
            proxy=f"http://127.0.0.1:{relay.port}",
        )
        assert relay.asked[0].startswith(f"CONNECT 127.0.0.1:{port_of(server)} ")


# -- SOCKS ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("scheme", "asked"),
    [
        ("socks5h", "server.invalid"),
        ("socks4a", "server.invalid"),
        ("socks5", "127.0.0.1"),
        ("socks4", "127.0.0.1"),
    ],
)
async def test_through_a_socks_proxy(scheme: str, asked: str) -> None:
    """With the h or the a, names are looked up by the proxy."""
    relay = Relay()
    talk = relay.socks4 if scheme.startswith("socks4") else relay.socks5
    async with serve(echo, "127.0.0.1", 0) as server, relay.serving(talk):
        port = port_of(server)
        await talks(f"ws://{asked}:{port}/", proxy=f"{scheme}://127.0.0.1:{relay.port}")
        assert relay.asked == [(asked, port)]


async def test_tls_and_credentials_through_socks(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    relay = Relay()
    relay.credentials = (b"me", b"p@ss")
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls) as server, relay.serving(relay.socks5):
        proxy = f"socks5h://me:p%40ss@127.0.0.1:{relay.port}"
        uri = f"wss://localhost:{port_of(server)}/"
        await talks(uri, proxy=proxy, ssl=client_tls)
        assert relay.asked == [("localhost", port_of(server))]
        with pytest.raises(ProxyError):
            await connect(uri, proxy=proxy.replace("p%40ss", "wrong"), ssl=client_tls)


@pytest.mark.parametrize(("scheme", "reply"), [("socks4", 5), ("socks5", 1), ("socks5", 2)])
async def test_a_socks_proxy_that_refuses(scheme: str, reply: int) -> None:
    relay = Relay()
    relay.reply = reply
    async with relay.serving(relay.socks4 if scheme == "socks4" else relay.socks5):
        with pytest.raises(ProxyError, match="the SOCKS proxy does not let us through: "):
            await connect("ws://127.0.0.1:1/", proxy=f"{scheme}://127.0.0.1:{relay.port}")


@pytest.mark.parametrize(
    ("reply", "number"),
    [
        (3, errno.ENETUNREACH),
        (4, errno.EHOSTUNREACH),
        (5, errno.ECONNREFUSED),
        (6, errno.EHOSTUNREACH),
    ],
)
async def test_a_server_that_a_socks_proxy_cannot_reach_may_come_back(
    reply: int, number: int
) -> None:
    relay = Relay()
    relay.reply = reply
    async with relay.serving(relay.socks5):
        with pytest.raises(OSError, match="the SOCKS proxy cannot reach the server: ") as caught:
            await connect("ws://127.0.0.1:1/", proxy=f"socks5://127.0.0.1:{relay.port}")
    assert caught.value.errno == number
    assert process_exception(caught.value) is None


async def test_without_python_socks_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = builtins.__import__

    def missing(name: str, *rest: Any) -> Any:
        if name.startswith("python_socks"):
            raise ImportError(name)
        return real(name, *rest)

    for name in [name for name in sys.modules if name.startswith("python_socks")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(ImportError, match=r"pip install 'longlink\[socks\]'"):
        await connect("ws://server.example/", proxy="socks5://127.0.0.1:1")


# -- which one ------------------------------------------------------------------------------------


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for scheme in ("ws", "wss", "http", "https", "all", "socks", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize(
    ("given", "plain", "secure"),
    [
        ({}, None, None),
        ({"http_proxy": "http://h"}, "http://h", None),
        ({"https_proxy": "http://s"}, "http://s", "http://s"),
        ({"http_proxy": "http://h", "https_proxy": "http://s"}, "http://s", "http://s"),
        ({"all_proxy": "socks5h://a", "http_proxy": "http://h"}, "http://h", "socks5h://a"),
        (
            {"socks_proxy": "h:1080", "https_proxy": "http://s"},
            "socks5h://h:1080",
            "socks5h://h:1080",
        ),
        ({"socks_proxy": "http://h:1"}, "socks5h://h:1", "socks5h://h:1"),
        ({"ws_proxy": "http://w", "socks_proxy": "socks4://k"}, "http://w", "socks4://k"),
        ({"wss_proxy": "http://w", "https_proxy": "http://s"}, "http://s", "http://w"),
        ({"HTTPS_PROXY": "proxy:3128"}, "http://proxy:3128", "http://proxy:3128"),
        ({"https_proxy": "http://s", "no_proxy": "other.example"}, "http://s", "http://s"),
        ({"https_proxy": "http://s", "no_proxy": "example"}, None, None),
        ({"https_proxy": "http://s", "no_proxy": "*"}, None, None),
        ({"https_proxy": "http://s", "no_proxy": "host.example:443"}, "http://s", None),
    ],
)
def test_what_the_environment_says(
    given: dict[str, str],
    plain: str | None,
    secure: str | None,
    environment: pytest.MonkeyPatch,
) -> None:
    for name, value in given.items():
        environment.setenv(name, value)
    for uri, expected in (("ws://host.example/", plain), ("wss://host.example/", secure)):
        assert of_environment(uris.parse(uri), uris.parse(uri)) == expected


async def test_the_environment_is_asked_by_default(environment: pytest.MonkeyPatch) -> None:
    relay = Relay()
    async with serve(echo, "127.0.0.1", 0) as server, relay.serving(relay.http):
        environment.setenv("http_proxy", f"127.0.0.1:{relay.port}")
        uri = uri_of(server)
        await talks(uri)
        assert len(relay.asked) == 1
        await talks(uri, proxy=None)
        await talks(uri, sock=socket.create_connection(("127.0.0.1", port_of(server))))
        environment.setenv("no_proxy", "127.0.0.1")
        await talks(uri)
        await talks("ws://any.example/", host="127.0.0.1", port=port_of(server))
        assert len(relay.asked) == 1


@pytest.mark.parametrize("proxy", ["proxy.example", "ftp://proxy.example", "http://", "http://a/b"])
async def test_a_bad_address(proxy: str, environment: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidProxy):
        connect("ws://server.example/", proxy=proxy)
    if "://" in proxy:
        environment.setenv("https_proxy", proxy)
        with pytest.raises(InvalidProxy):
            await connect("ws://server.example/")


@pytest.mark.parametrize("proxy", [False, 5, b"http://proxy"])
def test_a_proxy_of_the_wrong_type(proxy: Any) -> None:
    with pytest.raises(TypeError, match="proxy must be True, None or an address"):
        connect("ws://server.example/", proxy=proxy)


def test_what_a_proxy_answers_is_a_problem_of_the_handshake() -> None:
    assert not issubclass(InvalidProxyStatus, InvalidStatus)
    assert issubclass(InvalidProxyStatus, ProxyError)
    assert not issubclass(SecurityError, ProxyError)
