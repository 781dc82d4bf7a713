"""`--line-port`: people with nc and telnet in the same room as the browsers."""

from __future__ import annotations

import asyncio
import contextlib
import re
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect

from longlink import Limits
from longlink.server.config import Config
from longlink.server.file import File
from longlink.server.guest import lines, said
from longlink.server.operator import Operator
from longlink.server.service import CannotRun, listen_for_lines
from tests.server.conftest import House, Launch, open_house
from tests.server.product import DEADLINE_S, Chat, chatting, soon, until

Where = tuple[str, int]
WELCOME = "/name NAME says who you are, the rest goes to everybody"


@asynccontextmanager
async def line_port(house: House, **options: Any) -> AsyncIterator[Where]:
    """The house with a port for lines."""
    server = await listen_for_lines(Config(line_port=0, **options), house.room)
    assert server is not None
    async with server:
        yield server.sockets[0].getsockname()


class Guest:
    """Somebody with nc."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    def say(self, text: str | bytes) -> None:
        self.writer.write(text if isinstance(text, bytes) else f"{text}\r\n".encode())

    async def line(self) -> str:
        """The next line; "" at the end."""
        async with asyncio.timeout(DEADLINE_S):
            return (await self.reader.readline()).decode().removesuffix("\n")

    async def rest(self) -> list[str]:
        """All lines until the end."""
        async with asyncio.timeout(DEADLINE_S):
            return (await self.reader.read()).decode().splitlines()


@asynccontextmanager
async def knocking(where: Where) -> AsyncIterator[Guest]:
    """A guest who has not been let in yet."""
    guest = Guest(*await asyncio.open_connection(*where, limit=2**20))
    try:
        yield guest
    finally:
        guest.writer.close()
        with contextlib.suppress(ConnectionError):
            await guest.writer.wait_closed()


@asynccontextmanager
async def visiting(where: Where, first: str = "hello") -> AsyncIterator[Guest]:
    """A guest who was welcomed; who says something at once does not wait to be let in."""
    async with knocking(where) as guest:
        guest.say(first)
        assert WELCOME in await guest.line()
        yield guest


async def test_a_guest_and_a_browser_talk(house: House) -> None:
    async with line_port(house) as where, chatting(house.ws) as chat, connect(house.ws) as raw:
        await chat.event("joined")
        async with visiting(where, "from nc") as guest:
            joined = await chat.event("joined")
            message = await chat.event("message")
            assert (message["from"], message["text"]) == (joined["id"], "from nc")
            assert await soon(raw) == "from nc"
            user = house.room.roster.users()[-1]
            assert (user.kind, user.ip, user.messages) == ("line", "127.0.0.1", 1)
            await chat.send("name", name="Ann")
            await chat.say("from the browser")
            assert (await chat.event("message"))["text"] == "from the browser"
            number = house.room.roster.users()[0].id
            assert await guest.line() == f"* #{number} is now called Ann"
            assert await guest.line() == f"#{number} Ann: from the browser"
            await raw.send(b"\0\1\2")
            assert re.fullmatch(r"\* #\d+ sent 3 bytes of binary", await guest.line())
        left = await chat.event("left")
        assert (left["id"], left["code"]) == (joined["id"], 1000)


async def test_guests_hear_each_other_and_not_themselves(house: House) -> None:
    async with line_port(house) as where, visiting(where) as one, visiting(where) as two:
        assert await one.line() == "* #2 joined from 127.0.0.1"
        assert await one.line() == "#2: hello"
        two.say("/name  Bob  the\x1b[31m second ")
        one.say("")
        two.say("again")
        assert await one.line() == "* #2 is now called Bob the [31m second"
        assert await one.line() == "#2 Bob the [31m second: again"
        one.say("/name " + "x" * 41)
        assert await two.line() == "* #2 is now called Bob the [31m second"
        assert await one.line() == "* name must be at most 40 characters, not 41"
        two.writer.close()
        assert await one.line() == "* #2 Bob the [31m second left"


async def test_nobody_elses_terminal_is_driven_and_no_line_is_forged(house: House) -> None:
    async with line_port(house) as where, visiting(where) as guest, chatting(house.ws) as chat:
        await guest.line()
        await chat.say("\x1b]0;x\x07\n#1: forged\r\n\u202eend\n")
        assert await guest.line() == r"#2: \x1b]0;x\x07"
        assert await guest.line() == "    #1: forged"
        assert await guest.line() == r"    \u202eend"


@pytest.mark.parametrize(
    ("text", "octets"),
    [
        ("", b"a: \n"),
        ("\n\n", b"a: \n"),
        ("x\ry", b"a: x\\ry\n"),
        ("\ud800", b"a: \\ud800\n"),
        ("x" * 70_000, b"a: " + b"x" * 65_536 + "… (70000 characters)\n".encode()),
    ],
)
def test_what_somebody_said_as_lines(text: str, octets: bytes) -> None:
    assert said("a", text) == octets
    assert lines(f"a: {text}".rstrip("\n")) == octets or len(text) > 65_536


async def test_what_a_browser_is_made_to_send_never_gets_into_the_room(house: House) -> None:
    """A page can have a form posted to any port of this machine."""
    async with line_port(house) as where, chatting(house.ws) as chat:
        await chat.event("welcome")
        url = f"http://{where[0]}:{where[1]}/"
        async with aiohttp.ClientSession() as session:
            for method in ("GET", "POST", "PUT", "OPTIONS"):
                with pytest.raises(aiohttp.ClientError):
                    await session.request(method, url, data=b"\nI am in\n")
        with pytest.raises(ssl.SSLError):
            await asyncio.open_connection(*where, ssl=ssl.create_default_context())
        for first in (
            "PRI * HTTP/2.0",
            "get / http/1.1",
            "M-SEARCH * HTTP/1.1",
            "A /a b HTTP/1.0 ",
        ):
            async with knocking(where) as guest:
                guest.say(f"{first}\r\n\r\nSM\r\n\r\n".encode())
                assert await guest.rest() == [
                    "error: this port is for people who type, not for HTTP or TLS"
                ]
        house.room.say("still alone")
        assert (await chat.next())["text"] == "still alone"


async def test_nor_when_it_waits_until_it_was_let_in(house: House) -> None:
    async with line_port(house) as where, chatting(house.ws) as chat, knocking(where) as guest:
        assert WELCOME in await guest.line()
        await chat.event("joined")
        guest.say(b"\r\nPOST / HTTP/1.1\r\nHost: x\r\n\r\nI am in\r\n")
        assert (await guest.rest())[-1].startswith("error: this port is for people who type")
        left = await chat.next()
        assert (left["type"], left["code"]) == ("left", 1006)


async def test_one_may_talk_about_it(house: House) -> None:
    async with line_port(house) as where, chatting(house.ws) as chat:
        async with visiting(where, "I love HTTP/2"):
            assert (await chat.event("message"))["text"] == "I love HTTP/2"


async def test_what_telnet_says_about_itself_is_not_said(house: House) -> None:
    async with line_port(house) as where, chatting(house.ws) as chat, knocking(where) as guest:
        guest.say(b"\xff\xfb\x06\xff\xf4\xff\xfd\x06h\xc3\xa9llo\r\n")
        assert (await chat.event("message"))["text"] == "héllo"


async def test_who_reads_too_slowly_is_dropped_and_nobody_else_notices(house: House) -> None:
    limits = Limits(max_backlog=100_000)
    async with line_port(house, limits=limits) as where, connect(house.ws) as raw:
        async with visiting(where) as guest:
            await soon(raw)
            guest.writer.transport.pause_reading()  # type: ignore[attr-defined]
            count = 0
            while len(house.room.roster) == 2:
                house.room.say("x" * 50_000)
                assert await soon(raw) == "x" * 50_000
                count += 1
            assert count < 1000


async def test_a_line_that_is_too_long_ends_it(house: House) -> None:
    limits = Limits(max_line=100)
    async with line_port(house, limits=limits) as where, chatting(house.ws) as chat:
        async with visiting(where) as guest:
            guest.say("x" * 101)
            assert await guest.rest() == ["error: line longer than 100 bytes (max_line)"]
            left = await chat.event("left")
    assert (left["code"], left["reason"]) == (1006, "line longer than 100 bytes (max_line)")


async def test_there_is_room_for_so_many(house: House) -> None:
    limits = Limits(max_connections=1)
    async with line_port(house, limits=limits) as where, visiting(where):
        async with knocking(where) as second:
            assert await second.rest() == ["error: too many connections, the limit is 1"]


async def test_the_operator_reaches_a_guest(house: House, tmp_path: Path) -> None:
    operator = Operator(house.room, max_file=None, quit=lambda: None)
    path = tmp_path / "file"
    path.write_bytes(b"x" * 10)
    async with line_port(house) as where, visiting(where) as guest:
        assert [line.split()[:3] for line in operator.obey("/who")[1:]] == [
            ["1", "line", "127.0.0.1"]
        ]
        operator.obey("to all")
        operator.obey("/to 1 to you\x07")
        with File.open(str(path), None) as file:
            assert await house.room.send_file(file) == (0, 1)
        operator.obey("/kick 1 out you go")
        assert await guest.rest() == [
            "operator: to all",
            r"operator, to you alone: to you\x07",
            "* the operator sends file, 10 bytes: not here",
            "* out you go",
        ]
        await until(lambda: not house.room.roster)


async def test_where_everybody_is_answered_alone_so_is_a_guest() -> None:
    async with open_house(echo=True) as house, line_port(house) as where:
        async with visiting(where) as one, visiting(where):
            assert await one.line() == "hello"
            assert await one.line() == "* #2 joined from 127.0.0.1"
            one.say("again")
            assert await one.line() == "again"


async def test_a_port_that_is_taken(house: House, run: Callable[..., Any]) -> None:
    async with line_port(house) as (_, port):
        with pytest.raises(CannotRun, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
            await listen_for_lines(Config(line_port=port), house.room)
        code, out, log = await run("serve", "--port", "0", "--line-port", str(port))
    assert (code, out) == (2, "")
    assert log == [f"longlink: cannot listen on 127.0.0.1:{port}: Address already in use"]


async def test_without_the_option_there_is_no_such_port(house: House) -> None:
    assert await listen_for_lines(Config(), house.room) is None


async def test_it_says_where_and_says_goodbye(launch: Launch) -> None:
    async with launch("--line-port", "0") as product:
        assert product.process.stdout is not None
        banner = (await product.process.stdout.readline()).decode()
        found = re.fullmatch(r"and lines, for nc and telnet, on (127\.0\.0\.1):(\d+)\n", banner)
        assert found
        async with visiting((found[1], int(found[2]))) as guest, chatting(product.ws) as chat:
            assert isinstance(chat, Chat)
            await product.line(r"#1 127\.0\.0\.1 joined \(line\)")
            product.signal(signal.SIGTERM)
            assert (await guest.rest())[-1] == "* server is shutting down"
        code, _, log = await product.end()
    assert code == 0
    assert any("#1 left (1001 server is shutting down)" in line for line in log)


async def test_who_does_not_leave_is_cut_off(launch: Launch) -> None:
    async with launch("--line-port", "0", "--shutdown-timeout", "0.2") as product:
        assert product.process.stdout is not None
        port = int((await product.process.stdout.readline()).split(b":")[-1])
        with socket.create_connection(("127.0.0.1", port)) as deaf:
            deaf.sendall(b"hello\n")
            await product.line("joined")
            log = await product.stop()
    assert any("1 did not say goodbye in time" in line for line in log)
