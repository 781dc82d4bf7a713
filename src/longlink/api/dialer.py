"""From a URI to a session that can ask: over TCP, a Unix socket, TLS, and through proxies."""

from __future__ import annotations

import asyncio
import socket
import ssl as ssl_module
from dataclasses import replace
from typing import Any

from ..engine.agenda import Agenda
from ..engine.link import Link
from ..engine.reactor import Reactor
from ..engine.receiver import Receiver
from ..engine.seal import Seal
from ..engine.sealed import Sealed
from ..engine.session import Session
from ..engine.shake import Shake
from ..engine.stream import Carrier, Stream
from ..errors import NegotiationError
from ..limits import Limits
from ..wire.proxy import Proxy, connect_request
from ..wire.uri import URI
from .proxy import Hall, open_tunnel, open_tunnel_inside, proxy_for, through_socks
from .way import Way, client_context

_HANDSHAKE_S = 60.0  # as in asyncio


class Dialer:
    """Opens sessions. A cancelled or failed attempt leaves no descriptor behind.

    Args:
        way: how to get there. limits: what sessions live under.
        user_agent: who asks a proxy; None for nobody.
    """

    def __init__(self, way: Way, limits: Limits, user_agent: str | None) -> None:
        self.way = way
        self.limits = limits
        self.user_agent = user_agent
        self.contexts: dict[str, ssl_module.SSLContext] = {}

    async def session(self, uri: URI, receiver: Receiver, agenda: Agenda) -> Session:
        """A session with the server of `uri`, on which nothing was said yet."""
        # RFC 6455 4.1: connect to the host of the URI, unless the caller knows better.
        place = replace(uri, host=self.way.host or uri.host, port=self.way.port or uri.port)
        carrier = Carrier(True, receiver, self.limits, agenda)
        proxy = proxy_for(self.way, uri, place)
        if proxy is not None and proxy.scheme == "https":
            return await self._through_tls(proxy, place, uri, carrier)
        sock = await self._socket(proxy, place, agenda.loop)
        if not isinstance(agenda, Reactor):
            return await self._stream(sock, uri, carrier)
        if uri.secure:
            return await self._sealed(sock, uri, receiver, agenda)
        return Link(sock.detach(), agenda.poll, True, receiver, self.limits, agenda)

    async def _socket(
        self, proxy: Proxy | None, place: URI, loop: asyncio.AbstractEventLoop
    ) -> socket.socket:
        """A socket at whose other end the server is."""
        if proxy is None:
            return await self.way.dial(loop, place.host, place.port)
        if not proxy.speaks_http:
            return await through_socks(proxy, place.host, place.port, self.way.local_addr)
        sock = await self.way.dial(loop, proxy.host, proxy.port)
        try:
            await open_tunnel(loop, sock, self._request(proxy, place), self.limits)
        except BaseException:
            sock.close()
            raise
        return sock

    def _request(self, proxy: Proxy, place: URI) -> bytes:
        return connect_request(proxy, place, self.user_agent)

    async def _sealed(
        self, sock: socket.socket, uri: URI, receiver: Receiver, reactor: Reactor
    ) -> Session:
        """A session under TLS on `sock`, on the reactor."""
        tls = self._tls(uri)
        loop, patience = reactor.loop, tls["ssl_handshake_timeout"]
        deadline = loop.time() + (_HANDSHAKE_S if patience is None else patience)
        shaken: asyncio.Future[None] = loop.create_future()
        try:
            seal = Seal(tls["ssl"], True, tls["server_hostname"] or None)
            shake = Shake(sock, reactor, receiver, deadline, lambda _, why: _settle(shaken, why))
            try:
                shake.begin(seal)
                await shaken
            except BaseException:
                shake.abort()
                raise
            _check_alpn(seal.tls)
        except BaseException:
            sock.close()
            raise
        session = Sealed(
            sock.detach(),
            reactor.poll,
            True,
            receiver,
            self.limits,
            reactor,
            seal,
            tls["ssl_shutdown_timeout"],
        )
        session.catch_up()
        return session

    async def _stream(self, sock: socket.socket, uri: URI, carrier: Carrier) -> Session:
        """A session on a transport on `sock`."""
        loop = carrier.agenda.loop
        transports: list[Any] = []
        hall = Hall()
        try:
            await _begin(loop, sock, hall, transports)
            if uri.secure:
                hall = await _secure(loop, transports, self._tls(uri))
            return _board(carrier, transports[-1], hall)
        except BaseException:
            _leave(carrier, transports, sock)
            raise

    async def _through_tls(self, proxy: Proxy, place: URI, uri: URI, carrier: Carrier) -> Session:
        """A session behind a proxy to which we speak TLS; for wss with another TLS inside."""
        loop = carrier.agenda.loop
        sock = await self.way.dial(loop, proxy.host, proxy.port)
        transports: list[Any] = []
        try:
            await _begin(loop, sock, Hall(), transports)
            hall = await _secure(loop, transports, self._proxy_tls(proxy))
            request = self._request(proxy, place)
            await open_tunnel_inside(transports[-1], hall, request, self.limits)
            if uri.secure:
                hall = await _secure(loop, transports, self._tls(uri))
            return _board(carrier, transports[-1], hall)
        except BaseException:
            _leave(carrier, transports, sock)
            raise

    def _tls(self, uri: URI) -> dict[str, Any]:
        """What asyncio is told about TLS with the server."""
        name = self.way.server_hostname
        return self._options("ssl", self.way.ssl, uri.host if name is None else name)

    def _proxy_tls(self, proxy: Proxy) -> dict[str, Any]:
        name = self.way.proxy_server_hostname
        host = proxy.host if name is None else name
        return self._options("proxy_ssl", self.way.proxy_ssl, host)

    def _options(self, option: str, given: Any, name: str) -> dict[str, Any]:
        if option not in self.contexts:  # reading the system's certificates takes a while
            self.contexts[option] = client_context(given)
        return {
            "ssl": self.contexts[option],
            "server_hostname": name,
            "ssl_handshake_timeout": self.way.ssl_handshake_timeout,
            "ssl_shutdown_timeout": self.way.ssl_shutdown_timeout,
        }


