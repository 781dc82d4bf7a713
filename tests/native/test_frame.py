"""Whole frames out, short messages in: what is said in one call of the leaf."""

from __future__ import annotations

import array
import os
import socket
from typing import Any

import pytest

KEY = 0x37FA213D
Pair = tuple[socket.socket, socket.socket]


def head(size: int, mark: int = 0) -> bytes:
    """The header of RFC 6455 section 5.2 behind its first octet."""
    if size < 126:
        return bytes([mark | size])
    if size < 65536:
        return bytes([mark | 126]) + size.to_bytes(2, "big")
    return bytes([mark | 127]) + size.to_bytes(8, "big")


SIZES = [0, 1, 125, 126, 127, 16_383, 16_384, 65_535, 65_536, 70_000]


@pytest.mark.parametrize("size", SIZES)
def test_a_frame_of_each_length(kernel: Any, size: int) -> None:
    data = bytes(i & 0x7F for i in range(size))
    for payload in (data, data.decode(), bytearray(data), memoryview(data), array.array("B", data)):
        outbox = kernel.Outbox()
        outbox.put(b"before")
        assert outbox.frame(0x82, payload, False, 0) == 0
        outbox.put(b"behind")
        assert outbox.size == 12 + 1 + len(head(size)) + size
        assert outbox.take() == b"before\x82" + head(size) + data + b"behind"
        assert outbox.frame(0x81, payload, True, KEY) == 0
        masked = head(size, 0x80) + KEY.to_bytes(4, "big") + kernel.mask(data, KEY)
        assert outbox.take() == b"\x81" + masked


@pytest.mark.parametrize("text", ["\u00e9", "\u65e5\u672c", "\U0001f984", "a" * 20_000 + "\u20ac"])
def test_text_goes_as_utf_8(kernel: Any, text: str) -> None:
    outbox = kernel.Outbox()
    outbox.frame(0x81, text, False, 0)
    data = text.encode()
    assert outbox.take() == b"\x81" + head(len(data)) + data


@pytest.mark.parametrize("payload", [None, 5, [1], memoryview(b"abcdef")[::2], "\ud800"])
def test_what_cannot_be_a_payload_leaves_nothing_behind(kernel: Any, payload: Any) -> None:
    outbox = kernel.Outbox()
    with pytest.raises((TypeError, UnicodeEncodeError)):
        outbox.frame(0x82, payload, False, 0)
    assert (outbox.size, outbox.take()) == (0, b"")


def test_large_frames_between_small_ones_are_sent_in_order(kernel: Any, pair: Pair) -> None:
    near, far = pair
    outbox, expected, got = kernel.Outbox(), b"", b""
    for n in range(100):
        for payload in (bytes([n]) * 20_000, chr(65 + n % 26) * 17_000, b"small", bytes([n])):
            outbox.frame(0x82, payload, False, 0)
            data = payload.encode() if isinstance(payload, str) else payload
            expected += b"\x82" + head(len(data)) + data
    while outbox.size:
        assert outbox.flush(near.fileno()) in (0, 1)
        got += far.recv(1 << 20)
    while len(got) < len(expected):
        got += far.recv(1 << 20)
    assert got == expected


# -- messages under construction ------------------------------------------------------------------


@pytest.mark.parametrize("masked", [False, True])
def test_octets_received_behind_the_mark_are_settled(kernel: Any, masked: bool) -> None:
    data = os.urandom(1000)
    buffer, at = kernel.Buffer(), 0
    for size in (1, 2, 3, 250, 744):
        buffer.reserve(size)
        piece = data[at : at + size]
        wire = kernel.mask(bytes(at & 3) + piece, KEY)[at & 3 :] if masked else piece
        buffer.put(buffer.size, wire)
        assert buffer.settle(size, masked, KEY, at) == 0
        at += size
    assert (buffer.size, buffer.copy(0, 1000)) == (1000, data)


def test_no_more_is_settled_than_there_is_room_for(kernel: Any) -> None:
    buffer = kernel.Buffer(10)
    for count in (11, -1):
        with pytest.raises(ValueError):
            buffer.settle(count, False, 0, 0)
    buffer.settle(10, False, 0, 0)
    with pytest.raises(ValueError):
        buffer.settle(1, True, KEY, 0)


