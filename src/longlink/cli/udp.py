"""`longlink udp`: servers and clients that talk in lines over UDP."""

from __future__ import annotations

from typing import Any

import click

from ..tool.talk.plan import Serving, Writing
from .talk import RULES, make_connect, make_serve

HELP = "Talk in lines over UDP: a server to try things on, and a client."
EPILOG = """\
\b
Example:
  longlink udp serve --reverse --port 7001 &
  echo hello | longlink udp connect localhost 7001
"""

SERVE = """\
Answer each datagram that somebody sends; a datagram is a line.

Nobody is sent more than three times the octets that came from the same address, headers counted,
and nothing is answered that claims to come from a broadcast or multicast address, from a port below
1024 or from a port with our number: whoever forges addresses gets nothing out of it.
"""
SERVE_EPILOG = """\
\b
Examples:
  longlink udp serve --reply 'received: {line}'
  longlink udp serve --reverse --port 7001
"""
CONNECT = """\
Send each line as a datagram, and show what is answered.

At a terminal, what you type is sent and what comes is shown until Ctrl-D. In a pipe, answers are
waited for until none has come for --timeout.
"""
CONNECT_EXAMPLES = """\
\b
Examples:
  longlink udp connect localhost 7007
  echo hello | longlink udp connect --timeout 0.5 localhost 7007
"""


def make_command() -> click.Command:
    """The command."""
    serve = make_serve(_serve, Serving, description=SERVE, examples=SERVE_EPILOG)
    connect = make_connect(_connect, Writing, description=CONNECT, examples=CONNECT_EXAMPLES)
    return click.Group("udp", commands=[serve, connect], help=HELP, epilog=EPILOG)


def _serve(**options: Any) -> int:
    from ..tool.talk.serve import over_udp

    rules = {name: options.pop(name) for name in RULES}
    return over_udp(Serving(**options), **rules)


def _connect(host: str, port: int, **options: Any) -> int:
    from ..tool.talk.connect import over_udp

    return over_udp(host, port, Writing(**options))
