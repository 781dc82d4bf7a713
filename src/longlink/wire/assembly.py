"""The message under construction: payloads in, whole messages and parts of them out.

Theory of operation. A message that does not arrive whole collects in `body`, one `bytes` object
that grows however many fragments there are, and is handed out as it is in the end. No more
memory is taken for what a frame announces than TRUST times what has come of it. The rest of a
large payload may be received into the `room` that there is, and is unmasked where it lies.

A compressed message is inflated as it comes, so that it is judged as early as any other, and
the octets it takes on the wire are held by nobody.
"""

from __future__ import annotations

from ..native.kernel import Buffer
from .deflate import Agreement
from .frame import CloseCode
from .inflater import Corrupt, Inflater, TooLong

# Inflating this much counts as one frame more of the share of a turn.
INFLATED_PER_FRAME = 4096
# Octets on the wire that are inflated at once, at most to a thousand times as many: within a
# frame, too, the share of a turn is kept.
INFLATE_AT_ONCE = 4096
# Where this much room is made for the rest of a payload, it is received where it belongs.
DIRECT_FROM = 16 * 1024
# Room that is made for what a frame announces: this many times what has come of its message.
TRUST = 4

_TEXT = 0x1
_NOT_TEXT = "text that is not UTF-8"


class Assembly:
    """A message as far as it has come, and those who hear of it. `Reader` says what a frame is.

    Args:
        masked: whether payloads are masked.
        max_size: octets of the largest message.
        budget: see `Reader.feed`.
    """

    __slots__ = (
        "agreement",
        "body",
        "budget",
        "compressed",
        "deaf",
        "final",
        "held",
        "inflater",
        "key",
        "key_offset",
        "masked",
        "max_size",
        "muted",
        "opcode",
        "parted",
        "remaining",
        "taken",
        "utf8",
    )

    def __init__(self, masked: bool, max_size: int, budget: int) -> None:
        self.masked = masked
        self.max_size = max_size
        self.budget = budget
        self.deaf = False  # octets are consumed and ignored
        self.muted = False  # messages are checked, not delivered
        self.held: bytes | None = None
        self.body: Buffer | None = None
        self.opcode = 0  # of the message under construction; 0 between messages
        self.parted = 0  # octets of it that were taken before its end
        self.utf8 = 0  # state of the validator; 0 is between characters
        self.final = False  # the current frame is its message's last
        self.remaining = 0  # payload octets of the current data frame still to come
        self.key = 0
        self.key_offset = 0  # how far into the masking key the payload is, modulo 4
        self.agreement: Agreement | None = None  # on compression, if there is one
        self.inflater: Inflater | None = None
        self.compressed = False  # the message under construction is
        self.taken = 0  # octets of it, as it came

    # Hooks. They must not raise.

    def on_message(self, message: str | bytes) -> None:
        """A whole message has arrived: text as str, binary as bytes. Do not raise."""

    def on_part(self) -> None:
        """More has come of a message whose end has not: it may be taken. Do not raise."""

    def on_control(self, opcode: int, payload: bytes) -> None:
        """A Ping, Pong or Close has arrived. Do not raise."""

    def on_violation(self, code: int, section: str, reason: str) -> None:
        """The peer broke a rule: `code` is for the Close frame, `section` of RFC 6455."""

    def agree(self, agreement: Agreement | None) -> None:
        """What was agreed on compression; to be said before anything is fed."""
        self.agreement = agreement

    # Payloads in.

    def _payload(self, buffer: Buffer, start: int, stop: int) -> int:
        """Move what has come of a frame's payload into the message under construction."""
        length = min(self.remaining, stop - start)
        if self.compressed:
            length = min(length, INFLATE_AT_ONCE)
        body = self.body
        if body is None:
            body = self.body = Buffer(0)
        size = body.size
        if not self.compressed:
            self._make_room(body, length)
            body.append(buffer, start, start + length, self.masked, self.key, self.key_offset)
        elif not self._inflate(body, buffer, start, start + length):
            return stop
        self._came(body, size, length)
        return stop if self.deaf else start + length

    def _make_room(self, body: Buffer, length: int) -> None:
        """Have room in `body` for `length` octets, and for more, as far as it is announced, and
        to be believed."""
        if length <= body.capacity - body.size:
            return
        if self.final:  # behind the last frame comes nothing
            body.reserve(min(self.remaining, (TRUST - 1) * body.size + TRUST * length))
        else:
            body.reserve(body.size + 2 * length)

    def _came(self, body: Buffer, before: int, length: int) -> None:
        """`length` octets of the payload came; `body` has grown by what they say."""
        self.key_offset = (self.key_offset + length) & 3
        self.remaining -= length
        if self.opcode == _TEXT:
            self.utf8 = body.utf8(before, body.size, self.utf8)
            if self.utf8 < 0:
                self._violate(CloseCode.INVALID_DATA, "8.1", _NOT_TEXT)
                return
        if self.remaining == 0 and self.final:
            self._finish()
        elif not self.muted:
            self.on_part()

    # The same without `feed`, for large payloads: received into the message itself.

    def room(self) -> Buffer | None:
        """The message under construction, if the next octets to come are all its own, and many.
        Behind its fill mark is room for `awaited` octets, which `filled` counts."""
        if self.remaining < DIRECT_FROM or self.compressed or self.muted or self.body is None:
            return None
        self._make_room(self.body, 1)
        return self.body if self.awaited() >= DIRECT_FROM else None

    def awaited(self) -> int:
        """How many octets may be put in the `room`."""
        body = self.body
        return 0 if body is None else min(self.remaining, body.capacity - body.size)

    def filled(self, count: int) -> None:
        """`count` octets, at most `awaited`, were put in the `room`."""
        body = self.body
        if body is not None:  # pragma: no branch - without one nothing is awaited
            before = body.size
            body.settle(count, self.masked, self.key, self.key_offset)
            self._came(body, before, count)

    def take(self) -> str | bytes | None:
        """What has come of the message under construction and was not taken yet; None when
        nothing has. Of text, whole characters. Not to be called from hooks but `on_part`."""
        body = self.body
        if body is None or self.muted:
            return None
        end = body.size
        if self.utf8:  # within a character: back to the octet that begins it
            end -= 1
            while (body.at(end) & 0xC0) != 0xC0:
                end -= 1
        if end == 0:
            return None
        if self.compressed and self.inflater is not None:
            self.inflater.remember(body.copy(0, end))
        part = body.text(0, end) if self.opcode == _TEXT else body.copy(0, end)
        rest = body.copy(end, body.size)
        body.clear()
        body.add(rest)
        self.parted += end
        return part

    def _finish(self) -> None:
        """Deliver the message under construction."""
        if self.compressed and not self._inflated():
            return
        body, opcode, utf8 = self.body, self.opcode, self.utf8
        self.body = None
        self.opcode = 0
        self.utf8 = 0
        self.parted = 0
        if utf8 != 0:
            self._violate(CloseCode.INVALID_DATA, "8.1", _NOT_TEXT)
        elif self.muted:
            return
        elif opcode == _TEXT:
            self.on_message("" if body is None else body.text(0, body.size))
        else:
            self.on_message(b"" if body is None else body.release())

    # Compressed messages.

    def _inflate(self, body: Buffer, buffer: Buffer, start: int, stop: int) -> bool:
        """Inflate `buffer[start:stop]` into `body`; False after a violation.

        Once nothing will be delivered any more, nothing is inflated either.
        """
        self.taken += stop - start
        if self.muted:
            return True
        turn = 8 * self.key_offset
        key = (self.key << turn | self.key >> (32 - turn & 31)) & 0xFFFFFFFF
        size = body.size
        try:
            self._begun().feed(buffer.unmasked(start, stop, key), body, self.max_size - self.parted)
        except TooLong:
            self._too_long()
            return False
        except Corrupt:
            self._corrupt()
            return False
        self.budget -= (body.size - size) // INFLATED_PER_FRAME
        return True

    def _begun(self) -> Inflater:
        """The inflater of the message under construction."""
        inflater = self.inflater
        if inflater is None:
            assert self.agreement is not None
            inflater = self.inflater = self.agreement.inflater()
        if inflater.stream is None:
            inflater.begin()
        return inflater

    def _inflated(self) -> bool:
        """The compressed message has come whole; False after a violation."""
        self.compressed = False
        self.taken = 0
        if self.muted:
            self.utf8 = 0
            self.inflater = None
            return True
        inflater = self._begun()
        body = self.body
        if body is None:
            body = self.body = Buffer(0)
        try:
            inflater.end(body)
        except Corrupt:
            self._corrupt()
            return False
        if not inflater.keeps:
            self.inflater = None
        return True

    def _corrupt(self) -> None:
        reason = "compressed data that is corrupt or cut short"
        self._violate(CloseCode.INVALID_DATA, "7.1.7", reason)

    def _violate(self, code: int, section: str, reason: str) -> None:
        """Report a broken rule, once; from here on nothing is heard."""
        self._deafen()
        self.on_violation(code, section, reason)

    def _deafen(self) -> None:
        """Hear nothing any more, and hold nothing."""
        self.deaf = True
        self.held = None
        self.body = None
        self.inflater = None

    def _too_long(self) -> None:
        reason = f"message over the limit of {self.max_size} bytes (max_size)"
        self._violate(CloseCode.MESSAGE_TOO_BIG, "7.4.1", reason)
