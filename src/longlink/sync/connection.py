"""A connection as a blocking program sees it: the same verbs, no `await`."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypeVar

from ..api.connection import Connection
from ..api.message import DataLike, Message
from ..errors import ConnectionClosed, ConnectionClosedOK
from ..wire.frame import CloseCode
from ..wire.phase import State
from ..wire.request import Request
from ..wire.response import Response
from .background import Background, Call

T = TypeVar("T")
_END: Any = object()

# What `send` leaves with the loop without waiting: so many messages of so many octets.
_POSTED = 16
_POSTED_BYTES = 32 * 1024


class ClientConnection:
    """One WebSocket connection; `longlink.sync.connect` makes them.

    Safe to use from several threads: one may receive while another sends. Ctrl-C in any call
    leaves the connection as it was.
    """

    def __init__(self, connection: Connection, background: Background) -> None:
        self._connection = connection
        self._background = background
        self._posted: deque[Any] = deque()  # messages that the loop has not seen yet
        self._late: deque[Any] = deque()  # messages that came when nobody waited any more
        background.connections.add(connection)

    # Who is it?

    @property
    def id(self) -> uuid.UUID:
        """A random identifier, for logs."""
        return self._connection.id

    @property
    def request(self) -> Request:
        """The opening handshake's request."""
        return self._connection.request

    @property
    def response(self) -> Response | None:
        """The opening handshake's response."""
        return self._connection.response

    @property
    def subprotocol(self) -> str | None:
        """What both speak on top of WebSocket, None if nothing was agreed on."""
        return self._connection.subprotocol

    @property
    def local_address(self) -> Any:
        """Our address as the socket module shapes it."""
        return self._connection.local_address

    @property
    def remote_address(self) -> Any:
        """The peer's address as the socket module shapes it."""
        return self._connection.remote_address

    @property
    def state(self) -> State:
        """`readyState`: 0 connecting, 1 open, 2 closing, 3 closed."""
        return self._connection.state

    @property
    def close_code(self) -> int | None:
        """The code the peer closed with, 1006 when TCP ended without; None before."""
        return self._connection.close_code

    @property
    def close_reason(self) -> str | None:
        """The reason the peer closed with, "" when TCP ended without; None before."""
        return self._connection.close_reason

    @property
    def latency(self) -> float:
        """Seconds of the last ping's round trip; 0.0 before the first."""
        return self._connection.latency

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.remote_address} {self.state.name}>"

    # Sending and receiving.

    def send(self, message: Any, text: bool | None = None, compress: bool | None = None) -> None:
        """Send a message; returns when it is on its way, and the peer is not too slow.

        Args:
            message: str is sent as text, bytes-like as binary; an iterable of one of them as
                one fragmented message. It is iterated by the caller's thread.
            text: True sends bytes as text, False sends str as binary.
            compress: False sends this message uncompressed.

        Raises:
            ConnectionClosed: not open (any more).
            TypeError: not a message; UnicodeError: not text; nothing was sent.
        """
        if text is None and compress is None and self._post(message):
            return
        whole = isinstance(message, (str, bytes, bytearray, memoryview, Mapping))
        if not whole and isinstance(message, Iterable) and self.state is State.OPEN:
            self._send_fragments(message, text, compress)
        else:
            self._run(lambda: self._send(message, text, compress))

    def _post(self, message: Any) -> bool:
        """Leave a message with the loop where nothing can go wrong but the connection, and there
        is nothing to wait for: then the next call will say so."""
        session = self._connection.session
        if type(message) not in (str, bytes) or not session.sendable():
            return False
        outbox = session.outbox
        waiting = 0 if outbox is None else outbox.size
        if waiting + len(message) > _POSTED_BYTES or len(self._posted) >= _POSTED:
            return False
        if type(message) is str:
            message.encode()  # raises what `send` would
        self._posted.append(message)
        return self._background.post(self._send_posted)

    def _send_posted(self) -> None:
        with suppress(ConnectionClosed):
            while self._posted:
                self._connection.send(self._posted.popleft())

    async def _send(self, message: Message, text: bool | None, compress: bool | None) -> None:
        await self._connection.send(message, text, compress)

    def _send_fragments(
        self, fragments: Iterable[DataLike], text: bool | None, compress: bool | None
    ) -> None:
        belt = _Belt()
        sending = Call(self._background, lambda: self._send(belt.fragments(), text, compress))
        try:
            self._background.begin(sending)
            for fragment in fragments:
                if not belt.put(self._background, sending, fragment):
                    break
            belt.put(self._background, sending, _END)
            sending.wait()
        except BaseException:
            sending.cancel()
            raise

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Any:
        """The next message: str for text, bytes for binary.

        Args:
            timeout: seconds; 0 gives only what is there already, None waits.
            decode: True gives str for binary, too; False gives bytes for text.

        Raises:
            TimeoutError: nothing came in time; nothing is lost.
            ConnectionClosed: over, and every message that came before was received.
            ConcurrencyError: another thread is receiving.
        """
        return self._run(lambda: self._recv(timeout, decode), self._late.append)

    async def _recv(self, timeout: float | None, decode: bool | None) -> Any:
        if self._late:
            return self._late.popleft()
        if timeout is None or self.state is State.CLOSED:
            return await self._connection.recv(decode)
        try:
            async with asyncio.timeout(max(timeout, 0)):
                return await self._connection.recv(decode)
        except TimeoutError:
            raise TimeoutError(f"no message within {timeout} seconds") from None

    def recv_streaming(self, decode: bool | None = None) -> Iterator[Any]:
        """The next message as it comes, in parts: `for part in ws.recv_streaming()`.

        To leave it before its end throws the rest of the message away. Raises as `recv`.
        """
        parts = self._connection.recv_streaming(decode)

        async def following() -> Any:
            try:
                return await anext(parts)
            except StopAsyncIteration:
                return _END

        try:
            while (part := self._run(following)) is not _END:
                yield part
        finally:
            self._run(parts.aclose)

    def __iter__(self) -> Iterator[Any]:
        """The messages, until the connection is closed with 1000, 1001 or no code."""
        while True:
            try:
                message = self.recv()
            except ConnectionClosedOK:
                return
            yield message

    # Ping and pong.

    def ping(self, data: str | bytes | None = None, ack_on_close: bool = False) -> threading.Event:
        """Send a Ping; the event is set when its Pong has come, and `latency` is known.

        Args:
            data: at most 125 octets that no other waiting Ping has; random when omitted.
            ack_on_close: set the event when the connection ends without the Pong, too.

        Raises:
            ConnectionClosed: not open. ConcurrencyError: `data` is waited for already.
        """
        return self._run(lambda: self._ping(data, ack_on_close))

    async def _ping(self, data: str | bytes | None, ack_on_close: bool) -> threading.Event:
        answered = threading.Event()

        def settle(pong: asyncio.Future[Any]) -> None:
            if not pong.cancelled() and (pong.exception() is None or ack_on_close):
                answered.set()

        waiting = await self._connection.ping(data)
        asyncio.ensure_future(waiting).add_done_callback(settle)
        return answered

    def pong(self, data: str | bytes = b"") -> None:
        """Send an unsolicited Pong of at most 125 octets (RFC 6455 §5.5.3)."""

        async def pong() -> None:
            await self._connection.pong(data)

        self._run(pong)

    # The end.

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection, and wait until it is closed. Safe to call again.

        Raises:
            LocalProtocolError: a code that may not travel, or a reason over 123 octets.
        """

        async def close() -> None:
            await self._connection.close(code, reason)
            self._background.drop(self._connection)

        self._run(close)

    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the connection is over, whoever ends it; False if `timeout` was first."""

        async def wait() -> bool:
            if self.state is State.CLOSED:
                return True
            try:
                async with asyncio.timeout(timeout):
                    await self._connection.wait_closed()
            except TimeoutError:
                return False
            return True

        return self._run(wait)

    def __enter__(self) -> ClientConnection:
        return self

    def __exit__(self, kind: object, value: object, traceback: object) -> None:
        self.close(CloseCode.NORMAL_CLOSURE if kind is None else CloseCode.INTERNAL_ERROR)

    def __del__(self) -> None:
        background = getattr(self, "_background", None)
        if background is not None and self._connection in background.connections:
            background.forget(self._connection)

    def _run(
        self,
        work: Callable[[], Coroutine[Any, Any, T]],
        late: Callable[[T], object] | None = None,
    ) -> T:
        return self._background.run(work, late)


class _Belt:
    """Fragments on their way from the thread that makes them to the coroutine that sends."""

    def __init__(self) -> None:
        self.queue: asyncio.Queue[Any] = asyncio.Queue(1)

    async def fragments(self) -> AsyncIterator[Any]:
        while (fragment := await self.queue.get()) is not _END:
            yield fragment

    def put(self, background: Background, sending: Call[None], fragment: Any) -> bool:
        """Wait for room; False when nobody sends any more."""

        async def put() -> None:
            placing = asyncio.ensure_future(self.queue.put(fragment))
            assert sending.task is not None
            await asyncio.wait({placing, sending.task}, return_when=asyncio.FIRST_COMPLETED)
            placing.cancel()

        background.run(put)
        return not sending.done.is_set()
