"""One run of a line server: listen, say where, serve until asked to stop."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections.abc import Callable
from typing import Any

from ... import __version__
from ...line import Server, serve, serve_datagrams
from ...line.flow import spoken
from ...server.log import configure
from .answer import Answerer
from .plan import Listening, Serving

CANNOT_RUN = 2
CLOSE_S = 3.0  # what somebody may take to leave whom we said goodbye to

Start = Callable[[], Any]


def over_tcp(plan: Serving, more: Listening, **rules: Any) -> int:
    """Serve over TCP; returns the exit code."""
    return _run(
        plan,
        "tcp",
        lambda: serve(
            Answerer(plan),
            plan.host,
            plan.port,
            terminators=plan.ends,
            max_accepts=more.max_accepts,
            close_timeout=CLOSE_S,
            backlog=more.backlog,
            max_connections=plan.max_connections,
            **rules,
        ),
    )


def over_udp(plan: Serving, **rules: Any) -> int:
    """Serve over UDP; returns the exit code."""
    return _run(
        plan,
        "udp",
        lambda: serve_datagrams(
            Answerer(plan),
            plan.host,
            plan.port,
            terminators=plan.ends,
            max_connections=plan.max_connections,
            **rules,
        ),
    )


def _run(plan: Serving, protocol: str, start: Start) -> int:
    configure(plan.log_level, colors=plan.use_colors)
    try:
        with asyncio.Runner() as runner:
            runner.run(_serve(protocol, start))
    except socket.gaierror as error:
        return _cannot(f"cannot listen on {plan.host}: {error.strerror}")
    except OSError as error:
        return _cannot(error.strerror or str(error))
    except UnicodeError:  # a name that no resolver can be asked for
        return _cannot(f"cannot listen on {plan.host!r}: not a host name")
    return 0


async def _serve(protocol: str, start: Start) -> None:
    loop = asyncio.get_running_loop()
    server: Server = await start()
    places = ", ".join(spoken(sock.getsockname()) for sock in server.sockets)
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _stop, server)
    text = f"longlink {__version__} serving lines on {protocol} {places}  (Ctrl-C stops)"
    print(text, flush=True)
    await server.wait_closed()


def _stop(server: Server) -> None:
    """Say goodbye to everybody; asked twice, cut them."""
    if server.closing:
        server.abort()
    server.close()


def _cannot(why: str) -> int:
    print(f"longlink: {why}", file=sys.stderr)
    return CANNOT_RUN
