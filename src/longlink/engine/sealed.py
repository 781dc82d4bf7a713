"""A session under TLS on a socket of the reactor: a link with a seal.

Theory of operation. What is received is opened in place, in the buffer that all links share, and
processed like any link's octets. What is to be sent is sealed when it is sent, so much at a time
as the kernel may take; it leaves the outbox only when the last octet that stands for it is gone. So
limits, backpressure and deadlines mean the same as without TLS.
"""

from __future__ import annotations

import asyncio
import errno
from typing import Any

from ..limits import Limits
from ..native import kernel
from ..native.kernel import Outbox, Poll, recv
from ..wire.reader import HEADROOM
from .agenda import RECEIVE_BYTES, Agenda
from .link import Link
from .passage import Passage
from .receiver import Receiver
from .seal import RECORD, Seal

# Octets that are sealed before the kernel is asked to take them. A peer who does not read costs
# so much more than a link.
SEALED_AHEAD = 8 * RECORD

_OUT = kernel.OUT
_AGAIN = -errno.EAGAIN


class Sealed(Link):
    """A link whose octets go through `seal`, which has shaken hands.

    Args:
        patience: seconds until TCP ends though they have not said that TLS does; None for as
            long as the closing handshake may take.
    """

    __slots__ = ("balked", "covered", "gone_by", "passage", "patience", "seal", "sealed")

    def __init__(
        self,
        fd: int,
        poll: Poll,
        client: bool,
        receiver: Receiver,
        limits: Limits,
        agenda: Agenda,
        seal: Seal,
        patience: float | None,
    ) -> None:
        self.seal = seal
        self.patience = patience
        self.gone_by = 0.0  # when we don't wait for their goodbye any more
        self.sealed: Outbox | None = None  # what the kernel has not taken yet
        self.covered = 0  # octets at the head of the outbox that `sealed` stands for
        self.balked = False  # TLS has to hear something before it seals more
        self.passage: Passage | None = None  # to whom it was handed over
        Link.__init__(self, fd, poll, client, receiver, limits, agenda)

    def catch_up(self) -> None:
        """Hear what came behind the handshake."""
        octets = self.seal.tail
        for start in range(0, len(octets), RECEIVE_BYTES // 2):
            if self.fd >= 0:
                piece = octets[start : start + RECEIVE_BYTES // 2]
                if start:
                    piece = self.seal.tail + piece
                self.agenda.buffer.put(HEADROOM, piece)
                self._open(HEADROOM + len(piece))

    def _receive(self) -> None:
        if self.fd < 0:
            return
        buffer = self.agenda.buffer
        start = HEADROOM
        tail = self.seal.tail
        if tail:
            buffer.put(start, tail)
            start += len(tail)
        count = recv(self.fd, buffer, start)
        if count > 0:
            self._open(start + count)
            if self.broken:
                self.agenda.add_again(self)
        elif count != _AGAIN or self.broken:
            self._no_more(count == 0)

    def _no_more(self, orderly: bool) -> None:
        """They send no more. What came before it comes first."""
        if self.backlog is not None and not self.hanging_up:
            self.eof = True
            if not orderly:
                self.break_off()
        elif orderly and self.passage is not None and not self.hanging_up:
            self.passage.end()
        elif orderly and self.outbox is not None and not self.broken:
            self._half_closed()
        else:
            self.abort()

    def on_eof(self) -> None:
        self._no_more(not self.broken)

    def _open(self, stop: int) -> None:
        """Records, or parts of them, lie in the shared buffer up to `stop`."""
        seal = self.seal
        end = seal.open(self.agenda.buffer, self.agenda.view, HEADROOM, stop)
        if seal.outgoing.pending:
            self._speak()
        if self.balked:
            self.balked = False
            self.agenda.add_dirty(self)
        if end > HEADROOM:
            self.arrived(self.agenda.buffer, HEADROOM, end)
        if self.fd >= 0 and (seal.ended or seal.fault is not None):
            self._no_more(seal.fault is None)

    def _speak(self) -> None:
        """TLS has something to say itself: about keys, or what is wrong."""
        if self.sealed is None:
            self.sealed = self.agenda.borrow()
        self.sealed.put(self.seal.said())
        if self.sealed.size > SEALED_AHEAD + RECORD:
            self.abort()  # they ask for new keys, again and again, and read none
        else:
            self.flush()

    # The carrier's part, see `Session`.

    def flush(self) -> None:
        if self.broken:
            if self.outbox is not None:
                self.outbox.clear()
            return
        if self.fd < 0 or (self.outbox is None and self.sealed is None):
            return
        before = 0 if self.outbox is None else self.outbox.size
        waiting = 0 if self.sealed is None else self.sealed.size
        status = self._pour()
        if status < 0:
            self.break_off()
            self.agenda.add_again(self)  # the end is dealt with outside the caller's stack
            return
        self._watch((self.watched | _OUT) if status else (self.watched & ~_OUT))
        if self.sealed is not None and self.sealed.size < waiting:
            before += 1  # a part of a record is progress, too
        self.progressed(before)

    def _pour(self) -> int:
        """Seal and send: 0 when nothing more can be done, 1 when the socket is full, or the
        negative errno."""
        while True:
            sealed, outbox = self.sealed, self.outbox
            if sealed is not None:
                status = sealed.flush(self.fd)
                if status:
                    return status
                self.sealed = None
                self.agenda.give_back(sealed)
                if outbox is not None:
                    outbox.drop(self.covered)
                self.covered = 0
            if outbox is None or not outbox.size or not self._cover(outbox):
                return 0

    def _cover(self, outbox: Outbox) -> bool:
        """Seal the next octets of the outbox; False when TLS does not let us now."""
        seal = self.seal
        sealed = self.agenda.borrow()
        while self.covered < outbox.size and self.covered < SEALED_AHEAD:
            piece = outbox.peek(self.covered, RECORD)
            if not seal.put(piece):
                self.balked = True
                break
            sealed.put(seal.said())
            self.covered += len(piece)
        if not sealed.size:
            self.agenda.give_back(sealed)
            return False
        self.sealed = sealed
        return True

    def _unsealed(self) -> None:
        """Nothing that was sealed will be sent."""
        self.sealed = None
        self.covered = 0

    def break_off(self) -> None:
        self._unsealed()
        Link.break_off(self)

    def ended(self) -> None:
        self._unsealed()
        Link.ended(self)
        self.passage = None

    def shut(self) -> None:
        """TLS says goodbye, and TCP ends when they have said so, too: before that, some (uvloop)
        throw away what they have not read yet."""
        self.seal.close()
        if self.patience is not None:
            self.gone_by = self.agenda.clock() + self.patience
            self._plan(self.gone_by, 0.0)
        if self.sealed is None:
            self.sealed = self.agenda.borrow()
        self.sealed.put(self.seal.said())
        self.flush()

    def hand_over(self, protocol: asyncio.Protocol, head: bytes) -> None:
        """TLS stays ours: `protocol` gets a transport that goes through this link."""
        octets = head + self._unread()
        self.backlog = None
        self.receiver = self.passage = Passage(self, protocol, self.limits)
        self.agenda.strays.discard(self)
        self.read_body()
        self.passage.begin(octets)

    def on_deadline(self, now: float) -> float:
        if self.passage is not None:
            if not self.hanging_up:
                if self.broken:
                    self.abort()  # they don't read, and so would never learn it
                return 0.0  # theirs to judge
            # The end of a large answer takes as long as they go on reading.
            self.since = max(self.since, self.stalled_since)
        if self.gone_by and self.gone_by <= now:
            self.abort()
            return 0.0
        due = Link.on_deadline(self, now)
        return min(due, self.gone_by) if due and self.gone_by else due

    def fault(self) -> Exception | None:
        return self.seal.fault

    def extra(self, name: str) -> Any:
        seal = self.seal.tls
        if name == "ssl_object":
            return seal
        if name == "sslcontext":
            return seal.context
        if name == "peercert":
            return seal.getpeercert()
        if name == "cipher":
            return seal.cipher()
        if name == "compression":
            return seal.compression()
        return Link.extra(self, name)
