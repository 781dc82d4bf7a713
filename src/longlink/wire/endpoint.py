"""One end of an open conversation: what may be sent, what is believed, how it ends.

Theory of operation. `Endpoint` is a `Reader` that answers: pings with pongs, a Close with
a Close, a broken rule with a Close that says which. Its state lives in the table of
`phase.py`. Octets on their way out collect in
`outbox`; `on_output` says that there are some. It knows no socket and no clock: the owner
sets `now` before it feeds, and hands over entropy for masking keys at birth.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..errors import (
    Close,
    ConnectionClosed,
    LocalProtocolError,
    ProtocolError,
    connection_closed,
    violation,
)
from ..limits import Limits
from ..native.kernel import Outbox
from .deflater import SYNC, Flow, squeeze
from .frame import (
    CONTROL,
    FIN,
    MAX_CONTROL,
    RSV1,
    CloseCode,
    Opcode,
    Prepared,
    close_payload,
    cut_reason,
    parse_close,
)
from .phase import STATE_OF, STEPS, Action, Event, Phase, State
from .reader import Reader

# Above this many octets waiting, only the latest ping is answered, later (§5.5.3).
PONG_BACKLOG = 16 * 1024

_DEFAULTS = Limits()
_CONNECTING = Phase.CONNECTING
_OPEN = Phase.OPEN
_CLOSE_DONE = Phase.CLOSE_DONE
_OPENED = Event.OPENED
_CLOSING = Event.CLOSE
_CLOSE_RECEIVED = Event.CLOSE_RECEIVED
_FAILURE = Event.FAILURE
_END = Event.END
_NOTHING = Action.NOTHING
_ANSWER_CLOSE = Action.ANSWER_CLOSE
_REPORT_END = Action.REPORT_END
_TEXT = Opcode.TEXT
_BINARY = Opcode.BINARY
_PING = Opcode.PING
_PONG = Opcode.PONG
_CLOSE = Opcode.CLOSE


class Endpoint(Reader):
    """One end of a WebSocket connection, client's or server's, without I/O.

    Args:
        client: True for the client's end, which masks what it sends (§5.1).
        entropy: gives 32 unpredictable bits a call, for masking keys (§5.3).
        max_size, max_fragments: see `Reader`.
        control_rate, control_burst: control frames accepted a second, and at once.
    """

    __slots__ = (
        "client",
        "close_rcvd",
        "close_sent",
        "compressor",
        "control_burst",
        "control_rate",
        "control_seen",
        "control_tokens",
        "entropy",
        "now",
        "outbox",
        "phase",
        "pong",
        "pongs_owed",
        "rcvd_then_sent",
    )

    def __init__(
        self,
        client: bool,
        entropy: Callable[[], int],
        max_size: int | None = _DEFAULTS.max_size,
        max_fragments: int | None = _DEFAULTS.max_fragments,
        control_rate: int | None = None,
        control_burst: int = _DEFAULTS.max_control_burst,
    ) -> None:
        Reader.__init__(self, not client, max_size, max_fragments)
        self.client = client
        self.entropy = entropy
        self.control_rate = 0 if control_rate is None else control_rate
        self.control_burst = control_burst
        self.control_tokens = float(control_burst)
        self.control_seen = 0.0
        self.now = 0.0  # seconds on the owner's clock, set by the owner
        self.outbox: Outbox | None = None
        self.phase: int = _CONNECTING
        self.close_sent: Close | None = None
        self.close_rcvd: Close | None = None
        self.rcvd_then_sent: bool | None = None
        self.pongs_owed = 0  # pings of ours that were not answered
        self.pong: bytes | None = None  # held back while the peer doesn't read
        self.compressor: Any = None  # with context takeover, and something said in it

    # Hooks. They must not raise.

    def on_output(self) -> None:
        """The outbox was empty and is not any more: see that it is sent."""

    def on_pong(self, payload: bytes) -> None:
        """A Pong has arrived, asked for or not."""

    def on_phase(self, phase: int) -> None:
        """The phase has changed."""

    def on_end(self) -> None:
        """The connection is over. Called exactly once, and no hook after it."""

    # What the outside asks.

    @property
    def state(self) -> State:
        """The phase as `readyState`: 0 connecting, 1 open, 2 closing, 3 closed."""
        return STATE_OF[self.phase]

    def send(self, message: str | bytes | bytearray | memoryview) -> None:
        """Queue a message as one frame: str as text, bytes-like as binary.

        Raises ConnectionClosed when not open, TypeError for anything else, and
        UnicodeEncodeError for lone surrogates; then nothing was queued.
        """
        if self.agreement is not None:
            self._send_agreed(message)
        elif self.phase != _OPEN:
            raise self.closed()
        elif type(message) is str:
            self._put(FIN | _TEXT, message)
        elif type(message) is bytes:
            self._put(FIN | _BINARY, message)
        elif isinstance(message, str):
            self._put(FIN | _TEXT, message.encode())
        else:
            self._write(FIN | _BINARY, message)

    def _send_agreed(self, message: str | bytes | bytearray | memoryview) -> None:
        if isinstance(message, str):
            self.send_message(FIN | _TEXT, message.encode(), None)
        else:
            self.send_message(FIN | _BINARY, message, None)

    def send_message(
        self, first: int, payload: bytes | bytearray | memoryview, compress: bool | None
    ) -> None:
        """Queue a whole message as a frame that begins with the octet `first`; compressed if
        that was agreed on. Raises ConnectionClosed when not open, or TypeError.

        Args:
            compress: None leaves alone what is shorter than the threshold; True does not;
                False compresses nothing.
        """
        if self.phase != _OPEN:
            raise self.closed()
        if self.agreement is not None and compress is not False:
            data = self._deflated(payload, compress is True)
            if data is not None:
                first |= RSV1
                payload = data
        self._write(first, payload)

    def begin_fragments(self, compress: bool | None) -> Flow | None:
        """What compresses the fragments of the message to be sent next, to be passed to
        `send_fragment` with each of them; None where they go as they are."""
        agreement = self.agreement
        if agreement is None or compress is False:
            return None
        if agreement.keeps:
            return Flow(agreement.deflater, self._own_compressor())
        return Flow(agreement.deflater, None)

    def send_fragment(
        self, first: int, payload: bytes | bytearray | memoryview, flow: Flow | None
    ) -> None:
        """Queue a fragment: its frame begins with the octet `first`, as without compression.
        The order is the caller's duty (§5.4). Raises ConnectionClosed, or TypeError."""
        if self.phase != _OPEN:
            raise self.closed()
        if flow is not None:
            if first & 0x0F:  # RSV1 stands in the first fragment alone (RFC 7692 §6)
                first |= RSV1
            payload = flow.squeeze(_octets(payload), (first & FIN) != 0)
        self._write(first, payload)

    def send_frame(self, first: int, payload: bytes | bytearray | memoryview) -> None:
        """Queue a data frame that begins with the octet `first`; the fragments' order is
        the caller's duty (§5.4). Raises ConnectionClosed when not open, or TypeError."""
        if self.phase != _OPEN:
            raise self.closed()
        self._write(first, payload)

    def send_prepared(self, prepared: Prepared) -> None:
        """Queue a message that was encoded once for many. Raises ConnectionClosed."""
        if self.phase != _OPEN:
            raise self.closed()
        if self.client:
            self.send_message(prepared.first, prepared.payload(), prepared.compress)
            return
        wire = prepared.wire
        if self.agreement is not None:
            wire = prepared.wire_for(self.agreement.deflater)
            if wire is not prepared.wire:  # our compressor did not see it, their window did
                self.compressor = None
        outbox = self._outbox()
        idle = outbox.size == 0
        outbox.put(wire)
        if idle:
            self.on_output()

    def send_ping(self, payload: bytes) -> None:
        """Queue a Ping (§5.5.2). Raises ConnectionClosed, TypeError, or LocalProtocolError
        for more than 125 octets; then nothing was queued."""
        if self.phase != _OPEN:
            raise self.closed()
        self._write(FIN | _PING, payload)
        self.pongs_owed += 1

    def send_pong(self, payload: bytes) -> None:
        """Queue a Pong nobody asked for (§5.5.3). Raises as `send_ping` does."""
        if self.phase != _OPEN:
            raise self.closed()
        self._write(FIN | _PONG, payload)

    def opened(self) -> None:
        """The opening handshake succeeded: messages may flow."""
        self._happen(_OPENED, None)

    def send_close(self, code: int = 1000, reason: str = "") -> None:
        """Start the closing handshake (§7.1.2); nothing happens if it was started already.

        Raises as `close_payload` does, for a code or reason that may not travel; then
        nothing has changed.
        """
        close_payload(code, reason)
        self._happen(_CLOSING, Close(int(code), reason))

    def fail(self, code: int, reason: str = "", cause: ProtocolError | None = None) -> None:
        """Fail the connection (§7.1.7): say Close `code`, if that is still possible, and hear
        no more. A reason that is too long is cut. `cause` is what `closed()` follows from."""
        reason = cut_reason(reason)
        close_payload(code, reason)
        self._deafen()
        self._happen(_FAILURE, Close(int(code), reason, cause))

    def end(self) -> None:
        """TCP has ended, or will without anything more being said."""
        self._happen(_END, None)

    def closed(self) -> ConnectionClosed:
        """What to raise at those who want to talk after it is over."""
        return connection_closed(self.close_rcvd, self.close_sent, self.rcvd_then_sent)

    # Frames in, by way of the reader.

    def on_control(self, opcode: int, payload: bytes) -> None:
        if opcode == _CLOSE:  # there is only one, and it is never too many
            self._close_received(payload)
        elif opcode == _PONG and self.pongs_owed:
            self.pongs_owed -= 1  # we asked for it
            self.on_pong(payload)
        elif self.control_rate and not self._within_rate():
            limit = f"{self.control_rate} control frames a second"
            self._violate(CloseCode.POLICY_VIOLATION, "7.4.1", f"more than {limit}")
        elif opcode == _PING:
            self._answer(payload)
        else:
            self.on_pong(payload)

    def on_violation(self, code: int, section: str, reason: str) -> None:
        self.fail(code, f"{reason} (RFC 6455 {section})", violation(code, section, reason))

    def _within_rate(self) -> bool:
        """A token bucket: `control_rate` a second, `control_burst` at once; more for frames
        that came while the owner did not read, which puts their tokens in itself."""
        tokens = self.control_tokens
        if tokens < self.control_burst:
            tokens += (self.now - self.control_seen) * self.control_rate
            tokens = min(tokens, self.control_burst)
        self.control_tokens = tokens - 1
        self.control_seen = self.now
        return self.control_tokens >= 0

    def _answer(self, payload: bytes) -> None:
        if self.phase != _OPEN:
            return  # nothing is written after our Close (§5.5.1)
        if self.outbox is not None and self.outbox.size > PONG_BACKLOG:
            self.pong = payload
        else:
            self.pong = None  # an older one would tell the peer nothing more
            self._write(FIN | _PONG, payload)

    def answer_late(self) -> None:
        """Send the pong that was held back, now that the peer reads again."""
        payload, self.pong = self.pong, None
        if payload is not None:
            self._answer(payload)

    def _close_received(self, payload: bytes) -> None:
        try:
            close = parse_close(payload)
        except UnicodeDecodeError:
            reason = "close reason that is not UTF-8"
            self._violate(CloseCode.INVALID_DATA, "8.1", reason)
            return
        if isinstance(close, str):
            self._violate(CloseCode.PROTOCOL_ERROR, "7.4", close)
            return
        self._deafen()  # nothing counts after their Close (§5.5.1)
        self.close_rcvd = close
        self._happen(_CLOSE_RECEIVED, close)

    # The state machine.

    def _happen(self, event: int, close: Close | None) -> None:
        """Make the transition that the table has for `event`.

        Everything is as it will be before the first hook hears of it: a hook may end the
        connection, and then hears nothing of the phase in between.
        """
        step = STEPS[self.phase][event]
        assert step is not None
        phase, action = step
        if phase == self.phase:
            return
        self.phase = phase
        self.muted = phase != _OPEN
        self.compressor = None
        if phase == _CLOSE_DONE:
            self.rcvd_then_sent = action == _ANSWER_CLOSE
        if action == _REPORT_END:
            self._deafen()
        elif action != _NOTHING:
            self._say_close(close)  # type: ignore[arg-type]
        if self.phase == phase:
            self.on_phase(phase)
        if action == _REPORT_END:
            self.on_end()

    def _say_close(self, close: Close) -> None:
        self.close_sent = close
        if close.code == CloseCode.NO_STATUS_RCVD:  # §7.1.5: an empty Close is answered so
            self._write(FIN | Opcode.CLOSE, b"")
        else:
            self._write(FIN | Opcode.CLOSE, close_payload(close.code, close.reason))

    # Messages compressed on their way out.

    def _deflated(self, payload: bytes | bytearray | memoryview, even_short: bool) -> bytes | None:
        """The message compressed; None where it goes as it is."""
        payload = _octets(payload)
        agreement = self.agreement
        assert agreement is not None
        if len(payload) < agreement.threshold and not even_short:
            return None
        if agreement.keeps:  # once compressed it must be sent so: the next one refers to it
            return squeeze(self._own_compressor(), payload, SYNC)
        return agreement.deflater.message(payload)

    def _own_compressor(self) -> Any:
        if self.compressor is None:
            assert self.agreement is not None
            self.compressor = self.agreement.deflater.borrow()
        return self.compressor

    # Frames out.

    def _outbox(self) -> Outbox:
        """The outbox, made when first needed: an idle connection has none."""
        if self.outbox is None:
            self.outbox = Outbox()
        return self.outbox

    def _write(self, first: int, payload: bytes | bytearray | memoryview) -> None:
        """Put one frame in the outbox; the length takes the fewest octets (§5.2).

        What can go wrong goes wrong before the first octet is queued.
        """
        if type(payload) is not bytes and type(payload) is not bytearray:
            payload = _contiguous(payload)
        if first & CONTROL:
            _check_control(memoryview(payload).nbytes)
        self._put(first, payload)

    def _put(self, first: int, payload: str | bytes | bytearray | memoryview) -> None:
        """Put one frame in the outbox, of octets in one piece, or of text."""
        outbox = self.outbox
        if outbox is None:
            outbox = self._outbox()
            self.outbox = None  # an outbox says that there is something to send: it may fail yet
        idle = outbox.size == 0
        if self.client:
            outbox.frame(first, payload, True, self.entropy())
        else:
            outbox.frame(first, payload, False, 0)
        if idle:
            self.outbox = outbox
            self.on_output()


def _check_control(length: int) -> None:
    """Raise LocalProtocolError for a control frame that is too long (§5.5)."""
    if length > MAX_CONTROL:
        raise LocalProtocolError(
            f"control frame of {length} octets is over the limit of {MAX_CONTROL}",
            close_code=CloseCode.INTERNAL_ERROR,
            section="5.5",
        )


def _octets(payload: bytes | bytearray | memoryview) -> bytes:
    """The octets of anything bytes-like; TypeError for what is none."""
    return payload if type(payload) is bytes else _contiguous(payload).tobytes()


def _contiguous(payload: bytes | bytearray | memoryview) -> memoryview:
    """The octets of anything bytes-like in one piece; TypeError for what is none."""
    if isinstance(payload, (bytes, bytearray)):
        return memoryview(payload)  # of a subclass: what it says of its length is its own
    if not isinstance(payload, memoryview):
        raise TypeError(f"a message is str or bytes-like, not {type(payload).__name__}")
    return payload if payload.c_contiguous else memoryview(payload.tobytes())
