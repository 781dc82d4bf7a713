"""Redirects of the opening handshake: followed where that is safe, without what is secret."""

from __future__ import annotations

import base64
import socket
import ssl
from typing import Any

import pytest

from longlink import (
    Headers,
    InvalidHandshake,
    InvalidHeaderValue,
    InvalidStatus,
    SecurityError,
    connect,
    serve,
    unix_serve,
)
from longlink.api.redirect import MAX_REDIRECTS, portable
from tests.api.raw import Raw, answering, echo, header_of, uri_of


def moved(location: str, status: int = 302) -> str:
    return f"HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"


class Guide:
    """A server that sends everybody on to the next of its locations, and remembers who asked."""

    def __init__(self, *locations: str, status: int = 302) -> None:
        self.locations = list(locations)
        self.status = status
        self.heads: list[str] = []

    async def __call__(self, raw: Raw, head: str) -> None:
        self.heads.append(head)
        location = self.locations.pop(0) if len(self.locations) > 1 else self.locations[0]
        raw.send(moved(location, self.status))
        await raw.end()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_followed(status: int) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        guide = Guide(uri_of(server, "/there?x=y"), status=status)
        async with answering(guide) as uri, connect(uri) as ws:
            assert ws.request.path == "/there?x=y"
            await ws.send("x")
            assert await ws.recv() == "x"


async def test_a_redirect_is_not_waited_for_to_the_end() -> None:
    async def endless(raw: Raw, head: str) -> None:
        raw.send(f"HTTP/1.1 302 Moved\r\nLocation: {target}\r\n\r\na body without an end")
        await raw.end()

    async with serve(echo, "127.0.0.1", 0) as server:
        target = uri_of(server)
        async with answering(endless) as uri, connect(uri) as ws:
            assert ws.response is not None


async def test_a_relative_location_and_one_that_says_http() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        elsewhere = uri_of(server, scheme="http")
        guide = Guide("b?c", "/d", elsewhere)
        async with answering(guide) as uri, connect(uri + "a") as ws:
            assert ws.request.path == "/"
        assert [head.split()[1] for head in guide.heads] == ["/a", "/b?c", "/d"]


@pytest.mark.parametrize("status", [304, 305, 399])
async def test_other_statuses_are_no_redirect(status: int) -> None:
    async with answering(Guide("/x", status=status)) as uri:
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri)
        assert caught.value.status == status


async def test_going_round_in_circles_ends() -> None:
    guide = Guide("/again")
    async with answering(guide) as uri:
        with pytest.raises(SecurityError, match="more than 10 redirects") as caught:
            await connect(uri)
    assert len(guide.heads) == MAX_REDIRECTS + 1
    assert caught.value.status == 302


@pytest.mark.parametrize(
    "location", ["ftp://h/", "a b", "ws://h:0/", "javascript:alert(1)", "/\xff"]
)
async def test_a_location_that_is_no_server(location: str) -> None:
    async with answering(Guide(location)) as uri:
        with pytest.raises(InvalidHeaderValue) as caught:
            await connect(uri)
    assert (caught.value.name, caught.value.status) == ("Location", 302)


async def test_two_locations_are_none() -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send("HTTP/1.1 302 Moved\r\nLocation: /a\r\nLocation: /b\r\n\r\n")
        await raw.end()

    async with answering(script) as uri:
        with pytest.raises(InvalidHeaderValue):
            await connect(uri)


SECRETS = {
    "Authorization": "Bearer 1",
    "Cookie": "a=b",
    "Proxy-Authorization": "Basic 1",
    "X-Api-Key": "k",
    "X-CSRF-Token": "t",
    "X-Amz-Security-Token": "s",
}


async def test_what_is_secret_stays_with_its_origin() -> None:
    """RFC 9110 15.4, 11.6.2; B3: to another origin go no credentials."""
    far = Guide("/end", "/end", status=404)
    additional: dict[str, str] = {**SECRETS, "X-Trace": "1", "Accept-Language": "en"}
    async with answering(far) as elsewhere:
        near = Guide("/still-here", elsewhere)
        async with answering(near) as uri:
            with pytest.raises(InvalidStatus):
                await connect(
                    uri, additional_headers=additional, origin="https://page", subprotocols=["a"]
                )
    for head in near.heads:
        assert {name: header_of(head, name) for name in additional} == additional
    (head,) = far.heads
    assert {name: header_of(head, name) for name in SECRETS} == dict.fromkeys(SECRETS)
    assert header_of(head, "X-Trace") == "1"
    assert header_of(head, "Accept-Language") == "en"
    assert header_of(head, "Origin") == "https://page"
    assert header_of(head, "Sec-WebSocket-Protocol") == "a"


