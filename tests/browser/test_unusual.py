"""The page and a scripted server: files, and events that a page must cope with."""

from __future__ import annotations

import re
import struct
import zlib

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import Tabs
from tests.browser.fake import PAGE, Fake

pytestmark = pytest.mark.asyncio(loop_scope="module")

# What a server may send, and what the page notes about it.
IGNORED = {
    "{": "not JSON",
    "[]": "not an event",
    '{"type":"teleport"}': "unknown type teleport",
    '{"type":"constructor"}': "unknown type constructor",
    '{"type":"message","from":1}': "message without text",
    '{"type":"welcome","id":1,"people":{}}': "welcome without people",
    '{"type":"stats","people":"<b>","rate":1}': "stats without people",
}


def png(width: int, height: int) -> bytes:
    """A red picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    rows = (b"\0" + b"\xff\0\0" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    parts = chunk(b"IHDR", head), chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


async def send_file(fake: Fake, name: str, data: bytes, mime: str, size: int | None = None) -> None:
    announced = len(data) if size is None else size
    await fake.event("file", **{"from": 0}, name=name, size=announced, mime=mime, to=None)
    await fake.raw(data[i : i + 1000] for i in range(0, len(data), 1000))


async def message(fake: Fake, text: str, sender: int = 9, name: str = "", **more: object) -> None:
    await fake.event("message", **{"from": sender}, name=name, text=text, **{"to": None, **more})


async def saved(page: Page, link: str) -> tuple[str, bytes]:
    async with page.expect_download() as downloading:
        await page.get_by_role("link", name=link).click()
    download = await downloading.value
    return download.suggested_filename, (await download.path()).read_bytes()


async def test_a_picture_is_shown(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    picture = png(40, 30)
    await send_file(fake, "red.png", picture, "image/png")
    image = page.locator("#log img")
    await expect(image).to_have_attribute("alt", "red.png")
    await expect(image).to_have_js_property("naturalWidth", 40)
    await expect(page.locator("#log .caption")).to_contain_text(f"{len(picture)} B")
    assert await saved(page, "Download red.png") == ("red.png", picture)


async def test_other_files_are_only_offered(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    data = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
    kinds = ["image/svg+xml", "text/html", "application/pdf", ""]
    for number, mime in enumerate(kinds):
        await send_file(fake, f"{number}.svg", data, mime)
        assert await saved(page, f"Download {number}.svg") == (f"{number}.svg", data)
    await expect(page.locator("#log img")).to_have_count(0)
    # Opened instead of saved, it must not run with the page's rights: that would be a navigation.
    for link in await page.locator("#log a.download").all():
        address = await link.get_attribute("href")
        async with page.expect_download():
            await page.evaluate("address => { location.href = address }", address)
    assert page.url == fake.url


async def test_a_broken_picture_is_still_a_file(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await send_file(fake, "broken.png", b"not a picture", "image/png")
    await expect(page.locator("#log")).to_contain_text("This picture cannot be shown.")
    assert await saved(page, "Download broken.png") == ("broken.png", b"not a picture")


async def test_a_file_name_cannot_pretend(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await send_file(fake, "../etc/\u202egnp.exe\n", b"x", "image/gif\nx")
    await expect(page.locator("#log a.download")).to_have_text("Download .._etc_gnp.exe")


async def test_a_shorter_file_says_so(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await send_file(fake, "half.bin", b"12345", "application/octet-stream", size=10)
    await expect(page.locator("#log .caption")).to_contain_text("5 B, but 10 B were announced")


async def test_a_file_that_never_came_says_so(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await fake.event("file", **{"from": 0}, name="big.iso", size=10**9, mime="", to=None)
    await expect(page.locator("#log .pending")).to_have_text("Receiving big.iso, 1.0 GB…")
    await fake.stop()
    await expect(page.locator("#log .pending")).to_have_text("big.iso did not arrive.")


async def test_bytes_are_shown_as_hex(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await fake.event("binary", **{"from": 4}, name="raw", size=3)
    await fake.raw(b"\x00\xab\xff")
    entry = page.locator("#log .binary")
    await expect(entry.locator(".hex")).to_have_text("00 ab ff")
    await expect(entry.locator(".sender")).to_have_text("raw")
    assert await saved(page, "Download message.bin") == ("message.bin", b"\x00\xab\xff")


async def test_unannounced_bytes_are_shown_too(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await fake.raw(bytes(100))
    await expect(page.locator("#log .bytes")).to_contain_text("nobody announced")
    await expect(page.locator("#log .hex")).to_have_text(re.compile(r"^(00 ){48}…$"))


async def test_what_it_does_not_know_is_noted_and_ignored(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    noted = page.locator("#events [data-kind=ignored]")
    for sent, cause in IGNORED.items():
        await fake.raw(sent)
        await expect(noted.first).to_contain_text(f"ignored: {cause}")
    await expect(noted).to_have_count(len(IGNORED))
    await message(fake, "after")
    await expect(page.locator("#log .text")).to_have_text(["after"])


async def test_odd_values_do_no_harm(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await message(fake, "odd", name="a\u202eb\nc", time="soon", length="long")
    await fake.event("joined", id=-3, ip=None, time=1e30)
    await fake.event("renamed", id=999, name="")
    await fake.event("left", id=12345)
    await expect(page.locator("#log .sender")).to_have_text("abc")
    await expect(page.locator("#people li")).to_have_count(2)


async def test_a_refusal_of_the_server_is_shown(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await fake.event("error", text="message must not be empty")
    await expect(page.locator("#problem")).to_have_text(
        "The server says: message must not be empty"
    )


async def test_the_operator_and_private_words_are_marked(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await message(fake, "to all", sender=0)
    await message(fake, "to you", sender=0, to=1)
    await message(fake, "pretending", sender=5, name="Operator")
    entries = page.locator("#log .message")
    await expect(entries.locator(".heading")).to_have_text(
        [
            re.compile(r"^Operator\d\d:"),
            re.compile(r"^Operatoronly to you"),
            re.compile(r"^Operator#5"),
        ]
    )
    await expect(page.locator("#log [data-private=true]")).to_have_count(1)


async def test_a_final_close_is_not_retried(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await fake.visitors[1].close(1008, "removed by the operator")
    await expect(page.locator("#notice")).to_have_text(
        "The server ended it: 1008 removed by the operator."
    )
    await expect(page.locator("body")).to_have_attribute("data-phase", "resting")
    await page.click("#connect")
    await expect(page.locator("#people [data-you]")).to_have_count(1)


async def test_other_closes_are_retried(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    for code in (1001, 1009, 1011, 1012, 1013):
        # The page draws its list of people a frame late, so only the server knows of a return.
        visitor = await fake.arrivals.get()
        await expect(page.locator("body")).to_have_attribute("data-phase", "open")
        await visitor.close(code)
        await expect(page.locator("#notice")).to_have_text(f"Connection lost ({code}).")
        await page.evaluate("dispatchEvent(new Event('online'))")
    await fake.arrivals.get()
    await expect(page.locator("#people [data-you]")).to_have_count(1)


async def test_delays_grow_are_jittered_and_end_at_15_s(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    delays = await page.evaluate(
        """async () => {
          const { delay } = await import("./page/connection.js");
          return [...Array(2000).keys()].map((n) => [delay(n, () => 0), delay(n, () => 1)]);
        }"""
    )
    assert delays[:7] == [
        [250, 500],
        [500, 1000],
        [1000, 2000],
        [2000, 4000],
        [4000, 8000],
        [7500, 15000],
        [7500, 15000],
    ]
    assert delays[-1] == [7500, 15000]


async def test_the_log_is_bounded(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    for number in range(520):
        await message(fake, f"message {number}")
    await expect(page.locator("#log .text").last).to_have_text("message 519")
    await expect(page.locator("#log .entry")).to_have_count(500)
    await expect(page.locator("#log .text").last).to_be_in_viewport()


async def test_what_is_being_read_stays_when_older_entries_go(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    for number in range(500):
        await message(fake, f"message {number}")
    await expect(page.locator("#log .text").last).to_have_text("message 499")
    read = page.get_by_text("message 300", exact=True)
    await read.evaluate("element => element.scrollIntoView()")
    await expect(read).to_be_in_viewport()
    for number in range(500, 600):
        await message(fake, f"message {number}")
    await expect(page.locator("#newer")).to_have_text("100 new messages")
    await expect(page.get_by_text("message 99", exact=True)).to_have_count(0)
    await expect(read).to_be_in_viewport()


async def test_reading_back_is_not_disturbed(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    for number in range(40):
        await message(fake, f"message {number}")
    await expect(page.locator("#log .text").last).to_be_in_viewport()
    await page.locator("#log").hover()
    await page.mouse.wheel(0, -5000)
    await expect(page.locator("#log .text").first).to_be_in_viewport()
    await message(fake, "new")
    await message(fake, "newer")
    await expect(page.locator("#newer")).to_have_text("2 new messages")
    await expect(page.locator("#log .text").first).to_be_in_viewport()
    await page.click("#newer")
    await expect(page.locator("#log .text").last).to_be_in_viewport()
    await expect(page.locator("#newer")).to_be_hidden()


async def test_a_huge_text_is_clipped_and_offered(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await message(fake, "x" * 9000, length=100_000)
    await expect(page.locator("#log .text")).to_contain_text("92000 more characters")
    assert await saved(page, "Save the text") == ("message.txt", b"x" * 9000)


async def test_many_people_are_counted_though_not_all_listed(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    crowd = [{"id": number, "name": ""} for number in range(1, 301)]
    await fake.event("welcome", id=1, people=crowd)
    await fake.event("stats", people=5000, rate=1)
    await expect(page.locator("#count")).to_have_text("5000")
    await expect(page.locator("#people li")).to_have_count(200)
    await expect(page.locator("#more")).to_have_text("and 4800 more")


async def test_every_phrase_exists_in_both_languages(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    english, chinese = await page.evaluate(
        """async () => {
          const { tables } = await import("./page/strings.js");
          const slots = (entry) => [...String(entry).matchAll(/\\{(\\w+)\\}/g)].map((m) => m[1]);
          const shape = (table) =>
            Object.entries(table).map(([key, entry]) => [key, [...new Set(slots(entry))].sort()]);
          return [Object.fromEntries(shape(tables.en)), Object.fromEntries(shape(tables.zh))];
        }"""
    )
    assert english == chinese
    named = re.findall(r'data-t(?:-\w+)?="(\w+)"', (PAGE / "index.html").read_text())
    assert set(named) <= set(english)


async def test_what_the_page_says_is_the_protocol(fake: Fake, tabs: Tabs) -> None:
    page = await tabs.open(fake.url)
    await page.fill("#name", "Ann")
    await page.press("#name", "Enter")
    await page.fill("#text", 'two "quoted"\nlines')
    await page.press("#text", "Enter")
    await expect(page.locator("#log .text")).to_have_count(1)
    assert fake.heard == [
        {"type": "name", "name": "Ann"},
        {"type": "message", "text": 'two "quoted"\nlines'},
    ]