async def _begin(
    loop: asyncio.AbstractEventLoop, sock: socket.socket, hall: Hall, transports: list[Any]
) -> None:
    """Put `sock` on a transport, the first of `transports`."""
    transport, _ = await loop.create_connection(lambda: hall, sock=sock)
    transports.append(transport)


async def _secure(
    loop: asyncio.AbstractEventLoop, transports: list[Any], tls: dict[str, Any]
) -> Hall:
    """Speak TLS on the last of `transports` and make what that gives the last one.

    Not `create_connection(ssl=…)`: cancelled before the first octet, asyncio forgets to close.
    """
    hall = Hall()
    if transports[-1].is_closing():  # uvloop would log an error
        raise ConnectionResetError("TCP was closed before the TLS handshake")
    try:
        transport = await loop.start_tls(transports[-1], hall, tls.pop("ssl"), **tls)
    except ConnectionResetError as problem:
        if problem.args:
            raise
        raise ConnectionResetError("TCP was closed during the TLS handshake") from None
    session = None if transport is None else transport.get_extra_info("ssl_object")
    if session is None:
        raise ConnectionResetError("TCP was closed during the TLS handshake")
    transports.append(transport)
    _check_alpn(session)
    return hall


def _check_alpn(session: Any) -> None:
    agreed = session.selected_alpn_protocol()
    if agreed not in (None, "http/1.1"):  # RFC 7301: what follows is not that
        raise NegotiationError(f"TLS agreed on the protocol {agreed!r}, expected 'http/1.1'")


def _settle(shaken: asyncio.Future[None], problem: Exception | None) -> None:
    if not shaken.done():
        if problem is None:
            shaken.set_result(None)
        else:
            shaken.set_exception(problem)


def _board(carrier: Carrier, transport: Any, hall: Hall) -> Stream:
    """Move from the hall to a session; what came before it was asked for comes along."""
    if hall.ended or transport.is_closing():
        raise ConnectionResetError("TCP was closed before the opening handshake")
    transport.set_protocol(carrier)
    carrier.connection_made(transport)
    if carrier.stream is None:  # the event loop is on its way out
        raise ConnectionResetError("nobody is left to connect for")
    if hall.octets:
        carrier.data_received(hall.take())
    return carrier.stream


def _leave(carrier: Carrier, transports: list[Any], sock: socket.socket) -> None:
    """Close whatever has come into being."""
    if carrier.stream is not None:
        carrier.stream.abort()
    for transport in reversed(transports):
        transport.abort()
    sock.close()
