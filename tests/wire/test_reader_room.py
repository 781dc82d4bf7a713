"""Large payloads, received where they belong: the same comes out as of `feed`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

import pytest

from longlink.wire.reader import Reader

from .instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    KEY,
    TEXT,
    RecordingReader,
    binary,
    close,
    feed,
    frame,
    opened,
    ping,
    text,
)

DIRECT_FROM = 16 * 1024  # as in wire.assembly, where it is a C constant when compiled
LARGE = bytes(range(256)) * 160
LETTERS = "na\u00efve \u65e5\u672c \U0001f984 " * 2500

ROLES = pytest.mark.parametrize("key", [KEY, None], ids=["server", "client"])


def receive(reader: Reader, octets: bytes, sizes: Iterable[int]) -> int:
    """Hand octets over in pieces as a link does; returns how many went straight to their place."""
    direct = 0
    for size in sizes:
        if not octets:
            break
        room = reader.room()
        if room is None:
            assert feed(reader, octets[:size]) == len(octets[:size])
        else:
            size = min(size, reader.awaited(), len(octets))
            assert size > 0
            room.put(room.size, octets[:size])
            reader.filled(size)
            direct += size
        octets = octets[size:]
    assert not octets
    return direct


def conversation(key: int | None) -> bytes:
    """Whole messages and fragmented ones, with control frames between them and within."""
    half = len(LARGE) // 2
    return b"".join(
        [
            binary(LARGE, key=key),
            text("short", key=key),
            frame(BINARY, LARGE[:half], key=key),
            ping(b"within", key=key),
            frame(FIN | CONTINUATION, LARGE[half:], key=key),
            text(LETTERS, key=key),
            frame(TEXT, LETTERS.encode()[:20_001], key=key),
            frame(FIN | CONTINUATION, LETTERS.encode()[20_001:], key=key),
            binary(b"", key=key),
        ]
    )


EXPECTED: list[tuple[Any, ...]] = [
    ("message", LARGE),
    ("message", "short"),
    ("control", 9, b"within"),
    ("message", LARGE),
    ("message", LETTERS),
    ("message", LETTERS),
    ("message", b""),
]


def without_parts(told: list[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    return [entry for entry in told if entry[0] != "part"]


@ROLES
@pytest.mark.parametrize("size", [1000, 4096, 16_384, 16_385, 40_000, 65_536, 262_144])
def test_pieces_of_every_size(size: int, key: int | None) -> None:
    reader = RecordingReader(masked=key is not None)
    direct = receive(reader, conversation(key), itertools.repeat(size))
    assert without_parts(reader.told) == EXPECTED
    assert direct > 0 or size > DIRECT_FROM


@ROLES
def test_one_cut_wherever_it_is(key: int | None) -> None:
    stream = binary(LARGE, key=key) + text("next", key=key)
    ends = [*range(1, 40), *range(len(stream) - 60, len(stream))]
    for cut in [*ends, *range(40, len(stream) - 60, 997), len(LARGE) - DIRECT_FROM]:
        reader = RecordingReader(masked=key is not None)
        receive(reader, stream, itertools.chain([cut], itertools.repeat(len(stream))))
        assert without_parts(reader.told) == [("message", LARGE), ("message", "next")]


def test_there_is_room_for_nothing_but_a_large_payload() -> None:
    reader = RecordingReader()
    assert reader.room() is None
    stream = binary(LARGE)
    feed(reader, stream[:7])
    assert reader.room() is None  # its header has not come whole
    feed(reader, stream[7:1000])
    assert reader.room() is None  # too little of it to believe in the rest
    feed(reader, stream[1000:6000])
    assert reader.room() is not None
    feed(reader, stream[6000 : -DIRECT_FROM + 1])
    assert reader.room() is None  # hardly worth it
    feed(reader, stream[-DIRECT_FROM + 1 :])
    assert reader.room() is None
    assert without_parts(reader.told) == [("message", LARGE)]


@pytest.mark.parametrize("sent", [0, 1, 100, 5000, 300_000])
def test_what_is_announced_takes_no_memory_before_it_comes(sent: int) -> None:
    reader = RecordingReader()
    feed(reader, binary(bytes(2**20))[: 14 + sent])
    room = reader.room()
    held = 0 if room is None else room.capacity
    assert held <= 4 * sent + 4
    assert reader.body is None or reader.body.capacity <= 4 * sent + 4
    if room is not None:
        assert DIRECT_FROM <= reader.awaited() <= 2**20 - sent


def test_fragments_do_not_move_what_came_before_each_time() -> None:
    reader = RecordingReader()
    capacities = set()
    feed(reader, frame(BINARY, bytes(100)))
    for _ in range(1000):
        feed(reader, frame(CONTINUATION, bytes(100)))
        assert reader.body is not None
        capacities.add(reader.body.capacity)
    assert len(capacities) < 15


def test_text_is_judged_at_the_octet_that_is_wrong() -> None:
    payload = b"a" * 30_000 + b"\xff" + b"a" * 30_000
    reader = RecordingReader()
    stream = frame(FIN | TEXT, payload)
    wrong = 8 + 30_000  # behind the header
    assert receive(reader, stream[:wrong], itertools.repeat(10_000)) > 0
    assert not reader.deaf
    receive(reader, stream[wrong : wrong + 1], [1])
    assert reader.deaf
    assert reader.room() is None
    assert reader.told[-1][:2] == ("violation", 1007)


def test_a_close_within_a_large_message_ends_it() -> None:
    endpoint = opened()
    stream = frame(BINARY, LARGE) + close(1000)
    receive(endpoint, stream, itertools.repeat(5000))
    assert endpoint.room() is None
    assert not [entry for entry in endpoint.told if entry[0] == "message"]


def test_who_is_muted_gets_no_room() -> None:
    endpoint = opened()
    feed(endpoint, binary(LARGE)[:10_000])
    assert endpoint.room() is not None
    endpoint.send_close(1000)
    assert endpoint.room() is None


def test_what_is_taken_in_between_is_no_part_of_the_rest() -> None:
    reader = RecordingReader()
    stream = binary(LARGE)
    receive(reader, stream[:10_000], itertools.repeat(4000))
    part = reader.take()
    assert isinstance(part, bytes)
    receive(reader, stream[10_000:], itertools.repeat(4000))
    (_, rest) = without_parts(reader.told)[-1]
    assert part + rest == LARGE
