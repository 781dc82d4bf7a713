from __future__ import annotations

import re

import aiohttp
import pytest

from longlink.server.app import PAGE
from tests.server.conftest import House
from tests.server.product import chatting


@pytest.mark.parametrize("path", ["/", "/page/app.js", "/healthz", "/ws", "/nothing", "/page/no"])
async def test_every_response_is_guarded(house: House, path: str) -> None:
    async with aiohttp.ClientSession() as session, session.get(house.http + path) as response:
        policy = response.headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "script-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert response.headers["Referrer-Policy"] == "no-referrer"
        assert response.headers["Cache-Control"] in ("no-cache", "no-store")
        assert len(response.headers.getall("Date")) == 1


async def test_the_page_is_at_the_root(house: House) -> None:
    async with aiohttp.ClientSession() as session, session.get(house.http) as response:
        assert response.status == 200
        assert response.headers["Content-Type"] == "text/html; charset=utf-8"
        assert await response.read() == (PAGE / "index.html").read_bytes()


async def test_all_that_the_page_names_is_there_with_its_type(house: House) -> None:
    types = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}
    named = re.findall(r'(?:src|href)="(page/[^"]+)"', (PAGE / "index.html").read_text("utf-8"))
    assert named
    async with aiohttp.ClientSession() as session:
        for path in named:
            async with session.get(f"{house.http}/{path}") as response:
                assert response.status == 200, path
                assert response.content_type == types[path.rpartition(".")[2]]


@pytest.mark.parametrize("path", ["/", "/page/app.js"])
async def test_what_has_not_changed_is_not_sent_again(house: House, path: str) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(house.http + path) as response:
            known = {"If-None-Match": response.headers["ETag"]}
        async with session.get(house.http + path, headers=known) as response:
            assert response.status == 304
            assert await response.read() == b""


@pytest.mark.parametrize(
    "path",
    ["/page/../app.py", "/page/%2e%2e/app.py", "/page/..%2fapp.py", "/page//etc/passwd", "/page/"],
)
async def test_nothing_outside_the_page_is_served(house: House, path: str) -> None:
    from yarl import URL

    url = URL(house.http + path, encoded=True)
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        assert response.status == 404


async def test_health_says_how_many_are_here(house: House) -> None:
    async with aiohttp.ClientSession() as session, chatting(house.ws) as chat:
        await chat.event("welcome")
        async with session.get(house.http + "/healthz") as response:
            assert response.status == 200
            body = await response.json()
    assert (body["status"], body["people"]) == ("ok", 1)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
async def test_nothing_can_be_changed_over_http(house: House, method: str) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, house.http, data=b"x" * 100_000) as response,
    ):
        assert response.status == 405


async def test_a_plain_request_for_the_websocket_is_told_so(house: House) -> None:
    async with aiohttp.ClientSession() as session, session.get(house.http + "/ws") as response:
        assert response.status == 426
        assert response.headers["Upgrade"] == "websocket"
        assert response.headers["Sec-WebSocket-Version"] == "13"


async def test_a_request_and_a_websocket_share_a_kept_alive_connection(house: House) -> None:
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, force_close=False)
    ) as session:
        async with session.get(house.http + "/healthz") as response:
            await response.read()
        async with session.ws_connect(house.http + "/ws") as raw:
            await raw.send_str("hi")
            assert await raw.receive_str(timeout=30) == "hi"
