"""The TLS handshake of a connected socket, on the reactor.

Between the first octet and the session there is this: a socket, a deadline and, from its turn
on, a seal.
"""

from __future__ import annotations

import socket
import ssl
from collections.abc import Callable

from ..native import kernel
from ..native.kernel import Outbox
from .reactor import Reactor
from .receiver import Receiver
from .seal import Seal

GONE = "TCP was closed during the TLS handshake"
LATE = "the TLS handshake took too long"

_READ_BYTES = 16 * 1024


class Shake:
    """Shakes hands on the connected, non-blocking `sock`, which it owns, from `begin` on.

    Args:
        receiver: whose stray this is, as a session's receiver.
        deadline: on the loop's clock, from now on; None for never.
        over: called once: with None after the handshake, when `sock` is the callee's, and `seal`
            too; or with what went wrong.
    """

    __slots__ = (
        "_done",
        "_outbox",
        "_over",
        "_watched",
        "place",
        "reactor",
        "receiver",
        "seal",
        "sock",
        "tick",
    )

    def __init__(
        self,
        sock: socket.socket,
        reactor: Reactor,
        receiver: Receiver,
        deadline: float | None,
        over: Callable[[Shake, Exception | None], None],
    ) -> None:
        self.sock = sock
        self.reactor = reactor
        self.receiver = receiver
        self.seal: Seal | None = None
        self.tick = self.place = 0  # the wheel's
        self._over: Callable[[Shake, Exception | None], None] | None = over
        self._outbox = Outbox()
        self._done = False  # all was heard, though not everything said
        self._watched = kernel.IN
        reactor.add_user()
        reactor.strays.add(self)
        if deadline is not None:
            reactor.wheel.schedule(self, deadline)

    def begin(self, seal: Seal) -> None:
        """It is our turn."""
        self.seal = seal
        status = self.reactor.poll.add(self.sock.fileno(), self, kernel.IN)
        if status < 0:
            self._end(OSError(-status, "the TLS handshake cannot begin"))
        else:
            self._go_on(b"")

    def on_ready(self, events: int) -> None:
        """There are octets, or an end, or room for what we have to say."""
        if self._over is None:
            return
        octets = b""
        if not self._done:
            try:
                octets = self.sock.recv(_READ_BYTES)
            except (BlockingIOError, InterruptedError):
                pass
            except OSError as problem:
                self._end(problem)
                return
            else:
                if not octets:
                    self._end(ConnectionResetError(GONE))
                    return
        self._go_on(octets)

    def on_deadline(self, now: float) -> float:
        """It took too long."""
        self._end(ConnectionAbortedError(LATE))
        return 0.0

    def abort(self) -> None:
        """Close the socket: nobody wants it any more."""
        self._end(ConnectionAbortedError("the TLS handshake was given up"))

    def _go_on(self, octets: bytes) -> None:
        assert self.seal is not None
        try:
            self._done = self._done or self.seal.shake(octets)
        except ssl.SSLError as problem:
            self._say(self.seal)  # why not
            self._end(problem)
            return
        status = self._say(self.seal)
        if status < 0:
            self._end(ConnectionResetError(GONE))
        elif self._done and not status:
            self._end(None)
        else:
            self._watch((0 if self._done else kernel.IN) | (kernel.OUT if status else 0))

    def _watch(self, events: int) -> None:
        if events != self._watched:
            self._watched = events
            self.reactor.poll.change(self.sock.fileno(), self, events)

    def _say(self, seal: Seal) -> int:
        """Send what TLS has to say: 0 when all is out, 1 when the socket is full."""
        self._outbox.put(seal.said())
        return self._outbox.flush(self.sock.fileno())

    def _end(self, problem: Exception | None) -> None:
        over, self._over = self._over, None
        if over is None:
            return
        reactor = self.reactor
        if self.seal is not None:
            reactor.poll.remove(self.sock.fileno(), self)
        reactor.wheel.cancel(self)
        reactor.strays.discard(self)
        if problem is not None:
            self.sock.close()
        over(self, problem)
        reactor.drop_user()
        reactor.tidy()
