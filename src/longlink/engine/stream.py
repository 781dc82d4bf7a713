"""A session on an asyncio transport: off Linux, for TLS within TLS, and for what others accepted.

Same endpoint, same limits, same order of events as on the reactor. asyncio wants a
protocol object, which a compiled session can't be, so a `Carrier` stands between the two.
A transport is given all there is, until it says that it is full: so it may hold as much as
an outbox may, and a slow reader costs up to twice what it costs on a link.
"""

from __future__ import annotations

import asyncio
import ssl
import sys
from typing import Any

from ..limits import Limits
from ..wire.reader import HEADROOM
from .agenda import FAULTS, RECEIVE_BYTES, Agenda
from .receiver import Receiver
from .session import Session

if sys.platform == "linux":
    import fcntl
    import termios

# TLS goes on reading until this many octets wait: uvloop's throws away what it has decrypted
# and not delivered when the peer closes while it is told to pause.
SECURE_AHEAD = 256 * 1024


class Stream(Session):
    """A session that reads from and writes to `transport`."""

    __slots__ = (
        "full",
        "gone",
        "over",
        "problem",
        "secure",
        "stopped",
        "tcp",
        "transport",
        "waiting",
    )

    def __init__(
        self,
        transport: asyncio.Transport,
        client: bool,
        receiver: Receiver,
        limits: Limits,
        agenda: Agenda,
    ) -> None:
        Session.__init__(self, client, receiver, limits, agenda)
        self.transport = transport
        self.tcp = _under(transport)
        self.full = False  # the transport holds more than write_limit
        self.waiting = 0  # octets in the transport when it was last looked at
        self.gone = False  # the transport is closed
        self.over = False  # and so is everything that came before
        self.problem: Exception | None = None  # that closed it
        self.secure = transport.get_extra_info("sslcontext") is not None
        self.stopped = False  # the transport was told not to read
        transport.set_write_buffer_limits(limits.write_limit, limits.low_water)
        agenda.add_user()

    def received(self, count: int) -> None:
        """`count` octets lie in the shared buffer: a turn of this connection alone."""
        agenda = self.agenda
        nested = agenda.active  # another connection was handed over and is a WebSocket again
        if not nested:
            agenda.begin()
        try:
            self.arrived(agenda.buffer, HEADROOM, HEADROOM + count)
        except FAULTS:
            agenda.crashed(self)
        finally:
            if not nested:
                agenda.finish()

    def writable(self, full: bool) -> None:
        """The transport holds more than its high-water mark, or less than its low one."""
        if self.gone:
            return  # uvloop says so even of a transport that was aborted
        self.full = full
        if full:
            self.stalled_since = self.agenda.clock()
            self.waiting = self._unsent()
            self._plan(self.stalled_since, self.terms.stall_timeout)
            self.overfull()
        elif self.outbox is not None and self.outbox.size:
            self.agenda.add_dirty(self)
        else:
            self.stalled_since = 0.0
            self._outbox()
            self.progressed(0)

    def half_closed(self) -> None:
        """They send no more, but may still read what is on its way to them. TLS tells so
        though it was told not to read: first comes what came before."""
        if self.backlog is not None and not self.hanging_up:
            self.eof = True
        elif not self.gone:
            if self.outbox is not None:
                self.transport.write(self.outbox.take())
            self.end()

    def lost(self, problem: Exception | None) -> None:
        """The transport is closed."""
        self.problem = problem
        if not self.gone:
            self.gone = True
            if self.backlog is not None and not self.hanging_up:
                self.eof = True
                self.full = False
                self.break_off()
            else:
                self._release()

    def on_eof(self) -> None:
        self.half_closed()
        if self.gone:
            self._release()

    def _release(self) -> None:
        if not self.over:
            self.over = True
            self.ended()
            self.agenda.drop_user()

    def on_deadline(self, now: float) -> float:
        if self.full:
            waiting = self._unsent()
            if waiting < self.waiting:
                self.stalled_since = now
            self.waiting = waiting
        return Session.on_deadline(self, now)

    def _unsent(self) -> int:
        """What the peer has not taken yet: the transport's octets, and the kernel's where it
        tells. The transport alone moves in steps of megabytes."""
        waiting = self.transport.get_write_buffer_size()
        sock = self.transport.get_extra_info("socket")
        if sys.platform == "linux" and sock is not None and sock.fileno() >= 0:
            queued = fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, bytes(4))
            waiting += int.from_bytes(queued, sys.byteorder)
        return waiting

    # The carrier's part, see `Session`.

    def flush(self) -> None:
        outbox = self.outbox
        if outbox is None or self.full:
            return
        if self.gone or self.transport.is_closing() or self.tcp.is_closing():
            outbox.clear()  # asyncio warns of those who write on
            return
        before = outbox.size
        self.transport.write(outbox.take())
        if not self.full:  # `write` calls `pause_writing` before it returns
            self.progressed(before)

    def congested(self) -> bool:
        return Session.congested(self) or self.full

    def park(self) -> None:
        if self.stopped or self.gone or self.transport.is_closing():
            return
        if self.secure and self.backlog_to - self.backlog_from < SECURE_AHEAD:
            return
        self.stopped = True
        self.transport.pause_reading()

    def unpark(self) -> None:
        if self.stopped:
            self.stopped = False
            if not self.gone and not self.transport.is_closing():
                self.transport.resume_reading()

    def shut(self) -> None:
        transport = self.transport
        if transport.is_closing():
            return
        try:
            if transport.can_write_eof():
                transport.write_eof()
                return
        except OSError:
            pass  # they have reset it, and the transport does not know yet
        transport.close()  # TLS says goodbye both ways

    def abort(self) -> None:
        if not self.gone:
            self.gone = True
            self.transport.abort()
        self._release()

    def hand_over(self, protocol: asyncio.Protocol, head: bytes) -> None:
        octets = head + self._unread()
        transport, stopped = self.transport, self.stopped
        self.gone = True
        self._release()
        transport.set_protocol(protocol)
        protocol.connection_made(transport)
        if stopped:
            transport.resume_reading()
        protocol.data_received(octets)

    def fault(self) -> Exception | None:
        return self.problem if isinstance(self.problem, ssl.SSLError) else None

    def address(self, peer: bool) -> Any:
        return self.transport.get_extra_info("peername" if peer else "sockname")


