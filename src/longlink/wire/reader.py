"""Octets in, whole messages out (RFC 6455 §5).

Theory of operation. `feed` walks over octets that its caller owns (usually the shared
receive buffer) and keeps none of them, save two things: at most `MAX_HELD` octets of a
header or control frame that is not complete yet (`held`), and the message under
construction when it did not arrive whole (`assembly.py`). A message that arrives whole is
copied once, while it is unmasked.

Every rule is judged at the first octet that shows it is broken, and every size before
anything is allocated for it; so an extended length is judged octet by octet. Only what a
control frame carries is judged whole: it is short. After a violation the reader is deaf:
it consumes and ignores, and holds nothing. What happens comes out through three hooks that
subclasses override; they must not raise: `on_message`, `on_control`, `on_violation`.

Whoever does not want to wait for the end of a message may `take` what has come of it, as
often as `on_part` says that there is more; the rest comes as the message. Limits are those
of the whole message all the same.
"""

from __future__ import annotations

from ..native.kernel import Buffer
from .assembly import Assembly
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

# `feed` may write this many octets in front of `start`: what was held from last time,
# which is at most frame.MAX_HELD.
HEADROOM = 256
UNLIMITED = 2**62
# What a compressed message may take on the wire beyond `max_size`: an eighth of it, as where
# every octet takes nine bits, and this much for the heads of blocks. Without a limit, blocks
# that say nothing could go on for ever.
SLACK = 16 * 1024
# The largest message that the leaf finds whole where it lies; what else there is is `_frame`'s.
SHORT = 125

_TEXT = 0x1
_INCOMPLETE = -1
_NOT_TEXT = "text that is not UTF-8"
_NOT_BEGUN = "continuation frame with nothing to continue"
_NEW_INSIDE = "new message inside a fragmented one"


class Reader(Assembly):
    """One direction of a connection: feed it octets, get messages.

    Args:
        masked: whether frames must be masked: True where clients are read (§5.1).
        max_size: octets of the largest message; None is no limit.
        max_fragments: most fragments of one message; None is no limit.
    """

    __slots__ = ("fragments", "max_fragment", "max_fragments")

    def __init__(self, masked: bool, max_size: int | None, max_fragments: int | None) -> None:
        # The budget is of frames that `feed` may still process; its owner renews it.
        Assembly.__init__(self, masked, UNLIMITED if max_size is None else max_size, UNLIMITED)
        self.max_fragments = UNLIMITED if max_fragments is None else max_fragments
        self.max_fragment = UNLIMITED  # octets of the largest data frame, set by the owner
        self.fragments = 0

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
        short = self.max_size >= SHORT and self.max_fragment >= SHORT
        while position < stop and not self.deaf:
            if short and self.opcode == 0 and not self.muted and self.budget > 0:
                message = buffer.short(position, stop, self.masked)
                if message is not None:
                    self.budget -= 1
                    position += (6 if self.masked else 2) + (buffer.at(position + 1) & 0x7F)
                    self.on_message(message)
                    continue
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
            reason = _NEW_INSIDE if opcode else _NOT_BEGUN
            self._violate(CloseCode.PROTOCOL_ERROR, "5.4", reason)
        elif opcode == 0 and self.fragments >= self.max_fragments:
            reason = f"message over the limit of {self.max_fragments} fragments (max_fragments)"
            self._violate(CloseCode.MESSAGE_TOO_BIG, "7.4.1", reason)
        else:
            return True
        return False

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
