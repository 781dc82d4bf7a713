"""The port for people with nc or telnet: who comes there talks in the same room as the browsers.

A page in a browser can make it connect to any port of this machine, and send what it likes behind a
line that says GET or POST. There is no Origin to judge here, so whoever begins like a browser,
or in anything but text, is refused; and a moment is waited for that before somebody is let in.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import Final

from .. import Limits
from ..line import Line, LineClosed, LineFailed, Server, serve
from ..line.flow import spoken
from .guest import Guest
from .room import Room

log = logging.getLogger("longlink.room")

_MOMENT_S: Final = 0.3
_HTTP: Final = re.compile(r"\s*\S+ .*HTTP/[0-9]\.[0-9]\s*\Z", re.IGNORECASE)
_NOT_TEXT: Final = re.compile("[\x00-\x08\x0e-\x1f]")  # TLS, and what else is not typed
# What telnet says about itself (RFC 854), for example after Ctrl-C.
_TELNET: Final = re.compile(rb"\xff(?:[\xfb-\xfe].|[\xf0-\xfa]|\xff)", re.DOTALL)
# Those of the limits that mean something to a line; it waits for ever, and asks whether they live.
_SHARED: Final = (
    "close_timeout",
    "stall_timeout",
    "write_limit",
    "max_backlog",
    "max_line",
    "max_connections",
)


async def listen(host: str, port: int, limits: Limits, room: Room) -> Server:
    """A server that brings whoever talks in lines into the room; raises OSError."""
    shared = {name: getattr(limits, name) for name in _SHARED}

    async def handle(line: Line) -> None:
        await _talk(line, room)

    return await serve(handle, host, port, timeout=None, **shared)


async def _talk(line: Line, room: Room) -> None:
    text = await _first(line)
    if text is not None and _is_foreign(text):
        _refuse(line)
        return
    guest = Guest(line)
    room.join(guest)
    try:
        await _converse(line, room, guest, text)
    except LineClosed:
        pass  # the room says how
    finally:
        room.leave(guest)


async def _converse(line: Line, room: Room, guest: Guest, text: str | None) -> None:
    """Until they leave; `text` is what they said already. Who comes may show only now that they
    are no person: a browser may connect first, and ask later."""
    begun = False
    while True:
        if text is None:
            text = _typed(await line.readline(decode=False))
        if not begun and _is_foreign(text):
            _refuse(line)
            return
        if text.strip():
            begun = True
            room.receive(guest, text)
        text = None


async def _first(line: Line) -> str | None:
    """The first line if it comes at once, as programs send it; people take longer."""
    try:
        async with asyncio.timeout(_MOMENT_S):
            return _typed(await line.readline(decode=False))
    except TimeoutError:
        return None


def _refuse(line: Line) -> None:
    log.info("refused %s: neither HTTP nor TLS is spoken in lines", spoken(line.remote_address))
    line.refuse(LineFailed("this port is for people who type, not for HTTP or TLS"))


def _typed(octets: bytes) -> str:
    return _TELNET.sub(b"", octets).decode(errors="replace")


def _is_foreign(text: str) -> bool:
    return _HTTP.match(text) is not None or _NOT_TEXT.search(text) is not None
