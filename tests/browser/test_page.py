"""The page and the real server: what two people in two tabs see."""

from __future__ import annotations

import re
import signal

import pytest
from playwright.async_api import Locator, Page, expect
from websockets.asyncio.client import connect

from tests.browser.conftest import Product, Tabs

pytestmark = pytest.mark.asyncio(loop_scope="module")

# By how much the page, its log or what is beside it can be scrolled sideways.
SIDEWAYS = """Math.max(...["html", "#log", "#side"].map((name) => {
  const element = document.querySelector(name);
  return element.scrollWidth - element.clientWidth;
}))"""
MARKUP = "<img src=x onerror=alert(1)><b>hi</b>"


def people(page: Page) -> Locator:
    return page.locator("#people li")


def messages(page: Page) -> Locator:
    return page.locator("#log .message .text")


async def say(page: Page, text: str) -> None:
    await page.fill("#text", text)
    await page.press("#text", "Enter")


async def expect_state(page: Page, number: int) -> None:
    await expect(page.locator("#state")).to_have_attribute("data-ready-state", str(number))


async def states(page: Page) -> list[str]:
    """Every readyState the page went through, oldest first."""
    lines = await page.locator("#events [data-ready-state]").all()
    return [await line.get_attribute("data-ready-state") or "" for line in reversed(lines)]


async def test_two_tabs_see_each_other_come_and_go(server: Product, tabs: Tabs) -> None:
    first = await tabs.open(server.url)
    second = await tabs.open(server.url)
    for page in (first, second):
        await expect(people(page)).to_have_count(2)
        await expect(page.locator("#count")).to_have_text("2")
        await expect(page.locator("#people [data-you]")).to_contain_text("you")
    await expect(first.locator("#log .note")).to_contain_text("joined")
    await second.close()
    await expect(people(first)).to_have_count(1)
    await expect(first.locator("#log .note").last).to_contain_text("left")


async def test_a_message_arrives_in_both_tabs(server: Product, tabs: Tabs) -> None:
    first, second = await tabs.open(server.url), await tabs.open(server.url)
    await expect(first.locator("#welcome")).to_be_visible()
    await first.fill("#text", "hello")
    await first.click("#send")
    for page in (first, second):
        await expect(messages(page)).to_have_text(["hello"])
        await expect(page.locator("#log .message time")).to_have_text(
            re.compile(r"^\d\d:\d\d:\d\d$")
        )
        await expect(page.locator("#welcome")).to_be_hidden()
    await expect(first.locator("#log .message")).to_have_attribute("data-own", "true")
    await expect(second.locator("#log .message")).to_have_attribute("data-own", "false")
    await expect(second.locator("#log .sender")).to_have_text("Guest 1")
    await expect(first.locator("#text")).to_have_value("")


