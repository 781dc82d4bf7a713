"""Compressed octets in, messages out (RFC 7692 §7.2.2).

Theory of operation. Every message gets a decompressor of its own, made when it begins and
dropped when it ends: what zlib remembers of one peer's message must never be within reach
of another's, so decompressors are not pooled (a back-reference into somebody else's message
would read it). With context takeover the last octets that were said are kept as plain
`window`, as many as were really said and no more than the window that was agreed on, and
given to the next message's decompressor. So an idle connection holds that, or nothing, and
a sender may end a message with a final block (§7.2.3.4) and go on after it.

Output is made in pieces, each judged against the limit before it is made: a bomb costs
what a message of `max_size` costs.
"""

from __future__ import annotations

import zlib
from typing import Any

from ..native.kernel import Buffer

# What the sender cut off (§7.2.1), and then an empty final block, which shows that the
# message ended where a block begins.
_END = b"\x00\x00\xff\xff\x03\x00"
# The empty block without compression behind a block that was final already (§7.2.3.4). It is
# data to the decompressor: it has stopped.
_AFTER_FINAL = b"\x00"
PIECE = 64 * 1024  # octets of output made at once


class TooLong(Exception):
    """The message is over the limit."""


class Corrupt(Exception):
    """The data is not what DEFLATE makes of a message."""


class Inflater:
    """One direction of a connection that receives compressed messages.

    Args:
        bits: base-2 logarithm of the sender's window, 8 to 15.
        keeps: whether messages may refer to those before them.
    """

    __slots__ = ("bits", "keeps", "stream", "window")

    def __init__(self, bits: int, keeps: bool) -> None:
        self.bits = bits
        self.keeps = keeps
        self.window = b""
        self.stream: Any = None

    def begin(self) -> None:
        """A compressed message begins.

        Within a message the largest window is allowed: with a smaller one zlib would judge by how
        the message was cut on its way. What reaches over messages is exactly what was agreed on.
        """
        if self.window:
            self.stream = zlib.decompressobj(-zlib.MAX_WBITS, zdict=self.window)
        else:
            self.stream = zlib.decompressobj(-zlib.MAX_WBITS)

    def feed(self, data: bytes, body: Buffer, max_size: int) -> None:
        """Append to `body` what more octets of the message say.

        Raises:
            TooLong: it would be more than `max_size`; `body` may hold a part of it.
            Corrupt: the data is no DEFLATE, or goes on after its end.
        """
        stream = self.stream
        while True:
            room = max_size - body.size
            most = min(room + 1, PIECE)
            try:
                piece = stream.decompress(data, most)
            except zlib.error as error:
                raise Corrupt from error
            if len(piece) > room:
                raise TooLong
            body.add(piece)
            if len(piece) < most:
                break
            data = stream.unconsumed_tail
        # Judged as it comes: zlib collects what it cannot use, and would for ever.
        if stream.eof and stream.unused_data not in (b"", _AFTER_FINAL):
            raise Corrupt

    def remember(self, said: bytes) -> None:
        """Octets of the message under construction that will not be in `body` at its end."""
        if self.keeps:
            self.window = (self.window + said)[-(1 << self.bits) :]

    def end(self, body: Buffer) -> None:
        """The message is complete and says `body`; raises Corrupt if its data is not.

        Had it been cut short, the end would be taken for data, or found in the wrong place.
        """
        stream, self.stream = self.stream, None
        unused = _AFTER_FINAL + _END if stream.eof else b""
        try:
            more = stream.decompress(_END, 1)
        except zlib.error as error:
            raise Corrupt from error
        if more or not stream.eof or stream.unused_data != unused:
            raise Corrupt
        if self.keeps:
            self.remember(body.copy(max(0, body.size - (1 << self.bits)), body.size))
