"""Limits: written once, judged when given, named in errors."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import pytest

from longlink import connect, serve
from longlink.errors import LonglinkError, UnknownLimit
from longlink.limits import Limits, describe

FIELDS = {entry.name: entry for entry in dataclasses.fields(Limits)}
OPTIONAL = sorted(name for name, entry in FIELDS.items() if "None" in str(entry.type))
REQUIRED = sorted(set(FIELDS) - set(OPTIONAL))
NUMBERS = sorted(set(FIELDS) - {"overflow"})


def test_defaults() -> None:
    """Those of `websockets` where it has the same name, those of the architecture elsewhere."""
    assert dataclasses.asdict(Limits()) == {
        "open_timeout": 10.0,
        "ping_interval": 20.0,
        "ping_timeout": 20.0,
        "close_timeout": 10.0,
        "stall_timeout": 10.0,
        "max_size": 2**20,
        "max_fragment_size": None,
        "max_fragments": 1024,
        "max_queue": 16,
        "max_queue_low": None,
        "write_limit": 2**15,
        "write_limit_low": None,
        "max_backlog": 2**20,
        "overflow": "close",
        "max_control_rate": 100,
        "max_control_burst": 200,
        "max_head": 16384,
        "max_line": 8192,
        "max_headers": 100,
        "max_connections": None,
    }


def test_every_limit_says_what_it_does() -> None:
    """Flags, variables and docstrings are made of this: one line each, no full stop."""
    for entry in FIELDS.values():
        assert set(entry.metadata) == {"unit", "help"}
        assert re.fullmatch(r"[a-z][a-z ]*", entry.metadata["unit"])
        assert re.fullmatch(r"[a-z][^\n]*[^.\n]", entry.metadata["help"])


def test_the_description_has_a_line_for_each() -> None:
    lines = describe().splitlines()
    assert [line.split(" = ")[0] for line in lines] == list(FIELDS)
    assert "max_size = 1048576 (bytes): largest message accepted" in describe()


def test_which_can_be_switched_off() -> None:
    """A limit without which one peer could exhaust a server before it was welcome has no off."""
    assert {"max_head", "max_line", "max_headers", "write_limit", "overflow"} <= set(REQUIRED)


@pytest.mark.parametrize("name", OPTIONAL)
def test_none_switches_off_what_allows_it(name: str) -> None:
    assert getattr(Limits(**{name: None}), name) is None  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(set(REQUIRED) - {"overflow"}))
def test_none_is_refused_elsewhere(name: str) -> None:
    with pytest.raises(ValueError, match=f"^{name} cannot be switched off$"):
        Limits(**{name: None})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [0, -1, -0.5, float("nan"), float("-inf")])
def test_a_limit_is_greater_than_nothing(name: str, value: float) -> None:
    if value == 0 and name.endswith("_low"):
        assert getattr(Limits(**{name: 0}), name) == 0  # type: ignore[arg-type]
        return
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        Limits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["10", True, False, b"1", [1], 1j])
def test_a_limit_is_a_number(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be "):
        Limits(**{name: value})


@pytest.mark.parametrize("name", NUMBERS)
def test_the_smallest_of_each(name: str) -> None:
    assert getattr(Limits(**{name: 1}), name) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["close", "drop"])
def test_policies_of_overflow(value: str) -> None:
    assert Limits.of({"overflow": value}).overflow == value


@pytest.mark.parametrize("value", ["", "CLOSE", None, 1, True, "block"])
def test_no_other_policy(value: Any) -> None:
    with pytest.raises(ValueError, match=r"^overflow must be 'close' or 'drop', not "):
        Limits(overflow=value)


def test_limits_do_not_change() -> None:
    limits = Limits()
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.max_size = 5  # type: ignore[misc]
    with pytest.raises((AttributeError, TypeError)):
        limits.max_sizes = 5  # type: ignore[attr-defined]
    assert dataclasses.replace(limits, max_size=5) == Limits(max_size=5)


def test_of_what_a_caller_gave() -> None:
    assert Limits.of({}) == Limits()
    assert Limits.of({"max_size": 10, "ping_interval": None}) == Limits(
        max_size=10, ping_interval=None
    )
    with pytest.raises(ValueError, match="max_size must be"):
        Limits.of({"max_size": -1})


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("max_sise", "did you mean 'max_size'?"),
        ("ping_intervall", "did you mean 'ping_interval'?"),
        ("maxsize", "did you mean 'max_size'?"),
        ("zzz", "known: open_timeout, ping_interval,"),
    ],
)
def test_an_unknown_name_is_told_what_was_meant(name: str, hint: str) -> None:
    """It is a TypeError as for any function that was given a keyword it does not have."""
    with pytest.raises(UnknownLimit, match=f"^unknown keyword or limit '{name}'; ") as caught:
        Limits.of({name: 1})
    assert hint in str(caught.value)
    assert isinstance(caught.value, TypeError)
    assert isinstance(caught.value, LonglinkError)


@pytest.mark.parametrize(
    ("function", "name", "hint"),
    [
        (serve, "origin", "did you mean 'origins'?"),
        (serve, "process_reqest", "did you mean 'process_request'?"),
        (serve, "compress", "did you mean 'compression'?"),
        (serve, "max_msg_size", "did you mean 'max_size'?"),
        (connect, "proxi", "did you mean 'proxy'?"),
        (connect, "server_hostnam", "did you mean 'server_hostname'?"),
        (connect, "additional_header", "did you mean 'additional_headers'?"),
        (connect, "extra_headers", "there is 'max_headers', 'additional_headers'"),
        (connect, "user_agent", "there is 'user_agent_header'"),
        (connect, "max_message_size", "there is 'max_size', 'max_fragment_size'"),
        (connect, "timeout", "there is 'open_timeout', 'ping_timeout', 'close_timeout', "),
    ],
)
def test_every_keyword_of_a_function_may_be_what_was_meant(
    function: Any, name: str, hint: str
) -> None:
    first = {serve: print, connect: "ws://localhost/"}[function]
    with pytest.raises(
        UnknownLimit, match=f"^unknown keyword or limit '{name}'; {re.escape(hint)}"
    ):
        function(first, **{name: 1})


def test_those_of_a_head() -> None:
    limits = Limits(max_head=3, max_line=2, max_headers=1)
    assert limits.of_head() == {"max_head": 3, "max_line": 2, "max_headers": 1}


WHOLE = sorted(name for name, entry in FIELDS.items() if "int" in str(entry.type))


@pytest.mark.parametrize("name", WHOLE)
@pytest.mark.parametrize("value", [1.5, 2.0, float("inf")])
def test_what_is_counted_is_a_whole_number(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"^{name} must be a whole number, not "):
        Limits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [2**62 + 1, 2**70])
def test_a_limit_fits_into_a_register(name: str, value: int) -> None:
    assert getattr(Limits(**{name: 2**62}), name) == 2**62  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=rf"^{name} must be greater than 0 and at most 2\*\*62"):
        Limits(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("given", "means"),
    [
        ({"max_size": (100, 10)}, {"max_size": 100, "max_fragment_size": 10}),
        ({"max_size": (None, 10)}, {"max_size": None, "max_fragment_size": 10}),
        ({"max_size": (100, None)}, {"max_size": 100, "max_fragment_size": None}),
        ({"max_size": (None, None)}, {"max_size": None, "max_fragment_size": None}),
        ({"max_queue": (9, 3)}, {"max_queue": 9, "max_queue_low": 3}),
        ({"max_queue": (9, 9)}, {"max_queue": 9, "max_queue_low": 9}),
        ({"max_queue": (9, 0)}, {"max_queue": 9, "max_queue_low": 0}),
        ({"max_queue": (9, None)}, {"max_queue": 9, "max_queue_low": None}),
        ({"max_queue": (None, 3)}, {"max_queue": 12, "max_queue_low": 3}),
        ({"max_queue": (None, None)}, {"max_queue": None, "max_queue_low": None}),
        ({"write_limit": (900, 30)}, {"write_limit": 900, "write_limit_low": 30}),
        ({"write_limit": (900, None)}, {"write_limit": 900, "write_limit_low": None}),
    ],
)
def test_a_pair_says_two_limits(given: dict[str, Any], means: dict[str, Any]) -> None:
    """As `websockets` takes them."""
    assert Limits.of(given) == Limits(**given) == Limits(**means)


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"max_queue": (3, 9)}, "max_queue must be a high mark and a low one below it, not (3, 9)"),
        ({"write_limit": (1, 2)}, "write_limit must be a high mark and a low one below it"),
        (
            {"max_queue": (1, 2, 3)},
            "max_queue must be a number or a pair of numbers, not (1, 2, 3)",
        ),
        ({"max_size": ()}, "max_size must be a number or a pair of numbers, not ()"),
        ({"max_size": ("9", 1)}, "max_size must be a number, not '9'"),
        ({"max_size": (9, 1.5)}, "max_fragment_size must be a whole number, not 1.5"),
        ({"max_size": (9, 0)}, "max_fragment_size must be greater than 0"),
        ({"max_queue": (9, -1)}, "max_queue_low must be greater than 0"),
        ({"max_queue": ("9", 1)}, "max_queue must be a number, not '9'"),
        ({"max_queue": (9, "1")}, "max_queue_low must be a number, not '1'"),
        ({"write_limit": (None, None)}, "write_limit cannot be switched off"),
        ({"max_fragments": (1, 2)}, "max_fragments must be a number, not (1, 2)"),
    ],
)
def test_what_is_no_pair_is_told_so(given: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(complaint)}"):
        Limits.of(given)


@pytest.mark.parametrize(
    ("given", "low_queue", "low_water"),
    [
        ({}, 4, 2**13),
        ({"max_queue": (9, 3), "write_limit": (90, 7)}, 3, 7),
        ({"max_queue_low": 99, "write_limit_low": 2**20}, 16, 2**15),
        ({"max_queue": None}, 0, 2**13),
        ({"max_queue": (1, 0), "write_limit": (1, 0)}, 0, 0),
    ],
)
def test_low_marks_are_a_quarter_or_what_was_said(
    given: dict[str, Any], low_queue: int, low_water: int
) -> None:
    limits = Limits.of(given)
    assert (limits.low_queue, limits.low_water) == (low_queue, low_water)
