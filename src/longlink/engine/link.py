"""A session on a socket of the reactor: one recv a turn, one send a turn.

The link owns its descriptor: it alone closes it, and takes it off the poll before. It
watches for room to write only while the kernel's buffer is full, and stops watching for
octets while they could not be processed.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from typing import Any

from ..limits import Limits
from ..native import kernel
from ..native.kernel import Poll, cork, packed_peer, recv
from ..wire.reader import HEADROOM
from .agenda import RECEIVE_BYTES, Agenda
from .receiver import Receiver
from .session import Session

RECEIVES_PER_TURN = 4

_IN = kernel.IN
_OUT = kernel.OUT
_ERR = kernel.ERR
_GONE = kernel.ERR | kernel.HUP
_HEADROOM = HEADROOM
_AGAIN = -errno.EAGAIN


class Link(Session):
    """A session that receives from and sends to the descriptor `fd`, which it owns.

    Args:
        fd: a connected, non-blocking stream socket.
        poll: what says when it is ready.
        client, receiver, limits, agenda: see `Session`.
    """

    __slots__ = ("fd", "hidden", "last_address", "poll", "watched")

    def __init__(
        self,
        fd: int,
        poll: Poll,
        client: bool,
        receiver: Receiver,
        limits: Limits,
        agenda: Agenda,
    ) -> None:
        self.fd = -1  # until it is whole: a link that failed to be born closes nothing
        self.poll = poll
        self.hidden = False  # off the poll, though not closed
        self.watched = _IN
        self.last_address: Any = None  # ours, as it was told last
        Session.__init__(self, client, receiver, limits, agenda)
        self.fd = fd
        agenda.add_user()
        if poll.add(fd, self, _IN) < 0:
            self.abort()

    def __del__(self) -> None:
        """Its event loop was closed under it: nobody else knows the descriptor."""
        if self.fd >= 0:
            self.poll.drop(self.fd)
            self.fd = -1

    def on_ready(self, events: int) -> None:
        """The descriptor has octets, or room, or an end. Earlier events of the same turn may
        have closed it."""
        if self.fd < 0:
            return
        if events & _OUT:
            self.flush()
        if events & _IN:
            self._receive()
        elif events & _GONE:
            self._gone(events)

    def _gone(self, events: int) -> None:
        """The peer is gone. While we are not reading, what it sent before still lies in the
        kernel: reading goes on where it stopped. A hang-up is reported again and again
        whatever is watched, so the descriptor leaves the poll until then."""
        if not self.parked or self.hanging_up:
            self.abort()
            return
        self.poll.remove(self.fd, self)
        self.hidden = True
        if events & _ERR:
            self.break_off()

    def _receive(self) -> None:
        """One recv; for a large payload more, while each brings all that there was room for."""
        if self.fd < 0 or not self._receive_once():
            return
        for _ in range(RECEIVES_PER_TURN - 1):
            if self.fd < 0 or not self._receive_once():
                return

    def _receive_once(self) -> bool:
        """Whether more of a large payload is likely to be there."""
        buffer = None if self.body is None else self.vacant()
        if buffer is None:
            buffer = self.agenda.buffer
            start, room = _HEADROOM, buffer.capacity - _HEADROOM
        else:
            start, room = buffer.size, min(self.awaited(), RECEIVE_BYTES)
        count = recv(self.fd, buffer, start, start + room)
        if count <= 0:
            self._nothing(count)
            return False
        if buffer is self.agenda.buffer:
            self.arrived(buffer, start, start + count)
        else:
            self.arrived_in_place(count)
        if self.broken:
            self.agenda.add_again(self)
        return count == room and self.vacant() is not None

    def _nothing(self, count: int) -> None:
        """`recv` brought nothing, but says why."""
        if count == 0 and self.outbox is not None and not self.broken:
            self._half_closed()
        elif count != _AGAIN or self.broken:
            self.abort()

    def _half_closed(self) -> None:
        """They send no more, but may still read what is on its way to them."""
        self.end()
        if self.outbox is not None and not self.parked:
            self.parked = True
            self.park()

    def _watch(self, events: int) -> None:
        if self.fd < 0 or (self.hidden and not events & _IN):
            return
        if self.hidden:
            self.hidden = False
            self.poll.add(self.fd, self, events)
        elif events != self.watched:
            self.poll.change(self.fd, self, events)
        self.watched = events

    def _release(self) -> None:
        """Take the descriptor off the poll; from here on the link has none."""
        if not self.hidden:
            self.poll.remove(self.fd, self)
        if self.client:  # of those a program has few; at a server everybody would pay for it
            self.address(False)
        self.fd = -1

    # The carrier's part, see `Session`.

    def proceed(self) -> None:
        Session.proceed(self)
        if self.broken and not self.parked:
            self._receive()  # to the end: it is all that will come

    def flush(self) -> None:
        outbox = self.outbox
        if outbox is None:
            return
        before = outbox.size
        if self.broken:
            outbox.clear()
            return
        if self.hanging_up:
            cork(self.fd)  # the last octets and the end of the stream are one segment then
        status = outbox.flush(self.fd)
        if status < 0:
            self.break_off()
            self.agenda.add_again(self)  # the end is dealt with outside the caller's stack
            return
        if status:
            self._watch(self.watched | _OUT)
        elif self.watched & _OUT:
            self._watch(self.watched & ~_OUT)
        self.progressed(before)

    def park(self) -> None:
        self._watch(self.watched & ~_IN)

    def unpark(self) -> None:
        self._watch(self.watched | _IN)

    def shut(self) -> None:
        kernel.shutdown(self.fd)

    def abort(self) -> None:
        if self.fd >= 0:
            fd = self.fd
            self._release()
            kernel.close(fd)
            self.ended()
            self.agenda.drop_user()
            self.agenda.tidy()

    def hand_over(self, protocol: asyncio.Protocol, head: bytes) -> None:
        fd, octets = self.fd, head + self._unread()
        self._release()
        self.ended()
        self.agenda.keep(_adopt(fd, protocol, octets, self.agenda.loop))
        self.agenda.drop_user()
        self.agenda.tidy()

    def extra(self, name: str) -> Any:
        """What a transport's `get_extra_info` tells; None for what there is not."""
        return self.address(name == "peername") if name in ("peername", "sockname") else None

    def address(self, peer: bool) -> Any:
        if peer:
            return kernel.peer_name(self.fd)
        if self.fd >= 0:
            self.last_address = kernel.sock_name(self.fd)
        return self.last_address

    def packed_peer(self) -> Any:
        return packed_peer(self.fd)


class Successor(asyncio.Protocol):
    """Gives `protocol` its transport, and before anything else the octets read already."""

    def __init__(self, protocol: asyncio.Protocol, octets: bytes) -> None:
        self.protocol = protocol
        self.octets = octets

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.set_protocol(self.protocol)
        self.protocol.connection_made(transport)
        self.protocol.data_received(self.octets)


async def _adopt(
    fd: int, protocol: asyncio.Protocol, octets: bytes, loop: asyncio.AbstractEventLoop
) -> None:
    """Put the connected descriptor `fd` on an asyncio transport; `octets` were read already."""
    await loop.connect_accepted_socket(
        lambda: Successor(protocol, octets), socket.socket(fileno=fd)
    )
