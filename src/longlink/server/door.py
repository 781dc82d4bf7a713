"""Who may come in to talk: the path, the page it is asked from, the form of conversation."""

from __future__ import annotations

from collections.abc import Sequence

from .. import SAME_HOST, Connection, Request, Response
from ..wire.origin import Origins

PATHS = ("/", "/ws")
ANY = "*"
LOCAL = ("localhost", "127.0.0.1", "[::1]")


def choose_origins(listed: Sequence[str]) -> Origins:
    """What `serve(origins=…)` takes: pages of the same host and those listed; None for any."""
    return None if ANY in listed else [SAME_HOST, *listed]


def choose_hosts(known: Sequence[str]) -> list[str] | None:
    """What `serve(hosts=…)` takes: this machine's own names and those known; None for any.

    A page may have its own name point at this server (DNS rebinding), and then is of the same
    host. Who knows the names that the server is reached by keeps such pages out.
    """
    return [*LOCAL, *known] if known else None


def judge_path(connection: Connection, request: Request) -> Response | None:
    """404 for a WebSocket where there is none (`process_request`)."""
    if request.path.partition("?")[0] in PATHS:
        return None
    return connection.respond(404, f"no WebSocket here, only at {' and '.join(PATHS)}\n")


def select_form(connection: Connection, offered: Sequence[str]) -> str | None:
    """`chat` for whoever offers it; the others converse in bare text and binary."""
    return "chat" if "chat" in offered else None
