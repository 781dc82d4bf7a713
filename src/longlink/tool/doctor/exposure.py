"""Who could reach what `longlink serve` would serve with this environment, and as whom."""

from __future__ import annotations

import contextlib
import errno
import ipaddress
import os
import socket
from collections.abc import Iterator
from typing import Any, Final

from ...server.config import Config
from ...server.door import ANY
from .finding import Finding, Settings, fail, ok, warn

Place = tuple[int, Any]  # family and address, as the socket module has them

_PROXY: Final = "a proxy with a password in front and LONGLINK_HOST=127.0.0.1, or a firewall"


def addresses(host: str, port: int) -> list[Place]:
    """Family and address of each socket that would listen; raises OSError or UnicodeError."""
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    return list(dict.fromkeys((family, address) for family, _, _, _, address in found))


def is_public(config: Config) -> bool:
    """Whether more than this machine would reach its pages."""
    return config.fd is None and config.uds is None and _is_open(config)


def _is_open(config: Config) -> bool:
    """Whether more than this machine would reach the host; lines are there with --uds, too."""
    try:
        places = addresses(config.host, config.port)
        return not all(is_loopback(str(address[0])) for _, address in places)
    except (OSError, UnicodeError):
        return False


def check_address(settings: Settings) -> Iterator[Finding]:
    """Where it would listen, and who reaches that."""
    config = settings.config
    if config.fd is not None:
        yield ok("address", f"the socket inherited as descriptor {config.fd}")
        return
    if config.uds is not None:
        yield _judge_path(config.uds)
        return
    try:
        places = addresses(config.host, config.port)
    except (OSError, UnicodeError):
        yield fail(
            "address",
            f"LONGLINK_HOST={config.host} is no host that is known here",
            "LONGLINK_HOST=127.0.0.1, or a name that resolves",
        )
        return
    place = f"{config.host} port {config.port}"
    if is_public(config):
        yield warn("address", f"{place}: whoever reaches this machine may talk", _PROXY)
    else:
        yield ok("address", f"{place}: this machine only")
    yield from _bindable(places, "LONGLINK_PORT")


def _judge_path(path: str) -> Finding:
    folder = os.path.dirname(os.path.abspath(path))
    if not os.access(folder, os.W_OK | os.X_OK):
        return fail(
            "address", f"no socket can be made in {folder}", "make it, or let us write there"
        )
    return ok("address", f"the UNIX domain socket {path}: programs on this machine only")


def is_loopback(host: str) -> bool:
    """Whether an address is this machine's own, for itself."""
    return ipaddress.ip_address(host.partition("%")[0]).is_loopback


def _bindable(places: list[Place], variable: str) -> Iterator[Finding]:
    """Whether one can listen there, by trying; `variable` names another port."""
    for family, address in places:
        try:
            with socket.socket(family, socket.SOCK_STREAM) as sock:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                if family == socket.AF_INET6:
                    sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
                sock.bind(address)
        except OSError as error:
            yield _refused(f"{address[0]} port {address[1]}", error, variable)
            return


def _refused(place: str, error: OSError, variable: str) -> Finding:
    if error.errno == errno.EADDRINUSE:
        return warn("port", f"{place} is taken: by longlink itself?", f"{variable} for another")
    if error.errno == errno.EACCES:
        return fail(
            "port",
            f"{place} is for root only",
            "a port from 1024 on, AmbientCapabilities=CAP_NET_BIND_SERVICE in a systemd unit, or"
            " its socket activation",
        )
    return fail("port", f"cannot listen on {place}: {os.strerror(error.errno or 0)}", "another one")


def check_lines(settings: Settings) -> Iterator[Finding]:
    """The port for nc and telnet, where neither TLS nor origins are asked for."""
    config = settings.config
    if config.line_port is None:
        return
    text = f"nc and telnet may talk on port {config.line_port}"
    if config.line_port == config.port != 0 and config.fd is None and config.uds is None:
        yield fail("lines", f"port {config.port} cannot be both", "another LONGLINK_LINE_PORT")
        return
    if _is_open(config):
        yield warn("lines", f"{text}, from anywhere and in plain text", "no LONGLINK_LINE_PORT")
    else:
        yield ok("lines", f"{text}: this machine only")
    with contextlib.suppress(OSError, UnicodeError):  # told of the address already
        yield from _bindable(addresses(config.host, config.line_port), "LONGLINK_LINE_PORT")


def check_origins(settings: Settings) -> Iterator[Finding]:
    """The pages that browsers let talk."""
    listed = settings.config.origin
    if ANY in listed:
        yield warn(
            "origins",
            "pages of any origin may talk, with their visitors' cookies",
            "LONGLINK_ORIGIN names those that may, such as https://example.com",
        )
    elif listed:
        yield ok("origins", f"pages of the same host, and of {', '.join(listed)}")
    else:
        yield ok("origins", "pages of the same host only")


def check_names(settings: Settings) -> Iterator[Finding]:
    """The names under which it answers."""
    known = settings.config.allow_host
    if known:
        yield ok("names", f"answers to {', '.join(known)} and localhost")
        return
    yield ok(
        "names",
        "answers to any name, so a page that has its own name point here is of the same host",
        "LONGLINK_ALLOW_HOST names those it is reached by, and shuts such pages out",
    )
