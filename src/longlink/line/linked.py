"""A line on a socket of the reactor: one recv a turn, one send a turn.

What `engine.link` is for a WebSocket this is for lines. A class of its own, because the two end
differently: a WebSocket is over when its peer ends the stream, and a line may still be answered
(`printf hello | nc -N`).
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..engine.reactor import Reactor
from ..native import kernel
from ..native.kernel import cork, recv
from .flow import keep_alive
from .line import Line
from .rules import Rules

_IN = kernel.IN
_OUT = kernel.OUT
_GONE = kernel.ERR | kernel.HUP
_AGAIN = -errno.EAGAIN


class Linked(Line):
    """A line that receives from and sends to the descriptor `fd`, which it owns.

    Args:
        fd: a connected, non-blocking stream socket.
        reactor: of the running loop.
        left: called with it once, when it is over.
    """

    __slots__ = ("fd", "hidden", "reactor", "watched")

    def __init__(
        self,
        fd: int,
        reactor: Reactor,
        rules: Rules,
        left: Callable[[Any], object] | None = None,
    ) -> None:
        Line.__init__(self, rules, reactor, left)
        reactor.add_user()
        self.fd = fd
        self.reactor = reactor
        self.watched = _IN
        self.hidden = False  # off the poll, though not closed
        self.remote_address = kernel.peer_name(fd)
        self.local_address = kernel.sock_name(fd)
        if rules.timeout is None:
            with _socket_of(fd) as sock:
                keep_alive(sock)
        if reactor.poll.add(fd, self, _IN) < 0:
            self.lose("the system cannot watch the socket")

    def __del__(self) -> None:
        """Its event loop was closed under it: nobody else knows the descriptor."""
        if getattr(self, "fd", -1) >= 0:
            self.reactor.poll.drop(self.fd)
            self.fd = -1

    def on_ready(self, events: int) -> None:
        """The descriptor has octets, or room, or an end. Earlier events of the same turn may
        have closed it."""
        if events & _OUT:
            self.flush()
        if self.fd < 0:
            return
        if events & _IN:
            self._receive()
        elif events & _GONE:
            self._gone()

    def _receive(self) -> None:
        buffer = self.agenda.buffer
        room = buffer.capacity if self.closing else min(buffer.capacity, self.intake.room())
        if room <= 0:
            self.park()
            return
        count = recv(self.fd, buffer, 0, room)
        if count > 0:
            self.arrived(buffer.copy(0, count))
        elif count == 0:
            self._heard_out()
        elif count != _AGAIN:
            self._lost(-count)

    def _heard_out(self) -> None:
        """Their end of the stream: reported for ever, so nobody watches for it any more."""
        self._watch(self.watched & ~_IN)
        self.heard_out()
        if self.closing and not self.waiting():
            self.abort()

    def _gone(self) -> None:
        """Both ways are closed, or TCP was reset. While we are not reading, what they sent before
        still lies in the kernel: reading goes on where it stopped. A hang-up is reported again
        and again whatever is watched, so the descriptor leaves the poll until then."""
        if not self.finished and not self.closing:
            self.reactor.poll.remove(self.fd, self)
            self.hidden = True
            return
        number = 0 if self.closing else _error_of(self.fd)
        if number:
            self._lost(number)
        else:
            self.abort()  # both have said all they had to say

    def _lost(self, number: int) -> None:
        self.lose(f"lost: {os.strerror(number).lower()}", number)

    def _watch(self, events: int) -> None:
        if self.fd < 0 or events == self.watched:
            return
        if not self.hidden:
            self.reactor.poll.change(self.fd, self, events)
        elif events & _IN:
            self.hidden = False
            self.reactor.poll.add(self.fd, self, events)
        self.watched = events

    # The carrier's part, see `Line`.

    def flush(self) -> None:
        outbox = self.outbox
        if self.fd < 0 or outbox is None:
            return
        before = outbox.size
        if self.silent:
            cork(self.fd)  # the last octets and the end of the stream are one segment then
        status = outbox.flush(self.fd)
        if status < 0:
            self._lost(-status)
            return
        self._watch(self.watched | _OUT if status else self.watched & ~_OUT)
        self.progressed(before)
        if self.silent and not status:
            self._shut()

    def hang_up(self) -> None:
        if not self.finished:
            self._watch(self.watched | _IN)
        if self.outbox is None:
            self._shut()

    def end_sending(self) -> None:
        if self.outbox is None:
            self._shut()

    def _shut(self) -> None:
        """Everything is sent: end our side, and wait for the end of theirs. Who reset TCP has
        none; while we listen, the poll says so, behind what came before."""
        gone = kernel.shutdown(self.fd) < 0
        if self.closing and (gone or self.finished):
            self.abort()

    def abort(self) -> None:
        if self.fd >= 0:
            fd, self.fd = self.fd, -1
            if not self.hidden:
                self.reactor.poll.remove(fd, self)
            kernel.close(fd)
            self.ended()

    def park(self) -> None:
        self._watch(self.watched & ~_IN)

    def unpark(self) -> None:
        if not self.finished and not self.watched & _IN and self.intake.room() > 0:
            self._watch(self.watched | _IN)


def _error_of(fd: int) -> int:
    with _socket_of(fd) as sock:
        return sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)


@contextmanager
def _socket_of(fd: int) -> Iterator[socket.socket]:
    """The descriptor as a socket object that does not close it."""
    sock = socket.socket(fileno=fd)
    try:
        yield sock
    finally:
        sock.detach()
