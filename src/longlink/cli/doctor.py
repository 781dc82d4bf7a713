"""`longlink doctor`: what the environment says is read as `longlink serve` reads it."""

from __future__ import annotations

import difflib
import os
import sys
from typing import Any

import click

from .. import Limits
from ..server.config import Config
from ..tool.doctor.finding import Settings
from ..tool.doctor.report import as_json, as_text, examine, is_well
from .complaint import complaint
from .option import make_options
from .serve import make_config

PREFIX = "LONGLINK_"
# What setup.py and the tests of longlink read.
OTHERS = ("PURE", "COMPILE", "EXPECT", "SANITIZE", "WERROR", "BITS_H", "STORM", "STREAMS")
EPILOG = """\
\b
Examples:
  longlink doctor
  LONGLINK_HOST=0.0.0.0 longlink doctor
  longlink doctor --json | jq -r '.findings[] | select(.level != "ok") | .text'

\b
Exit codes:
  0  nothing fails; there may be warnings
  1  something fails
"""


def make_command() -> click.Command:
    """The command."""
    return click.Command(
        "doctor",
        callback=_doctor,
        params=[click.Option(["--json"], is_flag=True, help="Show the findings as one object.")],
        help="Say what is amiss on this machine, and what to do about it: how longlink was"
        " installed, the limits of the system, and what `longlink serve` would expose with the"
        " environment as it is.",
        epilog=EPILOG,
    )


def _doctor(json: bool) -> int:
    findings = examine(read_settings())
    colors = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    click.echo(as_json(findings) if json else as_text(findings, colors=colors))
    return 0 if is_well(findings) else 1


def read_settings() -> Settings:
    """What the environment says, each variable judged by itself."""
    options = {str(each.envvar): each for each in (*make_options(Config), *make_options(Limits))}
    said = [name for name in os.environ if name.startswith(PREFIX)]
    values: dict[str, Any] = {}
    complaints: list[tuple[str, str]] = []
    for name, option in options.items():
        try:
            # As `longlink serve` would: what is not in the environment gets its default.
            context = click.Command("serve", params=[option]).make_context("serve", [])
        except click.ClickException as error:
            complaints.append((name, complaint(error)))
        else:
            values |= context.params
    unknown = [name for name in said if name not in options and name[9:] not in OTHERS]
    return Settings(
        config=make_config(values),
        names=tuple(name for name in said if name in options),
        complaints=tuple(complaints),
        unknown=tuple((name, _near(name, list(options))) for name in unknown),
    )


def _near(name: str, known: list[str]) -> str:
    return next(iter(difflib.get_close_matches(name, known, 1, 0.8)), "")
