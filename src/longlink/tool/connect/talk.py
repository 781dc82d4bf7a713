"""A conversation from its beginning to its exit code.

Theory of operation. A *face* is where the user is: a prompt or pipes. `Talk` brings it together
with a connection: one task hears, one speaks, and whatever ends first ends the other. Ctrl-C,
SIGTERM and an output that nobody reads any more close politely and give the peer two seconds;
asked twice, TCP is cut.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator
from typing import Any, Final, Protocol

from ... import Connection, ConnectionClosed, Limits, LonglinkError, process_exception
from ...server.console import on_terminal
from ..source import BadInput, Source
from .dial import dial, place_of
from .ending import Code, Ending, of_close, of_failure
from .form import Message
from .opened import heads, summary
from .pipe import Pipe
from .plan import Plan
from .prompt import Prompt
from .save import CannotSave

HURRY_S: Final = 2.0
_SIGNALS: Final = {
    signal.SIGINT: Code.INTERRUPTED,
    signal.SIGTERM: Code.TERMINATED,
}


class Face(Protocol):
    """Where the user is."""

    async def speak(self, ws: Connection) -> None:
        """Send what the user says; returns when that was all."""

    async def show(self, message: Message) -> None:
        """Show a message; whoever shows too much waits."""

    def show_trip(self, seconds: float) -> None:
        """Show a ping's round trip."""

    def note(self, text: str) -> None:
        """Say something beside the messages."""

    async def flush(self) -> None:
        """Wait until everything is shown."""

    async def close(self) -> None:
        """Be gone."""


def run(talk: Talk) -> int:
    """Converse; returns the exit code."""
    with asyncio.Runner() as runner:
        ending = runner.run(talk.run())
    if ending.text and ending.code not in (Code.OK, Code.INTERRUPTED, Code.TERMINATED):
        print(f"longlink: {ending.text}", file=sys.stderr)
    return ending.code


