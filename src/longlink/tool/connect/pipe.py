"""A conversation without a prompt: what is piped in or said by options, what comes piped on."""

from __future__ import annotations

import asyncio
import codecs
import os
import sys
from collections.abc import AsyncIterator, Callable

from ... import Connection
from ..outlet import Outlet, notice_end, to_descriptor
from ..source import BadInput, Source
from .form import Message
from .plan import Plan
from .render import Renderer


class Pipe:
    """Sends lines, or all there is as one message, and shows what comes.

    Args:
        source: what is piped in.
        descriptor: where to show messages.
    """

    def __init__(self, plan: Plan, source: Source, descriptor: int = 1) -> None:
        self._plan = plan
        self._source = source
        self._descriptor = descriptor
        self._renderer = Renderer(plan, "terminal" if os.isatty(descriptor) else "raw")
        self._outlet: Outlet = Outlet(to_descriptor(descriptor))
        self._heard = asyncio.Event()

    def watch(self, gone: Callable[[], None]) -> None:
        """Call `gone` as soon as nobody reads what comes out any more (`| head -1`)."""
        notice_end(self._descriptor, gone)

    async def speak(self, ws: Connection) -> None:
        """Send everything, and wait for the answers."""
        if self._plan.execute:
            for message in self._plan.execute:
                await ws.send(message)
        elif self._plan.binary:
            await ws.send(self._source.pieces())
        elif self._plan.whole:
            await ws.send(_decoded(self._source))
        else:
            async for line in self._source.texts():
                await ws.send(line)
        await self._linger(ws)

    async def _linger(self, ws: Connection) -> None:
        """Return when everything has arrived and nothing has come for a while.

        The Pong answers a Ping that was sent behind all messages, so the peer has them.
        """
        await (await ws.ping())
        while True:
            await self._outlet.flush()
            self._heard.clear()
            try:
                async with asyncio.timeout(self._plan.wait):
                    await self._heard.wait()
            except TimeoutError:
                # A reader that is slow makes us deaf: that is not the server's silence.
                if self._outlet.idle:
                    return

    async def show(self, message: Message) -> None:
        """Pass a message on."""
        self._heard.set()
        await self._outlet.put(self._renderer.render(message))

    def show_trip(self, seconds: float) -> None:
        """Tell a round trip."""
        self._outlet.put_now(self._renderer.trip(seconds))

    def note(self, text: str) -> None:
        """Say something beside the messages."""
        print(f"* {text}", file=sys.stderr, flush=True)

    async def flush(self) -> None:
        """Wait until all that came is written."""
        await self._outlet.flush()

    async def close(self) -> None:
        """Nothing is left to do."""


async def _decoded(source: Source) -> AsyncIterator[str]:
    """All of the input as text, cut between characters."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    offset = 0
    try:
        async for piece in source.pieces():
            yield decoder.decode(piece)
            offset += len(piece)
        yield decoder.decode(b"", True)
    except UnicodeDecodeError as error:
        raise BadInput(f"the input is not UTF-8: {error.reason} near {offset}") from None
