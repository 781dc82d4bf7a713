"""Incremental UTF-8 (RFC 3629) against Python's own incremental decoder, octet by octet."""

from __future__ import annotations

import codecs
import random
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

COMPLETE, INSIDE, INVALID = "complete", "inside", "invalid"

# Both sides of every limit that a first or a following octet has.
EDGES = bytes.fromhex("00 41 7f 80 8f 90 9f a0 bf c0 c1 c2 df e0 e1 ec ed ee ef f0 f1 f3 f4 f5 ff")


def expected(octets: bytes) -> str:
    """What Python says, which notices an impossible octet as soon as it has seen it.

    Except in a surrogate: for the sake of its error handlers Python waits for the third octet,
    although ED followed by A0 and above is over already.
    """
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        decoder.decode(octets)
    except UnicodeDecodeError:
        return INVALID
    unfinished = decoder.getstate()[0]
    if len(unfinished) == 2 and b"\xed\xa0" <= unfinished < b"\xee":
        return INVALID
    return INSIDE if unfinished else COMPLETE


def named(state: int) -> str:
    return COMPLETE if state == 0 else INSIDE if state > 0 else INVALID


def state_of(kernel: Any, octets: bytes, state: int = 0) -> int:
    buffer = kernel.Buffer(len(octets))
    buffer.put(0, octets)
    result: int = buffer.utf8(0, len(octets), state)
    return result


def in_pieces(kernel: Any, pieces: list[bytes]) -> int:
    state = 0
    for piece in pieces:
        state = state_of(kernel, piece, state)
        if state < 0:
            break
    return state


def walk(kernel: Any, prefix: bytes, state: int, alphabet: bytes, depth: int) -> int:
    """Compare every sequence over the alphabet; those that began wrong are not prolonged."""
    count = 0
    for octet in alphabet:
        octets = prefix + bytes([octet])
        after = state_of(kernel, octets[-1:], state)
        assert named(after) == named(state_of(kernel, octets)) == expected(octets), octets.hex()
        count += 1
        if after >= 0 and depth > 1:
            count += walk(kernel, octets, after, alphabet, depth - 1)
    return count


def test_every_class_of_sequence_up_to_four_octets(kernel: Any) -> None:
    assert walk(kernel, b"", 0, EDGES, 4) > 5000


def test_every_first_and_second_octet(kernel: Any) -> None:
    for first in range(0x80, 0x100):
        state = state_of(kernel, bytes([first]))
        assert named(state) == expected(bytes([first]))
        for second in range(0x100) if state > 0 else ():
            octets = bytes([first, second])
            assert named(state_of(kernel, octets[1:], state)) == expected(octets)


def test_every_character_there_is(kernel: Any) -> None:
    characters = (chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    assert state_of(kernel, "".join(characters).encode()) == 0


def test_no_surrogate_is_a_character(kernel: Any) -> None:
    for code in range(0xD800, 0xE000):
        octets = chr(code).encode("utf-8", "surrogatepass")
        assert state_of(kernel, octets[:1]) > 0
        assert state_of(kernel, octets[:2]) == -1


@pytest.mark.parametrize(
    "octets",
    [
        pytest.param(b"\xc0", id="overlong NUL"),
        pytest.param(b"\xc1", id="overlong 7F"),
        pytest.param(b"\xe0\x80", id="overlong, three octets"),
        pytest.param(b"\xf0\x8f", id="overlong, four octets"),
        pytest.param(b"\xf4\x90", id="above 10FFFF"),
        pytest.param(b"\xf8", id="five octets"),
        pytest.param(b"\x80", id="a continuation first"),
        pytest.param(b"\xe2\x82A", id="an end too early"),
    ],
)
def test_the_octet_that_makes_it_impossible_is_the_one_noticed(kernel: Any, octets: bytes) -> None:
    assert state_of(kernel, b"plain text first " + octets[:-1]) >= 0
    assert state_of(kernel, b"plain text first " + octets) == -1
    assert state_of(kernel, octets[-1:], state_of(kernel, octets[:-1])) == -1


def test_every_cut_of_a_text(kernel: Any) -> None:
    octets = "aé€😀 κόσμε 0123456789abcdef ﷽ 𝕏 ԀԂ".encode()
    for cut in range(len(octets) + 1):
        first = state_of(kernel, octets[:cut])
        assert named(first) == expected(octets[:cut])
        assert state_of(kernel, octets[cut:], first) == 0


def test_octet_by_octet_is_all_at_once(kernel: Any) -> None:
    octets = "aé€😀κόσμε".encode() * 3
    assert in_pieces(kernel, [octets[i : i + 1] for i in range(len(octets))]) == 0


@pytest.mark.parametrize("at", range(40))
def test_one_wrong_octet_among_ascii(kernel: Any, at: int) -> None:
    octets = bytearray(b"x" * 40)
    octets[at] = 0x80
    assert state_of(kernel, bytes(octets)) == -1
    octets[at] = 0xC3
    assert state_of(kernel, bytes(octets)) == (-1 if at < 39 else 1)


def test_nothing_changes_nothing(kernel: Any) -> None:
    inside = state_of(kernel, b"\xf0\x9f")
    assert inside > 0
    assert state_of(kernel, b"", inside) == inside
    assert state_of(kernel, b"") == 0


def test_a_place_outside_is_invalid(kernel: Any) -> None:
    buffer = kernel.Buffer(4)
    assert buffer.utf8(0, 5, 0) == buffer.utf8(-1, 2, 0) == buffer.utf8(3, 2, 0) == -1
    assert buffer.utf8(0, 4, 8) == buffer.utf8(0, 4, -1) == -1


@settings(deadline=None)
@given(st.lists(st.binary(max_size=12), max_size=6))
def test_any_octets_in_any_pieces(kernel: Any, pieces: list[bytes]) -> None:
    assert named(in_pieces(kernel, pieces)) == expected(b"".join(pieces))


@settings(deadline=None)
@given(st.text(max_size=60), st.randoms(use_true_random=False))
def test_any_text_in_any_pieces(kernel: Any, text: str, chance: random.Random) -> None:
    octets = text.encode()
    cuts = sorted(chance.randrange(len(octets) + 1) for _ in range(4))
    edges = [0, *cuts, len(octets)]
    pieces = [octets[a:b] for a, b in pairwise(edges)]
    assert in_pieces(kernel, pieces) == 0
