"""What the operator can type: a table, and a pure function from a line to an action."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from dataclasses import dataclass

from ..wire.frame import MAX_REASON
from .event import has_surrogate


class BadCommand(Exception):
    """The line cannot be obeyed; the text says why."""


@dataclass(frozen=True, slots=True)
class Say:
    """Say `text` to everybody."""

    text: str


@dataclass(frozen=True, slots=True)
class To:
    """Say `text` to one user."""

    id: int
    text: str


@dataclass(frozen=True, slots=True)
class Reply:
    """Say `text` to whoever spoke last."""

    text: str


@dataclass(frozen=True, slots=True)
class Who:
    """List who is here."""


@dataclass(frozen=True, slots=True)
class Kick:
    """Close a user's connection."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class SendFile:
    """Send the file at `path` to everybody, or to one user."""

    path: str
    id: int | None


@dataclass(frozen=True, slots=True)
class Help:
    """Show the table."""


@dataclass(frozen=True, slots=True)
class Quit:
    """Shut the server down."""


Action = Say | To | Reply | Who | Kick | SendFile | Help | Quit


@dataclass(frozen=True, slots=True)
class Command:
    """One row of the table: how it is typed, what it does, what its arguments become."""

    usage: str
    help: str
    parse: Callable[[str], Action | None]


def _to(rest: str) -> Action | None:
    number, _, text = rest.partition(" ")
    return To(_id(number), text.strip()) if text.strip() else None


def _reply(rest: str) -> Action | None:
    return Reply(rest) if rest else None


def _kick(rest: str) -> Action | None:
    number, _, reason = rest.partition(" ")
    if not number:
        return None
    reason = reason.strip()
    size = len(reason.encode())
    if size > MAX_REASON:
        raise BadCommand(f"reason must be at most {MAX_REASON} bytes, not {size}")
    return Kick(_id(number), reason or "removed by the operator")


def _file(rest: str) -> Action | None:
    try:
        words = shlex.split(rest)
    except ValueError as error:
        raise BadCommand(f"cannot read the path: {str(error).lower()}") from None
    if len(words) == 1:
        return SendFile(words[0], None)
    if len(words) == 2:
        return SendFile(words[0], _id(words[1]))
    return None


def _bare(action: Action) -> Callable[[str], Action | None]:
    return lambda rest: None if rest else action


COMMANDS: dict[str, Command] = {
    "/to": Command("/to ID text", "say something to one user only", _to),
    "/reply": Command("/reply text", "say something to whoever spoke last", _reply),
    "/who": Command("/who", "list who is here", _bare(Who())),
    "/kick": Command("/kick ID [reason]", "close a user's connection", _kick),
    "/file": Command(
        "/file PATH [ID]", 'send a file to everybody, or to one user; "a path" with blanks', _file
    ),
    "/help": Command("/help", "show this list", _bare(Help())),
    "/quit": Command("/quit", "say goodbye to everybody and stop", _bare(Quit())),
}


def parse(line: str) -> Action | None:
    """The action a typed line asks for; None for a blank line.

    A line that does not begin with a slash is said to everybody, and so is one that begins with
    two, without the first. Raises BadCommand.
    """
    line = line.strip()
    if has_surrogate(line):
        raise BadCommand("the line holds bytes that are not text in the terminal's encoding")
    if not line.startswith("/"):
        return Say(line) if line else None
    if line.startswith("//"):
        return Say(line[1:])
    name, _, rest = line.partition(" ")
    command = COMMANDS.get(name)
    if command is None:
        raise BadCommand(f"unknown command {name}: /help lists them")
    action = command.parse(rest.strip())
    if action is None:
        raise BadCommand(f"usage: {command.usage}")
    return action


def help_lines() -> list[str]:
    """The table as text."""
    width = max(len(command.usage) for command in COMMANDS.values())
    rows = [("text", "say something to everybody")]
    rows += [(command.usage, command.help) for command in COMMANDS.values()]
    return [f"{usage:<{width}}  {text}" for usage, text in rows]


def _id(word: str) -> int:
    number = word.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) <= 18):
        raise BadCommand(f"ID must be a number as shown by /who, not {word!r}")
    return int(number)
