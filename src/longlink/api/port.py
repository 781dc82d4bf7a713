"""Places to listen at: from a host and a port, or a path, to bound sockets."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import ssl
import stat
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..limits import Limits

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


class Place(NamedTuple):
    """Where a server listens and how: see `serve`."""

    host: Host = None
    port: int | None = None
    path: str | os.PathLike[str] | None = None
    sock: socket.socket | None = None
    family: int = socket.AF_UNSPEC
    backlog: int = 128
    reuse_port: bool = False
    tls: ssl.SSLContext | None = None
    ssl_handshake_timeout: float | None = None
    ssl_shutdown_timeout: float | None = None

    def check(self) -> None:
        """Raise ValueError or TypeError for what cannot be."""
        given = [
            (self.host, self.port) != (None, None),
            self.path is not None,
            self.sock is not None,
        ]
        if sum(given) > 1:
            raise ValueError("host and port, path, or sock: only one says where to listen")
        if not 0 <= self.backlog <= _MOST_BACKLOG:
            raise ValueError(f"backlog must be 0 to {_MOST_BACKLOG}, not {self.backlog}")
        self._check_tls()

    def _check_tls(self) -> None:
        """What is wrong here would otherwise be told to each client, and to nobody else."""
        if self.tls is not None:
            if not isinstance(self.tls, ssl.SSLContext):
                raise TypeError(f"ssl must be an ssl.SSLContext, not {self.tls!r}")
            if self.tls.protocol == ssl.PROTOCOL_TLS_CLIENT:
                raise ValueError(
                    "ssl is a context for clients; a server's is made by"
                    " ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)"
                )
        for name in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
            seconds = getattr(self, name)
            if seconds is None:
                continue
            if self.tls is None:
                raise ValueError(f"{name} needs ssl")
            if not seconds > 0:  # NaN, too
                raise ValueError(f"{name} must be greater than 0, not {seconds!r}")

    def timeouts(self, limits: Limits) -> dict[str, float | None]:
        """Those of TLS, as asyncio calls them: its handshake is a part of the opening one, its
        shutdown of the closing one, unless they were given their own."""
        given = self.ssl_handshake_timeout, self.ssl_shutdown_timeout
        return {
            "ssl_handshake_timeout": limits.open_timeout if given[0] is None else given[0],
            "ssl_shutdown_timeout": limits.close_timeout if given[1] is None else given[1],
        }

    async def bind(self, *, listen: bool) -> list[socket.socket]:
        """Bound, non-blocking sockets, and listening ones if so wished.

        Raises OSError, saying where, when an address can't be had; then none is kept.
        """
        if self.sock is not None:
            self.sock.setblocking(False)
            return [self.sock]
        backlog = self.backlog if listen else None
        if self.path is not None:
            return [_bound_unix_socket(os.fspath(self.path), backlog)]
        return await self._bind(backlog)

    async def _bind(self, backlog: int | None) -> list[socket.socket]:
        """A socket for each address that `host` has: None or "" is every interface. Port 0 picks
        a free one, the same for all addresses."""
        port = self.port or 0
        if not 0 <= port <= 65535:
            raise ValueError(f"port must be 0 to 65535, not {port}")
        addresses = await _addresses(self.host, port, self.family)
        attempts = _ATTEMPTS
        while True:
            try:
                return _bind_all(addresses, port, backlog, self.reuse_port)
            except OSError as error:
                attempts -= 1
                # The port that was free on the first address may be taken on another.
                if port or not attempts or error.errno != errno.EADDRINUSE:
                    raise


def port_number(given: int | str | None) -> int | None:
    """A port, which may come as text from where configurations come from."""
    if isinstance(given, str) and given.isascii() and given.isdecimal():
        return int(given)
    if given is None or isinstance(given, int):
        return given
    raise TypeError(f"port must be a number, not {given!r}")


def begin_listening(sock: socket.socket, backlog: int) -> None:
    """Let a bound socket listen. One that listens already keeps its backlog.

    Raises OSError, saying where.
    """
    try:
        if not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            sock.listen(backlog)
    except OSError as error:
        raise _refused(error, sock.getsockname()) from None


async def _addresses(host: Host, port: int, family: int) -> list[tuple[int, str]]:
    """Family and IP of each address of `host`, each once."""
    hosts: Sequence[str | None] = [host or None] if host is None or isinstance(host, str) else host
    loop = asyncio.get_running_loop()
    addresses: dict[tuple[int, str], None] = {}
    for name in hosts:
        for found, _, _, _, address in await loop.getaddrinfo(
            name, port, family=family, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        ):
            addresses[int(found), str(address[0])] = None
    return list(addresses)


def _bind_all(
    addresses: Sequence[tuple[int, str]], port: int, backlog: int | None, reuse_port: bool
) -> list[socket.socket]:
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    try:
        for family, ip in addresses:
            chosen = sockets[0].getsockname()[1] if sockets else port
            try:
                sockets.append(_bound_socket(family, (ip, chosen), backlog, reuse_port))
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


def _bound_socket(
    family: int, address: tuple[str, int], backlog: int | None, reuse: bool
) -> socket.socket:
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
        if backlog is not None:  # now, because only listening tells that the address is taken
            sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _refused(error, address) from None
    return sock


def _bound_unix_socket(path: str, backlog: int | None) -> socket.socket:
    """A bound, non-blocking Unix socket; a stale one at `path` is replaced.

    Raises OSError when `path` is something else, or somebody still listens there.
    """
    _remove_stale(path)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        sock.bind(path)
        if backlog is not None:
            sock.listen(backlog)
        sock.setblocking(False)
    except OSError as error:
        sock.close()
        raise _refused(error, path) from None
    return sock


def _refused(error: OSError, address: Any) -> OSError:
    """`error`, saying where."""
    reason = os.strerror(error.errno) if error.errno else str(error)
    return OSError(error.errno, f"cannot listen on {shown(address)}: {reason}")


def shown(address: Any) -> str:
    """An address as people write it."""
    if not isinstance(address, tuple):
        return str(address)
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


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
