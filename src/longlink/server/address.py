"""Under which address somebody is shown: the peer's, or the one that a trusted proxy names."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Final

from .. import Connection

UNIX: Final = "unix"
# What proxies write for somebody: an address, some of them with the port.
_WITH_PORT: Final = re.compile(r"([\d.]+):\d+|\[([\da-fA-F:.]+)\](?::\d+)?")

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def peer_ip(connection: Any) -> str:
    """The peer's address without its port; "unix" for a UNIX domain socket."""
    address = connection.remote_address
    if not isinstance(address, tuple) or not address:
        return UNIX
    ip = str(address[0])
    # On a socket for both families, such as systemd's, IPv4 comes dressed up as IPv6.
    return ip.removeprefix("::ffff:") if "." in ip else ip


def networks_of(texts: Sequence[str]) -> list[Network]:
    """The networks among trusted proxies. Raises ValueError for what is none, nor "unix"."""
    return [_network_of(text) for text in texts if text != UNIX]


def _network_of(text: str) -> Network:
    try:
        return ipaddress.ip_network(text)
    except ValueError:
        what = "an address, a network such as 10.0.0.0/8, or unix"
        raise ValueError(f"forwarded_allow_ips must be {what}, not {text!r}") from None


class Addresses:
    """Knows whose word counts.

    Args:
        proxies: addresses and networks whose X-Forwarded-For is believed; "unix" is whoever comes
            by a UNIX domain socket.
    """

    def __init__(self, proxies: Sequence[str] = ()) -> None:
        self._networks = networks_of(proxies)
        self._unix = UNIX in proxies

    def of(self, connection: Any) -> str:
        """The address of whoever is behind this connection."""
        shown = peer_ip(connection)
        if not isinstance(connection, Connection) or not self._is_proxy(shown):
            return shown
        # Each proxy adds whom it saw at the end: what stands before the first that is not ours
        # may be made up.
        said = ",".join(connection.request.headers.get_all("X-Forwarded-For"))
        for text in reversed(said.split(",")):
            address = _address_in(text.strip())
            if address is None:
                break
            shown = address
            if not self._is_proxy(shown):
                break
        return shown

    def _is_proxy(self, shown: str) -> bool:
        if shown == UNIX:
            return self._unix
        address = ipaddress.ip_address(shown.partition("%")[0])
        return any(address in network for network in self._networks)


def _address_in(text: str) -> str | None:
    """The address that a proxy wrote; None for anything else."""
    if found := _WITH_PORT.fullmatch(text):
        text = found[1] or found[2]
    if "%" in text:  # a zone means nothing beyond its machine, and may be any text at all
        return None
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return str(getattr(address, "ipv4_mapped", None) or address)  # see `peer_ip`