def _under(transport: asyncio.Transport) -> asyncio.Transport:
    """The transport whose end is known first: asyncio's TLS hides that TCP is broken until the
    next turn, and does not say whom it sits on. Elsewhere, and if that changes, itself."""
    protocol = getattr(transport, "_ssl_protocol", None)
    under: asyncio.Transport | None = getattr(protocol, "_transport", None)
    return transport if under is None else under


class Carrier(asyncio.BufferedProtocol):
    """What asyncio talks to: makes a stream of the transport it is given.

    Args:
        client, receiver, limits, agenda: see `Session`.
    """

    def __init__(self, client: bool, receiver: Receiver, limits: Limits, agenda: Agenda) -> None:
        self.client = client
        self.receiver = receiver
        self.limits = limits
        self.agenda = agenda
        self.stream: Stream | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if self.agenda.retired:  # TLS took its time: the server it was for is gone
            transport.abort()  # type: ignore[attr-defined]
            return
        self.stream = Stream(
            transport,  # type: ignore[arg-type]
            self.client,
            self.receiver,
            self.limits,
            self.agenda,
        )

    def get_buffer(self, sizehint: int) -> memoryview:
        return memoryview(self.agenda.buffer)[HEADROOM:]

    def buffer_updated(self, nbytes: int) -> None:
        self._stream().received(nbytes)

    def data_received(self, data: bytes) -> None:
        """Octets that somebody else read: as after an upgrade inside an HTTP server."""
        for start in range(0, len(data), RECEIVE_BYTES):
            piece = data[start : start + RECEIVE_BYTES]
            self.agenda.buffer.put(HEADROOM, piece)
            self._stream().received(len(piece))

    def eof_received(self) -> bool:
        if self.stream is not None:
            self.stream.half_closed()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        if self.stream is not None:
            self.stream.lost(exc)

    def pause_writing(self) -> None:
        self._stream().writable(full=True)

    def resume_writing(self) -> None:
        self._stream().writable(full=False)

    def _stream(self) -> Stream:
        assert self.stream is not None
        return self.stream
