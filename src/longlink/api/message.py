"""What may be sent, and how it becomes frames; a fragmented message on its way.

Fragments of two messages may not mix (RFC 6455 §5.4), so what others send meanwhile is held
back, up to `max_backlog`, and goes out behind the last fragment. Control frames pass.
"""

from __future__ import annotations

from collections import deque
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Coroutine,
    Iterable,
    Mapping,
)
from typing import Any, TypeAlias, TypeVar

from ..engine.session import Session
from ..native.kernel import Wait
from ..wire.deflater import Flow
from ..wire.frame import FIN, MAX_HEADER, CloseCode, Opcode
from ..wire.phase import State

Data = str | bytes  # what is received
BytesLike = bytes | bytearray | memoryview
DataLike = str | bytes | bytearray | memoryview
Message = DataLike | Iterable[DataLike] | AsyncIterable[DataLike]

# What a call gives that has begun already: to be awaited, made a task, or left alone. Not a
# coroutine and nothing else: type checkers want each of those to be awaited.
Result = TypeVar("Result")
Begun: TypeAlias = Coroutine[Any, Any, Result] | Wait


def encode(message: DataLike, text: bool | None) -> tuple[int, BytesLike]:
    """Opcode and payload of a message or fragment; `text` says otherwise than its type."""
    if isinstance(message, str):
        return (Opcode.BINARY if text is False else Opcode.TEXT), message.encode()
    if isinstance(message, memoryview) and not message.contiguous:
        message = bytes(message)
    return (Opcode.TEXT if text else Opcode.BINARY), message


def as_fragments(message: object) -> AsyncIterable[DataLike]:
    """An iterable or asynchronous iterable as the latter. Raises TypeError for anything else."""
    if isinstance(message, AsyncIterable):
        return message
    if isinstance(message, Iterable) and not isinstance(message, Mapping):
        return _aiter(message)
    kind = type(message).__name__
    raise TypeError(f"a message is str, bytes-like or an iterable of these, not {kind}")


async def _aiter(items: Iterable[DataLike]) -> AsyncIterator[DataLike]:
    for item in items:
        yield item


class Fragmented:
    """A message that is being sent in fragments, and the frames that wait for its end."""

    __slots__ = ("compress", "held", "held_bytes", "kind", "session", "started")

    def __init__(self, session: Session, compress: bool | None) -> None:
        self.session = session
        self.compress = compress
        self.started = False  # a fragment is out, the last one is not
        self.kind: type | None = None  # of the fragments so far
        self.held: deque[tuple[int, bytes, bool | None]] = deque()
        self.held_bytes = 0

    def hold(self, first: int, payload: BytesLike, compress: bool | None) -> bool:
        """Keep a message for later; False when there was no room and it was dropped."""
        session = self.session
        if self.held_bytes > session.terms.max_backlog:
            session.overflowed(self.held_bytes)
            return False
        payload = bytes(payload)
        self.held.append((first, payload, compress))
        self.held_bytes += MAX_HEADER + len(payload)
        return True

    def congested(self) -> bool:
        """Whether so much is held back that its senders have to wait."""
        return self.held_bytes > self.session.terms.write_limit

    async def send(
        self,
        fragments: AsyncIterable[DataLike],
        text: bool | None,
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        """Send it. A message given up half-way fails the connection: the peer can't be told."""
        try:
            await self._send_each(fragments, text, drain)
        except BaseException:
            if self.started:
                self.session.fail(CloseCode.INTERNAL_ERROR, "fragmented message was abandoned")
            raise

    async def _send_each(
        self,
        fragments: AsyncIterable[DataLike],
        text: bool | None,
        drain: Callable[[], Awaitable[None]],
    ) -> None:
        """One fragment behind: only the one known to be the last carries FIN."""
        session = self.session
        flow: Flow | None = None
        behind: tuple[int, bytes] | None = None
        async for fragment in fragments:
            self._check(fragment)
            if session.broken:
                raise session.closed()
            if behind is not None:
                if not self.started:
                    flow = session.begin_fragments(self.compress)
                session.send_fragment(*behind, flow)
                self.started = True
                if session.congested():
                    await drain()
            opcode, payload = encode(fragment, text)
            # A copy: the owner may change it before it is sent.
            behind = (Opcode.CONTINUATION if self.started else opcode, bytes(payload))
        if behind is not None:
            first, payload = FIN | behind[0], behind[1]
            if self.started:
                session.send_fragment(first, payload, flow)
            else:
                session.send_message(first, payload, self.compress)
            self.started = False
            if session.congested():
                await drain()

    def _check(self, fragment: object) -> None:
        """Raise TypeError for what cannot continue this message."""
        if not isinstance(fragment, (str, bytes, bytearray, memoryview)):
            raise TypeError(f"a fragment is str or bytes-like, not {type(fragment).__name__}")
        kind = str if isinstance(fragment, str) else bytes
        if self.kind is not None and kind is not self.kind:
            raise TypeError("the fragments of a message are all str or all bytes-like")
        self.kind = kind

    def release(self) -> None:
        """It is out: send what was held back meanwhile."""
        if self.session.state is State.OPEN:
            for first, payload, compress in self.held:
                self.session.send_message(first, payload, compress)
