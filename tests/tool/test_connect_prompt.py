"""`longlink connect` on a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import json
import signal
import stat
from collections.abc import Callable
from pathlib import Path

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosedError
from websockets.http11 import Request, Response

from tests.server.terminal import Terminal
from tests.tool.peer import echo, serving

Open = Callable[..., Terminal]
MARK = "> "


async def opened(terminal: Open, url: str, *arguments: str) -> Terminal:
    shown = terminal("connect", *arguments, url)
    await shown.line("/help lists what else can be typed")
    await shown.prompt(mark=MARK)
    return shown


async def test_typed_lines_stay_whole_while_messages_scroll(terminal: Open) -> None:
    codes: list[int | None] = []

    async def talk(ws: ServerConnection) -> None:
        async for message in ws:
            await ws.send(f"you said {message!s}")
            for number in range(2000 if message == "flood" else 0):
                await ws.send(f"message {number}")
        codes.append(ws.close_code)

    async with serving(talk) as url:
        shown = await opened(terminal, url)
        shown.type("测试 hello\r")
        await shown.line("^< you said 测试 hello$")
        shown.type("flood\rhalf typed")
        await shown.line("< message 1999")
        lines = await shown.prompt("half typed", mark=MARK)
        numbers = [line.split()[-1] for line in lines if line.startswith("< message")]
        assert numbers == [str(number) for number in range(2000)]
        shown.type(" and sent\r")
        await shown.line("^< you said half typed and sent$")
        await shown.prompt(mark=MARK)
        shown.type("\x04")
        assert await shown.end() == 0
    assert codes == [1000]
    assert "closed by us with 1000 (OK)" in "\n".join(shown.screen.lines())


async def test_what_can_be_typed_beside_messages(terminal: Open, tmp_path: Path) -> None:
    got: list[str | bytes] = []
    closed: list[tuple[int | None, str | None]] = []

    async def collect(ws: ServerConnection) -> None:
        with contextlib.suppress(ConnectionClosedError):
            async for message in ws:
                got.append(message)
                await ws.send(message)
        closed.append((ws.close_code, ws.close_reason))

    path = tmp_path / "a file.bin"
    path.write_bytes(bytes(range(40)))
    async with serving(collect) as url:
        shown = await opened(terminal, url, "--save", f"{tmp_path}/saved.bin")
        for typed, answer in {
            "/ping": r"^< pong after \d+\.\d\d ms$",
            "/binary 00 ff7a": "^< binary, 3 bytes, saved as .*saved.bin$",
            "/binary 0": "binary must be pairs of hexadecimal digits, not '0'",
            f'/file "{path}"': "sent a file.bin, 40 bytes",
            f"/file {tmp_path}": "it is a directory",
            "/file": "usage: /file PATH",
            "//slash": "^< /slash$",
            "/text  /x ": "^<  /x$",
            "/bogus": "unknown command /bogus: /help lists them, //bogus sends it",
            "/close 1005": "1005",
            "/close x": "CODE must be a number, not 'x'",
            "/help": "^/close .* close and leave, as Ctrl-D does",
        }.items():
            shown.type(typed + "\r")
            await shown.line(answer)
        await shown.line("saved-2.bin")
        shown.type("\r")  # nothing was typed: nothing is sent
        shown.type("/close 4001 that is all\r")
        assert await shown.end() == 0
    assert got == [b"\x00\xff\x7a", path.read_bytes(), "/slash", " /x "]
    assert closed == [(4001, "that is all")]


async def test_what_comes_cannot_drive_the_terminal(terminal: Open) -> None:
    evil = "\x1b[2J\x1b]0;title\x07\x9b31m \u202egnp.exe\n> typed?\r\n< fake\x08"

    async def attack(ws: ServerConnection) -> None:
        await ws.send(evil)
        await ws.send(b"\x1b[2J" + bytes(range(256)))
        await ws.send("x" * 20_000)
        await ws.recv()
        await ws.close(1008, "\x1b[31mgo")

    async with serving(attack) as url:
        shown = await opened(terminal, url)
        await shown.line(r"\(20000 characters\)$")
        lines = [line for line in await shown.prompt(mark=MARK) if line]
        begin = next(n for n, line in enumerate(lines) if "title" in line)
        assert lines[begin : begin + 3] == [
            r"< \x1b[2J\x1b]0;title\x07\x9b31m \u202egnp.exe",
            "  > typed?",
            r"  < fake\x08",
        ]
        assert "< binary, 260 bytes:" in lines
        assert "  … 132 more; --save writes them" in lines
        shown.type("go\r")
        assert await shown.end() == 1
    assert r"1008 (policy violation) \x1b[31mgo" in "\n".join(shown.screen.lines())
    for sequence in ("\x1b[2J", "\x1b]0;", "\x1b[31m", "\x9b", "\u202e", "\x07"):
        assert sequence not in shown.raw


async def test_lines_are_remembered_by_their_owner(terminal: Open, tmp_path: Path) -> None:
    path = tmp_path / "state" / "longlink" / "connect_history"
    async with serving(echo) as url:
        shown = await opened(terminal, url, "--no-history")
        shown.type("forgotten\r")
        await shown.line("< forgotten")
        shown.type("\x1b[A")
        await shown.prompt("forgotten", mark=MARK)
        shown.type("\x15\x04")
        assert await shown.end() == 0
        assert not path.exists()
        for typed in ("first", " secret", "second"):
            shown = await opened(terminal, url)
            shown.type(f"{typed}\r")
            await shown.line(f"< {typed}")
            shown.type("\x04")
            assert await shown.end() == 0
        shown = await opened(terminal, url)
        shown.type("\x1b[A\x1b[A")
        await shown.prompt("first", mark=MARK)
        shown.type("\x03")
        assert await shown.end() == 130
    assert [json.loads(line) for line in path.read_text().splitlines()] == ["first", "second"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


async def test_the_end_is_told_while_somebody_types(terminal: Open) -> None:
    typed = asyncio.Event()

    async def leave(ws: ServerConnection) -> None:
        await typed.wait()
        ws.transport.abort()

    async with serving(leave) as url:
        shown = await opened(terminal, url)
        shown.type("half typed")
        await shown.prompt("half typed", mark=MARK)
        typed.set()
        assert await shown.end() == 5
    lines = [line for line in shown.screen.lines() if line]
    assert lines[-2:] == [
        "> half typed",
        "longlink: connection lost: no close frame in either direction",
    ]


async def test_the_prompt_outlives_a_connection(terminal: Open) -> None:
    """With --reconnect; what is typed meanwhile is not lost silently."""
    away, back = asyncio.Event(), asyncio.Event()

    async def leave_once(ws: ServerConnection) -> None:
        if not away.is_set():
            away.set()
            ws.transport.abort()
        else:
            await echo(ws)

    async def refuse(ws: ServerConnection, request: Request) -> Response | None:
        if away.is_set():
            await back.wait()
        return None

    async with serving(leave_once, process_request=refuse) as url:
        shown = await opened(terminal, url, "--reconnect")
        await shown.line("connection lost: .*; connecting again")
        shown.type("too early\r")
        await shown.line("not connected: this was not sent")
        shown.type("half")
        await shown.prompt("half", mark=MARK)
        back.set()
        await shown.until(lambda lines: sum("connected to" in line for line in lines) == 2)
        shown.type(" typed\r")
        await shown.line("^< half typed$")
        shown.type("\x04")
        assert await shown.end() == 0


async def test_a_signal_gives_the_terminal_back(terminal: Open) -> None:
    async with serving(echo) as url:
        shown = await opened(terminal, url)
        shown.process.send_signal(signal.SIGTERM)
        assert await shown.end() == 143
    assert "Traceback" not in shown.raw


async def test_colors_are_for_who_wants_them(
    terminal: Open, python_environment: dict[str, str]
) -> None:
    async with serving(echo) as url:
        for wanted in (True, False):
            if not wanted:
                python_environment["NO_COLOR"] = "1"
            shown = await opened(terminal, url)
            shown.type("hello\r")
            await shown.line("< hello")
            shown.type("/cl")
            await shown.line("close and leave")
            shown.type("\x15\x04")
            assert await shown.end() == 0
            assert ("\x1b[36m" in shown.raw) is wanted


async def test_a_dumb_terminal_gets_lines(terminal: Open) -> None:
    async with serving(echo) as url:
        shown = terminal("connect", "--count", "2", url, term="dumb")
        shown.type("evil\x1b[31m\n")
        await shown.line(r"^evil\\x1b\[31m$")
        shown.type("more\n")
        assert await shown.end() == 0
    assert "> " not in shown.raw
