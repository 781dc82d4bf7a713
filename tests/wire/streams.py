"""Streams of octets as a peer might send them, good and bad, by the throw of dice.

A stream is the frames of whole messages, of which some are then damaged, repeated or dropped, with
headers among them that announce anything.
"""

from __future__ import annotations

import random
import zlib

from tests.wire.instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    RSV1,
    TEXT,
    close,
    frame,
    header,
    ping,
    pong,
)

# Long enough to complete whatever header or control frame a stream ends in: other implementations
# judge whole frames, we judge octets.
TAIL = b"\xff" * 160
TEXTS = ["", "a", "né", "日本", "🦄🦄", "x" * 125, "y" * 126, "\ufeff\x00", "é" * 200, "abc" * 500]
NO_TEXTS = [b"\xff", b"\xc0\x80", b"a\xed\xbb\xbf", b"\xf4\x90\x80\x80", b"\xe2\x82", b"\x80"]
CODES = [1000, 1001, 1007, 1011, 1012, 1014, 3000, 4999]
BAD_CODES = [0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]
_END = b"\x00\x00\xff\xff"


class Sender:
    """Makes the frames of one stream.

    Args:
        key: the masking key; None for a server's frames.
        compresses: whether messages may be compressed.
        keeps: whether a compressed message may refer to those before it.
    """

    def __init__(
        self, dice: random.Random, key: int | None, compresses: bool = False, keeps: bool = False
    ) -> None:
        self.dice = dice
        self.key = key
        self.compresses = compresses
        self.keeps = keeps
        self.compressor = zlib.compressobj(6, zlib.DEFLATED, -15)

    def stream(self) -> bytes:
        """Frames, most of the time with something wrong about them."""
        octets = self._frames()
        for _ in range(self.dice.choice([0, 0, 1, 1, 2])):
            self._damage(octets)
        stream = b"".join(octets)
        if self.dice.random() < 0.2:
            stream = stream[: self.dice.randrange(len(stream))]
        return stream

    def _frames(self) -> list[bytes]:
        dice = self.dice
        octets: list[bytes] = []
        for _ in range(dice.randint(1, 5)):
            octets += self._message()
            if dice.random() < 0.3:
                control = dice.choice([ping, pong])
                octets.append(control(dice.randbytes(dice.randint(0, 125)), key=self.key))
        if dice.random() < 0.4:
            code = dice.choice(CODES if dice.random() < 0.5 else BAD_CODES)
            reason = dice.choice([b"", b"bye", "é".encode(), b"\xff", b"cut\xc3"])
            octets.append(close(code, reason, key=self.key))
        elif dice.random() < 0.3:
            octets.append(frame(0x88, dice.choice([b"", b"\x03"]), key=self.key))
        return octets

    def _message(self) -> list[bytes]:
        dice = self.dice
        is_text = dice.random() < 0.6
        payload = dice.choice(TEXTS).encode() if is_text else self._octets()
        if is_text and dice.random() < 0.05:
            payload = dice.choice(NO_TEXTS)
        first = TEXT if is_text else BINARY
        if self.compresses and dice.random() < 0.7:
            payload = self._compress(payload)
            first |= RSV1
        marks = sorted(dice.randint(0, len(payload)) for _ in range(dice.choice([0, 0, 1, 2, 4])))
        octets = []
        edges = zip([0, *marks], [*marks, len(payload)], strict=True)
        for i, (start, stop) in enumerate(edges):
            if dice.random() < 0.2:
                octets.append(ping(dice.randbytes(dice.randint(0, 9)), key=self.key))
            fin = FIN if i == len(marks) else 0
            octets.append(
                frame(fin | (CONTINUATION if i else first), payload[start:stop], key=self.key)
            )
        return octets

    def _octets(self) -> bytes:
        return self.dice.randbytes(self.dice.choice([0, 1, 2, 3, 4, 5, 8, 60, 125, 126, 300]))

    def _compress(self, payload: bytes) -> bytes:
        """By any of the ways that RFC 7692 §7.2.1 and §7.2.3 leave to a sender."""
        compressor, dice = self.compressor, self.dice
        if not self.keeps:
            compressor = zlib.compressobj(dice.randint(0, 9), zlib.DEFLATED, -dice.randint(9, 15))
        half = dice.randint(0, len(payload))
        data = compressor.compress(payload[:half])
        if dice.random() < 0.2:
            data += compressor.flush(dice.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]))
        data += compressor.compress(payload[half:])
        if not self.keeps and dice.random() < 0.05:
            return data + compressor.flush(zlib.Z_FINISH) + b"\x00"
        data += compressor.flush(dice.choice([zlib.Z_SYNC_FLUSH, zlib.Z_FULL_FLUSH]))
        return data.removesuffix(_END) or b"\x00"

    def _damage(self, octets: list[bytes]) -> None:
        dice = self.dice
        wrong, at = dice.randrange(5), dice.randrange(len(octets))
        if wrong < 2:  # a bit of a header, or any bit
            damaged = bytearray(octets[at])
            damaged[dice.randrange(len(damaged) if wrong else 2)] ^= 1 << dice.randrange(8)
            octets[at] = bytes(damaged)
        elif wrong == 2:
            octets.insert(at, octets[dice.randrange(len(octets))])
        elif wrong == 3 and len(octets) > 1:
            del octets[at]
        else:  # a length in any form
            form = dice.choice([16, 64])
            size = dice.choice([0, 1, 125, 126, 200] if form == 16 else [0, 126, 65535, 65536])
            first = dice.choice([0x82, 0x02, 0x89])
            octets.insert(at, header(first, size, key=self.key, form=form))
