"""`longlink tcp`: servers and clients that talk in lines over TCP."""

from __future__ import annotations

from typing import Any

import click

from ..tool.talk.plan import Calling, Listening, Serving
from .talk import RULES, make_connect, make_serve

HELP = "Talk in lines over TCP: a server to try things on, and a client."
EPILOG = """\
\b
Example:
  longlink tcp serve --reverse --port 7001 &
  echo hello | longlink tcp connect localhost 7001
"""

SERVE = """\
Answer each line that somebody says.

Say it with nc or telnet, or with longlink tcp connect. --reply says what is answered, --greet what
is said first. A line that is too long, or does not come in time, is answered with an error line
and the connection closed.
"""
SERVE_EPILOG = """\
\b
Examples:
  longlink tcp serve --greet 测试成功！ --reply '收到的信息:{line}' --max-accepts 5
  longlink tcp serve --reverse --port 7001
  longlink tcp serve --host 0.0.0.0 --timeout 60 --max-line 1000
"""
CONNECT = """\
Talk to a server in lines.

At a terminal, what you type is sent and what comes is shown; Ctrl-D says that this was all. In a
pipe, what comes in is sent as it is, its end ends our side of the stream, and what the server says
is passed on as it is until it closes.
"""
CONNECT_EXAMPLES = """\
\b
Examples:
  longlink tcp connect localhost 7007
  printf 'Ho\\r\\nfirst blood\\r\\n' | longlink tcp connect -v localhost 7007
  printf 'GET / HTTP/1.0\\r\\n\\r\\n' | longlink tcp connect --timeout 5 example.com 80
"""


def make_command() -> click.Command:
    """The command."""
    serve = make_serve(_serve, Serving, Listening, description=SERVE, examples=SERVE_EPILOG)
    connect = make_connect(_connect, Calling, description=CONNECT, examples=CONNECT_EXAMPLES)
    return click.Group("tcp", commands=[serve, connect], help=HELP, epilog=EPILOG)


def _serve(max_accepts: int | None, backlog: int, **options: Any) -> int:
    from ..tool.talk.serve import over_tcp

    rules = {name: options.pop(name) for name in RULES}
    more = Listening(max_accepts=max_accepts, backlog=backlog)
    return over_tcp(Serving(**options), more, **rules)


def _connect(host: str, port: int, **options: Any) -> int:
    from ..tool.talk.connect import over_tcp

    return over_tcp(host, port, Calling(**options))
