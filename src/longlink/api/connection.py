"""A connection as its user sees it: send, recv, close, or callbacks.

Theory of operation. A `Connection` is the receiver of a session. Messages go to `on_message`
at once (callback style), or into `queue`, from which `recv` takes them; a queue that is full
stops the session's reading, and so the peer. What can be awaited is a native `Wait`: each
time its task runs it calls `attempt`, which gives the result if there is one and parks the
task on a future otherwise. So an await that needn't wait costs no future and no trip
through the event loop, and a cancelled one has taken nothing.
"""

from __future__ import annotations

import asyncio
import logging
import uuid
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from typing import Any

from ..engine.receiver import Receiver
from ..engine.session import Session
from ..errors import ConcurrencyError, ConnectionClosed, ConnectionClosedOK
from ..native.kernel import DONE, PENDING, Wait
from ..wire.endpoint import STATE_OF, Phase, State
from ..wire.frame import FIN, CloseCode, Prepared
from ..wire.request import Request, parse_request
from ..wire.response import Response, parse_response, respond
from .message import BytesLike, Data, Fragmented, Message, as_fragments, encode
from .ping import Given, Pings, control_payload

MessageCallback = Callable[["Connection", str | bytes], object]

_CLOSED_OVER_THERE = Phase.CLOSE_DONE  # from here on nothing more can be received or sent
_OPEN = Phase.OPEN
_ENDED = Phase.ENDED

# What a `Wait` waits for.
_RECV = 0
_RECV_STR = 1
_RECV_BYTES = 2
_NEXT = 3
_DRAIN = 4  # for room to send more
_CLOSED = 5
_FLOW = 6  # for room to send more of a fragmented message
_TURN = 7  # for the end of somebody else's fragmented message


