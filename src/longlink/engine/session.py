"""An endpoint with a life: opening handshake, deadlines, backpressure, an orderly end.

Theory of operation. A session is an endpoint that something carries: `link.Link`, a socket
of the reactor, or `stream.Stream`, an asyncio transport. The carrier brings octets to
`arrived` and implements the hooks at the end of this file. Whoever uses the session is its
`receiver`: first the one that judges opening handshakes, then the connection that came of it.

What comes in is `intake.Intake`'s business; here is what goes out, and when it is over.
"""

from __future__ import annotations

import asyncio
from typing import Any

from ..errors import ConnectionClosed, ProtocolError, violation
from ..limits import Limits
from ..native.kernel import Outbox, masking_key
from ..wire.endpoint import Endpoint
from ..wire.frame import CloseCode, Prepared
from ..wire.phase import Phase
from .agenda import Agenda
from .intake import Intake
from .receiver import Receiver
from .terms import NEVER

_NEVER = NEVER
_CONNECTING = Phase.CONNECTING
_OPEN = Phase.OPEN
_CLOSE_SENT = Phase.CLOSE_SENT
_CLOSE_DONE = Phase.CLOSE_DONE


class Session(Intake):
    """One end of a connection, whatever carries its octets.

    Args:
        client: True for the client's end.
        receiver: whom to tell.
        limits: what it lives under.
        agenda: the work list of its event loop.
    """

    __slots__ = (
        "broken",
        "crowded",
        "flaw",
        "latency",
        "leaving",
        "ping_due",
        "ping_lost",
        "ping_payload",
        "ping_sent",
        "place",
        "receiver",
        "since",
        "stalled_since",
        "tick",
    )

    def __init__(self, client: bool, receiver: Receiver, limits: Limits, agenda: Agenda) -> None:
        Intake.__init__(self, client, limits, agenda)
        self.receiver = receiver
        self.crowded = False  # somebody is to hear `on_drained`
        self.broken = False  # nothing we send arrives; what came before may still be read
        self.flaw: tuple[int, str, ProtocolError] | None = None  # they broke a rule just now
        self.leaving = False  # the closing handshake has begun, or what stands in for it
        self.tick = self.place = 0  # the wheel's
        self.since = self.now  # when the opening or the closing handshake began
        self.ping_due = 0.0
        self.ping_lost = 0.0  # what the wheel had lost then
        self.ping_sent = 0.0  # when the last keepalive ping went out
        self.ping_payload: bytes | None = None  # of the keepalive ping not answered yet
        self.latency = 0.0
        self.stalled_since = 0.0  # since when a write has made no progress; 0 for not at all
        agenda.strays.add(self)
        self._plan(self.since, self.terms.open_timeout)

    # The opening handshake.

    def undecided(self) -> bool:
        """Whether the opening handshake still waits for `welcome` or `refuse`."""
        return self.phase == _CONNECTING and not self.hanging_up

    def on_head(self, head: bytes) -> None:
        self.receiver.on_head(self, head)

    def on_body(self, data: bytes) -> None:
        self.receiver.on_body(self, data)

    def send_head(self, head: bytes) -> None:
        """Send our part of the opening handshake."""
        outbox = self._outbox()
        idle = outbox.size == 0
        outbox.put(head)
        if idle:
            self.on_output()

    def welcome(self, receiver: Receiver) -> None:
        """The opening handshake succeeded: `receiver` gets what comes from now on."""
        self.receiver = receiver
        self.head = None
        self.opened()
        if self.phase != _OPEN:
            return
        self.agenda.strays.discard(self)
        self.now = self.agenda.clock()
        self.ping_due = self.now + self.terms.ping_interval
        self.agenda.wheel.schedule(self, self.ping_due)
        self.resume()

    def refuse(self, answer: bytes) -> None:
        """Answer the opening handshake with something else than 101, and hang up."""
        if self.undecided():
            self.send_head(answer)
            self.hang_up()

    # Output.

    def sendable(self) -> bool:
        """Whether what is sent may arrive."""
        return self.phase == _OPEN and not self.broken

    def admit(self) -> bool:
        """Whether one more message may be queued: a slow reader costs its own connection."""
        if self.broken:
            return False
        if self.outbox is None or self.outbox.size <= self.terms.max_backlog:
            return True
        self.flush()
        if self.broken:
            return False
        if self.outbox is None or self.outbox.size <= self.terms.max_backlog:
            return True
        if self.phase == _OPEN:
            self.overflowed(self.outbox.size)
        return False

    def offer(self, prepared: Prepared) -> bool:
        """Queue a message that was encoded once for many, if one more may be queued."""
        if self.phase != _OPEN or self.broken:
            return False
        outbox = self.outbox
        if outbox is not None and outbox.size > self.terms.max_backlog and not self.admit():
            return False
        self.send_prepared(prepared)
        return True

    def overflowed(self, waiting: int) -> None:
        """`waiting` octets are too many: the policy says whether that ends the connection."""
        if self.limits.overflow == "close":
            self.fail(
                CloseCode.TRY_AGAIN_LATER,
                f"too slow: {waiting} bytes waiting,"
                f" the limit is {self.terms.max_backlog} (max_backlog)",
            )

    def congested(self) -> bool:
        """Whether output is above the high-water mark even after trying to send it."""
        if self.outbox is None or self.outbox.size <= self.terms.write_limit:
            return False
        self.flush()
        return self.outbox is not None and self.outbox.size > self.terms.write_limit

    def _outbox(self) -> Outbox:
        outbox = self.outbox
        if outbox is None:
            outbox = self.outbox = self.agenda.borrow()
        return outbox

    def on_output(self) -> None:
        self.agenda.add_dirty(self)

    def progressed(self, size_before: int) -> None:
        """The carrier has tried to send: see how far it got. An empty outbox goes back."""
        outbox = self.outbox
        if outbox is None:
            return
        if outbox.size == 0:
            self.outbox = None
            self.stalled_since = 0.0
            self.agenda.give_back(outbox)
            if self.hanging_up:
                self._hung_up()
                return
            if self.crowded:
                self.drained()
            if self.pong is not None:
                self.answer_late()
            return
        if outbox.size < size_before or not self.stalled_since:
            self.stalled_since = self.agenda.clock()
            self._plan(self.stalled_since, self.terms.stall_timeout)
        if outbox.size > self.terms.write_limit:
            self.overfull()
        elif outbox.size <= self.terms.write_low:
            self.drained()

    def overfull(self) -> None:
        """Output is above the high-water mark, and was flushed."""
        self.crowded = True
        if self.phase == _OPEN:
            self.receiver.on_congested()

    def drained(self) -> None:
        """There is room again: tell those who wait for it."""
        if self.crowded:
            self.crowded = False
            self.receiver.on_drained()

    # Frames in.

    def on_message(self, message: str | bytes) -> None:
        self.receiver.deliver(message)

    def on_part(self) -> None:
        self.receiver.on_part()

    def on_pong(self, payload: bytes) -> None:
        if self.ping_payload is not None and payload == self.ping_payload:
            self.ping_payload = None
            self.latency = self.agenda.loop.time() - self.ping_sent
        self.receiver.on_pong(payload)

    # The end.

    def on_violation(self, code: int, section: str, reason: str) -> None:
        # What came before the broken rule was in order, and often in the same segment: the task
        # that was just woken for it has its turn, and may answer, before nothing can be sent.
        why = f"{reason} (RFC 6455 {section})"
        self.flaw = (code, why, violation(code, section, reason))
        self.agenda.loop.call_soon(_fail, self, *self.flaw)

    def send_close(self, code: int = 1000, reason: str = "") -> None:
        if self.flaw is not None and self.phase == _OPEN:
            code, reason, cause = self.flaw  # whoever closes in between does not know yet
            self.fail(code, reason, cause)
        else:
            Endpoint.send_close(self, code, reason)

    def on_phase(self, phase: int) -> None:
        if phase == _OPEN:
            return
        self._leave()
        self.receiver.on_closing()
        if phase == _CLOSE_SENT or (phase == _CLOSE_DONE and self.client):
            self.resume()  # their Close, or their end, is still to be seen
        else:
            self.hang_up()  # the server closes first (§7.1.1)

    def on_end(self) -> None:
        self.receiver.on_end()

    def hang_up(self) -> None:
        """Send what is queued, close our side of TCP, and wait for theirs to a deadline.

        What they still send is read and thrown away: left unread, it would turn our close
        into a reset that destroys what we just sent.
        """
        if not self.hanging_up:
            self._leave()
            self.hanging_up = True
            self.backlog = None
            self.paused = False
            self.ahead = 0
            self._read_on()
            if self.outbox is None:
                self._hung_up()

    def _hung_up(self) -> None:
        """Everything is sent: only half close TCP, until they close, too."""
        if self.receiver is _NOBODY:
            return  # their end lay in hand, and it was the last thing to read
        self.agenda.strays.add(self)
        self._read_on()
        self.shut()
        self.end()

    def _leave(self) -> None:
        """From now on `close_timeout` counts, once, whatever the rest of the way looks like."""
        if not self.leaving:
            self.leaving = True
            self._count_down()

    def _count_down(self) -> None:
        """It may take `close_timeout` from now on."""
        self.since = self.agenda.clock()
        self._plan(self.since, self.terms.close_timeout)

    def closed(self) -> ConnectionClosed:
        closed = Endpoint.closed(self)
        fault = self.fault()
        if fault is not None and closed.__cause__ is None:
            closed.__cause__ = fault
        return closed

    def break_off(self) -> None:
        """Nothing can be sent any more. What arrived before can be read for `close_timeout`, by
        those who do; whoever wants to send learns it now."""
        if not self.broken:
            self.broken = True
            self._count_down()
        self.stalled_since = 0.0
        if self.outbox is not None:
            self.outbox.clear()
        self.drained()

    def ended(self) -> None:
        """TCP is closed or broken: called by the carrier, which then lets go of it."""
        self.leaving = self.hanging_up = True
        if self.outbox is not None:
            self.outbox.clear()
            self.outbox = None
        self.backlog = None
        self.end()
        self.receiver = _NOBODY
        self.agenda.strays.discard(self)
        self.agenda.wheel.cancel(self)

    # Deadlines.

    def _plan(self, start: float, seconds: float) -> None:
        self.agenda.wheel.schedule(self, start + seconds)

    def on_deadline(self, now: float) -> float:
        """Act on what is due; returns when to ask again, 0.0 for never."""
        self.now = now
        stalled = _NEVER
        patience = self.terms.stall_timeout
        if self.stalled_since and patience < _NEVER:
            self.flush()  # there may be room, though not enough for the kernel to say so
        if self.stalled_since and patience < _NEVER:
            stalled = self.stalled_since + patience
            if stalled <= now:
                self.abort()
                return 0.0
        if self.phase == _OPEN and not self.broken:
            due = self._keep_alive(now)
        else:
            due = self._handshake_due(now)
        due = min(due, stalled)
        return 0.0 if due == _NEVER or self.receiver is _NOBODY else due

    def _handshake_due(self, now: float) -> float:
        """The deadline of the opening or closing handshake; past it, act."""
        opening = self.undecided()
        seconds = self.terms.open_timeout if opening else self.terms.close_timeout
        if seconds == _NEVER:
            return _NEVER
        due = self.since + seconds
        if due > now:
            return due
        if opening:
            self.receiver.on_overdue(self)  # answers 408, or cuts TCP, or leaves it to us
            self.hang_up()
        else:
            self.abort()
        return _NEVER

    def _keep_alive(self, now: float) -> float:
        """Ping when it is time; fail a peer from which nothing has come since. Any octet is
        a sign of life, so one large slow frame does not count as silence; nor does a time
        in which we didn't read, or our own loop was blocked."""
        terms = self.terms
        if terms.ping_interval == _NEVER:
            return _NEVER
        patience = terms.ping_timeout
        wheel = self.agenda.wheel
        heard = max(self.ping_sent, self.last_received)
        most = heard + patience + wheel.lost - self.ping_lost  # however often the loop is blocked
        heard = max(heard, min(wheel.resumed, most))
        if self.parked:
            heard = now
        if self.ping_payload is not None and heard + patience <= now:
            self.fail(CloseCode.INTERNAL_ERROR, "keepalive ping timeout")
            return _NEVER
        if self.ping_due <= now:
            self.ping_due = now + terms.ping_interval
            if self.ping_payload is None or patience == _NEVER:
                self.ping_payload = masking_key().to_bytes(4, "big")
                self.ping_sent = heard = now
                self.ping_lost = self.agenda.wheel.lost
                self.send_ping(self.ping_payload)
        if self.ping_payload is None:
            return self.ping_due
        return min(self.ping_due, heard + patience)

    # What the carrier does.

    def flush(self) -> None:
        """Send what is in the outbox, as far as the peer takes it."""

    def shut(self) -> None:
        """Everything was flushed: close our sending side."""

    def abort(self) -> None:
        """Cut TCP now."""

    def hand_over(self, protocol: asyncio.Protocol, head: bytes) -> None:
        """Give TCP to `protocol`, which then sees `head` and whatever was read beyond it.
        The session ends."""
        raise NotImplementedError

    def address(self, peer: bool) -> Any:
        """The socket's own address or the peer's, as the socket module shapes it."""
        return None

    def packed_peer(self) -> Any:
        """The peer's address to be kept, for `unpacked_peer` of the leaf."""
        return self.address(True)

    def fault(self) -> Exception | None:
        """What was wrong with what carries it; None when nothing was, or nobody says."""
        return None


def _fail(session: Session, code: int, reason: str, cause: ProtocolError) -> None:
    session.fail(code, reason, cause)


_NOBODY = Receiver()
