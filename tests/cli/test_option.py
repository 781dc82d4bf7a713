"""Options made of a dataclass for a tool: what a field's metadata can say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import click
import pytest

from longlink import Limits
from longlink.cli.option import make_options
from longlink.server.config import judge, option


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A tool's options."""

    file: str | None = option(None, "read this", short="-f", metavar="FILE", path=True)
    count: int = option(3, "so many", minimum=1, maximum=5)
    untold: int = 7

    def __post_init__(self) -> None:
        judge(self)


def parse(*arguments: str) -> dict[str, Any]:
    command = click.Command("tool", params=make_options(Plan, environment=False))
    return command.make_context("tool", list(arguments)).params


def test_a_field_says_what_its_option_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGLINK_COUNT", "4")
    assert parse() == {"file": None, "count": 3}
    assert parse("-f", "x", "--count", "5") == {"file": "x", "count": 5}
    file, _ = make_options(Plan)
    assert file.envvar == "LONGLINK_FILE"
    assert file.metavar == "FILE"
    assert isinstance(file.type, click.Path)  # shells complete it


@pytest.mark.parametrize("value", ["0", "6"])
def test_a_value_beyond_its_limits(value: str) -> None:
    with pytest.raises(click.BadParameter, match=f"count must be from 1 to 5, not {value}"):
        parse("--count", value)


def test_some_fields_only() -> None:
    options = make_options(Limits, only=("max_size", "open_timeout"))
    assert [each.name for each in options] == ["open_timeout", "max_size"]
