"""The loop inside the loop: one epoll descriptor that asyncio watches as if it were a socket.

Theory of operation. The event loop sees one readable descriptor and calls `run_once`. That
asks epoll for everything that is ready (at most EVENTS_PER_TURN), lets each link receive,
parse, and call whoever listens, and flushes before it returns. Nothing here blocks or
sleeps: the loop does. Level-triggered: whatever a turn leaves is reported again.

A link's events carry the link itself, so the poll holds a reference from `add` to the end
of the turn in which it was removed (`bury`): an event for a link that was closed earlier in
the same turn finds a link with no descriptor, not freed memory.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import sys
from collections.abc import Callable
from time import monotonic
from typing import Any

from ..native import kernel
from ..native.kernel import Poll
from .agenda import FAULTS, Agenda, agenda_of
from .link import Link
from .patience import Patience

EVENTS_PER_TURN = 512
# So many are received from before what they were answered is sent: the fewer times the processor
# goes from one to the other, the more it finds in its caches; and nobody's answer waits long.
EVENTS_PER_FLUSH = 64
ACCEPTS_PER_TURN = 64
CROWD = 4  # so many ready at once, and it is worth to look for more
TURN_S = 0.01  # but not for longer than this: others live on the loop, too
HOVER_US = 30  # how long for the answer to an answer is looked, see patience.py
HOVERS_PER_TURN = 16  # which takes 0.5 ms at most,
LINGER_S = 0.001  # unless what is answered takes long: then the loop has its turn
RETRY_S = 1.0  # how long a listener waits for a descriptor to become free, at most

QUIET_S = 10.0  # between two warnings about that

AVAILABLE = sys.platform == "linux"

logger = logging.getLogger("longlink.engine")

_EXHAUSTED = (-errno.EMFILE, -errno.ENFILE, -errno.ENOBUFS, -errno.ENOMEM)


class Reactor(Agenda):
    """An agenda with sockets of its own."""

    __slots__ = ("patience", "poll", "soon", "starved")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        Agenda.__init__(self, loop)
        self.starved: list[Listener] = []
        self.patience = Patience()
        # What asyncio's loop will do next. uvloop does not tell.
        self.soon: Any = getattr(loop, "_ready", ())
        self.poll = Poll()
        loop.add_reader(self.poll.fileno(), self.run_once)

    def run_once(self) -> None:
        """Turns, as long as so much is ready, or comes so soon, that to return to the loop, and
        to be called again, would cost more than to look."""
        served = hovered = 0
        began = 0.0
        count = self.poll.wait(EVENTS_PER_FLUSH)
        while count > 0:
            self._turn(count)
            served += count
            if self.retired or served >= EVENTS_PER_TURN:
                return
            now = monotonic()  # the loop's own clock may stand still meanwhile (uvloop)
            if not began:
                began = now
            elif now - began > (TURN_S if count >= CROWD else LINGER_S):
                return
            if count >= CROWD:
                count = self.poll.wait(min(EVENTS_PER_FLUSH, EVENTS_PER_TURN - served))
                if count:
                    continue
            count = self._hover()
            hovered += 1
            if hovered == HOVERS_PER_TURN:
                return  # what has come is reported again: the loop will not sleep

    def _turn(self, count: int) -> None:
        """Serve the `count` that are ready, then flush."""
        self.begin()
        try:
            self._serve(count)
        finally:
            self.finish()

    def _serve(self, count: int) -> None:
        poll = self.poll
        for index in range(count):
            owner = poll.owner(index)
            try:
                if isinstance(owner, Link):
                    link = owner  # typed where compiled: a call through C
                    link.on_ready(poll.events(index))
                else:
                    owner.on_ready(poll.events(index))
            except FAULTS:
                self.crashed(owner)

    def _hover(self) -> int:
        """After an answer, and nobody else waits: how many are ready a moment later."""
        if not self.flushed or self.waking or self.soon or not self.patience.tries():
            return 0
        count = self.poll.hover(EVENTS_PER_FLUSH, HOVER_US)
        if count > 0:
            self.patience.paid()
        else:
            self.patience.failed()
        return count

    def flush(self, session: Any) -> None:
        if isinstance(session, Link):
            link = session
            link.flush()
        else:
            session.flush()

    def finish(self) -> None:
        Agenda.finish(self)
        self.poll.bury()

    def drop_user(self) -> None:
        Agenda.drop_user(self)
        if self.starved:
            starved, self.starved = self.starved, []
            for listener in starved:
                listener.listen_again()

    def retire(self) -> None:
        if self.retired:
            return
        Agenda.retire(self)
        if self.loop.is_closed():
            self.poll.close()
        else:
            self.loop.remove_reader(self.poll.fileno())
            self.loop.call_soon(self._close_poll)  # a turn may be on

    def _close_poll(self) -> None:
        self.poll.close()


class Listener:
    """A listening socket on the reactor.

    Args:
        sock: bound, listening, non-blocking; the listener closes it.
        make: called with each accepted descriptor.
    """

    __slots__ = ("make", "place", "reactor", "sock", "tick", "warned")

    def __init__(
        self, reactor: Reactor, sock: socket.socket, make: Callable[[int], object]
    ) -> None:
        self.reactor = reactor
        self.sock = sock
        self.make = make
        self.tick = self.place = 0
        self.warned = -QUIET_S
        reactor.add_user()
        reactor.poll.add(sock.fileno(), self, kernel.IN)

    def on_ready(self, events: int) -> None:
        """Accept a bounded number of connections; the rest is reported again."""
        for _ in range(ACCEPTS_PER_TURN):
            fd = kernel.accept(self.sock.fileno())
            if fd >= 0:
                self._make(fd)
            elif fd in _EXHAUSTED:
                self._starve(-fd)
                return
            elif fd not in (-errno.ECONNABORTED, -errno.EINTR, -errno.EPROTO):
                return

    def _make(self, fd: int) -> None:
        try:
            self.make(fd)
        except FAULTS:
            logger.exception("cannot take a connection")  # one less, not none from now on
            kernel.close(fd)

    def _starve(self, reason: int) -> None:
        """No descriptor for another connection: be quiet until one is free. Those who call
        meanwhile wait in the kernel's backlog."""
        if self.reactor.now - self.warned > QUIET_S:
            self.warned = self.reactor.now
            cause = errno.errorcode[reason]
            logger.warning("cannot accept connections: %s; waiting for one to close", cause)
        self.reactor.poll.remove(self.sock.fileno(), self)
        self.reactor.starved.append(self)
        self.reactor.wheel.schedule(self, self.reactor.now + RETRY_S)

    def listen_again(self) -> None:
        """A descriptor may be free."""
        self.reactor.wheel.cancel(self)
        if self.sock.fileno() >= 0:
            self.reactor.poll.add(self.sock.fileno(), self, kernel.IN)

    def on_deadline(self, now: float) -> float:
        """Somebody else in this process may have freed a descriptor."""
        if self in self.reactor.starved:
            self.reactor.starved.remove(self)
            self.listen_again()
        return 0.0

    def abort(self) -> None:
        """Stop listening."""
        self.close()

    def close(self) -> None:
        """Stop listening and close the socket."""
        if self.sock.fileno() < 0:
            return
        if self in self.reactor.starved:
            self.reactor.starved.remove(self)
            self.reactor.wheel.cancel(self)
        else:
            self.reactor.poll.remove(self.sock.fileno(), self)
        self.sock.close()
        self.reactor.drop_user()


def reactor_of(loop: asyncio.AbstractEventLoop) -> Reactor:
    """The reactor of `loop`, made when there is none. Linux only: see AVAILABLE."""
    reactor = agenda_of(loop, Reactor)
    assert isinstance(reactor, Reactor)
    return reactor
