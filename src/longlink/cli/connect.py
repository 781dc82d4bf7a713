"""`longlink connect`: its options are the fields of Plan and some of Limits."""

from __future__ import annotations

from typing import Any

import click

from .. import Limits
from ..tool.connect.address import meant
from ..tool.connect.ending import MEANINGS
from ..tool.connect.plan import LIMITS, Plan
from ..tool.connect.talk import Talk, run
from .option import make_options

HELP = """\
Talk to a WebSocket server.

At a terminal, what you type is sent and what comes is shown, /help lists what else can be typed.
In a pipe, each line of the input is a message, and each message is passed on as it came: text
with a line end, binary octet for octet. After the end of the input the connection stays open
until no more answers come (--wait).

URI is ws:// or wss://, or http:// or https:// for the same; host:port or :port is ws://.
"""
EXAMPLES = """\
\b
Examples:
  longlink connect ws://127.0.0.1:8008/ws
  longlink connect -x '{"subscribe": "trades"}' --wait none --json wss://example.com/feed
  tail -f log | longlink connect -H 'Authorization: Bearer t0ken' example.com:8008
  longlink connect --count 1 --save picture.png ws://127.0.0.1:8008/ < /dev/null

\b
Exit codes:
"""
EPILOG = EXAMPLES + "\n".join(f"  {code:>3}  {text}" for code, text in MEANINGS.items())


def make_command() -> click.Command:
    """The command."""
    return click.Command(
        "connect",
        callback=_connect,
        params=[
            click.Argument(["uri"], required=False),
            *make_options(Plan, environment=False),
            *make_options(Limits, environment=False, only=LIMITS),
        ],
        help=HELP,
        epilog=EPILOG,
    )


def _connect(uri: str | None, **options: Any) -> int:
    limits = Limits(**{name: options.pop(name) for name in LIMITS})
    plan = Plan(**options)
    if uri is None:
        if plan.uds is None:
            raise click.UsageError("missing argument URI, such as ws://127.0.0.1:8008/ws")
        uri = "localhost"
    try:
        talk = Talk(meant(uri), plan, limits)
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    return run(talk)
