"""The operator's terminal, driven through a pseudo terminal."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document
from websockets.asyncio.client import ClientConnection, connect

from longlink.server.console import CommandCompleter, on_terminal
from longlink.server.roster import Roster
from tests.server.product import DEADLINE_S, chatting, closed, soon
from tests.server.terminal import Screen, Terminal

Open = Callable[..., Terminal]


async def opened(terminal: Open, *arguments: str, **options: str) -> tuple[Terminal, str]:
    """A server with its prompt, and its WebSocket address."""
    shown = terminal("serve", "--port", "0", *arguments, **options)
    banner = await shown.line(r"serving on http://\S+  \(Ctrl-C stops\)")
    await shown.prompt()
    found = re.search(r"http(://\S+)", banner)
    assert found
    return shown, "ws" + found[1]


async def test_the_prompt_stays_whole_while_messages_scroll(terminal: Open) -> None:
    shown, url = await opened(terminal)
    async with connect(url) as one, chatting(url) as two:
        shown.type("half typed")
        await shown.prompt("half typed")
        for number in range(20):
            await one.send(f"message {number}")
            await soon(one)
        await shown.line("#1: message 19")
        lines = await shown.prompt("half typed")
        messages = [line for line in lines if "#1: message" in line]
        assert [line.rpartition(" ")[2] for line in messages] == [str(n) for n in range(20)]
        assert sum("longlink>" in line for line in lines) == 1
        shown.type(" and sent\r")
        assert await soon(one) == "half typed and sent"
        while (message := await two.event("message"))["from"] != 0:
            pass
        assert message["text"] == "half typed and sent"
        await shown.prompt()


async def test_commands_work_at_the_prompt(terminal: Open, tmp_path: Path) -> None:
    shown, url = await opened(terminal)
    path = tmp_path / "cat.png"
    path.write_bytes(b"meow")
    shown.type("/who\r")
    await shown.line("^nobody is here")
    async with connect(url) as one, chatting(url) as two:
        await shown.line("#2 127.0.0.1 joined")
        await two.send("name", name="Ann")
        await shown.line("#2 is now called Ann")
        shown.type("/who\r")
        await shown.line(r"^2 +chat +127\.0\.0\.1 .* Ann$")
        shown.type("/to 1 psst\r")
        assert await soon(one) == "psst"
        await one.send("what?")
        await shown.line("#1: what[?]")
        await soon(one)
        shown.type("/reply nothing\r")
        assert await soon(one) == "nothing"
        shown.type(f"/file {path} 1\r")
        assert await soon(one) == b"meow"
        await shown.line("cat.png: all 4 bytes handed to 1 of 1")
        for typed, answer in {
            "/bogus": "unknown command /bogus: /help lists them",
            "/to 9 hi": "nobody here has the id 9: /who lists who is here",
            f"/file {tmp_path}": "it is a directory",
            "/kick": r"usage: /kick ID \[reason\]",
            "/help": "/quit +say goodbye",
        }.items():
            shown.type(typed + "\r")
            await shown.line(answer)
        shown.type("/kick 1 too loud\r")
        assert await closed(one) == (1008, "too loud")
        await shown.line(r"#1 left \(1008 too loud\)")
        shown.type("/quit\r")
        assert (await closed(two.connection))[0] == 1001
    assert await shown.end() == 0


def peak_kib(process: int) -> int:
    """The most memory that a process has had."""
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{process}/status").read_text())
    assert found
    return int(found[1])


async def received(connection: ClientConnection) -> int:
    """The size of the next message, which is read in pieces and forgotten."""
    async with asyncio.timeout(DEADLINE_S):
        return sum([len(piece) async for piece in connection.recv_streaming(decode=False)])


async def test_a_large_file_needs_little_memory(terminal: Open, tmp_path: Path) -> None:
    path = tmp_path / "large"
    path.touch()
    os.truncate(path, 2**26)  # a hole: takes no room on the disk
    shown, url = await opened(terminal)
    async with (
        connect(url, max_size=None) as one,
        connect(url, max_size=None) as two,
        connect(url, max_size=None, max_queue=1) as slow,
    ):
        await shown.line("#3 127.0.0.1 joined")
        before = peak_kib(shown.process.pid)
        shown.type(f"/file {path}\r")
        assert list(await asyncio.gather(received(one), received(two))) == [2**26, 2**26]
        assert await received(slow) == 2**26
        await shown.line("large: all 67108864 bytes handed to 3 of 3")
        assert peak_kib(shown.process.pid) - before < 16 * 1024


async def test_what_users_send_cannot_move_the_cursor(terminal: Open) -> None:
    shown, url = await opened(terminal, "--no-use-colors")
    async with connect(url) as one, chatting(url) as two:
        evil = "\x1b[2J\x1b]0;title\x07\r\n\x9b31m \u202egnp.exe"
        await one.send(evil)
        await shown.line(re.escape(r"#1: \x1b[2J\x1b]0;title\x07\r\n\x9b31m \u202egnp.exe"))
        await two.send("name", name="\x1b[31mred")
        await shown.line(re.escape("#2 is now called [31mred"))
        await two.connection.close(4000, "\x1b[1A\x9b2K")
        await shown.line(re.escape(r"#2 left (4000 \x1b[1A\x9b2K)"))
        await shown.prompt()
    for sequence in ("\x1b[2J", "\x1b]0;", "\x1b[31m", "\x1b[1A\x9b", "\x9b", "\u202e"):
        assert sequence not in shown.raw


async def test_tab_completes_and_up_recalls(terminal: Open) -> None:
    shown, url = await opened(terminal)
    async with connect(url) as one:
        await shown.line("#1 127.0.0.1 joined")
        shown.type("first\r")
        assert await soon(one) == "first"
        await shown.line("first")
        await shown.prompt()
        shown.type("/rep")
        await shown.line("say something to whoever spoke last")
        shown.type("\t")
        await shown.until(lambda lines: any(line == "longlink> /reply" for line in lines))
        shown.type("\x15/to ")  # Ctrl-U clears the line
        await shown.line("#1 +127.0.0.1 raw")
        shown.type("\t")
        await shown.until(lambda lines: any(line == "longlink> /to 1" for line in lines))
        shown.type("\x15\x1b[A\r")
        assert await soon(one) == "first"


@pytest.mark.parametrize("key", ["\x03", "\x04"])
@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
async def test_a_key_at_the_prompt_shuts_down(terminal: Open, key: str, loop: str) -> None:
    pytest.importorskip(loop)
    shown, url = await opened(terminal, "--loop", loop)
    async with connect(url) as one:
        await shown.line("#1 127.0.0.1 joined")
        await shown.prompt()
        shown.type(key)
        assert await closed(one) == (1001, "server is shutting down")
    assert await shown.end() == 0
    lines = shown.screen.lines()
    assert any("stopped" in line for line in lines)
    assert not any("Traceback" in line for line in lines)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_while_typing_shuts_down(terminal: Open, number: signal.Signals) -> None:
    shown, url = await opened(terminal)
    async with connect(url) as one:
        shown.type("half typed")
        await shown.prompt("half typed")
        shown.process.send_signal(number)
        assert (await closed(one))[0] == 1001
    assert await shown.end() == 0
    assert "Traceback" not in shown.raw


async def test_a_dumb_terminal_gets_lines_only(terminal: Open) -> None:
    shown = terminal("serve", "--port", "0", term="dumb")
    await shown.line("serving on")
    shown.process.send_signal(signal.SIGTERM)
    assert await shown.end() == 0
    assert "longlink>" not in shown.raw


def test_a_pipe_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not on_terminal()
    monkeypatch.setattr(sys, "stdin", None)  # as Python has it when it was closed before
    assert not on_terminal()


def complete(text: str, roster: Roster | None = None) -> list[str]:
    completer = CommandCompleter(roster or Roster())
    return [found.text for found in completer.get_completions(Document(text), CompleteEvent())]


class Peer:
    """As much of a connection as a roster asks for."""

    def __init__(self, subprotocol: str | None) -> None:
        self.subprotocol = subprotocol
        self.remote_address = ("10.0.0.1", 5)


def test_completion(tmp_path: Path) -> None:
    roster = Roster()
    for number in range(11):
        roster.add(Peer("chat" if number % 2 else None))  # type: ignore[arg-type]
    assert complete("/k", roster) == ["/kick"]
    assert "/help" in complete("/", roster)
    assert complete("hello /k", roster) == []
    assert complete("/to 1", roster) == ["1", "10", "11"]
    assert complete("/kick #3", roster) == ["3"]
    assert complete("/kick 3 /", roster) == []
    assert complete("/who ", roster) == []
    (tmp_path / "picture.png").touch()
    assert complete(f"/file {tmp_path}{os.sep}pic") == ["ture.png"]


def test_the_screen_of_these_tests() -> None:
    screen = Screen()
    screen.feed("one\r\ntwo\x1b[1A\rONE\x1b[2Cx\x1b[K\r\n\x1b[3Gab\x1b[J\b\b.")
    assert screen.lines() == ["ONE  x", "tw.b"]
    screen.feed("\x1b[5A\r\x1b[J\x1b[31mred\x1b[0m\x1b[?25l")
    assert screen.lines() == ["red"]
