"""A terminal for tests: a pseudo terminal and just enough of a screen to see what is shown."""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Mapping
from typing import Self

from .product import DEADLINE_S

ROWS, COLUMNS = 24, 100
# Takes the terminal as its own, as a shell would have arranged it, and becomes longlink.
TAKE = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0);"
    "os.execv(sys.executable, [sys.executable, '-m', 'longlink', *sys.argv[1:]])"
)
SEQUENCE = re.compile(
    r"\x1b\[([?>0-9;]*)([ -/]*[@-~])|\x1b[()][A-Z0-9]|\x1b[=>78]|\x1b\][^\x07]*\x07"
)
UNFINISHED = re.compile(r"\x1b(\[[?>0-9;]*[ -/]*|[()]|\][^\x07]*)?")


class Screen:
    """Lines and a cursor on a page without lower end; knows what prompt_toolkit writes."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = [[]]
        self.row = self.column = 0
        self._rest = ""  # a control sequence that is not complete

    def feed(self, text: str) -> None:
        """Show text with its control sequences, which may be cut anywhere."""
        text, self._rest = self._rest + text, ""
        while text:
            if UNFINISHED.fullmatch(text):
                self._rest = text
                return
            found = SEQUENCE.match(text)
            if found:
                if found[2]:
                    self._obey(found[1], found[2])
                text = text[found.end() :]
            else:
                self._put(text[0])
                text = text[1:]

    def lines(self) -> list[str]:
        """What is to be seen."""
        return ["".join(row).rstrip() for row in self.rows]

    def _put(self, char: str) -> None:
        if char == "\r":
            self.column = 0
        elif char == "\n":
            self._move(self.row + 1, self.column)
        elif char == "\b":
            self.column = max(0, self.column - 1)
        elif char >= " ":
            row = self.rows[self.row]
            row.extend(" " * (self.column + 1 - len(row)))
            row[self.column] = char
            self.column += 1

    def _move(self, row: int, column: int) -> None:
        self.row, self.column = max(0, row), max(0, column)
        while len(self.rows) <= self.row:
            self.rows.append([])

    def _obey(self, parameters: str, final: str) -> None:
        count = int(parameters) if parameters.isdigit() and parameters != "0" else 1
        if final in "ABCD":
            down = {"A": -count, "B": count}.get(final, 0)
            right = {"C": count, "D": -count}.get(final, 0)
            self._move(self.row + down, self.column + right)
        elif final == "G":
            self.column = count - 1
        elif final in "JK":
            del self.rows[self.row][self.column :]
            if final == "J":
                del self.rows[self.row + 1 :]


class Terminal:
    """`longlink` on a terminal of its own."""

    def __init__(self, process: subprocess.Popen[bytes], master: int) -> None:
        self.process = process
        self.screen = Screen()
        self.raw = ""
        self._master = master
        self._changed = asyncio.Event()
        self._ended = False
        asyncio.get_running_loop().add_reader(master, self._read)

    @classmethod
    def start(cls, environment: Mapping[str, str], *arguments: str, term: str = "xterm") -> Self:
        """Start it; `arguments` follow `longlink`."""
        master, slave = os.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", ROWS, COLUMNS, 0, 0))
        process = subprocess.Popen(
            [sys.executable, "-c", TAKE, *arguments],
            env={**environment, "TERM": term},
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        return cls(process, master)

    def _read(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # EIO: nobody has the other end open any more
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
            self._ended = True
        text = data.decode(errors="replace")
        self.raw += text
        self.screen.feed(text)
        if "\x1b[6n" in text:  # where is the cursor?
            self.type("\x1b[1;1R")
        self._changed.set()

    def type(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    async def until(self, seen: Callable[[list[str]], bool]) -> list[str]:
        """The screen's lines, once they satisfy this."""
        try:
            async with asyncio.timeout(DEADLINE_S):
                while not seen(self.screen.lines()):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            raise AssertionError("\n".join(self.screen.lines())) from None
        return self.screen.lines()

    async def line(self, pattern: str) -> str:
        """The last line on the screen with this pattern."""
        lines = await self.until(lambda lines: any(re.search(pattern, line) for line in lines))
        return next(line for line in reversed(lines) if re.search(pattern, line))

    async def prompt(self, typed: str = "", mark: str = "longlink> ") -> list[str]:
        """Wait until the prompt with what was typed is the last line; returns all lines."""
        wanted = f"{mark}{typed}".rstrip()

        def seen(lines: list[str]) -> bool:
            return [line for line in lines if line][-1:] == [wanted]

        return await self.until(seen)

    async def end(self) -> int:
        """Wait for its end; returns the exit code."""
        await self.until(lambda lines: self._ended)
        return await asyncio.to_thread(self.process.wait, DEADLINE_S)

    def close(self) -> None:
        """Take the terminal away."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        asyncio.get_running_loop().remove_reader(self._master)
        os.close(self._master)
