"""How much a reader processes at a time, and how much it holds meanwhile."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from longlink.native.kernel import Buffer
from longlink.wire.frame import MAX_HELD
from longlink.wire.reader import HEADROOM, Reader
from tests.wire.instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    PING,
    TEXT,
    RecordingReader,
    binary,
    close,
    feed,
    frame,
    header,
    opened,
    outcome_of,
    ping,
    pong,
    text,
)

STREAM = [
    text("one"),
    ping(b"1"),
    frame(BINARY, b"tw"),
    ping(b"2" * 125),
    pong(b"3"),
    frame(CONTINUATION),
    frame(FIN, b"o"),
    text(""),
    text("x" * 300),
    frame(TEXT),
    frame(FIN),
    binary(b"\xff" * 130),
]


def in_shares(stream: bytes, sizes: itertools.cycle[int], budget: int) -> Any:
    """The outcome when `stream` comes in pieces of `sizes`, and `budget` frames go a turn."""
    endpoint = opened()
    waiting = b""
    while stream or waiting:
        size = next(sizes)
        waiting += stream[:size]
        stream = stream[size:]
        while waiting:
            consumed = feed(endpoint, waiting, budget)
            assert endpoint.budget >= 0
            if consumed < len(waiting):
                assert endpoint.budget == 0  # it had better stop for no other reason
            waiting = waiting[consumed:]
    return outcome_of(endpoint)


@pytest.mark.parametrize("end", [b"", close(1000, b"bye"), frame(0x83), frame(FIN | TEXT, b"\xff")])
def test_every_budget_gives_the_same(end: bytes) -> None:
    stream = b"".join(STREAM) + end + text("after")
    everything = itertools.cycle([len(stream)])
    expected = in_shares(stream, everything, 10**6)
    assert len(expected.messages) == (7 if not end else 6)
    for budget in range(1, len(STREAM) + 3):
        assert in_shares(stream, everything, budget) == expected
        assert in_shares(stream, itertools.cycle([1]), budget) == expected
        assert in_shares(stream, itertools.cycle([7, 2, 64]), budget) == expected


@pytest.mark.parametrize("budget", range(1, len(STREAM) + 1))
def test_a_budget_counts_frames_of_all_kinds(budget: int) -> None:
    reader = RecordingReader()
    stream = b"".join(STREAM)
    assert feed(reader, stream, budget) == len(b"".join(STREAM[:budget]))
    assert reader.budget == 0


def test_a_budget_of_nothing_processes_nothing() -> None:
    reader = RecordingReader()
    assert feed(reader, text("x"), 0) == 0
    assert feed(reader, text("x"), -1) == 0
    assert reader.told == []


def test_what_is_held_survives_a_budget_of_nothing() -> None:
    reader = RecordingReader()
    octets = text("abc")
    assert feed(reader, octets[:4], 5) == 4
    assert feed(reader, octets[4:], 0) == 0
    assert feed(reader, octets[4:], 1) == len(octets) - 4
    assert reader.told == [("message", "abc")]


def test_the_rest_of_a_payload_waits_for_a_budget() -> None:
    reader = RecordingReader()
    octets = text("abcdef")
    assert feed(reader, octets[:9], 1) == 9
    assert feed(reader, octets[9:], 0) == 0
    assert feed(reader, octets[9:], 1) == 3
    assert reader.told == [("message", "abcdef")]
    assert reader.budget == 1  # the frame was counted when it began


def test_a_hook_may_take_the_budget_away() -> None:
    """That is how whoever does not read any more stops the messages."""
    endpoint = opened(act=lambda endpoint, message: setattr(endpoint, "budget", 0))
    stream = text("one") + ping(b"held up") + binary(b"two")
    assert feed(endpoint, stream) == len(text("one"))
    assert endpoint.messages == ["one"]
    stream = stream[len(text("one")) :]
    assert feed(endpoint, stream) == len(stream)
    assert endpoint.messages == ["one", b"two"]


def test_a_deaf_reader_consumes_whatever_its_budget() -> None:
    reader = RecordingReader()
    assert feed(reader, frame(0x83) + text("x"), 1) == len(frame(0x83) + text("x"))
    assert feed(reader, text("x") * 3, 0) == 3 * len(text("x"))
    assert [entry[0] for entry in reader.told] == ["violation"]


def test_nothing_fed_is_nothing_done() -> None:
    reader = RecordingReader()
    assert feed(reader, b"") == 0
    assert feed(reader, b"\x81") == 1
    assert feed(reader, b"") == 0
    assert feed(reader, text("x")[1:]) == 6
    assert reader.told == [("message", "x")]


def test_only_the_headroom_is_written_to() -> None:
    """A frame that was held is put in front of what follows it, at any place of any buffer."""
    octets = ping(b"x" * 125)
    for cut in range(1, len(octets)):
        reader = RecordingReader()
        assert feed(reader, octets[:cut]) == cut
        room = Buffer(1000)
        rest = octets[cut:]
        start = HEADROOM + cut
        room.put(0, bytes(start))
        room.put(start, rest)
        reader.budget = 1
        assert reader.feed(room, start, start + len(rest)) == start + len(rest)
        assert room.copy(0, start - MAX_HELD) == bytes(start - MAX_HELD)
        assert reader.told == [("control", PING, b"x" * 125)]


@pytest.mark.parametrize(
    "octets",
    [
        header(FIN | BINARY, 5)[:5],
        header(FIN | BINARY, 1000)[:7],
        header(FIN | BINARY, 2**20)[:13],
        ping(b"x" * 125)[:-1],
    ],
)
def test_what_is_held_is_short(octets: bytes) -> None:
    reader = RecordingReader()
    for octet in octets:
        feed(reader, bytes((octet,)))
    assert reader.held == octets
    assert len(octets) <= MAX_HELD
    assert reader.body is None


def test_a_message_under_construction_is_one_block() -> None:
    reader = RecordingReader()
    feed(reader, frame(BINARY, b"x" * 100) + frame(CONTINUATION, b"y") * 500)
    assert reader.held is None
    assert reader.body is not None
    assert reader.body.size == 600
    assert reader.body.capacity <= 1200


@pytest.mark.parametrize(
    "end",
    [
        frame(0x83),
        text("inside"),
        header(FIN, 2**62),
        frame(CONTINUATION) * 4,
        frame(FIN, b"\xff"),
        frame(FIN, b"\xc3"),
        frame(FIN, b"whole"),
    ],
)
def test_nothing_is_held_after_a_message_or_a_violation(end: bytes) -> None:
    reader = RecordingReader(max_size=1000, max_fragments=3)
    feed(reader, frame(TEXT, b"x" * 500))
    assert reader.body is not None
    feed(reader, end)
    assert reader.body is None
    assert reader.held is None
    assert len(reader.told) == 1


def test_nothing_is_held_after_a_close() -> None:
    endpoint = opened()
    feed(endpoint, frame(TEXT, b"x" * 500) + close(1000))
    assert endpoint.body is None
    assert endpoint.held is None


@pytest.mark.parametrize("leave", ["fail", "end"])
def test_nothing_is_held_after_we_gave_up(leave: str) -> None:
    endpoint = opened()
    feed(endpoint, frame(TEXT, b"x" * 500) + header(FIN, 5)[:3])
    assert endpoint.held is not None
    endpoint.fail(1011) if leave == "fail" else endpoint.end()
    assert endpoint.body is None
    assert endpoint.held is None
    assert feed(endpoint, text("x")) == len(text("x"))
    assert endpoint.messages == []


def test_a_reader_alone_only_tells() -> None:
    """The hooks of the class itself do nothing."""
    reader = Reader(True, None, None)
    stream = text("x") + ping() + frame(0x83)
    assert feed(reader, stream) == len(stream)
