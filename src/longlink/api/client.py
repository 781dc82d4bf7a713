"""`connect()`: one connection to somebody else's server."""

from __future__ import annotations

import asyncio
import secrets
import socket
import ssl as ssl_module
from collections.abc import Generator, Sequence
from typing import Any

from ..engine.agenda import Agenda, agenda_of
from ..engine.link import Link
from ..engine.reactor import AVAILABLE, Reactor, reactor_of
from ..engine.receiver import Receiver
from ..engine.session import Session
from ..engine.stream import Carrier
from ..errors import InvalidHandshake, InvalidMessage, InvalidStatus
from ..limits import Limits, describe
from ..wire import uri as uris
from ..wire.handshake import check_compression, check_response, make_request, new_key
from ..wire.header import HeadersLike
from ..wire.response import Body, Response, parse_response
from .callback import check_callback
from .connection import Connection, MessageCallback
from .version import USER_AGENT

MAX_BODY = 64 * 1024  # of a refusal, kept for InvalidStatus


class Opening(Receiver):
    """The client's half of the opening handshake; `outcome` becomes the connection."""

    def __init__(
        self,
        key: str,
        subprotocols: Sequence[str] | None,
        limits: Limits,
        callback: MessageCallback | None,
        outcome: asyncio.Future[Connection],
    ) -> None:
        self.key = key
        self.subprotocols = subprotocols
        self.limits = limits
        self.callback = callback
        self.outcome = outcome
        self.request = b""
        self.refused: tuple[Response, Body] | None = None

    def on_head(self, session: Session, head: bytes) -> None:
        try:
            response = parse_response(head, **self.limits.of_head())
            if response.interim:
                session.read_head()
            elif response.status_code == 101:
                self._accepted(session, head, response)
            else:
                self._refused(session, response)
        except InvalidHandshake as problem:
            self._failed(session, problem)

    def _accepted(self, session: Session, head: bytes, response: Response) -> None:
        subprotocol = check_response(response, self.key, self.subprotocols)
        connection = Connection(session, None, self.callback)
        connection.head, connection.answer = self.request, head
        connection.subprotocol = subprotocol
        session.welcome(connection)
        if not self.outcome.done():
            self.outcome.set_result(connection)

    def _refused(self, session: Session, response: Response) -> None:
        body = Body(response, MAX_BODY)
        self.refused = response, body
        if body.done:
            session.abort()  # calls on_end
        else:
            session.read_body()

    def on_body(self, session: Session, data: bytes) -> None:
        if self.refused is not None and self.refused[1].feed(data):
            session.abort()  # calls on_end

    def on_overdue(self, session: Session) -> None:
        self._failed(session, self.late())

    def late(self) -> Exception:
        """What to raise when `open_timeout` has passed."""
        return self.refusal(TimeoutError("timed out during the opening handshake"))

    def refusal(self, otherwise: Exception) -> Exception:
        """What the server said, as far as it came, or `otherwise` when it said nothing."""
        if self.refused is None:
            return otherwise
        response, body = self.refused
        response.body = body.content
        return InvalidStatus(response)

    def on_end(self) -> None:
        self._settle(self.refusal(InvalidMessage("the server closed TCP before it answered")))

    def _failed(self, session: Session, problem: Exception) -> None:
        self._settle(problem)
        session.abort()

    def _settle(self, problem: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(problem)


class connect:
    """Connect to a server: `async with connect(uri) as ws`, or `ws = await connect(uri)`.

    Args:
        uri: `ws://` or `wss://`; user and password in it are sent as Basic credentials.
        on_message: a plain function of the connection and each message, instead of `recv`.
        origin: the Origin header. subprotocols: those offered, the preferred first.
        compression: None, which is all there is so far.
        additional_headers: more headers. user_agent_header: None for none.
        ssl: a client context for `wss://`; the default one verifies.
        server_hostname: the name that the certificate must have.
        host, port: connect there instead; sock: over this connected socket; path: over this
            Unix socket. The URI says what is asked for.
        limits: any field of `Limits` by its name, such as open_timeout=10.

    Raises:
        InvalidURI: before anything is connected. OSError: no TCP or TLS.
        TimeoutError: not open after `open_timeout`, everything included.
        InvalidHandshake: the server's answer; InvalidStatus carries status, headers, body.
    Cancellation closes whatever was opened.
    Source: RFC 6455 §4.1.
    """

    def __init__(
        self,
        uri: str,
        *,
        on_message: MessageCallback | None = None,
        origin: str | None = None,
        subprotocols: Sequence[str] | None = None,
        compression: None = None,
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = USER_AGENT,
        ssl: ssl_module.SSLContext | None = None,
        server_hostname: str | None = None,
        host: str | None = None,
        port: int | None = None,
        sock: socket.socket | None = None,
        path: str | None = None,
        **limits: Any,
    ) -> None:
        check_compression(compression)
        self.uri = uris.parse(uri)
        check_callback("on_message", on_message)
        self.on_message = on_message
        self.limits = Limits.of(limits)
        self.subprotocols = subprotocols
        self.headers = (origin, additional_headers, user_agent_header)
        self.tls = ssl
        self.server_hostname = server_hostname or self.uri.host
        self.place = (host or self.uri.host, port or self.uri.port)
        self.sock = sock
        self.path = path
        self.connection: Connection | None = None
        self._request("")  # says now what is wrong with the arguments
        if ssl is not None and not self.uri.secure:
            raise ValueError("ssl= is for wss:// URIs")

    def _request(self, key: str) -> bytes:
        origin, additional, agent = self.headers
        return make_request(
            self.uri,
            key,
            origin=origin,
            subprotocols=self.subprotocols,
            additional_headers=additional,
            user_agent_header=agent,
        ).serialize()

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        agenda: Agenda = reactor_of(loop) if AVAILABLE else agenda_of(loop)
        agenda.add_user()
        clock = asyncio.timeout(self.limits.open_timeout)
        opening = self._opening(loop.create_future())
        try:
            async with clock:
                return await self._open_now(loop, agenda, opening)
        except TimeoutError:
            if not clock.expired():
                raise
            raise opening.late() from None
        finally:
            agenda.drop_user()

    def _opening(self, outcome: asyncio.Future[Connection]) -> Opening:
        key = new_key(secrets.token_bytes(16))
        opening = Opening(key, self.subprotocols, self.limits, self.on_message, outcome)
        opening.request = self._request(key)
        return opening

    async def _open_now(
        self, loop: asyncio.AbstractEventLoop, agenda: Agenda, opening: Opening
    ) -> Connection:
        session: Session
        if not self.uri.secure and isinstance(agenda, Reactor):
            sock = await self._connect(loop)
            session = Link(sock.detach(), agenda.poll, True, opening, self.limits, agenda)
        else:
            session = await self._connect_stream(loop, opening, agenda)
        session.send_head(opening.request)
        try:
            self.connection = await opening.outcome
        except BaseException:
            session.abort()
            raise
        return self.connection

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A connected, non-blocking socket."""
        if self.sock is not None:
            self.sock.setblocking(False)
            return self.sock
        if self.path is not None:
            return await _connected(loop, socket.AF_UNIX, self.path)
        host, port = self.place
        failures: list[OSError] = []
        for family, _, _, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
            try:
                return await _connected(loop, family, address)
            except OSError as failure:
                failures.append(failure)
        if len(failures) == 1:
            raise failures[0]
        raise OSError(f"cannot connect to {host}:{port}: " + "; ".join(map(str, failures)))

    async def _connect_stream(
        self, loop: asyncio.AbstractEventLoop, opening: Opening, agenda: Agenda
    ) -> Session:
        sock = await self._connect(loop)
        tls: dict[str, Any] = {}
        if self.uri.secure:
            tls["ssl"] = self.tls or _default_context()
            tls["server_hostname"] = self.server_hostname
        carrier = Carrier(True, opening, self.limits, agenda)
        try:
            await loop.create_connection(lambda: carrier, sock=sock, **tls)
        except BaseException:
            sock.close()
            raise
        assert carrier.stream is not None
        return carrier.stream

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        return await self._open()

    async def __aexit__(self, *exception: object) -> None:
        assert self.connection is not None
        await self.connection.close()


connect.__doc__ = f"{connect.__doc__}\n    Limits:\n{describe()}\n"


async def _connected(loop: asyncio.AbstractEventLoop, family: int, address: Any) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        await loop.sock_connect(sock, address)
    except BaseException:
        sock.close()
        raise
    return sock


def _default_context() -> ssl_module.SSLContext:
    context = ssl_module.create_default_context()
    context.set_alpn_protocols(["http/1.1"])  # never h2: what follows is HTTP/1.1 (RFC 7301)
    return context
