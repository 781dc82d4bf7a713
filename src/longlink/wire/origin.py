"""Who may open a connection: the page it comes from (Origin) and the name it came by (Host).

Browsers let any page open a WebSocket to anywhere, with the cookies of that place. The Origin
header, which a page cannot forge, is what keeps foreign pages out (RFC 6455 10.2), so the
default is to believe only pages of the host that is asked.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Collection, Sequence
from functools import lru_cache
from typing import Final, TypeAlias

from ..errors import InvalidHost, InvalidOrigin, shorten
from .authority import split_authority

_ORIGIN: Final = r"(?i:https?)://(.+)"


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


def judge_host(name: str | None, hosts: Collection[str] | None) -> None:
    """Raise InvalidHost unless a request with this Host is for one of these (None: any)."""
    if hosts is None:
        return
    host = _host_of(name)
    if host is None or all(host != _host_of(served) for served in hosts):
        raise InvalidHost("Host", name, "a host that is served here")


def judge_origin(origin: str | None, host: str | None, origins: Origins) -> None:
    """Raise InvalidOrigin unless a page with this Origin may connect to what Host says.

    Source: RFC 6455 4.2.2, item 1.
    """
    if origins is None:
        return
    if isinstance(origins, SameHost):
        if not _fits(origin, origins, host):
            raise InvalidOrigin(origin, "a page of the same host")
    elif not any(_fits(origin, allowed, host) for allowed in origins):
        raise InvalidOrigin(origin, "one of those allowed")


def _fits(origin: str | None, allowed: Allowed, host: str | None) -> bool:
    if isinstance(allowed, SameHost):
        return origin is None or _is_same_host(origin, host)
    if isinstance(allowed, re.Pattern):
        return origin is not None and allowed.fullmatch(origin) is not None
    return origin == allowed


@lru_cache(maxsize=64)  # a server has few pages
def _is_same_host(origin: str, host: str | None) -> bool:
    name = _origin_host(origin)
    return name is not None and name == _host_of(host)


def _host_of(authority: str | None) -> str | None:
    found = split_authority(authority or "")
    # A dot at the end only says that the name is complete.
    return None if found is None else found[0].removesuffix(".")


def _origin_host(origin: str) -> str | None:
    """Host of an origin (RFC 6454 6.2); None for `null`, other schemes and the malformed."""
    match = re.fullmatch(_ORIGIN, origin)
    return None if match is None else _host_of(match[1])