def test_room_is_made_exactly_and_only_when_it_is_missing(kernel: Any) -> None:
    buffer = kernel.Buffer(4)
    buffer.add(b"abc")
    buffer.reserve(1)
    assert buffer.capacity == 4
    buffer.reserve(1000)
    assert (buffer.capacity, buffer.size, buffer.copy(0, 3)) == (1003, 3, b"abc")
    buffer.reserve(5000)
    assert (buffer.capacity, buffer.copy(0, 3)) == (5003, b"abc")


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize("size", [0, 1, 5, 100, 100_000])
def test_what_is_released_is_nobody_elses(kernel: Any, size: int, grown: bool) -> None:
    data = os.urandom(size)
    buffer = kernel.Buffer(0 if grown else size)
    buffer.add(data)
    if grown:
        buffer.reserve(2 * size + 1)
    released = buffer.release()
    assert (released, buffer.size) == (data, 0)
    buffer.add(b"something else")
    assert released == data
    assert buffer.copy(0, 14) == buffer.release() == b"something else"


def test_a_view_forbids_to_release(faces: dict[str, Any]) -> None:
    buffer = faces["compiled"].Buffer()
    buffer.add(b"abc")
    with memoryview(buffer), pytest.raises(BufferError):
        buffer.release()
    assert buffer.release() == b"abc"


# -- short messages -------------------------------------------------------------------------------


def laid(kernel: Any, octets: bytes) -> Any:
    buffer = kernel.Buffer(len(octets) + 10)
    buffer.put(3, octets)
    return buffer


def wire(kernel: Any, first: int, data: bytes, masked: bool) -> bytes:
    if not masked:
        return bytes([first]) + head(len(data)) + data
    return bytes([first]) + head(len(data), 0x80) + KEY.to_bytes(4, "big") + kernel.mask(data, KEY)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("size", range(126))
def test_a_short_message_is_found(kernel: Any, size: int, masked: bool) -> None:
    data = bytes(i & 0x7F for i in range(size))
    for first, message in ((0x82, data), (0x81, data.decode())):
        octets = wire(kernel, first, data, masked)
        buffer = laid(kernel, octets)
        assert buffer.short(3, 3 + len(octets), masked) == message
        assert type(buffer.short(3, 3 + len(octets) + 5, masked)) is type(message)
        for stop in range(len(octets)):
            assert buffer.short(3, 3 + stop, masked) is None
        assert buffer.short(3, 3 + len(octets), not masked) is None
        assert buffer.copy(3, 3 + len(octets)) == octets


@pytest.mark.parametrize("first", [each for each in range(256) if each not in (0x81, 0x82)])
def test_everything_else_is_not_for_it(kernel: Any, first: int) -> None:
    for masked in (False, True):
        octets = wire(kernel, first, b"abc", masked)
        assert laid(kernel, octets).short(3, 3 + len(octets), masked) is None


@pytest.mark.parametrize("data", [b"\xff", b"a\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"a" * 126])
def test_neither_is_what_is_wrong_or_long(kernel: Any, data: bytes) -> None:
    for masked in (False, True):
        octets = wire(kernel, 0x81, data, masked)
        buffer = laid(kernel, octets)
        assert buffer.short(3, 3 + len(octets), masked) is None
        assert buffer.copy(3, 3 + len(octets)) == octets


@pytest.mark.parametrize("place", [(-1, 5), (5, 4), (0, 1000), (1000, 2000)])
def test_a_place_outside_has_no_message(kernel: Any, place: tuple[int, int]) -> None:
    assert laid(kernel, bytes(20)).short(*place, False) is None


# -- receiving up to a mark -----------------------------------------------------------------------


def test_no_more_is_received_than_asked_for(kernel: Any, pair: Pair) -> None:
    near, far = pair
    far.send(b"0123456789")
    buffer = kernel.Buffer(20)
    assert kernel.recv(near.fileno(), buffer, 2, 6) == 4
    assert kernel.recv(near.fileno(), buffer, 6, 100) == 6
    assert buffer.copy(0, 12) == bytes(2) + b"0123456789"
    assert kernel.recv(near.fileno(), buffer, 5, 5) < 0
