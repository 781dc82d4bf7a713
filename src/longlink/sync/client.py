"""`longlink.sync.connect()`: `longlink.connect()` for programs that block."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

from ..api import client
from ..api.connection import Connection
from .background import enter
from .connection import ClientConnection


def connect(uri: str, **options: Any) -> ClientConnection:
    """A connection: `with connect(uri) as ws:`, or `ws = connect(uri)` and `ws.close()`.

    Args:
        uri, options: as for `longlink.connect`, without `on_message` and what is for `reconnect`.

    Raises: as `longlink.connect`.
    Ctrl-C closes whatever was opened.
    """
    _check_once(options)
    return _open(_plan(uri, options))


def unix_connect(
    path: str | os.PathLike[str] | None = None, uri: str | None = None, **options: Any
) -> ClientConnection:
    """`connect` over the Unix socket at `path`."""
    _check(options)
    _check_once(options)
    return _open(client.unix_connect(path, uri, **options))


def _check(options: dict[str, Any]) -> None:
    for name in ("on_message", "create_connection"):
        if name in options:
            raise TypeError(f"{name} is for longlink.connect()")


def _check_once(options: dict[str, Any]) -> None:
    for name in ("process_exception", "reconnect_delays"):
        if name in options:
            raise TypeError(f"{name} is for reconnect()")


def _plan(uri: str, options: dict[str, Any]) -> client.connect:
    _check(options)
    return client.connect(uri, **options)


def _open(plan: client.connect) -> ClientConnection:
    background = enter()
    try:
        connection = background.run(plan._open, _abort)
    except BaseException:
        background.leave()
        raise
    return ClientConnection(connection, background)


def _abort(connection: Connection) -> None:
    """It was opened at the moment when it was given up."""
    connection.session.agenda.loop.call_soon_threadsafe(connection.session.abort)


class reconnect:
    """`for ws in reconnect(uri)`: a new connection whenever one is over.

    Args:
        uri, options: as for `connect`, and `process_exception` and `reconnect_delays`.
    """

    def __init__(self, uri: str, **options: Any) -> None:
        self.plan = _plan(uri, options)

    def __iter__(self) -> Iterator[ClientConnection]:
        background = enter()
        connections = self.plan.__aiter__()

        async def following() -> Connection:
            return await anext(connections)

        try:
            while True:
                connection = background.run(following, _abort)
                enter()
                ws = ClientConnection(connection, background)
                try:
                    yield ws
                finally:
                    ws.close()
        finally:
            background.run(connections.aclose)
            background.leave()
