"""Proxies: which one is used, and the way through those that speak HTTP or SOCKS."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final

from ..errors import ProxyError
from ..limits import Limits
from ..wire.proxy import Proxy, Tunnel, parse_proxy
from ..wire.response import MAX_BODY
from ..wire.uri import URI
from .way import Way

_READ_BYTES: Final = 16 * 1024
_NEVER_S: Final = 1e9  # python-socks has a deadline of its own; ours is `open_timeout`


def proxy_for(way: Way, uri: URI, place: URI) -> Proxy | None:
    """The proxy on the way to `uri`, which is at `place`; None for the straight way."""
    if way.sock is not None or way.path is not None:
        return None
    address = of_environment(uri, place) if way.proxy is True else way.proxy
    return None if address is None else parse_proxy(address)


def check_proxy(way: Way) -> None:
    """Raise InvalidProxy for an address in `proxy=` that is none."""
    if isinstance(way.proxy, str):
        parse_proxy(way.proxy)


def of_environment(uri: URI, place: URI) -> str | None:
    """The address of the proxy that the environment (or the system) wants for `uri`.

    Args:
        place: the host and port to connect to; what is exempt there needs no proxy either.

    Source: RFC 6455 4.1: SOCKS before the proxy for HTTPS, that before the one for HTTP.
    """
    from urllib.request import getproxies, proxy_bypass  # brings half of a web client along

    if any(map(proxy_bypass, {f"{each.host}:{each.port}" for each in (uri, place)})):
        return None
    proxies = getproxies()
    names = ("wss", "socks", "https", "all") if uri.secure else _PLAIN_NAMES
    for name in names:
        address = proxies.get(name)
        if address is not None:
            return _with_scheme(name, address)
    return None


_PLAIN_NAMES: Final = ("ws", "socks", "https", "http", "all")


def _with_scheme(name: str, address: str) -> str:
    """The address as a URL: a bare host and port is common, and macOS calls SOCKS http."""
    if "://" not in address:
        address = f"http://{address}"
    scheme, _, rest = address.partition("://")
    return f"socks5h://{rest}" if name == "socks" and scheme == "http" else address


async def open_tunnel(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    request: bytes,
    limits: Limits,
) -> None:
    """Have a proxy at the other end of `sock` pass everything on from now on.

    Raises:
        ProxyError: it does not.
    """
    await loop.sock_sendall(sock, request)
    await _hear_out(lambda: loop.sock_recv(sock, _READ_BYTES), limits)


class Hall(asyncio.Protocol):
    """Where what comes on a transport waits until somebody takes it."""

    def __init__(self) -> None:
        self.octets = bytearray()
        self.ended = False
        self.waiter: asyncio.Future[None] | None = None

    def data_received(self, data: bytes) -> None:
        self.octets += data
        self._wake()

    def eof_received(self) -> None:
        self.ended = True
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        self.eof_received()

    def _wake(self) -> None:
        if self.waiter is not None and not self.waiter.done():
            self.waiter.set_result(None)

    def take(self) -> bytes:
        """What has come and was not taken yet."""
        data = bytes(self.octets)
        self.octets.clear()
        return data

    async def read(self) -> bytes:
        """Something that came, b"" at the end."""
        while not self.octets and not self.ended:
            self.waiter = asyncio.get_running_loop().create_future()
            await self.waiter
        return self.take()


async def open_tunnel_inside(
    transport: asyncio.WriteTransport, hall: Hall, request: bytes, limits: Limits
) -> None:
    """`open_tunnel` on the transport whose protocol is `hall`."""
    transport.write(request)
    await _hear_out(hall.read, limits)


async def _hear_out(read: Callable[[], Awaitable[bytes]], limits: Limits) -> None:
    """Read a proxy's answer to its end; raise ProxyError unless it agrees."""
    tunnel = Tunnel(MAX_BODY, **limits.of_head())
    while True:
        data = await read()
        if not data:
            raise tunnel.refusal()
        if tunnel.feed(data):
            return
        # While there is something, reading need not suspend: a flood would keep the loop.
        await asyncio.sleep(0)


async def through_socks(
    proxy: Proxy, host: str, port: int, local_addr: tuple[str, int] | None
) -> socket.socket:
    """A socket connected to `host` and `port` through a SOCKS proxy.

    Raises:
        ImportError: python-socks is not there. OSError: the proxy cannot be reached, or it
            cannot reach the server. ProxyError: it refuses.
    """
    try:
        from python_socks import ProxyType
        from python_socks.async_.asyncio import Proxy as SocksProxy
    except ImportError:
        need = "a SOCKS proxy needs python-socks: pip install 'longlink[socks]'"
        raise ImportError(need) from None
    kind = ProxyType.SOCKS4 if proxy.scheme.startswith("socks4") else ProxyType.SOCKS5
    at_proxy = proxy.scheme in ("socks4a", "socks5h")  # it looks names up, not we
    through = SocksProxy(
        kind, proxy.host, proxy.port, proxy.username, proxy.password, rdns=at_proxy
    )
    try:
        return await through.connect(host, port, timeout=_NEVER_S, local_addr=local_addr)
    except OSError as problem:
        if problem.errno is None:
            raise
        raise OSError(problem.errno, problem.strerror) from problem  # ConnectionRefusedError, …
    except Exception as problem:  # whatever the library makes of a proxy's answer
        raise _socks_problem(problem) from problem


# RFC 1928 6. What may be different the next time is an OSError, as without a proxy.
_UNREACHED: Final = {
    3: errno.ENETUNREACH,
    4: errno.EHOSTUNREACH,
    5: errno.ECONNREFUSED,
    6: errno.EHOSTUNREACH,  # TTL expired
}


def _socks_problem(problem: Any) -> Exception:
    code = getattr(problem, "error_code", None)
    if code in _UNREACHED:
        return OSError(_UNREACHED[code], f"the SOCKS proxy cannot reach the server: {problem}")
    return ProxyError(f"the SOCKS proxy does not let us through: {problem}")
