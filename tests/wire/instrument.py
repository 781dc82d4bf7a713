"""The instrument of every conversation test: one stream of octets, cut in every way, one outcome.

TCP keeps octets in order and nothing else, so an endpoint must not care how they were cut.
`converse` feeds the same stream to fresh endpoints whole, in two pieces for each offset, and one
octet at a time, and fails where two outcomes differ. What it compares is everything that can be
seen from outside: each call of a hook, in order, every octet of output, and how it ended.

Frames are made and read here by a codec of the tests' own, so that a mistake in `wire/frame.py`
cannot hide itself.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from longlink.errors import Close
from longlink.native.kernel import Buffer
from longlink.wire.endpoint import Endpoint
from longlink.wire.phase import State
from longlink.wire.reader import HEADROOM, Reader

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
KEY = 0x37FA213D  # the masking key of RFC 6455 §5.7

# Up to this many octets every offset is cut at, and every octet is fed on its own.
EVERY_CUT = 400
PLENTY = 10**9


# -- frames, by the tests' own hand ---------------------------------------------------------------


def xor(payload: bytes, key: int) -> bytes:
    """The payload under the key, octet by octet, as RFC 6455 §5.3 words it."""
    octets = key.to_bytes(4, "big")
    return bytes(octet ^ octets[i % 4] for i, octet in enumerate(payload))


def length_octets(length: int, form: int | None = None) -> tuple[int, bytes]:
    """The 7-bit length and the extended one; `form` (7, 16, 64) asks for more bits than needed."""
    form = form or (7 if length < 126 else 16 if length < 65536 else 64)
    if form == 7:
        return length, b""
    return (126, struct.pack("!H", length)) if form == 16 else (127, struct.pack("!Q", length))


def header(first: int, length: int, *, key: int | None = KEY, form: int | None = None) -> bytes:
    """A frame's header; `key` None makes it unmasked."""
    short, extended = length_octets(length, form)
    if key is None:
        return bytes((first, short)) + extended
    return bytes((first, 0x80 | short)) + extended + key.to_bytes(4, "big")


def frame(first: int, payload: bytes = b"", *, key: int | None = KEY) -> bytes:
    """A frame that begins with the octet `first`; masked with `key`, unless that is None."""
    return header(first, len(payload), key=key) + (payload if key is None else xor(payload, key))


def text(message: str, *, key: int | None = KEY) -> bytes:
    return frame(FIN | TEXT, message.encode(), key=key)


def binary(message: bytes, *, key: int | None = KEY) -> bytes:
    return frame(FIN | BINARY, message, key=key)


def ping(payload: bytes = b"", *, key: int | None = KEY) -> bytes:
    return frame(FIN | PING, payload, key=key)


def pong(payload: bytes = b"", *, key: int | None = KEY) -> bytes:
    return frame(FIN | PONG, payload, key=key)


def close(code: int | None = None, reason: bytes = b"", *, key: int | None = KEY) -> bytes:
    payload = b"" if code is None else struct.pack("!H", code) + reason
    return frame(FIN | CLOSE, payload, key=key)


def fragments(opcode: int, parts: Iterable[bytes], *, key: int | None = KEY) -> list[bytes]:
    """The frames of one fragmented message."""
    parts = list(parts)
    last = len(parts) - 1
    return [
        frame((FIN if i == last else 0) | (0 if i else opcode), part, key=key)
        for i, part in enumerate(parts)
    ]


@dataclass(frozen=True)
class Sent:
    """A frame found in output."""

    first: int
    payload: bytes
    key: int | None

    @property
    def opcode(self) -> int:
        return self.first & 0x0F


def frames(output: bytes) -> list[Sent]:
    """Output taken apart; fails where it is not whole frames with minimal lengths (§5.2)."""
    return list(_frames(output))


def _frames(output: bytes) -> Iterator[Sent]:
    while output:
        first, second = output[:2]
        length, end = second & 0x7F, 2
        if length >= 126:
            end = 4 if length == 126 else 10
            length = int.from_bytes(output[2:end], "big")
        assert length_octets(length) == (second & 0x7F, output[2:end])
        key = None
        if second & 0x80:
            key = int.from_bytes(output[end : end + 4], "big")
            end += 4
        payload, output = output[end : end + length], output[end + length :]
        assert len(payload) == length
        yield Sent(first, payload if key is None else xor(payload, key), key)


# -- endpoints that remember ----------------------------------------------------------------------


class RecordingReader(Reader):
    """A reader that remembers what its hooks were told, in order."""

    def __init__(
        self,
        masked: bool = True,
        max_size: int | None = None,
        max_fragments: int | None = None,
    ) -> None:
        super().__init__(masked, max_size, max_fragments)
        self.told: list[tuple[Any, ...]] = []

    def on_message(self, message: str | bytes) -> None:
        self.told.append(("message", message))

    def on_control(self, opcode: int, payload: bytes) -> None:
        self.told.append(("control", opcode, payload))

    def on_violation(self, code: int, section: str, reason: str) -> None:
        self.told.append(("violation", int(code), section, reason))


