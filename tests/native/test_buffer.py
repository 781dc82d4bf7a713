"""Buffer: numbers, copies, searching, growing, and the views that others have of it."""

from __future__ import annotations

import sys
from typing import Any

import pytest


def filled(kernel: Any, data: bytes) -> Any:
    buffer = kernel.Buffer(len(data))
    buffer.put(0, data)
    return buffer


def test_a_new_buffer_is_empty_and_zero(kernel: Any) -> None:
    buffer = kernel.Buffer(10)
    assert (buffer.capacity, buffer.size, len(buffer)) == (10, 0, 10)
    assert buffer.copy(0, 10) == bytes(10)


def test_a_buffer_may_have_no_memory_yet(kernel: Any) -> None:
    buffer = kernel.Buffer()
    assert (buffer.capacity, buffer.size) == (0, 0)
    assert buffer.copy(0, 0) == b""
    assert buffer.text(0, 0) == ""
    assert bytes(buffer) == b""


@pytest.mark.parametrize("capacity", [-1, -(1 << 40)])
def test_a_capacity_is_not_negative(kernel: Any, capacity: int) -> None:
    with pytest.raises(ValueError):
        kernel.Buffer(capacity)


def test_memory_that_there_is_not(kernel: Any) -> None:
    with pytest.raises(MemoryError):
        kernel.Buffer(sys.maxsize)


def test_numbers_are_big_endian_at_every_alignment(kernel: Any) -> None:
    data = bytes(range(0xF0, 0x100)) + bytes(range(16))
    buffer = filled(kernel, data)
    for i in range(len(data) - 8):
        assert buffer.at(i) == data[i]
        assert buffer.u16(i) == int.from_bytes(data[i : i + 2], "big")
        assert buffer.u32(i) == int.from_bytes(data[i : i + 4], "big")
        assert buffer.u64(i) == int.from_bytes(data[i : i + 8], "big")


def test_numbers_have_no_sign(kernel: Any) -> None:
    buffer = filled(kernel, b"\xff" * 8)
    assert buffer.at(0) == 0xFF
    assert (buffer.u16(0), buffer.u32(0), buffer.u64(0)) == (2**16 - 1, 2**32 - 1, 2**64 - 1)


def test_put_writes_there_and_nowhere_else(kernel: Any) -> None:
    buffer = filled(kernel, b"." * 10)
    assert buffer.put(3, b"abc") == 0
    assert buffer.put(10, b"") == 0
    assert buffer.copy(0, 10) == b"...abc...."
    assert buffer.capacity == 10


@pytest.mark.parametrize(("at", "data"), [(8, b"abc"), (-1, b"a"), (11, b""), (0, b"x" * 11)])
def test_put_must_fit(kernel: Any, at: int, data: bytes) -> None:
    with pytest.raises(ValueError):
        kernel.Buffer(10).put(at, data)


@pytest.mark.parametrize(("start", "stop"), [(-1, 3), (0, 11), (5, 4), (11, 11)])
def test_a_place_outside_is_a_value_error(kernel: Any, start: int, stop: int) -> None:
    buffer, body = kernel.Buffer(10), kernel.Buffer()
    for act in (
        lambda: buffer.copy(start, stop),
        lambda: buffer.unmasked(start, stop, 1),
        lambda: buffer.unmask(start, stop, 1),
        lambda: buffer.text(start, stop),
        lambda: body.append(buffer, start, stop, False, 0, 0),
    ):
        with pytest.raises(ValueError, match="outside"):
            act()
    assert buffer.find(b"\0", start, stop) == -1
    assert body.size == 0


def test_copies_are_bytes_of_their_own(kernel: Any) -> None:
    buffer = filled(kernel, b"abcdef")
    copied, unmasked = buffer.copy(1, 4), buffer.unmasked(1, 4, 0)
    buffer.put(0, b"......")
    assert (copied, unmasked) == (b"bcd", b"bcd")
    assert type(copied) is type(unmasked) is bytes


# -- text -----------------------------------------------------------------------------------------


def test_text_is_utf8(kernel: Any) -> None:
    octets = "aé€😀".encode()
    assert filled(kernel, b"<" + octets + b">").text(1, 1 + len(octets)) == "aé€😀"


