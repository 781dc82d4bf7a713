"""A message that is received in parts, while it comes."""

from __future__ import annotations

import asyncio
import codecs
from collections.abc import AsyncIterator, Coroutine
from typing import TYPE_CHECKING, Any, Final

from ..native.kernel import PENDING, Source, Wait

if TYPE_CHECKING:
    from .receiving import Receiving

PART: Final = 8  # the kind of `Wait`, among those of connection.py

_Decoder = codecs.getincrementaldecoder("utf-8")


class Parts(Source):
    """The iterator that `Connection.recv_streaming` gives.

    The connection knows it as soon as it has given something, and until its end; that it is
    gone before is noticed by `__del__`, so the connection holds what it is known by, not it.
    """

    def __init__(self, connection: Receiving, decode: bool | None) -> None:
        self.connection = connection
        self.decode = decode
        self.decoder: codecs.IncrementalDecoder | None = None
        self.mark = Mark()

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return Wait(self, PART)

    def attempt(self, wait: Wait, /) -> Any:
        """The next part, or PENDING after the future of `wait` was set."""
        if self.mark.done:
            raise StopAsyncIteration
        part = self.connection.attempt_part(self.mark, wait)
        return part if part is PENDING else self._decoded(part)

    def _decoded(self, part: str | bytes) -> str | bytes:
        """As asked for. Octets that shall be text may be cut within a character."""
        if isinstance(part, str):
            return part.encode() if self.decode is False else part
        if not self.decode:
            return part
        if self.decoder is None:
            self.decoder = _Decoder()
        return self.decoder.decode(part, self.mark.done)

    async def aclose(self) -> None:
        """Throw the rest of the message away; nothing happens before it began or after its end."""
        self.mark.done = True
        self.connection.skip(self.mark)

    def __del__(self) -> None:
        """Whoever left the loop does not want the rest."""
        connection = self.connection
        if self.mark.done or connection.loop.is_closed():
            return
        if asyncio._get_running_loop() is connection.loop and not connection.session.agenda.active:
            connection.skip(self.mark)
        else:
            connection.loop.call_soon_threadsafe(connection.skip, self.mark)


class Mark:
    """What a connection knows an iterator by."""

    __slots__ = ("done",)

    def __init__(self) -> None:
        self.done = False
