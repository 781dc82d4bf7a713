"""`host[:port]`, as URIs, Host and Origin have it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# RFC 3986 3.2.2 without the comma: no host has one, but two Host lines joined by a proxy do.
_AUTHORITY: Final = (
    r"(?:\[(?P<v6>[0-9A-Fa-f:.]{2,45})\]"
    r"|(?P<name>(?:[A-Za-z0-9\-._~!$&'()*+;=]|%[0-9A-Fa-f]{2})+))"
    r"(?::(?P<port>[0-9]{0,5}))?"
)


@lru_cache(maxsize=64)  # a server is known by few names
def split_authority(text: str) -> tuple[str, int | None] | None:
    """Host (lower case, IPv6 compressed and without brackets) and port; None if malformed.

    Source: RFC 3986 3.2, without userinfo, which Host and Origin may not have.
    """
    match = re.fullmatch(_AUTHORITY, text)
    if match is None:
        return None
    port = int(match["port"]) if match["port"] else None
    if port is not None and port > 65535:
        return None
    if match["v6"] is None:
        return match["name"].lower(), port
    from ipaddress import IPv6Address  # slow to import, and rarely asked

    try:
        return IPv6Address(match["v6"]).compressed, port
    except ValueError:
        return None
