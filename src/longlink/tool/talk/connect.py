"""A conversation in lines, from its beginning to its exit code.

Theory of operation. One task hears and one speaks. Over TCP the end of the input is the end of our
side of the stream; the server answers what it has still to answer and closes. UDP has no ends: when
everything is said, answers are waited for until none has come for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from typing import Any, Final

from ...line import DatagramTooLong, Line, LineClosed, connect, connect_datagrams
from ...line.flow import spoken
from ...server.console import on_terminal
from ..source import BadInput
from .ending import Code, Ending, of_close, of_failure
from .face import Face, Pipe, Prompt
from .plan import Calling, Writing

_HURRY_S: Final = 2.0  # what a server may take to close after somebody at a prompt left
_SIGNALS: Final = {signal.SIGINT: Code.INTERRUPTED, signal.SIGTERM: Code.TERMINATED}
_QUIET: Final = (Code.OK, Code.INTERRUPTED, Code.TERMINATED)


def over_tcp(host: str, port: int, plan: Calling) -> int:
    """Talk over TCP; returns the exit code."""
    return _run(Talk("tcp", host, port, plan))


def over_udp(host: str, port: int, plan: Writing) -> int:
    """Talk over UDP; returns the exit code."""
    return _run(Datagrams("udp", host, port, plan))


def _run(talk: Talk) -> int:
    with asyncio.Runner() as runner:
        ending = runner.run(talk.run())
    if ending.text and ending.code not in _QUIET:
        print(f"longlink: {ending.text}", file=sys.stderr)
    return ending.code


class Talk:
    """One conversation over TCP."""

    def __init__(self, tool: str, host: str, port: int, plan: Any) -> None:
        self._tool, self._host, self._port, self._plan = tool, host, port, plan
        self._place = spoken((host, port))
        self._typed = on_terminal()
        self._face: Face
        self._line: Line
        self._verdict: Ending | None = None  # decided by ourselves
        self._said = self._heard = 0  # octets

    async def run(self) -> Ending:
        """How it ended, after everything was shown."""
        task = asyncio.current_task()
        assert task is not None
        for number, code in _SIGNALS.items():
            asyncio.get_running_loop().add_signal_handler(number, self._end, task, Ending(code))
        if self._typed:
            self._face = Prompt(self._tool, lambda: self._end(task, Ending(Code.INTERRUPTED)))
        else:
            self._face = Pipe(lambda: self._end(task, Ending(Code.OK)))
        try:
            ending = await self._meet()
            await self._face.close()
        except asyncio.CancelledError:
            if self._verdict is None:
                raise
            with contextlib.suppress(OSError):
                await self._face.close()
            return self._verdict
        except OSError as error:
            return _of_output(error)
        return ending

    def _end(self, task: asyncio.Task[Any], verdict: Ending) -> None:
        self._verdict = verdict
        task.cancel()

    async def _meet(self) -> Ending:
        self._step(f"connecting to {self._tool} {self._place}")
        try:
            self._line = await self.dial()
        except (OSError, UnicodeError) as failure:
            return of_failure(failure, self._place, getattr(self._plan, "open_timeout", 0.0))
        line = self._line
        self._step(f"connected to {spoken(line.remote_address)} from {spoken(line.local_address)}")
        if self._typed:
            self._face.note("Ctrl-D says that this was all")
        speaking = asyncio.create_task(self._speak())
        try:
            ending = await self._hear()
        finally:
            line.close()
            speaking.cancel()
            (problem,) = await asyncio.gather(speaking, return_exceptions=True)
        if isinstance(problem, Exception):  # a mistake of ours
            raise problem
        ending = self._verdict or ending
        self._step(f"sent {self._said} bytes, received {self._heard} bytes")
        if self._typed or self._plan.verbose:
            self._face.note(ending.text)
        return ending

    async def _hear(self) -> Ending:
        """Show what comes until the end."""
        try:
            while octets := await self._line.read():
                self._heard += len(octets)
                self._step(f"received {len(octets)} bytes")
                await self.show(octets)
        except LineClosed as end:
            return of_close(end)
        return self.over()

    async def _speak(self) -> None:
        """Say what the user says, then that this was all."""
        try:
            async for octets in self._face.said(self.whole):
                sent = self._line.send(octets, "" if not self.whole else None)
                self._said += len(octets)
                self._step(f"sent {len(octets)} bytes")
                await sent
            self._step("end of the input: nothing more is sent")
            await self.said_all()
        except (BadInput, DatagramTooLong) as problem:
            self._verdict = Ending(Code.USAGE, str(problem))
            self._line.close()
        except LineClosed:
            pass  # who hears tells why

    def _step(self, text: str) -> None:
        if self._plan.verbose:
            self._face.note(text)

    # What is different over UDP.

    whole = False  # whether what is sent at once is a line, and so is what comes

    async def dial(self) -> Line:
        """The conversation. Raises OSError."""
        return await connect(
            self._host,
            self._port,
            open_timeout=self._plan.open_timeout,
            timeout=self._plan.timeout,
            stall_timeout=None,
            max_backlog=None,
        )

    async def show(self, octets: bytes) -> None:
        """Show what came."""
        await self._face.show(octets, whole=False)

    async def said_all(self) -> None:
        """Everything was said."""
        self._line.finish()
        if self._typed:
            await asyncio.sleep(_HURRY_S)
            self._line.close()

    def over(self) -> Ending:
        """How it ended when nothing went wrong."""
        return Ending(Code.OK, "closed by the server" if self._line.finished else "closed by us")


class Datagrams(Talk):
    """One conversation over UDP."""

    whole = True

    def __init__(self, tool: str, host: str, port: int, plan: Writing) -> None:
        Talk.__init__(self, tool, host, port, plan)
        self._answer = asyncio.Event()

    async def dial(self) -> Line:
        return await connect_datagrams(self._host, self._port)

    async def show(self, octets: bytes) -> None:
        self._answer.set()
        await self._face.show(octets, whole=True)

    async def said_all(self) -> None:
        """Wait until nothing has come for a while."""
        while self._said and not self._typed:
            self._answer.clear()
            try:
                async with asyncio.timeout(self._plan.timeout):
                    await self._answer.wait()
            except TimeoutError:
                break
        self._line.close()

    def over(self) -> Ending:
        if self._heard or not self._said or self._typed:
            return Ending(Code.OK, "closed by us")
        patience = self._plan.timeout
        return Ending(
            Code.SILENT, f"no answer from {self._place} within {patience:g} s (--timeout)"
        )


def _of_output(error: OSError) -> Ending:
    """A reader who left has all that he wanted."""
    if isinstance(error, BrokenPipeError):
        return Ending(Code.OK)
    return Ending(Code.OUTPUT, f"cannot write the output: {error.strerror}")
