"""What the tests of compression share: agreements, and a sender of the tests' own."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

from longlink.wire.deflate import Agreement, Deflate, negotiate
from longlink.wire.header import parse_extensions
from tests.wire.instrument import BINARY, FIN, KEY, RSV1, TEXT, Outcome, Recorder, converse, frame

TAIL = b"\x00\x00\xff\xff"


def agreement(parameters: str = "", **options: Any) -> Agreement:
    """What a server agrees to when it is offered these parameters."""
    offers = parse_extensions(f"permessage-deflate{parameters}")
    found = negotiate(offers, Deflate(**options))
    assert found is not None
    return found[1]


PLAIN = agreement()
TAKEOVER = agreement(context_takeover=True, threshold=0)


def agreeing(what: Agreement = PLAIN) -> Callable[[Recorder], None]:
    """For `before`: the endpoint has agreed on compression."""

    def agree(endpoint: Recorder) -> None:
        endpoint.agree(what)

    return agree


def deflated(data: bytes, bits: int = 15, level: int = 6) -> bytes:
    """The payload of a compressed message that stands alone."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, -bits)
    return cut(compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))


def cut(data: bytes) -> bytes:
    assert data.endswith(TAIL)
    return data[: -len(TAIL)]


def compressed(payload: bytes, opcode: int = TEXT, *, key: int | None = KEY) -> bytes:
    """A frame that says it is a whole compressed message."""
    return frame(FIN | RSV1 | opcode, payload, key=key)


def heard(*frames: bytes, what: Agreement = PLAIN, client: bool = False, **options: Any) -> Outcome:
    """The one outcome of an endpoint that has agreed and is fed these frames, however cut."""
    return converse(frames, before=agreeing(what), client=client, **options)


def inflated(payload: bytes, bits: int = 15, window: bytes = b"") -> bytes:
    """What a receiver makes of a payload that we sent."""
    return zlib.decompressobj(-bits, zdict=window).decompress(payload + TAIL)


__all__ = [
    "BINARY",
    "PLAIN",
    "TAIL",
    "TAKEOVER",
    "TEXT",
    "agreeing",
    "agreement",
    "compressed",
    "cut",
    "deflated",
    "heard",
    "inflated",
]
