"""Who may open a connection: the page it comes from (Origin) and the name it came by (Host).

Browsers let any page open a WebSocket to anywhere, with the cookies of that place. The Origin
header, which a page cannot forge, is what keeps foreign pages out (RFC 6455 10.2), so the
default is to believe only pages of the host that is asked.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Sequence
from typing import Final, TypeAlias

from ..errors import InvalidHost, InvalidOrigin, shorten
from .header import Headers
from .uri import split_authority

_ORIGIN: Final = re.compile(r"(?i:https?)://(.+)")


class SameHost(enum.Enum):
    """The type of `SAME_HOST`."""

    SAME_HOST = "same host"


SAME_HOST: Final = SameHost.SAME_HOST

# Who may open a connection: pages of the host that is asked, anybody (None), or those listed;
# None in a list stands for clients that send no Origin, which only browsers must send, and
# SAME_HOST in a list for what it means alone.
Allowed: TypeAlias = SameHost | str | re.Pattern[str] | None
Origins: TypeAlias = SameHost | Sequence[Allowed] | None


def check_origins(origins: Origins) -> None:
    """Raise TypeError for origins that `accept` could not understand."""
    if origins is None or isinstance(origins, SameHost):
        return
    if isinstance(origins, str):
        raise TypeError(f"origins is {shorten(origins)}, expected a list")
    for origin in origins:
        text = origin.pattern if isinstance(origin, re.Pattern) else origin
        if not (text is None or isinstance(text, (str, SameHost))):
            raise TypeError(
                f"origin {shorten(origin)} is not a string, a pattern of strings, SAME_HOST or None"
            )


def check_hosts(hosts: Collection[str] | None) -> None:
    """Raise for hosts that no request could name.

    Raises:
        TypeError: a string instead of a collection of them.
        ValueError: not a host; an IPv6 address needs its brackets.
    """
    if isinstance(hosts, str):
        raise TypeError(f"hosts is {shorten(hosts)}, expected a list")
    for host in hosts or ():
        if _host_of(host) is None:
            raise ValueError(f"host {shorten(host)} is malformed")


def judge_host(headers: Headers, hosts: Collection[str] | None) -> None:
    """Raise InvalidHost unless the request is for one of these hosts (None: any)."""
    if hosts is None:
        return
    name = headers.only("Host")
    host = _host_of(name)
    if host is None or all(host != _host_of(served) for served in hosts):
        raise InvalidHost("Host", name, "a host that is served here")


def judge_origin(headers: Headers, origins: Origins) -> None:
    """Raise InvalidOrigin unless the page may connect, InvalidHeaderValue if two claim to be it.

    Source: RFC 6455 4.2.2, item 1.
    """
    origin = headers.only("Origin")
    if origins is None:
        return
    if isinstance(origins, SameHost):
        if not _fits(origin, origins, headers):
            raise InvalidOrigin(origin, "a page of the same host")
    elif not any(_fits(origin, allowed, headers) for allowed in origins):
        raise InvalidOrigin(origin, "one of those allowed")


def _fits(origin: str | None, allowed: Allowed, headers: Headers) -> bool:
    if isinstance(allowed, SameHost):
        return origin is None or _is_same_host(origin, headers)
    if isinstance(allowed, re.Pattern):
        return origin is not None and allowed.fullmatch(origin) is not None
    return origin == allowed


def _is_same_host(origin: str, headers: Headers) -> bool:
    host = _origin_host(origin)
    return host is not None and host == _host_of(headers.only("Host"))


def _host_of(authority: str | None) -> str | None:
    found = split_authority(authority or "")
    # A dot at the end only says that the name is complete.
    return None if found is None else found[0].removesuffix(".")


def _origin_host(origin: str) -> str | None:
    """Host of an origin (RFC 6454 6.2); None for `null`, other schemes and the malformed."""
    match = _ORIGIN.fullmatch(origin)
    return None if match is None else _host_of(match[1])
