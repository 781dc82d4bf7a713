"""Octets in, whole messages out (RFC 6455 §5).

Theory of operation. `feed` walks over octets that its caller owns (usually the shared
receive buffer) and keeps none of them, save two things: at most `MAX_HELD` octets of a
header or control frame that is not complete yet (`held`), and the message under
construction when it did not arrive whole (`body`, one growing buffer however many
fragments). A message that arrives whole is copied once, while it is unmasked.

Every rule is judged at the first octet that shows it is broken, and every size before
anything is allocated for it; so an extended length is judged octet by octet. Only what a
control frame carries is judged whole: it is short. After a violation the reader is deaf:
it consumes and ignores, and holds nothing. What happens comes out through three hooks that
subclasses override; they must not raise: `on_message`, `on_control`, `on_violation`.

A compressed message is inflated as it comes, so that it is judged as early as any other, and
the octets it takes on the wire are held by nobody.

Whoever does not want to wait for the end of a message may `take` what has come of it, as
often as `on_part` says that there is more; the rest comes as the message. Limits are those
of the whole message all the same.
"""

from __future__ import annotations

from ..native.kernel import Buffer
from .deflate import Agreement
from .frame import (
    COMPRESSED_FIRST_OCTET,
    CONTROL,
    FIN,
    FIRST_OCTET,
    LENGTH_16,
    MASKED,
    RSV1,
    CloseCode,
)
from .inflater import Corrupt, Inflater, TooLong

# `feed` may write this many octets in front of `start`: what was held from last time,
# which is at most frame.MAX_HELD.
HEADROOM = 256
UNLIMITED = 2**62
# What a compressed message may take on the wire beyond `max_size`: an eighth of it, as where
# every octet takes nine bits, and this much for the heads of blocks. Without a limit, blocks
# that say nothing could go on for ever.
SLACK = 16 * 1024
# Inflating this much counts as one frame more of the share of a turn.
INFLATED_PER_FRAME = 4096
# Octets on the wire that are inflated at once, at most to a thousand times as many: within a
# frame, too, the share of a turn is kept.
INFLATE_AT_ONCE = 4096

_TEXT = 0x1
_INCOMPLETE = -1
_NOT_TEXT = "text that is not UTF-8"


