"""What can be typed at the prompt beside messages: a table, and a function from line to action."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


class BadCommand(Exception):
    """The line cannot be obeyed; the text says why."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send a message."""

    message: str | bytes


@dataclass(frozen=True, slots=True)
class SendFile:
    """Send the file at `path` as one binary message."""

    path: str


@dataclass(frozen=True, slots=True)
class Ping:
    """Measure a round trip."""


@dataclass(frozen=True, slots=True)
class Close:
    """Say goodbye."""

    code: int
    reason: str


@dataclass(frozen=True, slots=True)
class Help:
    """Show the table."""


Action = Send | SendFile | Ping | Close | Help


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table: how it is typed, what it does, what its arguments become."""

    usage: str
    help: str
    parse: Callable[[str], Action | None]


def _binary(rest: str) -> Action:
    try:
        return Send(bytes.fromhex(rest))
    except ValueError:
        raise BadCommand(f"binary must be pairs of hexadecimal digits, not {rest!r}") from None


def _file(rest: str) -> Action | None:
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise BadCommand(f"cannot read the path: {str(error).lower()}") from None
    return SendFile(words[0]) if len(words) == 1 else None


def _close(rest: str) -> Action:
    number, _, reason = rest.partition(" ")
    if number and not (number.isascii() and number.isdigit()):
        raise BadCommand(f"CODE must be a number, not {number!r}")
    return Close(int(number[:9] or 1000), reason.strip())


def _bare(action: Action) -> Callable[[str], Action | None]:
    return lambda rest: None if rest else action


COMMANDS: Final[dict[str, Command]] = {
    "/ping": Command("/ping", "show how long a round trip takes", _bare(Ping())),
    "/text": Command("/text TEXT", "send text, whatever it begins with, or none", Send),
    "/binary": Command("/binary HEX", "send binary: /binary 00 ff 7a", _binary),
    "/file": Command("/file PATH", "send a file as one binary message", _file),
    "/close": Command("/close [CODE [REASON]]", "close and leave, as Ctrl-D does", _close),
    "/help": Command("/help", "show this list", _bare(Help())),
}


def parse(line: str) -> Action | None:
    """The action a typed line asks for; None for an empty one.

    A line that does not begin with a slash is a message, and so is one that begins with two,
    without the first. Raises BadCommand.
    """
    if not line.startswith("/"):
        return Send(line) if line else None
    if line.startswith("//"):
        return Send(line[1:])
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise BadCommand(f"unknown command {name}: /help lists them, /{line} sends it")
    action = command.parse(rest if name == "/text" else rest.strip())
    if action is None:
        raise BadCommand(f"usage: {command.usage}")
    return action


def help_lines() -> list[str]:
    """The table as text."""
    width = max(len(command.usage) for command in COMMANDS.values())
    rows = [("text", "send a message; //text sends /text")]
    rows += [(command.usage, command.help) for command in COMMANDS.values()]
    return [f"{usage:<{width}}  {text}" for usage, text in rows]
