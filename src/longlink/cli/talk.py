"""What `longlink tcp` and `longlink udp` have in common on the command line."""

from __future__ import annotations

import click

from ..tool.talk.ending import MEANINGS

# Those of a line's rules that a server's user may want to change.
RULES = ("max_line", "timeout")
PLACE: list[click.Parameter] = [
    click.Argument(["host"]),
    click.Argument(["port"], type=click.IntRange(1, 65535)),
]


def exit_codes() -> str:
    """The table of exit codes, for the end of --help."""
    rows = "\n".join(f"  {code:>3}  {text}" for code, text in MEANINGS.items())
    return f"\n\b\nExit codes:\n{rows}\n"
