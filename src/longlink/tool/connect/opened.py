"""How a connection was opened, for people: where, with what, and both heads."""

from __future__ import annotations

from collections.abc import Iterator

from ... import Connection, Headers
from ...errors import is_secret
from ..plain import plain
from .address import discreet


def summary(uri: str, ws: Connection) -> str:
    """One line: the URI and what was agreed on."""
    agreed = [_secured(ws), f"subprotocol {ws.subprotocol}" if ws.subprotocol else ""]
    if ws.response is not None:
        agreed += map(_name, ws.response.headers.get_all("Sec-WebSocket-Extensions"))
    return plain(f"connected to {discreet(uri)}" + "".join(f", {each}" for each in agreed if each))


def heads(ws: Connection) -> Iterator[str]:
    """Request and response line by line, without what is a secret."""
    yield plain(f"> {ws.request.method} {discreet(ws.request.path)} {ws.request.version}")
    yield from _lines(">", ws.request.headers)
    if ws.response is not None:
        yield plain(f"< HTTP/1.1 {ws.response.status_code} {ws.response.reason_phrase}")
        yield from _lines("<", ws.response.headers)


def _lines(mark: str, headers: Headers) -> Iterator[str]:
    for name, value in headers.raw_items():
        yield plain(f"{mark} {name}: {'…' if is_secret(name) else value}")


def _secured(ws: Connection) -> str:
    tls = ws.transport.get_extra_info("ssl_object")
    return "" if tls is None else f"{tls.version()} {tls.cipher()[0]}"


def _name(extension: str) -> str:
    return extension.partition(";")[0].strip()