@pytest.mark.parametrize("octets", [b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"ab\xe2\x82", b"\x80"])
def test_text_is_strict(kernel: Any, octets: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        filled(kernel, octets).text(0, len(octets))


# -- find -----------------------------------------------------------------------------------------


def test_find_gives_the_first_place(kernel: Any) -> None:
    buffer = filled(kernel, b"GET / HTTP/1.1\r\n\r\nmore\r\n\r\n")
    assert buffer.find(b"\r\n\r\n", 0, 26) == 14
    assert buffer.find(b"\r\n\r\n", 14, 26) == 14
    assert buffer.find(b"\r\n\r\n", 15, 26) == 22
    assert buffer.find(b"absent", 0, 26) == -1


def test_what_is_found_lies_wholly_within(kernel: Any) -> None:
    buffer = filled(kernel, b"....\r\n\r\n....")
    assert buffer.find(b"\r\n\r\n", 0, 8) == 4
    assert buffer.find(b"\r\n\r\n", 0, 7) == -1
    assert buffer.find(b"\r\n\r\n", 5, 12) == -1
    assert buffer.find(b"x" * 13, 0, 12) == -1


def test_nothing_is_found_at_once(kernel: Any) -> None:
    assert kernel.Buffer(4).find(b"", 2, 2) == 2


# -- append ---------------------------------------------------------------------------------------


def test_append_grows_behind_the_fill_mark(kernel: Any) -> None:
    source, body = filled(kernel, b"abcdefgh"), kernel.Buffer()
    assert body.append(source, 0, 3, False, 0, 0) == 0
    body.append(source, 3, 8, False, 0, 0)
    body.append(source, 4, 4, False, 0, 0)
    assert (body.size, body.copy(0, body.size)) == (8, b"abcdefgh")
    assert source.size == 0


def test_memory_grows_by_doubling_and_no_further(kernel: Any) -> None:
    source, body = kernel.Buffer(1000), kernel.Buffer(10)
    steps = []
    for size in (10, 1, 9, 1, 1000, 0, 500):
        body.append(source, 0, size, False, 0, 0)
        steps.append((body.size, body.capacity))
    assert steps == [
        (10, 10),
        (11, 20),
        (20, 20),
        (21, 40),
        (1021, 1021),
        (1021, 1021),
        (1521, 2042),
    ]


def test_a_known_length_is_allocated_once(kernel: Any) -> None:
    source, body = kernel.Buffer(100), kernel.Buffer(300)
    for _ in range(3):
        body.append(source, 0, 100, True, 7, 0)
    assert (body.size, body.capacity) == (300, 300)


def test_append_from_itself(kernel: Any) -> None:
    body = kernel.Buffer()
    body.append(filled(kernel, b"abc"), 0, 3, False, 0, 0)
    for masked in (False, True):
        body.append(body, 0, body.size, masked, 0, 0)
    assert body.copy(0, body.size) == b"abc" * 4


def test_append_needs_a_buffer(kernel: Any) -> None:
    for source in (None, b"abc"):
        with pytest.raises((TypeError, AttributeError)):
            kernel.Buffer().append(source, 0, 0, False, 0, 0)


def test_add_copies_bytes_behind_the_fill_mark(kernel: Any) -> None:
    body = kernel.Buffer(2)
    sizes = []
    for data in (b"", b"ab", b"c", b"defgh"):
        assert body.add(data) == 0
        sizes.append((body.size, body.capacity))
    assert sizes == [(0, 2), (2, 2), (3, 4), (8, 8)]
    assert body.copy(0, 8) == b"abcdefgh"
    for wrong in (None, "text", 5):
        with pytest.raises(TypeError):
            kernel.Buffer().add(wrong)
    with memoryview(body), pytest.raises(BufferError):
        body.add(b"i")
    assert body.size == 8


def test_clear_forgets_and_keeps_the_memory(kernel: Any) -> None:
    body = kernel.Buffer()
    body.append(filled(kernel, b"abcdef"), 0, 6, False, 0, 0)
    assert body.clear() == 0
    assert (body.size, body.capacity) == (0, 6)
    body.append(filled(kernel, b"xyz"), 0, 3, False, 0, 0)
    assert body.copy(0, body.size) == b"xyz"


# -- views ----------------------------------------------------------------------------------------


def test_others_may_write_into_it(kernel: Any) -> None:
    buffer = kernel.Buffer(8)
    with memoryview(buffer) as view:
        assert (view.nbytes, view.readonly, view.format) == (8, False, "B")
        view[2:5] = b"abc"
    assert buffer.copy(0, 8) == b"\0\0abc\0\0\0"


def test_a_view_of_nothing(kernel: Any) -> None:
    with memoryview(kernel.Buffer()) as view:
        assert view.nbytes == 0


def test_no_growing_under_a_view(kernel: Any) -> None:
    source, body = filled(kernel, b"abcdef"), kernel.Buffer(4)
    with memoryview(body):
        body.append(source, 0, 4, False, 0, 0)
        with pytest.raises(BufferError):
            body.append(source, 0, 1, False, 0, 0)
        assert body.size == 4
    body.append(source, 4, 6, False, 0, 0)
    assert body.copy(0, 6) == b"abcdef"


def test_a_view_outlives_the_name(kernel: Any) -> None:
    view = memoryview(filled(kernel, b"abc"))
    assert bytes(view) == b"abc"
