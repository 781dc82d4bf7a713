"""The operator's terminal: a prompt that stays whole while lines scroll by above it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable

from prompt_toolkit import PromptSession
from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document
from prompt_toolkit.patch_stdout import patch_stdout

from .command import COMMANDS
from .log import escape
from .operator import Operator
from .roster import Roster

PROMPT = "longlink> "
TAKES_ID = ("/to", "/kick")


def on_terminal() -> bool:
    """True when somebody can type here: a terminal, able to move its cursor, ours to read."""
    # A stream that was closed before we began is None.
    if not all(stream and stream.isatty() for stream in (sys.stdin, sys.stdout)):
        return False
    # A shell's background job would be stopped (SIGTTIN) as soon as it reads.
    try:
        foreground = os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except OSError:
        return False  # a terminal, but not the one that controls us
    return foreground and os.environ.get("TERM") != "dumb"


class CommandCompleter(Completer):
    """Completes commands, ids of users, and paths."""

    def __init__(self, roster: Roster) -> None:
        self._roster = roster
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What may stand at the cursor."""
        text = document.text_before_cursor
        name, blank, rest = text.partition(" ")
        if not text.startswith("/"):
            return
        if not blank:
            yield from self._commands(name)
        elif name in TAKES_ID and " " not in rest:
            yield from self._ids(rest)
        elif name == "/file":
            yield from self._paths.get_completions(Document(rest), complete_event)

    def _commands(self, begun: str) -> Iterable[Completion]:
        for name, command in COMMANDS.items():
            if name.startswith(begun):
                yield Completion(
                    name, -len(begun), display=command.usage, display_meta=command.help
                )

    def _ids(self, begun: str) -> Iterable[Completion]:
        for user in self._roster.users():
            number = str(user.id)
            if number.startswith(begun.removeprefix("#")):
                yield Completion(
                    number, -len(begun), display=user.label, display_meta=f"{user.ip} {user.kind}"
                )


class Console:
    """Reads lines from the terminal and shows what the operator answers.

    Use `with console:` around everything that may print; it keeps lines above the prompt.
    """

    def __init__(self, operator: Operator) -> None:
        self._operator = operator
        self._patch = patch_stdout(raw=True)
        self._session: PromptSession[str] = PromptSession(
            PROMPT, completer=CommandCompleter(operator.room.roster), complete_in_thread=True
        )

    def __enter__(self) -> None:
        self._patch.__enter__()

    def __exit__(self, *error: object) -> None:
        self._patch.__exit__(None, None, None)

    async def run(self) -> None:
        """Obey lines until Ctrl-C, Ctrl-D or `stop`."""
        while True:
            try:
                # Signals are the service's: a second Ctrl-C must reach it, too.
                line = await self._session.prompt_async(handle_sigint=False)
            except (EOFError, KeyboardInterrupt):
                return
            for answer in self._operator.obey(line):
                print(escape(answer))

    def stop(self) -> None:
        """Take the prompt away and give the terminal back as it was."""
        if self._session.app.is_running:
            self._session.app.exit(exception=EOFError())