async def test_user_and_password_of_the_uri_stay_with_its_origin() -> None:
    far = Guide("/end", status=404)
    async with answering(far) as elsewhere:
        near = Guide("/still-here", elsewhere.replace("ws://", "ws://evil:evil@"))
        async with answering(near) as uri:
            with pytest.raises(InvalidStatus):
                await connect(uri.replace("ws://", "ws://me:pass@"))
    ours = "Basic " + base64.b64encode(b"me:pass").decode()
    assert [header_of(head, "Authorization") for head in near.heads] == [ours, ours]
    assert [header_of(head, "Authorization") for head in far.heads] == [None]


async def test_an_origin_that_is_come_back_to_does_not_get_the_secrets_again() -> None:
    back = Guide("/")
    async with answering(back) as home:
        away = Guide(home + "returned")
        async with answering(away) as elsewhere:
            back.locations = [elsewhere, "/end"]
            away.locations = [home + "returned"]
            with pytest.raises(SecurityError):
                await connect(home, additional_headers={"Cookie": "a=b"})
    assert header_of(back.heads[0], "Cookie") == "a=b"
    assert {header_of(head, "Cookie") for head in back.heads[1:] + away.heads} == {None}


def test_headers_that_look_like_secrets() -> None:
    kept = portable(Headers([("X-Session-Id", "1"), ("x-jwt", "2"), ("X-A", "3"), ("X-A", "4")]))
    assert list(kept.raw_items()) == [("X-A", "3"), ("X-A", "4")]


async def test_tls_is_never_left(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async def away(ws: Any, request: Any) -> Any:
        response = ws.respond(302, "")
        response.headers["Location"] = target
        return response

    async with serve(echo, "127.0.0.1", 0) as plain:
        for scheme in ("ws", "http"):
            target = uri_of(plain, scheme=scheme)
            async with serve(echo, "127.0.0.1", 0, ssl=server_tls, process_request=away) as server:
                with pytest.raises(SecurityError, match="no redirect from TLS to ws://"):
                    await connect(uri_of(server, scheme="wss"), ssl=client_tls)


async def test_from_plain_text_to_tls(
    server_tls: ssl.SSLContext, certificate: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls) as server:
        guide = Guide(uri_of(server, scheme="https"))
        async with answering(guide) as uri, connect(uri) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


@pytest.mark.parametrize("fixed", ["host", "port", "server_hostname"])
async def test_another_origin_where_the_caller_said_where(fixed: str) -> None:
    async with answering(Guide("ws://other.example/")) as uri:
        port = int(uri.rstrip("/").rpartition(":")[2])
        how: dict[str, Any] = {"host": "127.0.0.1", "port": port, "server_hostname": "x"}
        with pytest.raises(SecurityError, match=f"with {fixed}= given"):
            await connect(uri, **{fixed: how[fixed]})
    async with answering(Guide("/x", "ws://other.example/")) as uri:
        with pytest.raises(SecurityError, match=r"no redirect to ws://other\.example/"):
            await connect(uri, host="127.0.0.1")


async def test_a_socket_of_the_caller_is_used_up() -> None:
    async with answering(Guide("/x")) as uri:
        sock = socket.create_connection(("127.0.0.1", int(uri.rstrip("/").rpartition(":")[2])))
        with pytest.raises(SecurityError, match="with sock= given"):
            await connect(uri, sock=sock)
        assert sock.fileno() == -1


async def test_a_redirect_on_a_unix_socket(tmp_path: Any) -> None:
    async def once(ws: Any, request: Any) -> Any:
        if request.path == "/there":
            return None
        response = ws.respond(302, "")
        response.headers["Location"] = "/there" if request.path == "/" else "ws://other/"
        return response

    path = str(tmp_path / "socket")
    async with unix_serve(echo, path, process_request=once):
        async with connect("ws://localhost/", path=path) as ws:
            assert ws.request.path == "/there"
        with pytest.raises(SecurityError, match="with path= given"):
            await connect("ws://localhost/away", path=path)


async def test_every_connect_starts_from_its_own_uri() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        guide = Guide(uri_of(server))
        async with answering(guide) as uri:
            connecting = connect(uri)
            await (await connecting).close()
            await (await connecting).close()
        assert len(guide.heads) == 2


async def test_the_deadline_covers_all_redirects() -> None:
    hops = 0

    async def slow(raw: Raw, head: str) -> None:
        nonlocal hops
        hops += 1
        if hops < 3:
            raw.send(moved("/next"))
        await raw.end()

    async with answering(slow) as uri:
        with pytest.raises(TimeoutError, match="timed out during the opening handshake"):
            await connect(uri, open_timeout=0.1)
    assert hops == 3


def test_problems_are_problems_of_the_handshake() -> None:
    assert issubclass(SecurityError, InvalidHandshake)
