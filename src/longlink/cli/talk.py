"""What `longlink tcp` and `longlink udp` have in common on the command line."""

from __future__ import annotations

from collections.abc import Callable

import click

from ..line.rules import Rules
from ..tool.talk.ending import MEANINGS
from .option import make_options

# Those of a line's rules that a server's user may want to change.
RULES = ("max_line", "timeout")
PLACE: list[click.Parameter] = [
    click.Argument(["host"]),
    click.Argument(["port"], type=click.IntRange(1, 65535)),
]


def make_serve(
    answer: Callable[..., int], *owners: type, description: str, examples: str
) -> click.Command:
    """`serve`: the fields of `owners`, and the rules that its user may want to change."""
    params = [option for owner in owners for option in make_options(owner, environment=False)]
    params += make_options(Rules, environment=False, only=RULES)
    return click.Command("serve", callback=answer, params=params, help=description, epilog=examples)


def make_connect(
    call: Callable[..., int], owner: type, *, description: str, examples: str
) -> click.Command:
    """`connect`: a host, a port and the fields of `owner`; --help ends with the exit codes."""
    return click.Command(
        "connect",
        callback=call,
        params=[*PLACE, *make_options(owner, environment=False)],
        help=description,
        epilog=examples + _exit_codes(),
    )


def _exit_codes() -> str:
    """The table of exit codes, for the end of --help."""
    rows = "\n".join(f"  {code:>3}  {text}" for code, text in MEANINGS.items())
    return f"\n\b\nExit codes:\n{rows}\n"
