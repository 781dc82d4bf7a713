"""`longlink bench`: its options are the fields of Plan, and those of connect that say where to."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Final

import click

from ..tool.bench.plan import SHARED, Plan
from ..tool.connect.plan import Plan as ConnectPlan
from .option import make_options

HELP: Final = """\
Measure a WebSocket server, and check every answer that it gives.

URI is that of the server: ws://127.0.0.1:8008/ws, or 127.0.0.1:8008/ws. By default 100
connections send 32 bytes each and wait until they come back, for 5 seconds. That needs a server
that echoes, such as `longlink serve --echo`; one that tells everybody, as `longlink serve` does,
is measured with --mode fan-out. One processor works, and says whether it or the server was the
limit. Only test servers that are yours.
"""

EPILOG: Final = """\
Exit codes: {codes}.

Example: longlink bench ws://127.0.0.1:8008/ws --connections 1000 --size 1024 --html report.html
"""


def make_command() -> click.Command:
    """The command."""
    from ..tool.bench.command import MEANINGS

    codes = "; ".join(f"{code:d} {text}" for code, text in MEANINGS.items())
    return click.Command(
        "bench",
        callback=_bench,
        params=[
            click.Argument(["uri"]),
            *make_options(Plan, environment=False),
            *make_options(ConnectPlan, environment=False, only=SHARED),
        ],
        help=HELP,
        epilog=EPILOG.format(codes=codes),
    )


def _bench(uri: str, **options: Any) -> int:
    from ..tool.bench.command import run
    from ..tool.connect.address import meant

    names = {entry.name for entry in fields(Plan)}
    contact = {name: value for name, value in options.items() if name not in names}
    own = {name: value for name, value in options.items() if name in names}
    try:
        return run(meant(uri), Plan(contact=ConnectPlan(**contact), **own))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
