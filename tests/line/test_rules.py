"""What a line connection lives under, and what is said of a rule that cannot be."""

from __future__ import annotations

from typing import Any

import pytest

from longlink import UnknownLimit, line
from longlink.line.rules import Rules


async def nobody(line: line.Line) -> None:
    """A handler."""


def test_keywords_are_rules_and_limits() -> None:
    rules = Rules.of({"max_line": 80, "timeout": None, "stall_timeout": 3})
    assert (rules.max_line, rules.timeout, rules.limits.stall_timeout) == (80, None, 3)
    assert (rules.terminators, rules.newline) == (b"\n", b"\n")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"max_line": 0}, "max_line must be a whole number from 1 to 2\\*\\*30, not 0"),
        ({"max_line": 8.5}, "max_line must be a whole number"),
        ({"max_line": True}, "max_line"),
        ({"timeout": -1}, "timeout must be a number"),
        ({"timeout": float("nan")}, "timeout must be a number"),
        ({"terminators": b""}, "at least one byte"),
        ({"stall_timeout": 0}, "stall_timeout must be greater than 0"),
    ],
)
def test_values_that_cannot_be(given: dict[str, Any], words: str) -> None:
    for start in (line.serve, line.serve_datagrams):
        with pytest.raises(ValueError, match=words):
            start(nobody, "127.0.0.1", 0, **given)


def test_terminators_are_bytes() -> None:
    with pytest.raises(TypeError, match="terminators must be bytes, not '\\\\n'"):
        line.serve(nobody, "127.0.0.1", 0, terminators="\n")


def test_a_keyword_of_websockets_is_none_of_lines() -> None:
    with pytest.raises(UnknownLimit, match="unknown keyword 'ping_interval'; known: close_timeout"):
        line.connect("127.0.0.1", 1, ping_interval=3)


@pytest.mark.parametrize("start", [line.serve, line.serve_datagrams])
def test_a_handler_can_be_called(start: Any) -> None:
    with pytest.raises(TypeError, match="handler must be `async def handler"):
        start("print", "127.0.0.1", 0)


@pytest.mark.parametrize("start", [line.connect, line.connect_datagrams])
@pytest.mark.parametrize("port", [0, 65536, "x"])
def test_a_port_to_connect_to(start: Any, port: Any) -> None:
    with pytest.raises((ValueError, TypeError), match="port must be"):
        start("127.0.0.1", port)


def test_other_bad_arguments() -> None:
    with pytest.raises(ValueError, match="max_accepts must be at least 1, not 0"):
        line.serve(nobody, "127.0.0.1", 0, max_accepts=0)
    with pytest.raises(ValueError, match="factor must be greater than 0, not 0"):
        line.serve_datagrams(nobody, "127.0.0.1", 0, factor=0)
