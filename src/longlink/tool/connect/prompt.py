"""A conversation at a terminal: a prompt that stays whole while messages scroll by above it."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from prompt_toolkit.completion import CompleteEvent, Completer, Completion, PathCompleter
from prompt_toolkit.document import Document

from ... import Connection, ConnectionClosed, LocalProtocolError
from ...server.file import File, FileRefused
from ..outlet import Outlet
from ..plain import plain
from ..prompt import above_the_prompt, make_prompt
from . import command
from .command import COMMANDS, BadCommand
from .form import Message
from .plan import Plan
from .render import Renderer

_FILE = "/file "


class CommandCompleter(Completer):
    """Completes commands and paths; messages are the user's own."""

    def __init__(self) -> None:
        self._paths = PathCompleter(expanduser=True)

    def get_completions(
        self, document: Document, complete_event: CompleteEvent
    ) -> Iterable[Completion]:
        """What may stand at the cursor."""
        text = document.text_before_cursor
        if text.startswith(_FILE):
            rest = Document(text.removeprefix(_FILE))
            yield from self._paths.get_completions(rest, complete_event)
            return
        for name, each in COMMANDS.items():
            if text.startswith("/") and name.startswith(text):
                yield Completion(name, -len(text), display=each.usage, display_meta=each.help)


class Prompt:
    """Somebody who types.

    Args:
        interrupted: called for Ctrl-C, which is a key here and no signal.
    """

    def __init__(self, plan: Plan, interrupted: Callable[[], None]) -> None:
        self._renderer = Renderer(plan, "prompt", colors="NO_COLOR" not in os.environ)
        self._outlet: Outlet = Outlet(above_the_prompt)
        self._interrupted = interrupted
        self._session = make_prompt(
            "connect", remember=not plan.no_history, completer=CommandCompleter()
        )
        self._ws: Connection | None = None
        self._typing: asyncio.Task[None] | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def speak(self, ws: Connection) -> None:
        """Send what is typed until the user wants to leave."""
        self._ws = ws
        if self._typing is None:
            self._typing = asyncio.create_task(self._type())
        await asyncio.shield(self._typing)

    async def show(self, message: Message) -> None:
        """Show a message; waits when they come faster than the terminal shows them."""
        await self._outlet.put(self._renderer.render(message))

    def show_trip(self, seconds: float) -> None:
        """Show a round trip."""
        self._outlet.put_now(self._renderer.trip(seconds))

    def note(self, text: str) -> None:
        """Show words of our own."""
        self._outlet.put_now(text.encode(errors="backslashreplace") + b"\n")

    async def flush(self) -> None:
        """Wait until everything is shown."""
        await self._outlet.flush()

    async def close(self) -> None:
        """Take the prompt away, and give the terminal back as it was."""
        for task in self._tasks:
            task.cancel()
        if self._typing is None:
            return
        app = self._session.app
        if app.is_running and app.future is not None and not app.future.done():
            app.exit(exception=EOFError())
        elif not app.is_running:  # a line was just typed, and the next prompt is not there yet
            self._typing.cancel()
        await asyncio.wait((self._typing,))
        if not self._typing.cancelled():
            self._typing.result()

    async def _type(self) -> None:
        leaving = False
        while not leaving:
            try:
                # Signals are the conversation's.
                line = await self._session.prompt_async(handle_sigint=False)
            except EOFError:
                return
            except KeyboardInterrupt:
                return self._interrupted()
            leaving = self._obey(line)

    def _obey(self, line: str) -> bool:
        """Do what was typed; returns whether it was the last."""
        assert self._ws is not None
        try:
            action = command.parse(line)
            return action is not None and self._act(self._ws, action)
        except (BadCommand, FileRefused, LocalProtocolError, UnicodeError) as error:
            self.note(plain(str(error)))
        except ConnectionClosed:
            self.note("not connected: this was not sent")
        return False

    def _act(self, ws: Connection, action: command.Action) -> bool:
        match action:
            case command.Send(message):
                ws.send(message)
            case command.SendFile(path):
                self._start(self._send_file(ws, File.open(path, None)))
            case command.Ping():
                self._start(self._measure(ws))
            case command.Close(code, reason):
                ws.close(code, reason)
                return True
            case command.Help():
                self.note("\n".join(command.help_lines()))
        return False

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _measure(self, ws: Connection) -> None:
        with contextlib.suppress(ConnectionClosed):  # which is told anyway
            self.show_trip(await (await ws.ping()))

    async def _send_file(self, ws: Connection, file: File) -> None:
        with file:
            try:
                first = await file.piece(0)
                await ws.send(file.pieces(first) if first else b"")
                self.note(plain(f"sent {file.name}, {file.size} bytes"))
            except ConnectionClosed:
                self.note(plain(f"{file.name} did not arrive as a whole"))
            except OSError as error:
                self.note(plain(f"reading {file.name} failed: {error.strerror}"))