class Talk:
    """One conversation: a connection, or with --reconnect one after the other.

    Raises ValueError, in one line, for options that can never work.
    """

    def __init__(self, uri: str, plan: Plan, limits: Limits) -> None:
        self._plan = plan
        self._limits = limits
        self._caller = dial(uri, plan, limits, process_exception=self._judge)
        self._typed = on_terminal() and not plan.execute
        self._face: Face
        self._task: asyncio.Task[Any] | None = None
        self._ws: Connection | None = None
        self._hearing: asyncio.Task[Any] | None = None
        self._verdict: Ending | None = None  # decided by ourselves
        self._leaving = False  # nothing more is to be said
        self._deaf = False  # nothing more is to be shown
        self._count = 0

    # From birth to end.

    async def run(self) -> Ending:
        """How it ended, after everything was shown."""
        self._task = asyncio.current_task()
        self._face = self._make_face()
        loop = asyncio.get_running_loop()
        for number, code in _SIGNALS.items():
            loop.add_signal_handler(number, self.end, Ending(code))
        try:
            ending = await self._converse()
            if ending.code is Code.OK and ending.text:
                self._tell(ending.text)
            await self._face.flush()
        except asyncio.CancelledError:
            if self._verdict is None:
                raise
            ending = self._verdict
        except OSError as error:
            ending = _of_output(error)
        finally:
            await self._face.close()
        return ending

    def _make_face(self) -> Face:
        if self._typed:
            return Prompt(self._plan, lambda: self.end(Ending(Code.INTERRUPTED)))
        pipe = Pipe(self._plan, Source(None if sys.stdin is None else sys.stdin.fileno()))
        pipe.watch(lambda: self.end(Ending(Code.OK)))
        return pipe

    def end(self, ending: Ending) -> None:
        """Leave politely; at once when a signal asks for it again, or when that takes too long."""
        if self._verdict is not None:
            if ending.code in _SIGNALS.values():
                self._cut()
            return
        self._verdict = ending
        self._deaf = True
        if self._ws is None:
            self._cut()
            return
        self._leave(self._ws)
        asyncio.get_running_loop().call_later(HURRY_S, self._cut)

    def _cut(self) -> None:
        if self._ws is not None:
            self._ws.transport.abort()
        task = self._task if self._hearing is None else self._hearing
        assert task is not None
        task.cancel()

    def _leave(self, ws: Connection) -> None:
        self._leaving = True
        ws.close()

    # Connections.

    async def _converse(self) -> Ending:
        ending = Ending(Code.OK)
        try:
            async for ws in self._connections():
                ending = await self._during(ws)
                if self._leaving:
                    break
                if self._plan.reconnect:
                    self._tell(f"{ending.text}; connecting again")
        except (OSError, TimeoutError, LonglinkError) as failure:
            return self._why(failure)
        return ending

    async def _connections(self) -> AsyncIterator[Connection]:
        if self._plan.reconnect:
            async for ws in self._caller:
                yield ws
        else:
            yield await self._caller

    def _judge(self, failure: Exception) -> Exception | None:
        """Whether to connect again after a failure, which the user is told of."""
        final = process_exception(failure)
        if final is None:
            self._tell(f"{self._why(failure).text}; trying again")
        return final

    def _why(self, failure: Exception) -> Ending:
        return of_failure(failure, place_of(self._caller), self._limits.open_timeout)

    async def _during(self, ws: Connection) -> Ending:
        """How this connection ended."""
        self._ws = ws
        self._tell_opened(ws)
        self._hearing = asyncio.create_task(self._hear(ws))
        others = [asyncio.create_task(self._speak(ws)), asyncio.create_task(self._keep_pinging(ws))]
        try:
            await asyncio.wait((self._hearing,))
            told = Ending(Code.OK) if self._hearing.cancelled() else self._hearing.result()
        finally:
            self._ws = self._hearing = None
            for task in others:
                task.cancel()
            results = await asyncio.gather(*others, return_exceptions=True)
        for result in results:
            if isinstance(result, Exception):  # a mistake of ours
                raise result
        return self._verdict or told

    async def _speak(self, ws: Connection) -> None:
        try:
            await self._face.speak(ws)
            self._leave(ws)
        except ConnectionClosed:
            pass  # who hears tells why
        except BadInput as error:
            self._verdict = Ending(Code.USAGE, str(error))
            self._leave(ws)
        except Exception:
            self._cut()
            raise

    async def _keep_pinging(self, ws: Connection) -> None:
        if self._plan.ping is None:
            return
        with contextlib.suppress(ConnectionClosed):
            while True:
                self._face.show_trip(await (await ws.ping()))
                await asyncio.sleep(self._plan.ping)

    async def _hear(self, ws: Connection) -> Ending:
        """Show everything until the end; what nobody wants to see is received all the same, for
        the Close is behind it."""
        try:
            while True:
                message = await ws.recv()
                if not self._deaf:
                    await self._show(ws, message)
        except ConnectionClosed as closed:
            return of_close(closed)

    async def _show(self, ws: Connection, message: Message) -> None:
        try:
            await self._face.show(message)
        except CannotSave as error:
            return self.end(Ending(Code.OUTPUT, str(error)))
        except OSError as error:
            return self.end(_of_output(error))
        self._count += 1
        if self._count == self._plan.count:
            self._deaf = True
            self._leave(ws)

    # Words beside the messages.

    def _tell(self, text: str) -> None:
        if self._plan.verbose or (self._typed and not self._plan.quiet):
            self._face.note(text)

    def _tell_opened(self, ws: Connection) -> None:
        self._tell(summary(str(self._caller.uri), ws))
        if self._plan.verbose:
            for line in heads(ws):
                self._face.note(line)
        if self._typed:
            self._tell("Ctrl-D closes, /help lists what else can be typed")


def _of_output(error: OSError) -> Ending:
    """A reader who left has all that he wanted."""
    if isinstance(error, BrokenPipeError):
        return Ending(Code.OK)
    return Ending(Code.OUTPUT, f"cannot write the output: {error.strerror}")
