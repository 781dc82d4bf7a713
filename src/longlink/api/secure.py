"""A port for TLS: who may shake hands, who is told that this is the wrong port.

Whoever begins with a TLS record gets a transport. Whoever speaks plainly is read as HTTP and
answered 400 in plain text, which a browser shows and `curl` prints. Scanners, timeouts and
failed handshakes are nobody's error: one line at DEBUG.

Six octets are enough to look like a handshake, and its transport is dear. So only so many shake
hands at once; who comes later waits for a turn as a socket and a task, within its own deadline.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable
from typing import Any

from ..engine.hello import HANDSHAKE, Hello
from ..engine.link import Link
from ..engine.reactor import Reactor
from ..engine.receiver import Receiver
from ..engine.session import Session
from ..limits import Limits
from ..wire.response import respond

WRONG_PORT = "this port speaks TLS: use https:// or wss://\n"
MOST_SHAKING = 256  # handshakes at once: with stock asyncio up to 313 KB each
_LEAST_S = 0.1  # for a handshake that began at the last moment


class SecurePort:
    """Takes connections for a server's TLS on the reactor.

    Args:
        context: the server's.
        timeouts: see `Place.timeouts`.
        make: makes the protocol of a connection that shook hands.
        receiver: whose strays they are until then.
        has_room: whether there are descriptors for one more.
    """

    def __init__(
        self,
        context: ssl.SSLContext,
        timeouts: dict[str, float | None],
        make: Callable[[], asyncio.BaseProtocol],
        receiver: Receiver,
        reactor: Reactor,
        limits: Limits,
        logger: logging.Logger | logging.LoggerAdapter[Any],
        has_room: Callable[[], bool],
    ) -> None:
        self.context = context
        self.timeouts = timeouts
        self.make = make
        self.receiver = receiver
        self.reactor = reactor
        self.limits = limits
        self.logger = logger
        self.has_room = has_room
        self.turns = asyncio.Semaphore(MOST_SHAKING)  # given in the order of asking
        self.shaking: set[asyncio.Task[None]] = set()
        self.wrong = WrongPort()

    def accept(self, fd: int) -> Hello:
        """Take a connection, as a `Listener` hands them out."""
        patience = self.timeouts["ssl_handshake_timeout"]
        return Hello(fd, self.reactor, self.receiver, patience, self._heard)

    def close(self) -> None:
        """Drop those who are still shaking hands, and those who never will."""
        for task in self.shaking:
            task.cancel()
        for stray in list(self.reactor.strays):
            if stray.receiver is self.wrong:
                stray.abort()

    def _heard(self, first: int, sock: socket.socket, since: float) -> None:
        if first != HANDSHAKE:
            reactor = self.reactor
            Link(sock.detach(), reactor.poll, False, self.wrong, self.limits, reactor)
        elif self.has_room():
            task = self.reactor.loop.create_task(self._shake(sock, since))
            self.shaking.add(task)
            task.add_done_callback(self.shaking.discard)
            task.add_done_callback(lambda task: sock.close() if task.cancelled() else None)
        else:  # a handshake only to say 503 would cost what there is too little of
            sock.close()
            self.logger.debug("TLS handshake refused: too many connections")

    async def _shake(self, sock: socket.socket, since: float) -> None:
        patience = self.timeouts["ssl_handshake_timeout"]
        deadline = None if patience is None else since + patience
        try:
            async with asyncio.timeout_at(deadline):
                await self.turns.acquire()
        except TimeoutError:
            sock.close()
            self.logger.debug("TLS handshake failed: its turn never came")
            return
        try:
            await self._shake_now(sock, deadline)
        except OSError as failure:
            why = str(failure) or type(failure).__name__
            self.logger.debug("TLS handshake failed: %s", why)
        except Exception:
            sock.close()
            self.logger.exception("TLS handshake failed")
        finally:
            self.turns.release()

    async def _shake_now(self, sock: socket.socket, deadline: float | None) -> None:
        loop, timeouts = self.reactor.loop, dict(self.timeouts)
        if deadline is not None:
            timeouts["ssl_handshake_timeout"] = max(_LEAST_S, deadline - loop.time())
        await loop.connect_accepted_socket(self.make, sock, ssl=self.context, **timeouts)


class WrongPort(Receiver):
    """Receives what is said plainly where TLS is spoken."""

    def on_head(self, session: Session, head: bytes) -> None:
        session.refuse(respond(400, WRONG_PORT).serialize())