class Reader:
    """One direction of a connection: feed it octets, get messages.

    Args:
        masked: whether frames must be masked: True where clients are read (§5.1).
        max_size: octets of the largest message; None is no limit.
        max_fragments: most fragments of one message; None is no limit.
    """

    __slots__ = (
        "agreement",
        "body",
        "budget",
        "compressed",
        "deaf",
        "final",
        "fragments",
        "held",
        "inflater",
        "key",
        "key_offset",
        "masked",
        "max_fragment",
        "max_fragments",
        "max_size",
        "muted",
        "opcode",
        "parted",
        "remaining",
        "taken",
        "utf8",
    )

    def __init__(self, masked: bool, max_size: int | None, max_fragments: int | None) -> None:
        self.masked = masked
        self.max_size = UNLIMITED if max_size is None else max_size
        self.max_fragments = UNLIMITED if max_fragments is None else max_fragments
        self.max_fragment = UNLIMITED  # octets of the largest data frame, set by the owner
        self.budget = UNLIMITED  # frames `feed` may still process; its owner renews it
        self.deaf = False  # octets are consumed and ignored
        self.muted = False  # messages are checked, not delivered
        self.held: bytes | None = None
        self.body: Buffer | None = None
        self.opcode = 0  # of the message under construction; 0 between messages
        self.fragments = 0
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

    # Hooks.

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

    # Octets in.

    def feed(self, buffer: Buffer, start: int, stop: int) -> int:
        """Process `buffer[start:stop]`; returns where it stopped.

        That is `stop`, unless `budget` frames were processed first: then the caller feeds
        the rest later. `start` must leave HEADROOM octets in front; they and the octets
        fed are overwritten. Cost: no allocation but for messages delivered.
        """
        if self.budget <= 0 and not self.deaf:
            return start
        position = start
        if self.held is not None:
            position -= len(self.held)
            buffer.put(position, self.held)
            self.held = None
        while position < stop and not self.deaf:
            if self.remaining:
                if self.compressed and self.budget <= 0:
                    return position
                position = self._payload(buffer, position, stop)
            elif self.budget <= 0:
                return position
            else:
                after = self._frame(buffer, position, stop)
                if after == _INCOMPLETE:
                    self.held = buffer.copy(position, stop)
                    return stop
                position = after
        return stop

    def _frame(self, buffer: Buffer, at: int, stop: int) -> int:
        """Judge the header at `at`: the position after what was processed, or _INCOMPLETE."""
        first = buffer.at(at)
        if not self._begins(first):
            return stop
        if stop - at < 2:
            return _INCOMPLETE
        opcode = first & 0x0F
        second = buffer.at(at + 1)
        if ((second & MASKED) != 0) != self.masked:
            reason = "unmasked frame from a client" if self.masked else "masked frame from a server"
            self._violate(CloseCode.PROTOCOL_ERROR, "5.1", reason)
            return stop
        length = second & 0x7F
        cursor = at + 2
        if opcode >= CONTROL:
            if length >= LENGTH_16:
                reason = "control frame with more than 125 octets"
                self._violate(CloseCode.PROTOCOL_ERROR, "5.5", reason)
                return stop
        elif length >= LENGTH_16:
            cursor += 2 if length == LENGTH_16 else 8
            length = self._extended(buffer, at + 2, cursor, stop, first)
            if length == _INCOMPLETE:
                return stop if self.deaf else _INCOMPLETE
        elif not self._fits(first, length):
            return stop
        key = 0
        if self.masked:
            if stop - cursor < 4:
                return _INCOMPLETE
            key = buffer.u32(cursor)
            cursor += 4
        if opcode >= CONTROL:
            return self._control(buffer, cursor, stop, opcode, length, key)
        return self._data(buffer, cursor, stop, first, length, key)

    def _begins(self, first: int) -> bool:
        """Whether a frame may begin with this octet, here."""
        opcode = first & 0x0F
        flaw = FIRST_OCTET[first]
        if flaw is not None and self.agreement is not None:
            flaw = COMPRESSED_FIRST_OCTET[first]
        if flaw is not None:
            self._violate(CloseCode.PROTOCOL_ERROR, flaw[0], flaw[1])
        elif opcode >= CONTROL:
            return True
        elif (opcode == 0) == (self.opcode == 0):
            self._violate(CloseCode.PROTOCOL_ERROR, "5.4", self._disorder(opcode))
        elif opcode == 0 and self.fragments >= self.max_fragments:
            reason = f"message over the limit of {self.max_fragments} fragments (max_fragments)"
            self._violate(CloseCode.MESSAGE_TOO_BIG, "7.4.1", reason)
        else:
            return True
        return False

    def _disorder(self, opcode: int) -> str:
        if opcode == 0:
            return "continuation frame with nothing to continue"
        return "new message inside a fragmented one"

    def _extended(self, buffer: Buffer, start: int, end: int, stop: int, first: int) -> int:
        """The length in `buffer[start:end]`; _INCOMPLETE if it has not come whole or is wrong.

        Octets that have not come yet may be anything: they make the length `least` to `most`.
        """
        least = most = 0
        for cursor in range(start, end):
            if cursor < stop:
                octet = buffer.at(cursor)
                least = least << 8 | octet
                most = most << 8 | octet
            else:
                least = least << 8
                most = most << 8 | 0xFF
        if least >> 63:
            reason = "length with its top bit set"
            self._violate(CloseCode.PROTOCOL_ERROR, "5.2", reason)
        elif most < (LENGTH_16 if end - start == 2 else 65536):
            reason = "length that is not minimally encoded"
            self._violate(CloseCode.PROTOCOL_ERROR, "5.2", reason)
        elif self._fits(first, least) and end <= stop:
            return least
        return _INCOMPLETE

    def _fits(self, first: int, length: int) -> bool:
        """Whether a data frame of `length` keeps its message within max_size (§10.4)."""
        if first & RSV1 or self.compressed:
            room = self.max_size + (self.max_size >> 3) + SLACK - self.taken
        else:
            room = self.max_size - self.parted - (0 if self.body is None else self.body.size)
        if length <= room and length <= self.max_fragment:
            return True
        if room <= self.max_fragment:  # the lower limit is named, however much of a length came
            self._too_long()
            return False
        reason = f"frame over the limit of {self.max_fragment} bytes (max_fragment_size)"
        self._violate(CloseCode.MESSAGE_TOO_BIG, "7.4.1", reason)
        return False

    def _too_long(self) -> None:
        reason = f"message over the limit of {self.max_size} bytes (max_size)"
        self._violate(CloseCode.MESSAGE_TOO_BIG, "7.4.1", reason)

    def _control(
        self, buffer: Buffer, start: int, stop: int, opcode: int, length: int, key: int
    ) -> int:
        end = start + length
        if end > stop:
            return _INCOMPLETE
        self.budget -= 1
        self.on_control(opcode, buffer.unmasked(start, end, key))
        return end

    def _data(
        self, buffer: Buffer, start: int, stop: int, first: int, length: int, key: int
    ) -> int:
        self.budget -= 1
        final = (first & FIN) != 0
        if final and self.opcode == 0 and length <= stop - start and not first & RSV1:
            self._whole(buffer, start, start + length, first & 0x0F, key)
            return start + length
        if self.opcode == 0:
            self.opcode = first & 0x0F
            self.fragments = 0
            self.compressed = (first & RSV1) != 0
        self.fragments += 1
        self.final = final
        self.remaining = length
        self.key = key
        self.key_offset = 0
        if length == 0 and final:
            self._finish()
        return start

    def _whole(self, buffer: Buffer, start: int, end: int, opcode: int, key: int) -> None:
        """Deliver a message that lies in the buffer as one frame: the common case."""
        if opcode != _TEXT:
            if not self.muted:
                self.on_message(buffer.unmasked(start, end, key))
            return
        if self.masked:
            buffer.unmask(start, end, key)
        try:
            text = buffer.text(start, end)
        except UnicodeDecodeError:
            self._violate(CloseCode.INVALID_DATA, "8.1", _NOT_TEXT)
            return
        if not self.muted:
            self.on_message(text)

    def _payload(self, buffer: Buffer, start: int, stop: int) -> int:
        """Move what has come of a frame's payload into the message under construction."""
        length = min(self.remaining, stop - start)
        if self.compressed:
            length = min(length, INFLATE_AT_ONCE)
        body = self.body
        if body is None:
            body = self.body = Buffer(0 if self.compressed else length)
        size = body.size
        if not self.compressed:
            body.append(buffer, start, start + length, self.masked, self.key, self.key_offset)
        elif not self._inflate(body, buffer, start, start + length):
            return stop
        self.key_offset = (self.key_offset + length) & 3
        self.remaining -= length
        if self.opcode == _TEXT:
            self.utf8 = body.utf8(size, body.size, self.utf8)
            if self.utf8 < 0:
                self._violate(CloseCode.INVALID_DATA, "8.1", _NOT_TEXT)
                return stop
        if self.remaining == 0 and self.final:
            self._finish()
        elif not self.muted:
            self.on_part()
        return start + length

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
            self.on_message(b"" if body is None else body.copy(0, body.size))

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
