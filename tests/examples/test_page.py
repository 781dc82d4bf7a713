"""The examples' pages in a browser: what one, two or three people see."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.async_api import Locator, Page, expect
from websockets.asyncio.client import connect

from tests.browser.conftest import Tabs
from tests.examples.conftest import Example, Start
from tests.server.product import DEADLINE_S

pytestmark = pytest.mark.asyncio(loop_scope="module")

MARKUP = "<img src=x onerror=alert(1)><b>hi</b>"
DOT = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJg"
    "gg=="
)
SIDEWAYS = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

EMPTY = (
    """Object.assign(document.createElement("canvas"), {width: 1600, height: 1000}).toDataURL()"""
)
SPOT = """([x, y]) => {
  const spot = Object.assign(document.createElement("canvas"), {width: 1, height: 1});
  const pen = spot.getContext("2d");
  pen.drawImage(document.querySelector("canvas"), -x, -y);
  return pen.getImageData(0, 0, 1, 1).data[3];
}"""

# What becomes of a drawing, which may hold a script and would run as ours in a tab of its own.
SVG = """async () => {
  file = {name: "x.svg", type: "image/svg+xml"};
  show(new TextEncoder().encode("<svg/>").buffer);
  const line = document.querySelector("li"), found = await fetch(line.querySelector("a").href);
  return [line.querySelectorAll("img").length, (await found.blob()).type];
}"""


async def look(tabs: Tabs, example: Example, width: int = 1280) -> Page:
    """A new tab with the example's page, which fits its width."""
    page = await tabs.blank(viewport={"width": width, "height": 700})
    await page.goto(example.url)
    assert await page.evaluate(SIDEWAYS) <= 0
    return page


async def say(page: Page, text: str) -> None:
    await page.fill("input", text)
    await page.press("input", "Enter")


def state(page: Page) -> Locator:
    return page.locator("#state")


async def test_ready_state_from_connecting_to_closed(start: Start, tabs: Tabs) -> None:
    async with start("readystate") as example:
        page = await look(tabs, example, 360)
        now, log = page.locator("[aria-current]"), page.locator("#log")
        await expect(now).to_have_text("1 OPEN")
        await say(page, MARKUP)
        await expect(log).to_contain_text(f"message  {MARKUP}")
        await page.click("#close")
        await expect(now).to_have_text("3 CLOSED")
        await expect(log).to_contain_text("close  1000 enough")
        await expect(page.locator("#send")).to_be_disabled()
        await page.click("#open")
        await expect(now).to_have_text("1 OPEN")


async def test_the_operator_is_heard_in_the_page(start: Start, tabs: Tabs) -> None:
    async with start("push") as example, connect(example.ws) as other:
        await other.send(MARKUP)
        await example.line("sent: 1 ")
        page = await look(tabs, example, 360)
        lines = page.locator("li")
        await expect(lines).to_have_text(["You are number 2."])
        await other.send(MARKUP)
        await expect(lines.first).to_have_text(f"1: {MARKUP}")
        example.type("dinner is ready")
        await expect(lines.first).to_have_text("operator: dinner is ready")
        await say(page, "coming")
        await example.line("sent: 2 'coming'")


async def test_a_picture_that_is_pushed_is_shown(start: Start, tabs: Tabs, tmp_path: Path) -> None:
    file = tmp_path / "dot.png"
    file.write_bytes(DOT)
    async with start("push_file", str(file)) as example:
        page = await look(tabs, example, 360)
        await expect(page.locator("li")).to_contain_text(f"dot.png {len(DOT)} bytes")
        await page.wait_for_function("document.querySelector('img').naturalWidth === 1")
        file.write_bytes(DOT + b"more")
        await expect(page.locator("li")).to_have_count(2)
        async with page.expect_download() as coming:
            await page.locator("a").first.click()
        saved = await (await coming.value).path()
        assert saved.read_bytes() == file.read_bytes()
        assert await page.evaluate(SVG) == [0, "application/octet-stream"]


async def test_chat_with_names(start: Start, tabs: Tabs) -> None:
    async with start("chat") as example:
        ann, bob = await look(tabs, example, 360), await look(tabs, example)
        await say(ann, "Ann")
        await expect(ann.locator("#here")).to_have_text("1 here: Ann")
        await say(ann, MARKUP)
        await expect(ann.locator(".own")).to_have_text(f"Ann{MARKUP}")
        await say(bob, "Ann")
        await expect(bob.locator(".said")).to_have_text(f"Ann{MARKUP}")
        await expect(ann.locator("#here")).to_have_text("2 here: Ann, Ann 2")
        await say(bob, "hello")
        await expect(ann.locator(".said:not(.own)")).to_have_text("Ann 2hello")
        await bob.close()
        await expect(ann.locator(".note").last).to_have_text("Ann 2 left")


