"""The operator: obeys typed lines by acting on the room, and answers in lines.

Knows no terminal; `console.py` gives it what was typed and shows what it answers.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from . import command
from .command import BadCommand
from .file import File, FileRefused
from .log import MESSAGES, shorten
from .room import Message, Room
from .roster import User

log = logging.getLogger("longlink.operator")
messages = logging.getLogger(MESSAGES)


class Operator:
    """Somebody at the server's own terminal.

    Args:
        room: what the operator acts on.
        max_file: largest file that may be sent, in bytes; None for any.
        quit: called to shut the server down.
    """

    def __init__(self, room: Room, *, max_file: int | None, quit: Callable[[], None]) -> None:
        self.room = room
        self._max_file = max_file
        self._quit = quit
        self._last_sender: int | None = None

    def hear(self, user: User, message: Message) -> None:
        """A user sent this: show it, and remember whom /reply answers."""
        self._last_sender = user.id
        if isinstance(message, str):
            messages.info("%s: %s", user.label, shorten(message))
        else:
            messages.info("%s sent %d bytes of binary", user.label, len(message))

    def obey(self, line: str) -> list[str]:
        """Do what the line asks for; returns what to show. Never raises for bad input."""
        try:
            action = command.parse(line)
            return [] if action is None else self._act(action)
        except (BadCommand, FileRefused) as error:
            return [str(error)]

    def _act(self, action: command.Action) -> list[str]:
        match action:
            case command.Say(text):
                self.room.say(text)
            case command.To(number, text):
                return self._whisper(self._user(number), text)
            case command.Reply(text):
                return self._whisper(self._last(), text)
            case command.Who():
                return self._who()
            case command.Kick(number, reason):
                self.room.kick(self._user(number), reason)
            case command.SendFile(path, number):
                return self._send_file(path, None if number is None else self._user(number))
            case command.Help():
                return command.help_lines()
            case command.Quit():
                self._quit()
        return []

    def _user(self, number: int) -> User:
        user = self.room.roster.find(number)
        if user is None:
            raise BadCommand(f"nobody here has the id {number}: /who lists who is here")
        return user

    def _last(self) -> User:
        if self._last_sender is None:
            raise BadCommand("nobody has said anything yet")
        user = self.room.roster.find(self._last_sender)
        if user is None:
            raise BadCommand(f"#{self._last_sender}, who spoke last, has left")
        return user

    def _whisper(self, user: User, text: str) -> list[str]:
        self.room.say(text, user)
        return [f"to {user.label}: {text}"]

    def _who(self) -> list[str]:
        users = self.room.roster.users()
        now = time.monotonic()
        rows = [("ID", "KIND", "ADDRESS", "HERE FOR", "MESSAGES", "NAME")]
        rows += [
            (
                str(user.id),
                user.kind,
                user.ip,
                f"{now - user.opened:.0f} s",
                str(user.messages),
                user.name,
            )
            for user in users
        ]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        return lines if users else ["nobody is here"]

    def _send_file(self, path: str, user: User | None) -> list[str]:
        if not self.room.roster:
            return ["nobody is here"]
        file = File.open(path, self._max_file)
        self.room.start(self._deliver(file, user))
        return [f"sending {file.name} ({file.size} bytes, {file.mime})"]

    async def _deliver(self, file: File, user: User | None) -> None:
        try:
            with file:
                complete, asked = await self.room.send_file(file, user)
        except OSError as error:
            log.error("reading %s failed: %s", file.name, error.strerror)
            return
        log.info("%s: all %d bytes handed to %d of %d", file.name, file.size, complete, asked)
