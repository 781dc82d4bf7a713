"""`fields`: what header lines say, where nothing about them is unusual."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

NAMES = (b"host", b"x-y", b"empty")


def test_values_in_the_order_of_their_names(kernel: Any) -> None:
    head = b"GET /\r\nX-Y:  a b \t\r\nother: z\r\nHOST:h\r\nempty:\r\n\r\n"
    assert kernel.fields(head, 7, NAMES, 99, 99) == ["h", "a b", ""]
    assert kernel.fields(b"\r\n", 0, NAMES, 99, 99) == [None] * 3
    assert kernel.fields(head, 7, (), 99, 99) == []


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"\r",
        b"host: a",
        b"host: a\r\n",
        b"host: a\r\n\r\nmore",
        b"host: a\r\n\r\n\r\n",
        b"host: a\n\r\n",
        b"host: a\rb\r\n\r\n",
        b"host: a\x00\r\n\r\n",
        b"host: \xc3\xa9\r\n\r\n",
        b"host : a\r\n\r\n",
        b" host: a\r\n\r\n",
        b": a\r\n\r\n",
        b"host\r\n\r\n",
        b"host: a\r\n b\r\n\r\n",
        b"host: a\r\nHost: b\r\n\r\n",
    ],
)
def test_nothing_of_unusual_lines(kernel: Any, lines: bytes) -> None:
    assert kernel.fields(lines, 0, NAMES, 99, 99) is None


def test_limits(kernel: Any) -> None:
    lines = b"a: b\r\nhost: 1\r\n\r\n"
    assert kernel.fields(lines, 0, NAMES, 7, 2) == ["1", None, None]
    assert kernel.fields(lines, 0, NAMES, 6, 2) is None
    assert kernel.fields(lines, 0, NAMES, 7, 1) is None


@pytest.mark.parametrize("start", [-1, 3, 2**40])
def test_a_start_outside(kernel: Any, start: int) -> None:
    assert kernel.fields(b"\r\n", start, NAMES, 99, 99) is None


pieces = st.sampled_from(
    [b"Host", b"x-y", b"z", b":", b" ", b"\t", b"\r\n", b"\r", b"\xff", b"a,b"]
)


@settings(deadline=None, max_examples=1000)
@given(pieces=st.lists(pieces, max_size=12), end=st.sampled_from([b"", b"\r\n", b"\r\n\r\n"]))
def test_both_faces_agree(faces: dict[str, Any], pieces: list[bytes], end: bytes) -> None:
    head = b"".join(pieces) + end
    for start in (0, 1, 2):
        first, second = (face.fields(head, start, NAMES, 9, 3) for face in faces.values())
        assert first == second
