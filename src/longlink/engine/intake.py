"""What comes in: shares of a turn, octets kept for later, the head of the opening handshake.

Theory of operation. The carrier brings octets to `arrived`. Before the opening handshake is
over they collect in `head` as they came; nothing is parsed and no buffer is set up. Octets
that cannot be processed yet (the share of this turn is used up, or the receiver does not
read) wait in `backlog`, and reading stops until they are used up.

A receiver that is behind says how many octets more may be processed all the same (`ahead`):
a Ping or Close that stands a little behind the last message it wants is answered. That is
bounded, and so is what it gets too much; what stands further behind waits, as in TCP it must.
"""

from __future__ import annotations

from ..errors import InvalidHandshake
from ..limits import Limits
from ..native.kernel import Buffer, masking_key
from ..wire.endpoint import Endpoint
from ..wire.header import head_end
from ..wire.phase import Phase
from ..wire.reader import HEADROOM
from .agenda import Agenda

FRAMES_PER_TURN = 256  # one connection's share, so that a flooder starves nobody

_CONNECTING = Phase.CONNECTING
_END = b"\r\n\r\n"


class Intake(Endpoint):
    """An endpoint that is fed in shares, and can be told to wait."""

    __slots__ = (
        "agenda",
        "ahead",
        "backlog",
        "backlog_from",
        "backlog_to",
        "eof",
        "gathering",
        "hanging_up",
        "head",
        "last_received",
        "parked",
        "paused",
        "terms",
    )

    def __init__(self, client: bool, limits: Limits, agenda: Agenda) -> None:
        Endpoint.__init__(
            self,
            client,
            masking_key,
            limits.max_size,
            limits.max_fragments,
            limits.max_control_rate,
            limits.max_control_burst,
        )
        if limits.max_fragment_size is not None:
            self.max_fragment = limits.max_fragment_size
        self.terms = agenda.terms_of(limits)
        self.agenda = agenda
        self.now = agenda.clock()
        self.head: bytearray | None = None
        self.gathering = False  # a refusal's body is being collected
        self.backlog: Buffer | None = None
        self.backlog_from = 0
        self.backlog_to = 0
        self.eof = False  # TCP's end was seen behind the backlog
        self.paused = False  # the receiver does not want more messages
        self.ahead = 0  # octets that may be processed though it is paused
        self.parked = False  # the carrier was told not to read
        self.hanging_up = False  # no output will be added and no input believed
        self.last_received = 0.0

    @property
    def limits(self) -> Limits:
        """What it lives under."""
        return self.terms.limits

    # Octets in, from the carrier.

    def arrived(self, buffer: Buffer, start: int, stop: int) -> None:
        """Octets `buffer[start:stop]` came; HEADROOM in front of them may be overwritten."""
        self.now = self.agenda.now
        self.last_received = self.now
        if self.hanging_up:
            return
        if self.backlog is not None or (self.paused and not self.ahead):
            self._keep(buffer, start, stop)
        elif self.phase != _CONNECTING:
            self._share(buffer, start, stop)
        else:
            self._gather(buffer, start, stop)

    def vacant(self) -> Buffer | None:
        """Where octets may be received without `arrived`: see `Reader.room`."""
        if self.backlog is not None or self.paused or self.hanging_up:
            return None
        return self.room()

    def arrived_in_place(self, count: int) -> None:
        """`count` octets came, and lie in the `vacant` room already."""
        self.now = self.agenda.now
        self.last_received = self.now
        self.filled(count)

    def proceed(self) -> None:
        """Process this turn's share of the octets in hand."""
        backlog = self.backlog
        if backlog is None or (self.paused and not self.ahead):
            return
        self.backlog = None
        self._process(backlog, self.backlog_from, self.backlog_to)
        if self.backlog is None:
            self._read_on()

    def _process(self, buffer: Buffer, start: int, stop: int) -> None:
        if self.phase == _CONNECTING:
            self._gather(buffer, start, stop)
        else:
            self._share(buffer, start, stop)

    def _share(self, buffer: Buffer, start: int, stop: int) -> None:
        self.budget = FRAMES_PER_TURN
        position = start
        if not self.paused:
            position = self.feed(buffer, start, stop)
        if self.paused and self.ahead:  # it may have been paused just now
            position = self._look_ahead(buffer, position, stop)
        if position < stop:
            self._keep(buffer, position, stop)
            if not self.paused or self.ahead:
                self.agenda.add_again(self)

    def _look_ahead(self, buffer: Buffer, start: int, stop: int) -> int:
        """As `feed`, within what the receiver still allows."""
        self.budget = FRAMES_PER_TURN
        position = self.feed(buffer, start, min(stop, start + self.ahead))
        self.ahead = max(0, self.ahead - (position - start))  # a hook may have changed it
        return position

    def _keep(self, buffer: Buffer, start: int, stop: int) -> None:
        """Hold on to octets for later, and read no more until they are used up."""
        if buffer is self.agenda.buffer or self.backlog is not None:
            octets = self._unread() + buffer.copy(start, stop)
            buffer = Buffer(HEADROOM + len(octets))
            start, stop = HEADROOM, HEADROOM + len(octets)
            buffer.put(start, octets)
        self.backlog, self.backlog_from, self.backlog_to = buffer, start, stop
        self.parked = True
        self.park()

    def _unread(self) -> bytes:
        """A copy of the octets in hand."""
        if self.backlog is None:
            return b""
        return self.backlog.copy(self.backlog_from, self.backlog_to)

    def _read_on(self) -> None:
        if self.parked and self.backlog is None and (not self.paused or self.ahead > 0):
            self.parked = False
            # Being deaf was our choice: it is no silence of theirs, and their control frames of
            # that time are no flood.
            now = self.agenda.clock()
            self.control_tokens += (now - self.last_received) * self.control_rate
            self.last_received = now
            if self.eof:
                self.on_eof()
            else:
                self.unpark()

    # Flow control.

    def pause(self, ahead: int) -> None:
        """Deliver no message until `resume`, but for those in the next `ahead` octets."""
        self.paused = True
        self.ahead = ahead
        self.budget = 0
        if not ahead and not self.parked:
            self.parked = True
            self.park()

    def resume(self) -> None:
        """Deliver messages again, from the next turn on."""
        if self.paused:
            self.paused = False
            self.ahead = 0
            if self.backlog is not None:
                self.agenda.add_again(self)
            else:
                self._read_on()

    # The opening handshake's head.

    def _gather(self, buffer: Buffer, start: int, stop: int) -> None:
        """Collect the peer's head; what came behind it is kept until the verdict."""
        if self.gathering:
            self.on_body(buffer.copy(start, stop))
            return
        if self.head is None:
            octets = buffer.copy(start, stop)
            if octets.endswith(_END) and octets.find(_END) + len(_END) == len(octets):
                self._complete(octets)
                return
            self.head = bytearray()
        head = self.head
        known = len(head)
        head += buffer.copy(start, stop)
        try:
            end = head_end(
                head, known, max_head=self.limits.max_head, max_line=self.limits.max_line
            )
        except InvalidHandshake:
            end = len(head)  # the receiver comes to the same verdict, and words it
        if not end:
            return
        start += end - known
        del head[end:]
        if start < stop:
            self._keep(buffer, start, stop)
        self._complete(bytes(head))

    def _complete(self, head: bytes) -> None:
        """The head is there, and the verdict awaited; what broke a rule, the receiver finds."""
        self.head = None
        self.paused = True
        self.on_head(head)

    def read_head(self) -> None:
        """Collect another head: the one that came was an interim response (RFC 9110 §15.2)."""
        self.resume()

    def read_body(self) -> None:
        """Hand what follows the head to `on_body`, as it comes."""
        self.gathering = True
        self.resume()

    # Hooks.

    def on_head(self, head: bytes) -> None:
        """The peer's part of the opening handshake is complete, or as long as it may get.
        What follows waits until `resume`, `read_head` or `read_body`."""

    def on_body(self, data: bytes) -> None:
        """More of what follows the head, after `read_body`."""

    def on_eof(self) -> None:
        """TCP's end, after everything that came before it was processed."""

    # What the carrier does.

    def park(self) -> None:
        """Read no more. Called again when more came nevertheless."""

    def unpark(self) -> None:
        """Read again."""