async def test_prices_move_and_come_back_after_a_restart(start: Start, tabs: Tabs) -> None:
    async with start("prices") as example:
        page = await tabs.blank(viewport={"width": 360, "height": 700})
        await page.clock.install()
        await page.goto(example.url)
        assert await page.evaluate(SIDEWAYS) <= 0
        await expect(page.locator("#cards button")).to_have_count(4)
        await page.click("text=CRUX")
        await expect(page.locator("#name")).to_contain_text("CRUX")
        line = page.locator("#plot polyline")
        before = await line.get_attribute("points") or ""
        assert len(before.split()) == 120
        await expect(line).not_to_have_attribute("points", before)
        port = example.address[1]
    await expect(state(page)).to_have_text("not connected, trying again")
    async with start("prices", port=port):
        await page.clock.fast_forward(3000)
        await expect(state(page)).to_have_text("live")
        await expect(page.locator("#name")).to_contain_text("CRUX")


async def draw(page: Page, *places: tuple[float, float]) -> None:
    """Draw a line through places, given in parts of the canvas's width and height."""
    box = await page.locator("canvas").bounding_box()
    assert box is not None
    spots = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in places]
    await page.mouse.move(*spots[0])
    await page.mouse.down()
    for spot in spots[1:]:
        await page.mouse.move(*spot, steps=4)
    await page.mouse.up()


async def pixels(page: Page) -> str:
    return str(await page.evaluate("document.querySelector('canvas').toDataURL()"))


async def painted(page: Page, x: int, y: int) -> None:
    """Wait until there is colour at a place of the canvas."""
    await page.wait_for_function(SPOT, arg=[x, y])


async def test_drawing_is_seen_by_all_and_by_those_who_come_late(start: Start, tabs: Tabs) -> None:
    async with start("draw") as example:
        first, second = await look(tabs, example), await look(tabs, example, 360)
        for page in (first, second):
            await expect(state(page)).to_have_text("")
        await draw(first, (0.1, 0.1), (0.9, 0.9))
        await painted(second, 1440, 900)
        late = await look(tabs, example)
        await painted(late, 1440, 900)
        assert await pixels(second) == await pixels(late)
        await draw(second, (0.1, 0.9), (0.9, 0.1))
        await painted(first, 1440, 100)
        await late.click("text=Clear")
        await first.wait_for_function(f"document.querySelector('canvas').toDataURL() === {EMPTY}")


async def test_a_key_moves_a_player_for_everybody(start: Start, tabs: Tabs) -> None:
    async with start("game") as example, connect(example.ws) as ws:
        page = await look(tabs, example, 360)
        await expect(page.locator(".you")).to_have_text("you: 0")

        async def until(reached: Callable[[int], bool]) -> int:
            """Wait until the other player, that of the page, is there: how far from the left."""
            async with asyncio.timeout(DEADLINE_S):
                while True:
                    players = json.loads(await ws.recv()).get("players", [])
                    for place in (x for number, x, _, _ in players if number == 2):
                        if reached(place):
                            return int(place)

        begun = await until(lambda x: True)
        await page.keyboard.down("ArrowLeft")
        left = await until(lambda x: x < begun - 15)
        await page.keyboard.up("ArrowLeft")
        await page.keyboard.down("d")
        await until(lambda x: x > left)


async def test_a_log_in_the_page(start: Start, tabs: Tabs, tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("old\n")
    async with start("tail", str(log)) as example:
        page = await look(tabs, example, 360)
        await expect(state(page)).to_have_text("waiting for lines")
        with log.open("a") as file:
            file.write(f"{MARKUP}\nsecond\n")
        lines = page.locator("#log div")
        await expect(lines).to_have_text([MARKUP, "second"])
        await page.fill("input", "sec")
        await expect(lines.first).to_be_hidden()


async def test_what_is_posted_over_http_is_pushed_and_kept(
    start: Start, tabs: Tabs, require: Callable[[str], str]
) -> None:
    require("fastapi")
    async with start("fastapi_app") as example:
        page = await look(tabs, example, 360)
        await expect(state(page)).to_have_text("live")
        await say(page, MARKUP)
        lines = page.locator("li")
        await expect(lines).to_have_text([MARKUP])
        answer = await page.request.post(f"{example.url}news", data={"text": "from a program"})
        assert (answer.status, await answer.json()) == (202, {"people": 1})
        await page.reload()
        await expect(lines).to_have_text(["from a program", MARKUP])
        answer = await page.request.post(f"{example.url}news", data={"text": ""})
        assert answer.status == 422
        answer = await page.request.get(f"{example.url}people")
        assert await answer.json() == {"people": 1}
