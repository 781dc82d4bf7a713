"""What a connection receives: callbacks, a queue of messages, or one message in parts.

Theory of operation. Messages go to the callback at once, or into `queue`, from which `recv`
takes them; a queue that is full stops the session's reading, and so the peer. Who receives a
message in parts takes them out of the session while it is under construction: the queue is
empty then, and what enters it next is the rest of that very message.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

from ..engine.session import Session
from ..errors import ConcurrencyError, ConnectionClosed, ConnectionClosedOK
from ..native.kernel import PENDING, Wait, waiting
from ..wire.frame import CloseCode
from ..wire.phase import Phase
from ..wire.reader import UNLIMITED
from .described import Described
from .part import PART, Mark, Parts

MessageCallback = Callable[[Any, str | bytes], object]

_CLOSED_OVER_THERE = Phase.CLOSE_DONE  # from here on nothing more can be received

# Octets that are processed behind a queue that is full, for the control frames among them; the
# messages among them are its excess.
_AHEAD = 16 * 1024

# Octets of a message without limit, or of one that is received in parts, before reading waits
# for the receiver.
_PARTS_AHEAD = 256 * 1024

# So many that were handed out, and half of the queue, and their places are given back.
_COMPACT_FROM = 64

# What a `Wait` waits for; connection.py goes on.
_RECV = 0
_RECV_STR = 1
_RECV_BYTES = 2
_NEXT = 3
_PART = PART


class Receiving(Described):
    """The receiver of an open session, as far as it receives."""

    __slots__ = (
        "callback",
        "full",
        "given",
        "place",
        "queue",
        "receiving",
        "skipping",
        "streaming",
    )

    def __init__(self, session: Session, owner: Any, callback: MessageCallback | None) -> None:
        Described.__init__(self, session, owner)
        self.callback = callback
        self.queue: list[Any] | None = None  # in the order in which they came; None when empty
        self.given = 0  # so many at its beginning were handed out
        self.place = 0  # in the `Crowd`
        self.full = False  # the queue has stopped the session's reading
        self.receiving: Wait | None = None
        self.streaming: Mark | None = None  # has begun a message, and not ended
        self.skipping = False  # the rest of a message that was begun is thrown away

    def recv(self, decode: bool | None = None) -> Coroutine[Any, Any, Any]:
        """The next message: str for text, bytes for binary.

        Args:
            decode: True gives str for binary, too; False gives bytes for text.

        Raises:
            ConnectionClosed: over, and every message that came before was received.
            ConcurrencyError: another task is receiving, or `on_message` was given.
        Cancellation loses nothing.
        """
        return waiting(self, _RECV if decode is None else _RECV_STR if decode else _RECV_BYTES)

    def recv_streaming(self, decode: bool | None = None) -> Parts:
        """The next message as it comes, in parts: `async for part in ws.recv_streaming()`.

        A part is what has come since the last one, whatever fragments it came in, so that a slow
        consumer gets few large ones; of text, whole characters. While they are not
        consumed, little is read ahead. `max_size` is of the whole message: None for endless ones.

        Args:
            decode: as in `recv`.

        Raises:
            As `recv`, while iterating; ConnectionClosed also in the middle of a message.
        Cancellation loses nothing: go on with the same iterator. To leave it before its end
        (`break`, or an exception) throws the rest of the message away.
        """
        return Parts(self, decode)

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    def __anext__(self) -> Coroutine[Any, Any, Any]:
        return waiting(self, _NEXT)

    def forgotten(self, kind: int) -> str | None:
        """Whoever forgets to await `recv()` gets no message, and a warning."""
        return f"{type(self).__name__}.recv" if kind <= _RECV_BYTES else None

    def _attempt_message(self, wait: Wait) -> Any:
        """The next message, or PENDING after the future of `wait` was set."""
        kind = wait.kind
        if self.streaming is not None or self.receiving is not None:
            self._check_alone(wait, None)
        if self.queue is None:
            return self._attempt_later(wait)
        message = self._next()
        if kind == _RECV_BYTES and isinstance(message, str):
            return message.encode()
        if kind == _RECV_STR and isinstance(message, bytes):
            return message.decode()
        return message

    def _next(self) -> Any:
        """The next message of the queue, which is not empty."""
        self.receiving = None
        queue: list[Any] = self.queue  # type: ignore[assignment]
        given = self.given
        message = queue[given]
        queue[given] = None
        given += 1
        if given == len(queue):
            self.queue = None  # a list that was popped empty would be slow to grow again
            given = 0
        elif given >= _COMPACT_FROM and 2 * given > len(queue):
            del queue[:given]
            given = 0
        self.given = given
        if self.full and self._waiting() <= self.session.terms.low_queue:
            self._read_on()
        return message

    def _waiting(self) -> int:
        """How many messages wait."""
        queue = self.queue
        return 0 if queue is None else len(queue) - self.given

    def _read_on(self) -> None:
        if self.full:
            self.full = False
            self.session.resume()

    def attempt_part(self, mark: Mark, wait: Wait) -> Any:
        """The next part of a message for `mark`, or PENDING after the future of `wait` was set."""
        if self.callback is not None:
            return self._attempt_later(wait)
        self._check_alone(wait, mark)
        if self.queue is not None:
            self.streaming = None
            mark.done = True
            return self._next()
        part = self.session.take()
        if part is None:
            return self._attempt_later(wait)
        self.receiving = None
        self.streaming = mark
        self._read_on()
        return part

    def skip(self, mark: Mark) -> None:
        """Nobody wants the rest of what `mark` began."""
        if self.streaming is not mark:
            return
        self.streaming = None
        if self.queue is not None:
            self._next()
        elif self.session.phase < _CLOSED_OVER_THERE:
            self.skipping = True
            self.session.take()
            self._read_on()

    def _attempt_later(self, wait: Wait) -> Any:
        """There is no message: raise when none will come, otherwise park."""
        if self.session.phase >= _CLOSED_OVER_THERE:
            self.receiving = self.streaming = None
            closed = self.session.closed()
            if wait.kind == _NEXT and isinstance(closed, ConnectionClosedOK):
                raise StopAsyncIteration
            raise closed
        if self.callback is not None:
            raise ConcurrencyError("messages go to on_message: recv() would never get one")
        self._read_on()  # it may have stopped within a message
        self.receiving = wait
        wait.park(self.session.agenda.loop)
        return PENDING

    def _check_alone(self, wait: Wait, mark: Mark | None) -> None:
        """One task at a time receives; one that was cancelled doesn't count."""
        if self.streaming is not None and self.streaming is not mark:
            raise ConcurrencyError("recv_streaming() is in the middle of a message")
        other = self.receiving
        if other is None or other is wait:
            return
        if other.future is not None and not other.future.cancelled():
            raise ConcurrencyError("another task is waiting in recv() on this connection already")

    # What the session reports. Nothing here raises.

    def on_message(self, message: str | bytes) -> None:
        self.deliver(message)

    def deliver(self, message: str | bytes) -> None:
        callback = self.callback
        if callback is not None:
            try:
                callback(self, message)
            except ConnectionClosed:
                pass  # the callback talked to somebody who is gone: not a fault of this peer
            except (Exception, asyncio.CancelledError):
                self.crash("on_message")
            return
        if self.skipping:
            self.skipping = False
            return
        queue = self.queue
        if queue is None:
            queue = self.queue = []
        queue.append(message)
        if self.receiving is not None:
            self._arouse()
        if self._waiting() >= self.session.terms.max_queue and not self.full:
            self._fill_up()
        elif self.full and len(message) > _AHEAD:  # it was compressed: no more of these
            self.session.pause(0)

    def on_part(self) -> None:
        session = self.session
        if self.skipping:
            session.take()
            return
        wait = self.receiving
        if wait is not None and wait.future is not None and not wait.future.done():
            if wait.kind == _PART:
                self._arouse()
        elif self.callback is None and not self.full and self._is_far_ahead():
            self.full = True
            session.pause(0)

    def _arouse(self) -> None:
        """Let the task that receives have its turn at the end of this one, with everything that
        has come by then."""
        waker = self.receiving.future  # type: ignore[union-attr]
        if waker is not None and waker.expect():
            self.session.agenda.add_waker(waker)

    def _fill_up(self) -> None:
        """The queue has its full length: reading stops, unless the task takes all of it now."""
        session = self.session
        if self.receiving is not None and session.agenda.active:
            session.agenda.run_wakers()
        if self._waiting() >= session.terms.max_queue and not self.full:
            self.full = True
            session.pause(_AHEAD)

    def _is_far_ahead(self) -> bool:
        """Whether more of a message has come than should, though nobody receives it."""
        body = self.session.body
        endless = self.streaming is not None or self.session.max_size == UNLIMITED
        return endless and body is not None and body.size > _PARTS_AHEAD

    def crash(self, where: str) -> None:
        """Inside an `except`: the user's code raised. It costs this connection only."""
        self.logger.error("%s failed on %s", where, self, exc_info=True)
        self.session.fail(CloseCode.INTERNAL_ERROR)


def wake(wait: Wait) -> None:
    """Let the task of `wait` try again."""
    future = wait.future
    if future is not None and not future.done():
        future.set_result(None)
