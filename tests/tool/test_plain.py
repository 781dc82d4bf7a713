"""A peer's text made safe to look at in a terminal."""

from __future__ import annotations

import sys
import unicodedata

import pytest

from longlink.tool.plain import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("a\rb\nc\td", r"a\rb\nc\td"),
        ("\x9b2J", r"\x9b2J"),
        ("\x7f\x00", r"\x7f\x00"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("\u2066\u2069", r"\u2066\u2069"),
        ("\ud83d", r"\ud83d"),
        ("测试 👩‍👩‍👧 é", "测试 👩‍👩‍👧 é"),
        (b"\xe6\xb5\x8b\xff\x1b", r"测\xff\x1b"),
        (b"", ""),
    ],
)
def test_shows_what_could_disturb_as_its_escape(text: str | bytes, shown: str) -> None:
    assert plain(text) == shown


def test_leaves_what_it_is_told_to_keep() -> None:
    assert plain("one\ttwo\nthree\r\x1b", keep="\t\n") == "one\ttwo\nthree\\r\\x1b"


def test_no_control_character_of_unicode_gets_through() -> None:
    controls = [
        chr(code)
        for code in range(sys.maxunicode + 1)
        if unicodedata.category(chr(code)) in ("Cc", "Cs", "Zl", "Zp")
    ]

    assert len(controls) > 2000  # the surrogates alone
    assert [c for c in controls if c in plain(c)] == []
