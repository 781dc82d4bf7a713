"""nginx in front of `longlink serve`, configured as the manual says, and a browser before it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Page, expect
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedError, InvalidStatus

from tests.browser.conftest import Tabs
from tests.deploy.conftest import DEPLOY
from tests.deploy.nginx import Nginx, proxying, trusting_anybody
from tests.server.product import serving, soon

pytestmark = pytest.mark.asyncio(loop_scope="module")

Environment = dict[str, str]


@pytest.fixture(scope="session")
def program(require: Callable[[str], str]) -> str:
    return require("nginx")


def place_of(url: str) -> str:
    return urlsplit(url).netloc


async def say(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")


async def open_page(tabs: Tabs, nginx: Nginx) -> Page:
    return await tabs.open(nginx.url, ignore_https_errors=True)


async def test_a_browser_talks_through_it_and_survives(
    program: str, tmp_path: Path, python_environment: Environment, tabs: Tabs
) -> None:
    async with serving(python_environment) as product:
        place = place_of(product.url)
        async with proxying(program, tmp_path, place) as nginx:
            first, second = await open_page(tabs, nginx), await open_page(tabs, nginx)
            await say(first, "through nginx")
            await expect(second.locator("#log .message .text")).to_have_text("through nginx")
            await product.line("#1 127.0.0.1 joined")  # nginx's address, as the manual says

            await nginx.reload()
            await say(second, "old workers stay")
            await expect(first.locator("#log .message .text").last).to_have_text("old workers stay")

            await product.stop()
            port = place.rpartition(":")[2]
            async with serving(python_environment, "--port", port) as again:
                for page in (first, second):
                    await expect(page.locator("#people li")).to_have_count(2)
                await say(first, "back again")
                last = second.locator("#log .message .text").last
                await expect(last).to_have_text("back again")
                await again.stop()


async def test_a_page_below_a_path(
    program: str, tmp_path: Path, python_environment: Environment, tabs: Tabs
) -> None:
    below = {
        "location / {": "location /chat/ {",
        "proxy_pass http://longlink;": "proxy_pass http://longlink/;",
    }
    async with (
        serving(python_environment) as product,
        proxying(program, tmp_path, place_of(product.url), below) as nginx,
    ):
        page = await tabs.open(f"{nginx.url}chat/", ignore_https_errors=True)
        await say(page, "below a path")
        await expect(page.locator("#log .message .text")).to_have_text("below a path")
        await page.close()
        await product.line("#1 left")


async def test_the_address_of_whoever_came_to_nginx(
    program: str, tmp_path: Path, python_environment: Environment
) -> None:
    headers = {"X-Forwarded-For": "6.6.6.6"}  # made up
    async with (
        # The client's address is one that is believed: all that it says itself must be gone.
        serving(python_environment, "--forwarded-allow-ips", "127.0.0.0/8") as product,
        proxying(program, tmp_path, place_of(product.url)) as nginx,
        connect(
            nginx.ws,
            ssl=trusting_anybody(),
            local_addr=("127.0.0.2", 0),
            additional_headers=headers,
        ),
    ):
        await product.line(r"#1 127\.0\.0\.2 joined")


async def test_pings_keep_a_silent_connection(
    program: str, tmp_path: Path, python_environment: Environment
) -> None:
    hurried = {"proxy_read_timeout 60s;": "proxy_read_timeout 500ms;"}
    async with serving(python_environment, "--ping-interval", "0.1") as pinging:
        async with (
            proxying(program, tmp_path, place_of(pinging.url), hurried) as nginx,
            connect(nginx.ws, ssl=trusting_anybody(), ping_interval=None) as ws,
        ):
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(ws.wait_closed(), 1.1)
            await ws.send("still here")
            assert await soon(ws) == "still here"
    async with serving(python_environment, "--ping-interval", "none") as silent:
        async with (
            proxying(program, tmp_path, place_of(silent.url), hurried) as nginx,
            connect(nginx.ws, ssl=trusting_anybody(), ping_interval=None) as ws,
        ):
            with pytest.raises(ConnectionClosedError):
                await soon(ws)


@pytest.mark.parametrize(
    ("line", "status"),
    [
        (r"proxy_set_header Host .*;", 403),
        (r"proxy_set_header Upgrade .*;", 426),
        (r"proxy_set_header Connection .*;", 426),
        (r"proxy_http_version 1.1;", 426),
    ],
)
async def test_each_line_is_needed(
    program: str, tmp_path: Path, python_environment: Environment, line: str, status: int
) -> None:
    found = re.search(line, (DEPLOY / "nginx.conf").read_text("utf-8"))
    assert found, line
    async with (
        serving(python_environment) as product,
        proxying(program, tmp_path, place_of(product.url), {found[0]: ""}) as nginx,
    ):
        origin = nginx.url.rstrip("/")
        with pytest.raises(InvalidStatus) as refused:
            await connect(f"{nginx.ws}ws", ssl=trusting_anybody(), origin=origin)  # type: ignore[arg-type]
        assert refused.value.response.status_code == status


async def test_plain_http_is_sent_to_https(
    program: str, tmp_path: Path, python_environment: Environment
) -> None:
    async with (
        serving(python_environment) as product,
        proxying(program, tmp_path, place_of(product.url)) as nginx,
        aiohttp.ClientSession() as session,
    ):
        async with session.get(f"{nginx.plain}page?x=1", allow_redirects=False) as answer:
            assert answer.status == 301
            assert answer.headers["Location"] == "https://localhost/page?x=1"
        async with session.get(f"{nginx.url}healthz", ssl=trusting_anybody()) as answer:
            assert (await answer.json())["status"] == "ok"
