"""`broadcast()`: one message to many."""

from __future__ import annotations

from collections.abc import Iterable

from ..errors import ConcurrencyError
from ..wire.frame import Prepared
from ..wire.phase import State
from .connection import Connection
from .message import BytesLike


def broadcast(
    connections: Iterable[Connection],
    message: str | BytesLike,
    *,
    text: bool | None = None,
    compress: bool | None = None,
    raise_exceptions: bool = False,
) -> None:
    """Send one message to many, encoded once, waiting for nobody.

    A connection that is not open is skipped; one too slow to keep up is closed with 1013 when
    its backlog reaches `max_backlog`, and never delays the others.

    Args:
        connections: any number of connections.
        message: str is sent as text, bytes-like as binary.
        text: True sends bytes as text, which must be UTF-8; False sends str as binary.
        compress: see `Connection.send`. It is compressed once for all who agreed on the same.
        raise_exceptions: raise ExceptionGroup of those that were skipped, after all were tried.

    Raises:
        TypeError: not a message; nothing was sent.
    Cost: one encoding, one compression for each form agreed on, one reference per receiver
    above 16 KiB, one system call per receiver.
    """
    if not isinstance(message, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"a message is str or bytes-like, not {type(message).__name__}")
    prepared = Prepared(_as_asked(message, text), compress)
    skipped = _offer(connections, prepared)
    if skipped and raise_exceptions:
        raise ExceptionGroup("skipped connections", [_why(each) for each in skipped])


def _offer(connections: Iterable[Connection], prepared: Prepared) -> list[Connection]:
    """Queue it for everybody; those it could not be queued for."""
    skipped: list[Connection] = []
    for each in connections:
        connection = each  # typed where compiled: a call through C
        if not connection.offer(prepared):
            skipped.append(connection)
    return skipped


def _as_asked(message: str | BytesLike, text: bool | None) -> str | bytes:
    if isinstance(message, str):
        return message.encode() if text is False else message
    return bytes(message).decode() if text else bytes(message)


def _why(connection: Connection) -> Exception:
    if connection.state is State.OPEN:
        return ConcurrencyError(f"message dropped: {connection} is too slow (max_backlog)")
    return connection.session.closed()
