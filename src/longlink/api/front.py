"""The side of a server that listens: its sockets, and who accepts on them.

On Linux the reactor accepts, for TLS, too; elsewhere asyncio does.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from ..engine.agenda import Agenda
from ..engine.link import Link
from ..engine.reactor import Listener, Reactor
from ..engine.receiver import Receiver
from ..limits import Limits
from .port import Place, begin_listening

if TYPE_CHECKING:  # not every server speaks TLS, and few need transports
    from ..engine.stream import Carrier
    from .secure import SecurePort


class Closable(Protocol):
    """What accepts on one socket."""

    def close(self) -> None:
        """Stop, and close the socket."""


class Front:
    """Accepts connections on `sockets`, which it closes.

    Args:
        place: how to listen there.
        receiver: whom the sessions of those who come report to.
        has_room: whether there are descriptors for one more.
    """

    def __init__(
        self,
        place: Place,
        sockets: Sequence[socket.socket],
        receiver: Receiver,
        limits: Limits,
        agenda: Agenda,
        logger: logging.Logger | logging.LoggerAdapter[Any],
        has_room: Callable[[], bool],
    ) -> None:
        self.place = place
        self.sockets = tuple(sockets)  # none once it is closed
        self.receiver = receiver
        self.limits = limits
        self.agenda = agenda
        self.logger = logger
        self.has_room = has_room
        self.listeners: list[Closable] = []
        self.secured: SecurePort | None = None

    async def open(self) -> None:
        """Accept from now on. When that fails on one socket, it is over for all."""
        if self.listeners:
            return
        try:
            for sock in self.sockets:
                self.listeners.append(await self._listen(sock))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Accept nobody any more, and drop those who are still shaking hands for TLS."""
        for listener in self.listeners:
            listener.close()
        for sock in self.sockets:  # those on which nobody listened yet
            sock.close()
        if self.secured is not None:
            self.secured.close()
        self.listeners, self.sockets = [], ()

    def carrier(self) -> Carrier:
        """A protocol for a transport that somebody else accepted."""
        from ..engine.stream import Carrier

        return Carrier(False, self.receiver, self.limits, self.agenda)

    async def _listen(self, sock: socket.socket) -> Closable:
        agenda, place = self.agenda, self.place
        begin_listening(sock, place.backlog)
        if isinstance(agenda, Reactor):
            return Listener(agenda, sock, self._taker(agenda))
        how: dict[str, Any] = {"sock": sock, "ssl": place.tls, "backlog": place.backlog}
        if place.tls is not None:
            how |= place.timeouts(self.limits)
        return await agenda.loop.create_server(self.carrier, **how)

    def _taker(self, reactor: Reactor) -> Callable[[int], object]:
        """What takes the connections that a listener accepts."""
        if self.place.tls is None:
            return lambda fd: Link(fd, reactor.poll, False, self.receiver, self.limits, reactor)
        if self.secured is None:
            from .secure import SecurePort

            self.secured = SecurePort(
                self.place, self.receiver, reactor, self.limits, self.logger, self.has_room
            )
        return self.secured.accept
