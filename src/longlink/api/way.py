"""How to get to a server: addresses, sockets, TLS. `connect()` takes these options.

Theory of operation. The way ends in a session. Plain TCP, also behind an HTTP or SOCKS proxy,
is a connected socket, which goes onto the reactor, with TLS or without. TLS to a proxy needs a
transport of asyncio.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl as ssl_module
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from .race import Entrant, fastest, interleaved, resolve


@dataclass(frozen=True, slots=True)
class Way:
    """Options that say how to connect; most are those of asyncio's `create_connection`.

    Attributes:
        host, port: connect there instead of where the URI says.
        sock: over this connected socket. path: over this Unix socket.
        ssl: a client context for `wss://`; the default one verifies.
        server_hostname: the name that the certificate must have.
        proxy: True for what the environment says, None for none, or the address of one.
        proxy_ssl, proxy_server_hostname: the same as without `proxy_`, for an https:// proxy.
        family, proto, flags: for `getaddrinfo`. local_addr: host and port to connect from.
        happy_eyeballs_delay: seconds until the next address is tried beside the first.
        interleave: how many addresses of one family are tried before one of the other.
        ssl_handshake_timeout, ssl_shutdown_timeout: seconds.
    """

    host: str | None = None
    port: int | None = None
    sock: socket.socket | None = None
    path: str | os.PathLike[str] | None = None
    ssl: ssl_module.SSLContext | Literal[True] | None = None
    server_hostname: str | None = None
    proxy: str | Literal[True] | None = field(default=True, repr=False)  # it may hold a password
    proxy_ssl: ssl_module.SSLContext | Literal[True] | None = None
    proxy_server_hostname: str | None = None
    family: int = 0
    proto: int = 0
    flags: int = 0
    local_addr: tuple[str, int] | None = None
    happy_eyeballs_delay: float | None = 0.25  # RFC 8305 5
    interleave: int = 1
    ssl_handshake_timeout: float | None = None
    ssl_shutdown_timeout: float | None = None

    def __post_init__(self) -> None:
        for name in ("ssl", "proxy_ssl"):
            given = getattr(self, name)
            if not (given is None or given is True or isinstance(given, ssl_module.SSLContext)):
                raise TypeError(f"{name} must be an ssl.SSLContext, not {given!r}")
            if _is_for_servers(given):
                raise ValueError(f"{name} must be a context for clients, not {given!r}")
        for name in ("ssl_handshake_timeout", "ssl_shutdown_timeout"):
            _check_seconds(name, getattr(self, name))
        if self.proxy is not True and not isinstance(self.proxy, (str, type(None))):
            raise TypeError(f"proxy must be True, None or an address, not {self.proxy!r}")
        if self.sock is not None and self.path is not None:
            raise ValueError("sock= and path= exclude each other")
        if self.interleave < 1:
            raise ValueError(f"interleave must be at least 1, not {self.interleave!r}")

    @classmethod
    def of(cls, options: dict[str, Any]) -> Way:
        """The way that `options` describe; they are taken out of there."""
        return cls(**{f.name: options.pop(f.name) for f in fields(cls) if f.name in options})

    @property
    def fixed(self) -> str:
        """The option that says where to connect, whatever the URI says; "" for none."""
        return next((name for name in _FIXING if getattr(self, name) is not None), "")

    async def dial(self, loop: asyncio.AbstractEventLoop, host: str, port: int) -> socket.socket:
        """A socket connected to `host` and `port`, or to what stands in for them."""
        if self.sock is not None:
            if self.sock.fileno() == -1:
                raise ValueError("sock= is closed: a socket is good for one connection")
            self.sock.setblocking(False)
            return self.sock
        if self.path is not None:
            return await Entrant(socket.AF_UNIX, 0, os.fspath(self.path)).connect(loop)
        place = f"{host}:{port}"
        found = interleaved(
            await resolve(loop, (host, port), self.family, self.proto, self.flags), self.interleave
        )
        local = await self._local(loop)
        entrants = [
            Entrant(family, proto, address, local.get(family, ()))
            for family, _, proto, address in found
            if not local or family in local
        ]
        return await fastest(loop, entrants, self.happy_eyeballs_delay, place)

    async def _local(self, loop: asyncio.AbstractEventLoop) -> dict[int, list[Any]]:
        """Our own addresses to choose from, by family."""
        local: dict[int, list[Any]] = {}
        if self.local_addr is not None:
            for family, _, _, address in await resolve(loop, self.local_addr, self.family, 0, 0):
                local.setdefault(family, []).append(address)
        return local


def _is_for_servers(given: ssl_module.SSLContext | Literal[True] | None) -> bool:
    protocol = getattr(given, "protocol", None)
    return protocol is ssl_module.PROTOCOL_TLS_SERVER


def _check_seconds(name: str, value: object) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be a number of seconds, not {value!r}")
    if not value > 0:  # NaN, too
        raise ValueError(f"{name} must be greater than 0, not {value!r}")


_FIXING = ("sock", "path", "host", "port", "server_hostname")


def client_context(given: ssl_module.SSLContext | Literal[True] | None) -> ssl_module.SSLContext:
    """The context that was given, or one that verifies."""
    if isinstance(given, ssl_module.SSLContext):
        return given
    context = ssl_module.create_default_context()
    context.set_alpn_protocols(["http/1.1"])  # never h2: what follows is HTTP/1.1 (RFC 7301)
    return context
