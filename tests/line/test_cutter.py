"""Octets in, lines out, however they come."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from longlink.errors import LineTooLong
from longlink.line.cutter import Cutter, Pile


def lines_of(cutter: Cutter) -> list[bytes]:
    lines = []
    while (line := cutter.take()) is not None:
        lines.append(line)
    return lines


@pytest.mark.parametrize(
    ("terminators", "octets", "lines", "rest"),
    [
        (b"\n", b"a\nb\r\n\nc", [b"a", b"b", b""], b"c"),
        (b"\n", b"a\tb\0c\n", [b"a\tb\0c"], b""),
        (b"\n\t\0", b"a\tb\0c\nd", [b"a", b"b", b"c"], b"d"),
        (b"\n\t\0", b"a\r\tb\r\n", [b"a\r", b"b"], b""),
        (b";", b"a;b\r\n;", [b"a", b"b\r\n"], b""),
        (b"]^-", b"a]b^c-d", [b"a", b"b", b"c"], b"d"),
        (b"\n", b"\r\n\r\r\n", [b"", b"\r"], b""),
    ],
)
def test_a_line_ends_at_any_terminator(
    terminators: bytes, octets: bytes, lines: list[bytes], rest: bytes
) -> None:
    cutter = Cutter(terminators, 100)
    cutter.add(octets)
    assert (lines_of(cutter), cutter.rest()) == (lines, rest)


@given(st.lists(st.binary(max_size=12)), st.data())
def test_it_does_not_matter_in_which_pieces_they_come(
    lines: list[bytes], data: st.DataObject
) -> None:
    octets = b"\n".join(lines)
    whole, pieces = Cutter(b"\n\t", 200), Cutter(b"\n\t", 200)
    whole.add(octets)
    found = []
    while octets:
        size = data.draw(st.integers(1, len(octets)))
        pieces.add(octets[:size])
        octets = octets[size:]
        found += lines_of(pieces)
    assert found == lines_of(whole)
    assert pieces.rest() == whole.rest()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_the_longest_line_is_taken_whatever_ends_it(end: bytes) -> None:
    cutter = Cutter(b"\n", 8)
    cutter.add(b"12345678" + end)
    assert cutter.ready()
    assert cutter.take() == b"12345678"


@pytest.mark.parametrize("octets", [b"123456789", b"123456789\n", b"12345678\rx", b"123456789\r\n"])
def test_a_longer_one_is_refused_as_soon_as_that_shows(octets: bytes) -> None:
    cutter = Cutter(b"\n", 8)
    cutter.add(b"before\n" + octets)
    assert cutter.take() == b"before"
    assert cutter.ready()
    with pytest.raises(LineTooLong, match="longer than 8 bytes"):
        cutter.take()


def test_a_cr_that_may_belong_to_the_end_is_not_too_much() -> None:
    cutter = Cutter(b"\n", 8)
    cutter.add(b"12345678\r")
    assert not cutter.ready()
    assert cutter.take() is None
    cutter.add(b"\n")
    assert cutter.take() == b"12345678"


def test_there_is_room_for_a_line_that_is_too_long_and_not_for_much_more() -> None:
    for most in (1, 8192, 100_000):
        cutter = Cutter(b"\n", most)
        assert most + 2 <= cutter.room() <= most + 16 * 1024
        cutter.add(bytes(cutter.room()))
        assert cutter.room() == 0
        with pytest.raises(LineTooLong):
            cutter.take()


def test_a_datagram_is_a_line_whatever_is_in_it() -> None:
    pile = Pile(b"\n")
    for octets in (b"a\nb\r\n", b"c", b"", b"\n", b"d\t"):
        pile.add(octets)
    assert pile.ready()
    assert lines_of(pile) == [b"a\nb", b"c", b"", b"", b"d\t"]  # type: ignore[arg-type]
    assert (pile.ready(), pile.rest()) == (False, b"")


def test_only_so_many_datagrams_wait() -> None:
    pile = Pile(b"\n")
    room = pile.room()
    for _ in range(room):
        pile.add(b"x")
    assert (room, pile.room()) == (16, 0)
