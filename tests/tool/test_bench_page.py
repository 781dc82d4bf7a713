"""The report of the load generator in a browser: narrow and wide, light and dark, offline."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import async_playwright

from longlink.tool.bench.page import page
from longlink.tool.bench.plan import Plan
from longlink.tool.bench.run import Run
from tests.tool.target import Target, echo

SMALLEST_PX = 11
# Widths of what stands on the page, the smallest letters, and how light the ground is.
LOOK = """() => ({
  width: document.documentElement.scrollWidth,
  letters: Math.min(...[...document.querySelectorAll('span, p, dd, td, h2')]
    .filter((each) => each.textContent && each.offsetParent)
    .map((each) => parseFloat(getComputedStyle(each).fontSize))),
  ground: parseInt(getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]),
  charts: document.querySelectorAll('figure svg[role=img]').length,
  drawn: [...document.querySelectorAll('path')].every((each) => each.getBBox().width > 0),
})"""


@pytest.fixture
async def report(tmp_path: Path) -> Path:
    """One of a real run."""
    async with Target(echo).serving() as target:
        plan = Plan(duration=0.6, warm_up=0.0, connections=5)
        result = await Run(target.url, plan, lambda *_: None).go()
    path = tmp_path / "report.html"
    path.write_text(page(result), "utf-8")
    return path


async def test_the_report_can_be_read(report: Path, chromium: str) -> None:
    asked: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        for width, scheme in ((360, "dark"), (1280, "light")):
            tab = await browser.new_page(
                viewport={"width": width, "height": 800},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            tab.on("request", lambda request: asked.append(request.url))
            tab.on("console", lambda message: asked.append(message.text))
            await tab.goto(report.as_uri())
            look = await tab.evaluate(LOOK)
            assert look["width"] <= width
            assert look["letters"] >= SMALLEST_PX
            assert (look["ground"] > 128) == (scheme == "light")
            assert look["charts"] == 3
            assert look["drawn"]
        await browser.close()
    assert asked == [report.as_uri()] * 2