class Recorder(Endpoint):
    """An endpoint that remembers what its hooks were told, in order, and does what it is asked.

    `act(endpoint, message)` is what its user does with each message. Masking keys count up.
    """

    def __init__(
        self,
        *,
        client: bool = False,
        act: Callable[[Recorder, str | bytes], object] | None = None,
        **limits: Any,
    ) -> None:
        super().__init__(client, self.next_key, **limits)
        self.keys = 0
        self.act = act
        self.told: list[tuple[Any, ...]] = []

    def next_key(self) -> int:
        self.keys += 1
        return 0x01020300 + self.keys

    def on_message(self, message: str | bytes) -> None:
        self.told.append(("message", message))
        if self.act is not None:
            self.act(self, message)

    def on_pong(self, payload: bytes) -> None:
        self.told.append(("pong", payload))

    def on_violation(self, code: int, section: str, reason: str) -> None:
        self.told.append(("violation", int(code), section, reason))
        super().on_violation(code, section, reason)

    def on_phase(self, phase: int) -> None:
        self.told.append(("phase", int(phase)))

    def on_output(self) -> None:
        self.told.append(("output",))

    def on_end(self) -> None:
        self.told.append(("end",))

    def of(self, kind: str) -> list[Any]:
        """What was told of one kind: a message, the payload of a pong, (code, section, reason)."""
        found = [entry[1:] for entry in self.told if entry[0] == kind]
        return [entry[0] if len(entry) == 1 else entry for entry in found]

    @property
    def messages(self) -> list[str | bytes]:
        return self.of("message")

    @property
    def waiting(self) -> int:
        """How many octets are in the outbox."""
        return 0 if self.outbox is None else self.outbox.size

    def output(self) -> bytes:
        """What is in the outbox, which leaves it empty."""
        return b"" if self.outbox is None else self.outbox.take()

    def sent(self) -> list[tuple[int, bytes]]:
        """Frames in the outbox as (first octet, payload), which leaves it empty."""
        return [(each.first, each.payload) for each in frames(self.output())]


def opened(**options: Any) -> Recorder:
    """A recorder whose opening handshake is over, and forgotten."""
    endpoint = Recorder(**options)
    endpoint.opened()
    endpoint.told.clear()
    return endpoint


def feed(reader: Reader, octets: bytes, budget: int = PLENTY) -> int:
    """Feed octets as the engine does; returns how many were consumed.

    What lies behind them must not be looked at, and nothing may be kept of the buffer: it is
    filled with garbage before and after.
    """
    size = len(octets)
    buffer = Buffer(HEADROOM + size + 16)
    buffer.put(0, b"\xa5" * HEADROOM + octets + b"\xff" * 16)
    reader.budget = budget
    consumed = reader.feed(buffer, HEADROOM, HEADROOM + size) - HEADROOM
    buffer.put(0, b"\xee" * (HEADROOM + size + 16))
    assert 0 <= consumed <= size
    return consumed


# -- the instrument -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """Everything that can be seen of a conversation from outside."""

    told: tuple[tuple[Any, ...], ...]
    output: bytes
    state: State
    close_sent: Close | None
    close_rcvd: Close | None
    error: str  # what `closed()` gives: type and text

    def of(self, kind: str) -> list[Any]:
        found = [entry[1:] for entry in self.told if entry[0] == kind]
        return [entry[0] if len(entry) == 1 else entry for entry in found]

    @property
    def messages(self) -> list[str | bytes]:
        return self.of("message")

    @property
    def sent(self) -> list[tuple[int, bytes]]:
        """Frames sent, as (first octet, payload)."""
        return [(each.first, each.payload) for each in frames(self.output)]

    @property
    def failed_with(self) -> int | None:
        """The code of the violation that was found."""
        found = self.of("violation")
        assert len(found) <= 1
        return found[0][0] if found else None


def outcome_of(endpoint: Recorder) -> Outcome:
    endpoint.end()  # TCP ends after every conversation
    endpoint.end()
    assert endpoint.told.count(("end",)) == 1
    assert endpoint.told[-1] == ("end",)
    error = endpoint.closed()
    return Outcome(
        tuple(endpoint.told),
        endpoint.output(),
        endpoint.state,
        endpoint.close_sent,
        endpoint.close_rcvd,
        f"{type(error).__name__}: {error}",
    )


def cuts(stream: bytes) -> Iterator[list[bytes]]:
    """The stream whole, cut in two at every offset, and octet by octet.

    Of a long stream, where that would take minutes: at the offsets near both ends (headers are
    there), at some in between, and in pieces of odd sizes.
    """
    size = len(stream)
    yield [stream]
    near = EVERY_CUT // 10
    offsets = (
        range(1, size)
        if size <= EVERY_CUT
        else sorted({*range(1, near), *range(near, size, size // 7), *range(size - near, size)})
    )
    for offset in offsets:
        yield [stream[:offset], stream[offset:]]
    for piece in (1,) if size <= EVERY_CUT else (997, 4099):
        yield [stream[i : i + piece] for i in range(0, size, piece)]


def converse(
    stream: bytes | Iterable[bytes],
    *,
    before: Callable[[Recorder], object] | None = None,
    **options: Any,
) -> Outcome:
    """The one outcome of an open endpoint that is fed `stream`, however it is cut.

    Args:
        stream: what the peer sends, whole or frame by frame.
        before: what is done to the endpoint before anything comes.
        options: for `Recorder`.
    """
    stream = stream if isinstance(stream, bytes) else b"".join(stream)
    expected: Outcome | None = None
    for pieces in cuts(stream):
        endpoint = opened(**options)
        if before is not None:
            before(endpoint)
        for piece in pieces:
            assert feed(endpoint, piece) == len(piece)
        outcome = outcome_of(endpoint)
        if expected is None:
            expected = outcome
        sizes = [len(piece) for piece in pieces[:3]]
        assert outcome == expected, f"cut into {len(pieces)} pieces of {sizes}..."
    assert expected is not None
    return expected


def noticed_at(stream: bytes, **options: Any) -> int | None:
    """The index of the octet at which a violation is noticed; None when there is none.

    Fed octet by octet, so that nobody can wait for more before judging.
    """
    endpoint = opened(**options)
    for index in range(len(stream)):
        feed(endpoint, stream[index : index + 1])
        if endpoint.of("violation"):
            return index
    return None
