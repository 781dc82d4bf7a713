"""`--line-port` beside a real browser: talking with nc, and a page that should not."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator, Callable

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.browser.conftest import Tabs
from tests.browser.test_page import messages, say
from tests.server.product import Product, serving

pytestmark = pytest.mark.asyncio(loop_scope="module")

# A page of somebody else, as far as a page can go: the answer is hidden from it, not the request.
ATTACK = """(port) => Promise.allSettled(["POST", "GET"].map((method) =>
  fetch(`http://127.0.0.1:${port}/`, {
    method, mode: "no-cors", body: method === "POST" ? "\\nI am in\\n" : undefined,
  })))"""


@pytest_asyncio.fixture(loop_scope="module")
async def product(python_environment: dict[str, str]) -> AsyncIterator[tuple[Product, str]]:
    """A server, and its port for lines."""
    async with serving(python_environment, "--line-port", "0") as product:
        assert product.process.stdout is not None
        line = (await product.process.stdout.readline()).decode()
        found = re.search(r":(\d+)$", line.strip())
        assert found, line
        yield product, found[1]


async def test_nc_and_a_browser_talk(
    product: tuple[Product, str], tabs: Tabs, require: Callable[[str], str]
) -> None:
    server, port = product
    page = await tabs.open(server.url)
    pipe = asyncio.subprocess.PIPE
    nc = await asyncio.create_subprocess_exec(
        require("nc"), "127.0.0.1", port, stdin=pipe, stdout=pipe
    )
    assert nc.stdin is not None
    assert nc.stdout is not None
    nc.stdin.write("大家好 <b>\n".encode())
    await expect(messages(page)).to_have_text(["大家好 <b>"])
    await expect(page.locator("#people li")).to_have_count(2)
    await say(page, "hello nc")
    async with asyncio.timeout(20):
        while not (line := await nc.stdout.readline()).endswith(b": hello nc\n"):
            assert line.startswith(b"* "), line
    nc.terminate()
    await nc.wait()
    await expect(page.locator("#people li")).to_have_count(1)


async def test_a_page_cannot_talk_there(product: tuple[Product, str], tabs: Tabs) -> None:
    server, port = product

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi")
        with contextlib.suppress(ConnectionError):
            await reader.read()
        writer.close()

    page = await tabs.open(server.url)
    async with await asyncio.start_server(answer, "127.0.0.1", 0) as elsewhere:
        other = await tabs.browser.new_page()
        await other.goto(f"http://127.0.0.1:{elsewhere.sockets[0].getsockname()[1]}/")
        await other.evaluate(ATTACK, int(port))
        for _ in range(2):
            assert "neither HTTP nor TLS" in await server.line("refused 127.0.0.1:")
        await other.context.close()
    await say(page, "still alone")
    await expect(messages(page)).to_have_text(["still alone"])
    await expect(page.locator("#log .note")).to_have_count(0)