async def test_enter_sends_and_shift_enter_breaks_the_line(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    await page.locator("#text").press_sequentially("one")
    await page.press("#text", "Shift+Enter")
    await page.locator("#text").press_sequentially("two")
    await page.press("#text", "Enter")
    await expect(messages(page)).to_have_text(["one\ntwo"], use_inner_text=True)


@pytest.mark.parametrize("text", ["", "  \n "])
async def test_an_empty_message_is_refused(server: Product, tabs: Tabs, text: str) -> None:
    page = await tabs.open(server.url)
    await say(page, text)
    await expect(page.locator("#problem")).to_have_text("A message must not be empty.")
    await expect(page.locator("#text")).to_have_attribute("aria-invalid", "true")
    await say(page, "not empty")
    await expect(messages(page)).to_have_text(["not empty"])
    await expect(page.locator("#problem")).to_be_empty()


async def test_close_and_connect_again(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    await expect(page.locator("#connect")).to_be_disabled()
    await page.click("#close")
    await expect_state(page, 3)
    await expect(page.locator("#notice")).to_have_text("You closed the connection.")
    await expect(page.locator("#waiting")).to_be_hidden()
    await expect(page.locator("#close")).to_be_disabled()
    await expect(page.locator("#events [data-kind=closed]")).to_contain_text("closed 1000")
    await expect(people(page)).to_have_count(0)
    assert await states(page) == ["0", "1", "2", "3"]

    await say(page, "kept")
    await expect(page.locator("#problem")).to_contain_text("Not connected")
    await expect(page.locator("#text")).to_have_value("kept")

    await page.click("#connect")
    await expect_state(page, 1)
    await page.click("#send")
    await expect(messages(page)).to_have_text(["kept"])
    assert await states(page) == ["0", "1", "2", "3", "0", "1"]


async def test_the_state_is_shown_as_number_and_word(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    stops = page.locator("#state li")
    await expect(stops).to_have_text(["0CONNECTING", "1OPEN", "2CLOSING", "3CLOSED"])
    await expect(page.locator("#state [aria-current=step]")).to_have_text("1OPEN")
    await expect(page.locator("#request")).to_contain_text("GET /ws HTTP/1.1")
    await expect(page.locator("#request")).to_contain_text("Sec-WebSocket-Protocol: chat")
    await expect(page.locator("#response")).to_contain_text("101 Switching Protocols")
    await expect(page.locator("#subprotocol")).to_have_text("chat")


async def test_a_killed_server_is_noticed_and_found_again(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    await server.end(signal.SIGKILL)
    await expect(page.locator("#waiting")).to_be_visible()
    await expect(page.locator("#countdown")).to_have_text(re.compile(r"^Next try in \d+ s$"))
    await expect(people(page)).to_have_count(0)
    await server.start()
    await expect(page.locator("#people [data-you]")).to_have_count(1)
    await expect_state(page, 1)
    await expect(page.locator("#waiting")).to_be_hidden()
    await expect(page.locator("#log .note").last).to_contain_text("while you were away")


async def test_a_full_server_may_be_why_it_is_not_reached(
    python_environment: dict[str, str], tabs: Tabs
) -> None:
    full = Product({**python_environment, "LONGLINK_MAX_CONNECTIONS": "1"})
    await full.start()
    await tabs.open(full.url)
    late = await tabs.blank()
    await late.goto(full.url)
    await expect(late.locator("#notice")).to_have_text("Server unreachable or full.")
    await late.click("[data-language=zh]")
    await expect(late.locator("#notice")).to_have_text("无法连接到服务器，或服务器已满。")
    await full.end(signal.SIGTERM)


async def test_now_does_not_wait(server: Product, tabs: Tabs) -> None:
    page = await tabs.blank()
    await page.clock.install(time=0)
    await page.goto(server.url)
    await expect_state(page, 1)
    await page.clock.pause_at(3600)  # no timer fires any more: it cannot come back by itself
    await server.end(signal.SIGKILL)
    await expect(page.locator("#waiting")).to_be_visible()
    await server.start()
    await page.click("#now")
    await expect_state(page, 1)


async def test_closing_while_it_waits_ends_the_attempts(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    await server.end(signal.SIGKILL)
    await expect(page.locator("#waiting")).to_be_visible()
    await page.click("#close")
    await expect(page.locator("body")).to_have_attribute("data-phase", "resting")
    await expect(page.locator("#connect")).to_be_enabled()


async def test_shutdown_says_going_away(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    assert await server.end(signal.SIGTERM) == 0
    await expect(page.locator("#events [data-kind=closed]").last).to_contain_text("closed 1001")


async def test_a_name_is_sent_shown_and_remembered(server: Product, tabs: Tabs) -> None:
    first, second = await tabs.open(server.url), await tabs.open(server.url)
    await first.fill("#name", "  Ann ")
    await first.press("#name", "Enter")
    await expect(first.locator("#text")).to_be_focused()
    await expect(people(second).filter(has_text="Ann")).to_have_count(1)
    await expect(second.locator("#log .note").last).to_contain_text("Guest 1 is now Ann")
    await first.reload()
    await expect(first.locator("#name")).to_have_value("Ann")
    await expect(first.locator("#people [data-you]")).to_contain_text("Ann")
    await expect(people(second).filter(has_text="Ann")).to_have_count(1)


async def test_markup_stays_text(server: Product, tabs: Tabs) -> None:
    first, second = await tabs.open(server.url), await tabs.open(server.url)
    await first.fill("#name", MARKUP)
    await first.press("#name", "Enter")
    await say(first, MARKUP)
    for page in (first, second):
        await expect(messages(page)).to_have_text([MARKUP])
        await expect(people(page).filter(has_text=MARKUP)).to_have_count(1)
        await expect(page.locator("#log :is(b, img, script), #people :is(b, img)")).to_have_count(0)
    await expect(second.locator("#log .sender")).to_have_text(MARKUP)


async def test_a_program_without_subprotocol_is_heard(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    async with connect(server.url.replace("http", "ws", 1)) as program:
        await program.send("bare <b>text</b>")
        await program.send(b"\x01\x02")
        await expect(messages(page)).to_have_text(["bare <b>text</b>"])
        await expect(page.locator("#log .hex")).to_have_text("01 02")
        await say(page, "an answer")
        heard = [await program.recv() for _ in range(3)]
    assert heard == ["bare <b>text</b>", b"\x01\x02", "an answer"]


async def test_activity_is_counted(server: Product, tabs: Tabs) -> None:
    first, _ = await tabs.open(server.url), await tabs.open(server.url)
    await expect(first.locator("#present")).to_have_text("2")
    await say(first, "one")
    await expect(first.locator("#rate-most")).to_have_text(re.compile(r"^max [1-9]"))
    await expect(first.locator("#chart-summary")).to_contain_text("2 connected")
    assert await first.locator("#rate-line .stroke").get_attribute("d")


@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
async def test_a_phone_needs_no_sideways_scrolling(
    server: Product, tabs: Tabs, locale: str
) -> None:
    phone = {"width": 360, "height": 740}
    page = await tabs.open(server.url, viewport=phone, locale=locale, has_touch=True)
    await page.fill("#name", "W" * 40)
    await page.press("#name", "Enter")
    await say(page, "W" * 400)
    await expect(messages(page)).to_have_count(1)
    assert await page.evaluate(SIDEWAYS) == 0
    await expect(page.locator("#people")).to_be_hidden()
    await page.click("#details")
    await expect(page.locator("#people")).to_be_visible()
    await expect(page.locator("#text")).to_be_hidden()
    assert await page.evaluate(SIDEWAYS) == 0
    await page.keyboard.press("Escape")
    await expect(page.locator("#text")).to_be_in_viewport()


async def test_chinese_by_the_browsers_language(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url, locale="zh-CN")
    await expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    await expect(page.locator("#send")).to_have_text("发送")
    await expect(page.locator("#notice")).to_have_text(re.compile("^已连接"))
    await say(page, "")
    await expect(page.locator("#problem")).to_have_text("消息不能为空。")
    await page.click("[data-language=en]")
    await expect(page.locator("#send")).to_have_text("Send")
    await expect(page.locator("#notice")).to_have_text(re.compile("^Connected"))
    await page.reload()
    await expect(page.locator("#send")).to_have_text("Send")


async def test_everything_is_reached_by_keyboard(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    reached = []
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # the skip link
    await expect(page.locator("#text")).to_be_focused()
    await page.keyboard.type("typed")
    await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")  # Send
    await expect(messages(page)).to_have_text(["typed"])
    await page.reload()
    await expect_state(page, 1)
    for _ in range(9):
        await page.keyboard.press("Tab")
        reached.append(await page.evaluate("document.activeElement.id"))
    for control in ("connect", "close", "log", "name"):
        assert control in reached


async def test_the_way_in_explains_itself(server: Product, tabs: Tabs) -> None:
    page = await tabs.open(server.url)
    async with page.context.expect_page() as opening:
        await page.get_by_role("link", name="Open a second tab").click()
    second = await opening.value
    await expect(people(second)).to_have_count(2)
    await expect(people(page)).to_have_count(2)