class Connection(Receiver):
    """One WebSocket connection, client's or server's; `serve` and `connect` make them."""

    __slots__ = (
        "_id",
        "_peer",
        "answer",
        "asked",
        "callback",
        "fragmented",
        "full",
        "head",
        "loop",
        "max_queue",
        "owner",
        "parked",
        "pings",
        "queue",
        "receiving",
        "session",
        "subprotocol",
        "username",
    )

    def __init__(self, session: Session, owner: Any, callback: MessageCallback | None) -> None:
        self.session = session
        self.owner = owner  # the server, or None; told `left(connection)` at the end
        self.callback = callback
        self.loop = session.agenda.loop
        self.max_queue = session.limits.max_queue or 0
        self.subprotocol: str | None = None
        self.username: str | None = None  # set by whoever authenticates
        self.head = b""  # the request as it came or went
        self.answer = b""  # the response as it came or went
        self.queue: deque[str | bytes] | None = None
        self.full = False  # the queue has stopped the session's reading
        self.receiving: Wait | None = None
        self.parked: list[Wait] | None = None  # for drains and the end
        self.fragmented: Fragmented | None = None  # being sent
        self.pings: Pings | None = None
        self._id: uuid.UUID | None = None
        self._peer = session.address(peer=True)
        self.asked: Request | None = None  # the request as hooks of the application saw it

    # Who is it?

    @property
    def id(self) -> uuid.UUID:
        """A random identifier, for logs."""
        if self._id is None:
            self._id = uuid.uuid4()
        return self._id

    @property
    def request(self) -> Request:
        """The opening handshake's request. Parsed when asked for."""
        if self.asked is None:
            self.asked = parse_request(self.head)
        return self.asked

    @property
    def response(self) -> Response | None:
        """The opening handshake's response; None before there is one. Parsed at each call."""
        return parse_response(self.answer) if self.answer else None

    @property
    def local_address(self) -> Any:
        """Our address as the socket module shapes it; None once TCP is closed."""
        return self.session.address(peer=False)

    @property
    def remote_address(self) -> Any:
        """The peer's address as the socket module shapes it."""
        return self._peer

    @property
    def state(self) -> State:
        """`readyState`: 0 connecting, 1 open, 2 closing, 3 closed."""
        return STATE_OF[self.session.phase]

    @property
    def close_code(self) -> int | None:
        """The code the peer closed with, 1006 when TCP ended without; None before."""
        if self.session.phase < _CLOSED_OVER_THERE:
            return None
        rcvd = self.session.close_rcvd
        return int(CloseCode.ABNORMAL_CLOSURE) if rcvd is None else int(rcvd.code)

    @property
    def close_reason(self) -> str | None:
        """The reason the peer closed with, "" when TCP ended without; None before."""
        if self.session.phase < _CLOSED_OVER_THERE:
            return None
        rcvd = self.session.close_rcvd
        return "" if rcvd is None else str(rcvd.reason)

    @property
    def latency(self) -> float:
        """Seconds of the last ping's round trip; 0.0 before the first."""
        return float(self.session.latency)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._peer} {self.state.name}>"

    # Sending.

    def send(self, message: Message, text: bool | None = None) -> Awaitable[None]:
        """Queue a message; awaiting the result waits only while the peer is slow.

        The message is on its way when the call returns: nothing need be awaited, and not
        awaiting never warns. The one exception is an iterable, sent fragment by fragment by
        the coroutine that is returned.

        Args:
            message: str is sent as text, bytes-like as binary; an iterable or asynchronous
                iterable of one of them as one fragmented message.
            text: True sends bytes as text, False sends str as binary.

        Raises:
            ConnectionClosed: not open (any more).
            TypeError: not a message; UnicodeError: not text; nothing was sent.
        Cancellation of a fragmented send fails the connection with 1011: what the peer got
        can't be taken back.
        Source: RFC 6455 §5.6, §5.4.
        Cost: one copy below 16 KiB, none for larger bytes; one system call a turn.
        """
        if text is None and isinstance(message, (str, bytes)) and self.fragmented is None:
            session = self.session
            if session.admit():
                session.send(message)
                if session.outbox is not None and session.outbox.size > session.write_limit:
                    return self._drain()
            elif session.phase != _OPEN:
                raise session.closed()
            else:
                return self._drain()  # dropped: too slow, see `overflow`
            return DONE
        return self._send(message, text)

    def _send(self, message: Message, text: bool | None) -> Awaitable[None]:
        """`send` for everything that is not plain."""
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            if text and not isinstance(message, str):
                message = bytes(
                    message
                ).decode()  # text is UTF-8 (§5.6); a fragment may end anywhere
            opcode, payload = encode(message, text)
            self._queue(FIN | opcode, payload)
            return self._drain()
        return self._send_fragments(as_fragments(message), text)

    def publish(self, prepared: Prepared) -> bool:
        """Queue a message that was encoded once for many; returns whether it was queued.

        Never raises and never waits: a peer that is gone, or too slow, is skipped.
        """
        session = self.session
        if session.phase != _OPEN or not session.admit():
            return False
        if self.fragmented is not None:
            opcode, payload = encode(prepared.message, None)
            return self.fragmented.hold(FIN | opcode, payload)
        session.send_prepared(prepared)
        return True

    def _queue(self, first: int, payload: BytesLike) -> None:
        """Queue a frame, behind the fragmented message if one is being sent (§5.4)."""
        session = self.session
        if session.phase == _OPEN and session.admit():
            if self.fragmented is None:
                session.send_frame(first, payload)
            else:
                self.fragmented.hold(first, payload)
        if session.phase != _OPEN:
            raise session.closed()

    async def _send_fragments(self, fragments: AsyncIterable[Data], text: bool | None) -> None:
        while self.fragmented is not None:
            await Wait(self, _TURN)
        fragmented = self.fragmented = Fragmented(self.session)
        try:
            await fragmented.send(fragments, text, lambda: Wait(self, _FLOW))
        finally:
            self.fragmented = None
            fragmented.release()
            self._wake_parked()

    def _drain(self) -> Awaitable[None]:
        return DONE if self._clear(_DRAIN) else Wait(self, _DRAIN)

    # Receiving.

    def recv(self, decode: bool | None = None) -> Awaitable[Any]:
        """The next message: str for text, bytes for binary.

        Args:
            decode: True gives str for binary, too; False gives bytes for text.

        Raises:
            ConnectionClosed: over, and every message that came before was received.
            ConcurrencyError: another task is receiving, or `on_message` was given.
        Cancellation loses nothing.
        """
        return Wait(self, _RECV if decode is None else _RECV_STR if decode else _RECV_BYTES)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Awaitable[Any]:
        return Wait(self, _NEXT)

    def attempt(self, wait: Wait) -> Any:
        """What a `Wait` wants, or PENDING after its future was set."""
        kind = wait.kind
        if kind == _DRAIN or kind >= _FLOW:
            return self._attempt_drain(wait)
        if kind == _CLOSED:
            return None if self.session.phase == _ENDED else self._park(wait)
        if self.receiving is not None and self.receiving is not wait:
            self._check_alone()
        if not self.queue:
            return self._attempt_later(wait)
        self.receiving = None
        message = self.queue.popleft()
        if self.full and len(self.queue) <= self.max_queue >> 2:
            self.full = False
            self.session.resume()
        if kind == _RECV_BYTES and isinstance(message, str):
            return message.encode()
        if kind == _RECV_STR and isinstance(message, bytes):
            return message.decode()
        return message

    def _attempt_later(self, wait: Wait) -> Any:
        """There is no message: raise when none will come, otherwise park."""
        if self.session.phase >= _CLOSED_OVER_THERE:
            self.receiving = None
            closed = self.session.closed()
            if wait.kind == _NEXT and isinstance(closed, ConnectionClosedOK):
                raise StopAsyncIteration
            raise closed
        if self.callback is not None:
            raise ConcurrencyError("messages go to on_message: recv() would never get one")
        self.receiving = wait
        wait.future = self.loop.create_future()
        return PENDING

    def _check_alone(self) -> None:
        """One task at a time receives; one that was cancelled doesn't count."""
        other = self.receiving
        if other is not None and other.future is not None and not other.future.cancelled():
            raise ConcurrencyError("another task is waiting in recv() on this connection already")

    def _attempt_drain(self, wait: Wait) -> Any:
        if self.session.phase >= _CLOSED_OVER_THERE:
            raise self.session.closed()  # an outbox that was thrown away is empty, too
        return None if self._clear(wait.kind) else self._park(wait)

    def _clear(self, kind: int) -> bool:
        """Whether there is no need to wait for what `kind` says."""
        other = self.fragmented
        if other is not None and (kind == _TURN or (kind == _DRAIN and other.congested())):
            return False
        return not self.session.congested()

    def _park(self, wait: Wait) -> Any:
        parked = self.parked or ()
        # Those that were cancelled meanwhile must not pile up.
        self.parked = [w for w in parked if w.future is not None and not w.future.done()]
        wait.future = self.loop.create_future()
        self.parked.append(wait)
        return PENDING

    def _wake_parked(self) -> None:
        if self.parked is not None:
            parked, self.parked = self.parked, None
            for wait in parked:
                _wake(wait)

    # For process_request and process_response.

    def respond(self, status: int, text: str) -> Response:
        """A plain text response, to be changed at will and returned by these hooks."""
        return respond(status, text)

    # Ping and pong.

    def ping(self, data: str | bytes | None = None) -> Awaitable[asyncio.Future[float]]:
        """Send a Ping; `await (await ws.ping())` gives the round trip in seconds.

        Args:
            data: at most 125 octets that no other waiting Ping has; random when omitted.

        Raises:
            ConnectionClosed: not open. ConcurrencyError: `data` is waited for already.
            ValueError: too long.
        Source: RFC 6455 §5.5.2.
        """
        if self.pings is None:
            self.pings = Pings(self.loop)
        payload = self.pings.payload(data)
        self.session.send_ping(payload)
        return Wait(Given(self.pings.sent(payload)), 0)

    def pong(self, data: str | bytes = b"") -> Awaitable[None]:
        """Send an unsolicited Pong of at most 125 octets (RFC 6455 §5.5.3)."""
        self.session.send_pong(control_payload(data))
        return self._drain()

    # Closing.

    def close(self, code: int = 1000, reason: str = "") -> Awaitable[None]:
        """Start the closing handshake; awaiting the result waits for its end.

        Safe to call again, in any state. Raises LocalProtocolError for a code that may not
        travel or a reason over 123 octets; the connection stays as it was.
        Source: RFC 6455 §7.1.2.
        """
        self.session.send_close(code, reason)
        return Wait(self, _CLOSED)

    def wait_closed(self) -> Awaitable[None]:
        """Wait until the connection is over, whoever ends it."""
        return Wait(self, _CLOSED)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, kind: object, value: object, traceback: object) -> None:
        if kind is None:
            await self.close()
        else:
            await self.close(CloseCode.INTERNAL_ERROR)

    # What the session reports. Nothing here raises.

    def on_message(self, message: str | bytes) -> None:
        callback = self.callback
        if callback is not None:
            try:
                callback(self, message)
            except ConnectionClosed:
                pass  # the callback talked to somebody who is gone: not a fault of this peer
            except (Exception, asyncio.CancelledError):
                self.crash("on_message")
            return
        if self.queue is None:
            self.queue = deque()
        self.queue.append(message)
        if self.receiving is not None:
            _wake(self.receiving)
        if self.max_queue and len(self.queue) >= self.max_queue:
            self.full = True
            self.session.pause()

    def on_pong(self, payload: bytes) -> None:
        if self.pings is not None:
            trip = self.pings.answer(payload)
            if trip is not None:
                self.session.latency = trip

    def on_congested(self) -> None:
        """A callback cannot wait for a slow reader, so its peer waits: no message in while
        the answers to the previous ones pile up."""
        if self.callback is not None and not self.full:
            self.full = True
            self.session.pause()

    def on_drained(self) -> None:
        if self.parked is not None:
            self._wake_parked()
        if self.full and self.callback is not None:
            self.full = False
            self.session.resume()

    def on_closing(self) -> None:
        if self.session.phase >= _CLOSED_OVER_THERE:
            if self.receiving is not None:
                _wake(self.receiving)
            self._wake_parked()

    def on_end(self) -> None:
        self.on_closing()
        if self.pings is not None:
            self.pings.abandon(self.session.closed())
            self.pings = None
        if self.owner is not None:
            self.owner.left(self)

    def crash(self, where: str) -> None:
        """Inside an `except`: the user's code raised. It costs this connection only."""
        logger = logging.getLogger("longlink.client") if self.owner is None else self.owner.logger
        logger.error("%s failed on %s", where, self, exc_info=True)
        self.session.fail(CloseCode.INTERNAL_ERROR)


def _wake(wait: Wait) -> None:
    future = wait.future
    if future is not None and not future.done():
        future.set_result(None)
