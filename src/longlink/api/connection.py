# cython: binding=False, embedsignature=True, embedsignature.format=clinic
# The interpreter calls methods faster that are no function objects; signatures are kept.
"""A connection as its user sees it: send, recv, close, or callbacks.

Theory of operation. A `Connection` is the receiver of a session; what it receives is
`receiving.Receiving`'s business. What can be awaited is a native `Wait`: each time its task
runs it calls `attempt`, which gives the result if there is one and parks the task on a
future otherwise. So an await that needn't wait costs no future and no trip through the event
loop, and a cancelled one has taken nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Coroutine
from typing import Any, TypeAlias

from ..engine.session import Session
from ..native.kernel import DONE, PENDING, Wait
from ..wire.frame import FIN, CloseCode, Prepared
from ..wire.phase import Phase
from ..wire.response import Response, respond
from .message import Begun, BytesLike, DataLike, Fragmented, Message, as_fragments, encode
from .ping import Given, Pings, control_payload
from .receiving import MessageCallback, Receiving, wake

_CLOSED_OVER_THERE = Phase.CLOSE_DONE  # from here on nothing more can be received or sent
_ENDED = Phase.ENDED

# What a `Wait` waits for, beside what receiving.py has.
_DRAIN = 4  # for room to send more
_CLOSED = 5
_FLOW = 6  # for room to send more of a fragmented message
_TURN = 7  # for the end of somebody else's fragmented message


class Connection(Receiving):
    """One WebSocket connection, client's or server's; `serve` and `connect` make them.

    Attributes:
        subprotocol: what both speak on top of WebSocket; None if nothing was agreed on.
        username: of whoever authenticated, with `basic_auth` for example; None for nobody.
    """

    __slots__ = (
        "fragmented",
        "parked",
        "pings",
    )

    def __init__(self, session: Session, owner: Any, callback: MessageCallback | None) -> None:
        Receiving.__init__(self, session, owner, callback)
        self.parked: list[Wait] | None = None  # for drains and the end
        self.fragmented: Fragmented | None = None  # being sent
        self.pings: Pings | None = None

    # Sending.

    def send(
        self, message: Message, text: bool | None = None, compress: bool | None = None
    ) -> Begun[None]:
        """Queue a message; awaiting the result waits only while the peer is slow.

        The message is on its way when the call returns: nothing need be awaited, and not
        awaiting never warns. It acts in the thread that calls it, which must be the loop's;
        from another one: `loop.call_soon_threadsafe(ws.send, message)`. The one exception is an
        iterable, sent fragment by fragment by the coroutine that is returned.

        Args:
            message: str is sent as text, bytes-like as binary; an iterable or asynchronous
                iterable of one of them as one fragmented message.
            text: True sends bytes as text, False sends str as binary.
            compress: where compression was agreed on, False sends this message as it is (a
                JPEG), True compresses it even below the threshold.

        Raises:
            ConnectionClosed: not open (any more).
            TypeError: not a message; UnicodeError: not text; nothing was sent.
        Cancellation of a fragmented send fails the connection with 1011: what the peer got
        can't be taken back.
        Source: RFC 6455 §5.6, §5.4.
        Cost: one copy below 16 KiB, none for larger bytes; one system call a turn.
        """
        plain = text is None and compress is None and self.fragmented is None
        if plain and isinstance(message, (str, bytes)):
            session = self.session
            if session.admit():
                session.send(message)
                if session.outbox is not None and session.outbox.size > session.terms.write_limit:
                    return self._drain()
            elif not session.sendable():
                raise session.closed()
            else:
                return self._drain()  # dropped: too slow, see `overflow`
            return DONE
        return self._send(message, text, compress)

    def _send(self, message: Message, text: bool | None, compress: bool | None) -> Begun[None]:
        """`send` for everything that is not plain."""
        if isinstance(message, (str, bytes, bytearray, memoryview)):
            if text and not isinstance(message, str):
                # Text is UTF-8 (§5.6), whole; a fragment may end anywhere.
                message = bytes(message).decode()
            opcode, payload = encode(message, text)
            self._queue(FIN | opcode, payload, compress)
            return self._drain()
        return self._send_fragments(as_fragments(message), text, compress)

    def publish(self, prepared: Prepared) -> bool:
        """Queue a message that was encoded once for many; returns whether it was queued.

        Never raises and never waits: a peer that is gone, or too slow, is skipped.
        """
        if not isinstance(prepared, Prepared):
            raise TypeError(f"publish() takes a Prepared, not {type(prepared).__name__}")
        return self.offer(prepared)

    def offer(self, prepared: Prepared) -> bool:
        """`publish`, where it is called through C."""
        session = self.session
        if self.fragmented is None:
            return session.offer(prepared)
        if not session.sendable() or not session.admit():
            return False
        opcode, payload = encode(prepared.message, None)
        return self.fragmented.hold(FIN | opcode, payload, prepared.compress)

    def _queue(self, first: int, payload: BytesLike, compress: bool | None) -> None:
        """Queue a message, behind the fragmented message if one is being sent (§5.4)."""
        session = self.session
        if session.sendable() and session.admit():
            if self.fragmented is None:
                session.send_message(first, payload, compress)
            else:
                self.fragmented.hold(first, payload, compress)
        if not session.sendable():
            raise session.closed()

    async def _send_fragments(
        self, fragments: AsyncIterable[DataLike], text: bool | None, compress: bool | None
    ) -> None:
        while self.fragmented is not None:
            await Wait(self, _TURN)
        fragmented = self.fragmented = Fragmented(self.session, compress)
        try:
            await fragmented.send(fragments, text, lambda: Wait(self, _FLOW))
        finally:
            self.fragmented = None
            fragmented.release()
            self._wake_parked()

    def _drain(self) -> Begun[None]:
        return DONE if self._clear(_DRAIN) else Wait(self, _DRAIN)

    # Waiting.

    def attempt(self, wait: Wait) -> Any:
        return self.seek(wait)

    def seek(self, wait: Wait) -> Any:
        """What a `Wait` wants, or PENDING after its future was set."""
        kind = wait.kind
        if kind == _DRAIN or kind >= _FLOW:
            return self._attempt_drain(wait)
        if kind == _CLOSED:
            return None if self.session.phase == _ENDED else self._park(wait)
        return self._attempt_message(wait)

    def _attempt_drain(self, wait: Wait) -> Any:
        if self.session.phase >= _CLOSED_OVER_THERE or self.session.broken:
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
        wait.future = self.session.agenda.loop.create_future()
        self.parked.append(wait)
        self.session.crowded = True
        return PENDING

    def _wake_parked(self) -> None:
        if self.parked is not None:
            parked, self.parked = self.parked, None
            for wait in parked:
                wake(wait)

    # For process_request and process_response.

    def respond(self, status: int, text: str) -> Response:
        """A plain text response, to be changed at will and returned by these hooks."""
        return respond(status, text)

    # Ping and pong.

    def ping(self, data: str | bytes | None = None) -> Begun[asyncio.Future[float]]:
        """Send a Ping; `await (await ws.ping())` gives the round trip in seconds.

        Args:
            data: at most 125 octets that no other waiting Ping has; random when omitted.

        Raises:
            ConnectionClosed: not open. ConcurrencyError: `data` is waited for already.
            ValueError: too long.
        Source: RFC 6455 §5.5.2.
        """
        if self.pings is None:
            self.pings = Pings(self.session.agenda.loop)
        payload = self.pings.payload(data)
        self.session.send_ping(payload)
        return Wait(Given(self.pings.sent(payload)), 0)

    def pong(self, data: str | bytes = b"") -> Begun[None]:
        """Send an unsolicited Pong of at most 125 octets (RFC 6455 §5.5.3)."""
        self.session.send_pong(control_payload(data))
        return self._drain()

    # Closing.

    def close(self, code: int = 1000, reason: str = "") -> Begun[None]:
        """Start the closing handshake; awaiting the result waits for its end.

        Safe to call again, in any state. Raises LocalProtocolError for a code that may not
        travel or a reason over 123 octets; the connection stays as it was. Cancellation ends the
        waiting, not the closing.
        Source: RFC 6455 §7.1.2.
        """
        self.session.send_close(code, reason)
        return Wait(self, _CLOSED)

    def wait_closed(self) -> Coroutine[Any, Any, None]:
        """Wait until the connection is over, whoever ends it. Cancellation changes nothing."""
        return Wait(self, _CLOSED)

    async def __aenter__(self) -> Connection:
        return self

    async def __aexit__(self, kind: object, value: object, traceback: object) -> None:
        if kind is None:
            await self.close()
        else:
            await self.close(CloseCode.INTERNAL_ERROR)

    # What the session reports. Nothing here raises.

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
            self.session.pause(0)

    def on_drained(self) -> None:
        if self.parked is not None:
            self._wake_parked()
        if self.full and self.callback is not None:
            self.full = False
            self.session.resume()

    def on_closing(self) -> None:
        if self.session.phase >= _CLOSED_OVER_THERE:
            if self.receiving is not None:
                wake(self.receiving)
            self._wake_parked()

    def on_end(self) -> None:
        self.on_closing()
        if self.pings is not None:
            self.pings.abandon(self.session.closed())
            self.pings = None
        self.owner.left(self)


# One class serves both ends; annotations of programs written for `websockets` find it.
ClientConnection: TypeAlias = Connection
ServerConnection: TypeAlias = Connection
