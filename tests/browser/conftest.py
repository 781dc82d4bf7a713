"""A browser, its tabs, and the product as a process of its own."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest_asyncio
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

from tests.browser.fake import Fake

# Nothing that talks to a network of its own accord.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# On a busy machine everything takes longer; a test that fails waits this long, others do not.
PATIENCE_MS = 20_000
# Chromium itself writes these lines when a server is away, which is what some tests want.
SERVER_AWAY = re.compile(r"WebSocket connection to|net::ERR_CONNECTION_(REFUSED|RESET|CLOSED)")
ADDRESS = re.compile(r"http://\S+:(\d+)/")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser(chromium: str) -> AsyncIterator[Browser]:
    expect.set_options(timeout=PATIENCE_MS)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield browser
        await browser.close()


@dataclass
class Tabs:
    """Opens pages, each in a context of its own, and notes what their consoles complain about."""

    browser: Browser
    complaints: list[str] = field(default_factory=list)

    async def open(self, url: str, *, beside: Page | None = None, **context: object) -> Page:
        """A page that is connected; `beside` another one it shares the storage."""
        page = await self.blank(beside=beside, **context)
        await page.goto(url)
        await expect(page.locator("#people [data-you]")).to_have_count(1)
        # Behind the browser's own request: a test that kills the server cuts no icon in half.
        await page.evaluate("fetch('page/icon.svg').then((answer) => answer.text())")
        return page

    async def blank(self, *, beside: Page | None = None, **context: object) -> Page:
        """A page that shows nothing yet."""
        options = {"locale": "en-US", **context}
        home = beside.context if beside else await self.browser.new_context(**options)  # type: ignore[arg-type]
        page = await home.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._listen)
        return page

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type in {"error", "warning"} and not SERVER_AWAY.search(message.text):
            self.complaints.append(f"{message.text} {message.location['url']}")

    async def close(self) -> None:
        for context in self.browser.contexts:
            await context.close()


@pytest_asyncio.fixture(loop_scope="module")
async def tabs(browser: Browser) -> AsyncIterator[Tabs]:
    """Opens pages; at the end of the test their consoles must be clean."""
    tabs = Tabs(browser)
    yield tabs
    await tabs.close()
    assert tabs.complaints == []


class Product:
    """`longlink serve` as a process; after `start()`, `url` is the address of its page."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.url = ""
        self._environment = environment
        self._port = 0
        self._process: asyncio.subprocess.Process | None = None
        self._output: asyncio.Task[bytes] | None = None

    async def start(self) -> None:
        """Starts it, on the port of the last time if there was one."""
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "longlink", "serve", "--port", str(self._port)),
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert self._process.stdout is not None
        line = (await self._process.stdout.readline()).decode()
        found = ADDRESS.search(line)
        assert found, f"no address in {line!r}"
        self.url, self._port = found[0], int(found[1])
        self._output = asyncio.create_task(self._process.stdout.read())

    async def end(self, number: signal.Signals) -> int:
        """Ends it by a signal; returns the exit status, 0 if it is gone already."""
        if self._process is None:
            return 0
        process, self._process = self._process, None
        process.send_signal(number)
        assert self._output is not None
        await self._output
        return await process.wait()


@pytest_asyncio.fixture(loop_scope="module")
async def server(python_environment: dict[str, str]) -> AsyncIterator[Product]:
    product = Product(python_environment)
    await product.start()
    yield product
    await product.end(signal.SIGTERM)


@pytest_asyncio.fixture(loop_scope="module")
async def fake() -> AsyncIterator[Fake]:
    async with Fake() as fake:
        yield fake
