"""Ports to listen on: from a host and a port to bound sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import stat
import sys
from collections.abc import Sequence

Host = str | Sequence[str] | None

_ATTEMPTS = 8  # to find a port that is free on several addresses
_MOST_BACKLOG = 2**31 - 1  # a C int
_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)


def descriptors() -> int:
    """How many files and sockets this process may have open."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 8192
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 2**31 if soft == resource.RLIM_INFINITY else soft


def check_backlog(backlog: int) -> None:
    """Raise ValueError for a backlog that the system cannot be told."""
    if not 0 <= backlog <= _MOST_BACKLOG:
        raise ValueError(f"backlog must be 0 to {_MOST_BACKLOG}, not {backlog}")


async def listening_sockets(
    host: Host, port: int | None, *, backlog: int, reuse_port: bool = False
) -> list[socket.socket]:
    """Bound, listening, non-blocking sockets: one for each address that `host` has.

    None or "" is every interface. Port 0 picks a free one, the same for all addresses.

    Raises OSError when an address can't be had; then none is kept.
    """
    port = port or 0
    if not 0 <= port <= 65535:
        raise ValueError(f"port must be 0 to 65535, not {port}")
    addresses = await _addresses(host, port)
    attempts = _ATTEMPTS
    while True:
        try:
            return _listen_all(addresses, port, backlog, reuse_port)
        except OSError as error:
            attempts -= 1
            # The port that was free on the first address may be taken on another.
            if port or not attempts or error.errno != errno.EADDRINUSE:
                raise


async def _addresses(host: Host, port: int) -> list[tuple[int, str]]:
    """Family and IP of each address of `host`, each once."""
    hosts: Sequence[str | None] = [host or None] if host is None or isinstance(host, str) else host
    loop = asyncio.get_running_loop()
    addresses: dict[tuple[int, str], None] = {}
    for name in hosts:
        for family, _, _, _, address in await loop.getaddrinfo(
            name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            addresses[int(family), str(address[0])] = None
    return list(addresses)


def _listen_all(
    addresses: Sequence[tuple[int, str]], port: int, backlog: int, reuse_port: bool
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, ip in addresses:
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_listen(family, (ip, chosen), backlog, reuse_port))
            except OSError as error:
                if error.errno not in _ABSENT:
                    raise
                absent = error  # "localhost" may have an IPv6 address where there is no IPv6
        if absent is not None and not sockets:
            raise absent
    except OSError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _listen(family: int, address: tuple[str, int], backlog: int, reuse: bool) -> socket.socket:
    try:
        sock = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise OSError(error.errno, f"cannot listen on {address[0]}: {error.strerror}") from None
    try:
        if sys.platform != "win32":  # where it would let others take the port over
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        where = f"[{address[0]}]" if ":" in address[0] else address[0]
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, f"cannot listen on {where}:{address[1]}: {reason}") from None
    return sock


def listening_unix_socket(path: str, *, backlog: int) -> socket.socket:
    """A bound, listening, non-blocking Unix socket; a stale one at `path` is replaced.

    Raises OSError when `path` is something else, or somebody still listens there.
    """
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise OSError(error.errno, f"cannot listen on {path}: {reason}") from None
    return sock


def _remove_stale(path: str) -> None:
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            return
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # its backlog may be full: somebody lives there
        if probe.connect_ex(path) == errno.ECONNREFUSED:
            os.unlink(path)
