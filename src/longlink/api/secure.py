"""A port for TLS: who may shake hands, who is told that this is the wrong port.

Whoever begins with a TLS record shakes hands. Whoever speaks plainly is read as HTTP and
answered 400 in plain text, which a browser shows and `curl` prints. Scanners, timeouts and
failed handshakes are nobody's error: one line at DEBUG.

Six octets are enough to look like a handshake, and its state is dear. So only so many shake
hands at once; who comes later waits for a turn as a socket, within its own deadline.
"""

from __future__ import annotations

import logging
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from ..engine.agenda import FAULTS
from ..engine.hello import HANDSHAKE, Hello
from ..engine.link import Link
from ..engine.reactor import Reactor
from ..engine.receiver import Receiver
from ..engine.seal import Seal
from ..engine.sealed import Sealed
from ..engine.session import Session
from ..engine.shake import Shake
from ..limits import Limits
from ..native import kernel
from ..wire.response import respond
from .port import Place

WRONG_PORT = "this port speaks TLS: use https:// or wss://\n"
MOST_SHAKING = 256  # handshakes at once


class SecurePort:
    """Takes connections for a server's TLS on the reactor.

    Args:
        place: has the server's context, and how long a handshake may take from its first octet on.
        receiver: whom the sessions of those who shook hands report to.
        has_room: whether there are descriptors for one more.
    """

    def __init__(
        self,
        place: Place,
        receiver: Receiver,
        reactor: Reactor,
        limits: Limits,
        logger: logging.Logger | logging.LoggerAdapter[Any],
        has_room: Callable[[], bool],
    ) -> None:
        assert place.tls is not None
        self.context = place.tls
        self.farewell = place.ssl_shutdown_timeout
        self.patience = place.timeouts(limits)["ssl_handshake_timeout"]
        self.receiver = receiver
        self.reactor = reactor
        self.limits = limits
        self.logger = logger
        self.has_room = has_room
        self.turns = MOST_SHAKING
        self.shaking: set[Shake] = set()
        self.waiting: deque[Shake] = deque()  # for their turn; some have left already
        self.wrong = WrongPort()

    def accept(self, fd: int) -> Hello:
        """Take a connection, as a `Listener` hands them out."""
        return Hello(fd, self.reactor, self.receiver, self.patience, self._heard)

    def close(self) -> None:
        """Drop those who are still shaking hands, and those who never will."""
        self.waiting.clear()
        for shake in list(self.shaking):
            shake.abort()
        for stray in list(self.reactor.strays):
            if stray.receiver is self.wrong:
                stray.abort()

    def _heard(self, first: int, sock: socket.socket, since: float) -> None:
        if first != HANDSHAKE:
            reactor = self.reactor
            Link(sock.detach(), reactor.poll, False, self.wrong, self.limits, reactor)
        elif self.has_room():
            deadline = None if self.patience is None else since + self.patience
            shake = Shake(sock, self.reactor, self.receiver, deadline, self._shaken)
            self.shaking.add(shake)
            self.waiting.append(shake)
            self._next()
        else:  # a handshake only to say 503 would cost what there is too little of
            sock.close()
            self.logger.debug("TLS handshake refused: too many connections")

    def _next(self) -> None:
        """Whose turn is it?"""
        while self.turns and self.waiting:
            shake = self.waiting.popleft()
            if shake in self.shaking:
                self._begin(shake)

    def _begin(self, shake: Shake) -> None:
        try:
            seal = Seal(self.context, False)
        except FAULTS:
            self.logger.exception("TLS handshake failed")
            shake.abort()
        else:
            self.turns -= 1
            shake.begin(seal)

    def _shaken(self, shake: Shake, problem: Exception | None) -> None:
        self.shaking.discard(shake)
        if problem is not None:
            self.logger.debug("TLS handshake failed: %s", problem)
        if shake.seal is None:
            return
        self.turns += 1
        if problem is None:
            self._welcome(shake.sock.detach(), shake.seal)
        self._next()

    def _welcome(self, fd: int, seal: Seal) -> None:
        try:
            session = self._session(fd, seal)
        except FAULTS:
            kernel.close(fd)
            self.logger.exception("TLS handshake failed")
            return
        try:
            session.catch_up()
        except FAULTS:
            self.reactor.crashed(session)

    def _session(self, fd: int, seal: Seal) -> Sealed:
        poll = self.reactor.poll
        limits, reactor, farewell = self.limits, self.reactor, self.farewell
        return Sealed(fd, poll, False, self.receiver, limits, reactor, seal, farewell)


class WrongPort(Receiver):
    """Receives what is said plainly where TLS is spoken."""

    def on_head(self, session: Session, head: bytes) -> None:
        session.refuse(respond(400, WRONG_PORT).serialize())
