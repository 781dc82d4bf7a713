"""A connection to a port for TLS that has said nothing yet.

OpenSSL's state is dear. So whoever connects costs a descriptor and this object until the first
octet is there. It says who speaks TLS: a client's hello is a record of type 22 (RFC 8446 §5.1),
and no HTTP request begins so.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from ..native import kernel
from .reactor import Reactor
from .receiver import Receiver

HANDSHAKE = 22

# Called with the first octet, the socket, which belongs to the callee then, and when it came.
Heard = Callable[[int, socket.socket, float], None]


class Hello:
    """Waits on the reactor for the first octet of the connected descriptor `fd`, which it owns.

    Args:
        receiver: whose stray this is, as a session's receiver.
        patience: seconds until it is closed unheard; None for ever.
        heard: called when the octet is there, which is still to be read.
    """

    __slots__ = ("heard", "patience", "place", "reactor", "receiver", "since", "sock", "tick")

    def __init__(
        self, fd: int, reactor: Reactor, receiver: Receiver, patience: float | None, heard: Heard
    ) -> None:
        self.reactor = reactor
        self.receiver = receiver
        self.patience = patience
        self.heard = heard
        self.since = reactor.clock()
        self.tick = self.place = 0
        self.sock: socket.socket | None = socket.socket(fileno=fd)
        reactor.add_user()
        reactor.strays.add(self)
        if patience is not None:
            reactor.wheel.schedule(self, self.since + patience)
        if reactor.poll.add(fd, self, kernel.IN) < 0:
            self.abort()

    def on_ready(self, events: int) -> None:
        """There is an octet, or an end."""
        sock = self.sock
        if sock is None:
            return
        try:
            first = sock.recv(1, socket.MSG_PEEK)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            first = b""
        if first:
            self._release(sock)
            self.heard(first[0], sock, self.since)
        else:
            self.abort()

    def on_deadline(self, now: float) -> float:
        """They had nothing to say."""
        self.abort()
        return 0.0

    def abort(self) -> None:
        """Close it."""
        sock = self.sock
        if sock is not None:
            self._release(sock)
            sock.close()

    def _release(self, sock: socket.socket) -> None:
        """Let go of the socket: it leaves the poll before it is closed, or somebody else's."""
        self.sock = None
        self.reactor.poll.remove(sock.fileno(), self)
        self.reactor.wheel.cancel(self)
        self.reactor.strays.discard(self)
        self.reactor.drop_user()
        self.reactor.tidy()
