"""The ordinary opening handshake, recognised at a glance.

Nearly every request is like nearly every other: valid, of the headers that matter each once, and
in the spelling that browsers and libraries use. `knock_of` takes what matters from such a head and
makes no object of the rest. It is an accelerator and no second judge: whatever is unusual in any
way gets None, and then `parse_request` and `accept` find out what it is. What it does take they
would take, too, for the same; a test compares them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from ..native.kernel import fields
from .header import NO_LIMIT

_LINE: Final = re.compile(rb'GET (/[!"$-~]*) HTTP/1\.1\r\n')
_PORT: Final = r"[0-9]{1,4}|[1-5][0-9]{4}|6[0-4][0-9]{3}"
_HOST: Final = re.compile(rf"[A-Za-z0-9\-.]+(?::(?:{_PORT}))?")
# Base64 of 16 octets. The four unused bits of the last character may be anything: they are
# not zero in the example of RFC 6455 4.1, and RFC 4648 3.5 lets a decoder ignore them.
KEY: Final = re.compile(r"[A-Za-z0-9+/]{22}==")
# Browsers, most libraries, Firefox.
_CONNECTION: Final = frozenset({"Upgrade", "upgrade", "keep-alive, Upgrade"})
_WANTED: Final = (
    b"host",
    b"origin",
    b"upgrade",
    b"connection",
    b"sec-websocket-key",
    b"sec-websocket-version",
    b"sec-websocket-protocol",
    b"sec-websocket-extensions",
    b"expect",
    b"content-length",
    b"transfer-encoding",
)


class Knock:
    """What an opening handshake depends on; `protocols` and `extensions` are the offers."""

    __slots__ = ("extensions", "head", "host", "key", "origin", "path", "protocols")

    def __init__(self, head: bytes, path: str, key: str, host: str) -> None:
        self.head = head
        self.path = path
        self.key = key
        self.host = host
        self.origin: str | None = None
        self.protocols: str | None = None
        self.extensions: str | None = None


def knock_of(
    head: bytes,
    max_head: int = NO_LIMIT,
    max_line: int = NO_LIMIT,
    max_headers: int = NO_LIMIT,
) -> Knock | None:
    """What matters of an ordinary head; None for any other, be it good or bad."""
    line = _LINE.match(head)
    if line is None or line.end() - 2 > max_line or len(head) > max_head:
        return None
    found = fields(head, line.end(), _WANTED, max_line, max_headers)
    if found is None:
        return None
    host, origin, upgrade, connection, key, version, protocols, extensions, *others = found
    if host is None or key is None or upgrade != "websocket" or version != "13":
        return None
    if connection not in _CONNECTION or others != [None, None, None]:
        return None
    if not _is_plain(host) or not KEY.fullmatch(key):
        return None
    knock = Knock(head, line[1].decode(), key, host)
    knock.origin, knock.protocols, knock.extensions = origin, protocols, extensions
    return knock


@lru_cache(maxsize=64)  # a server is known by few names
def _is_plain(host: str) -> bool:
    return _HOST.fullmatch(host) is not None
