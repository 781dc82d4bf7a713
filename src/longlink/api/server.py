"""`serve()`: listening sockets, and everybody who came in."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl as ssl_module
from collections.abc import Awaitable, Callable, Generator, Sequence
from typing import Any

from ..engine.agenda import Agenda, agenda_of
from ..engine.link import Link
from ..engine.reactor import AVAILABLE, Listener, Reactor, reactor_of
from ..engine.session import Session
from ..engine.stream import Carrier
from ..errors import ConnectionClosed
from ..limits import Limits, describe
from ..wire.endpoint import State
from ..wire.frame import CloseCode, close_payload
from ..wire.handshake import SAME_HOST, Origins, check_compression, check_subprotocols
from ..wire.header import check_value
from ..wire.origin import check_hosts, check_origins
from .callback import check_handlers, somebody_left
from .connection import Connection, MessageCallback
from .http import ASGIApp, HTTPService
from .port import Host, check_backlog, descriptors, listening_sockets, listening_unix_socket
from .reception import Policy, ProcessRequest, ProcessResponse, Reception, SelectSubprotocol
from .version import SERVER_HEADER

Handler = Callable[[Connection], Awaitable[None]]
ConnectionCallback = Callable[[Connection], object]
Logger = logging.Logger | logging.LoggerAdapter[Any]

SPARE_DESCRIPTORS = 64  # kept for files, logs, and for telling people 503


class Server:
    """A running server: what `async with serve(...) as server` gives."""

    def __init__(
        self,
        policy: Policy,
        handler: Handler | None,
        on_open: ConnectionCallback | None,
        on_message: MessageCallback | None,
        on_close: ConnectionCallback | None,
        logger: Logger,
    ) -> None:
        self.handler = handler
        self.on_open = on_open
        self.on_message = _ignore if handler is None and on_message is None else on_message
        self.on_close = on_close
        self.logger = logger
        self.limits = policy.limits
        self.room = max(1, descriptors() - SPARE_DESCRIPTORS)
        self.max_connections = policy.limits.max_connections or self.room
        self.reception = Reception(policy, self)
        self.http: HTTPService | None = None
        self.loop = asyncio.get_running_loop()
        self.agenda: Agenda = reactor_of(self.loop) if AVAILABLE else agenda_of(self.loop)
        self.sockets: tuple[socket.socket, ...] = ()
        self.listeners: list[Listener | asyncio.Server] = []
        self._connections: set[Connection] = set()
        self.tasks: set[asyncio.Task[None]] = set()
        self.closing: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self.empty = asyncio.Event()
        self.empty.set()
        self.agenda.add_user()

    # For its user.

    @property
    def connections(self) -> set[Connection]:
        """Those that are open or closing now: a copy, safe to walk while people leave."""
        return set(self._connections)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it runs on."""
        return self.loop

    async def start_serving(self) -> None:
        """Nothing: a server of `serve()` accepts connections from the start."""

    def is_serving(self) -> bool:
        """Whether new connections are accepted."""
        return bool(self.listeners) and self.closing is None

    async def serve_forever(self) -> None:
        """Wait until the server is closed; cancelling this closes it."""
        try:
            await self.wait_closed()
        finally:
            self.close()
            await self.wait_closed()

    def close(
        self,
        close_connections: bool = True,
        code: int = CloseCode.GOING_AWAY,
        reason: str = "",
    ) -> None:
        """Stop accepting and close every connection; `wait_closed` waits for the end of it.

        Connections get `close_timeout` for their closing handshake, handlers as long again.

        Args:
            close_connections: False leaves open connections to their handlers.
            code, reason: what they are told (RFC 6455 §7.4.1).

        Raises LocalProtocolError for a code or reason that may not travel.
        """
        close_payload(code, reason)
        if self.closing is None:
            self.closing = self.loop.create_task(self._close(close_connections, code, reason))

    async def wait_closed(self) -> None:
        """Wait until the server was closed, everybody has left, every handler has returned."""
        await self.closed.wait()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
        await self.wait_closed()

    # Starting.

    async def open(
        self,
        sockets: Sequence[socket.socket],
        *,
        backlog: int,
        tls: ssl_module.SSLContext | None,
        http: ASGIApp | None,
        server_header: str | None,
    ) -> None:
        """Accept connections on `sockets`, which the server closes at its end, or now when
        that fails."""
        self.sockets = tuple(sockets)
        try:
            if http is not None:
                service = HTTPService(http, self.carrier, server_header, self.limits.max_head)
                await service.start()
                self.http = service
            for sock in sockets:
                self.listeners.append(await self._listen(sock, backlog, tls))
        except BaseException:
            for sock in sockets:
                sock.close()
            self.close()
            raise

    async def _listen(
        self, sock: socket.socket, backlog: int, tls: ssl_module.SSLContext | None
    ) -> Listener | asyncio.Server:
        sock.setblocking(False)
        sock.listen(backlog)
        if tls is None and isinstance(self.agenda, Reactor):
            return Listener(self.agenda, sock, self._link)
        timeouts: dict[str, Any] = {}
        if tls is not None:
            timeouts["ssl_handshake_timeout"] = self.limits.open_timeout
            timeouts["ssl_shutdown_timeout"] = self.limits.close_timeout
        return await self.loop.create_server(
            self.carrier, sock=sock, ssl=tls, backlog=backlog, **timeouts
        )

    def _link(self, fd: int) -> Link:
        agenda = self.agenda
        assert isinstance(agenda, Reactor)
        return Link(fd, agenda.poll, False, self.reception, self.limits, agenda)

    def carrier(self) -> Carrier:
        """A protocol for a transport that somebody else accepted."""
        return Carrier(False, self.reception, self.limits, self.agenda)

    # For the reception.

    def is_open(self) -> bool:
        """See `House`."""
        return self.closing is None

    def is_full(self) -> bool:
        """See `House`."""
        return len(self._connections) >= self.max_connections

    def has_room(self) -> bool:
        """See `House`."""
        others = 0 if self.http is None else len(self.http.connections)
        return len(self._connections) + others < self.room

    def entered(self, connection: Connection, session: Session) -> None:
        """See `House`."""
        self._connections.add(connection)
        self.empty.clear()
        session.welcome(connection)
        if self.on_open is not None:
            self._call(self.on_open, "on_open", connection)
        if self.handler is not None and connection.state is State.OPEN:
            task = self.loop.create_task(self._handle(connection))
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def left(self, connection: Connection) -> None:
        """See `House`."""
        self._connections.discard(connection)
        if not self._connections:
            self.empty.set()
        if self.on_close is not None:
            self._call(self.on_close, "on_close", connection)

    def _call(self, callback: ConnectionCallback, name: str, connection: Connection) -> None:
        try:
            callback(connection)
        except ConnectionClosed:
            pass  # it talked to somebody who has left
        except (Exception, asyncio.CancelledError):
            connection.crash(name)

    async def _handle(self, connection: Connection) -> None:
        handler = self.handler
        assert handler is not None
        try:
            await handler(connection)
        except Exception as problem:
            if somebody_left(problem):
                self.logger.debug("connection handler ended: %s", problem)
            else:
                connection.crash("connection handler")
        except asyncio.CancelledError:
            connection.session.fail(CloseCode.INTERNAL_ERROR)  # nobody looks after it any more
            raise
        await connection.close()

    # Shutting down is a state: stop accepting, say 1001, drain to a deadline, cut.

    async def _close(self, close_connections: bool, code: int, reason: str) -> None:
        try:
            for listener in self.listeners:
                listener.close()
            self._cut_strays(half_open=True)
            await self.reception.stop()
            if close_connections:
                for connection in self.connections:
                    connection.session.send_close(code, reason)
            await self.empty.wait()  # each has its own deadline: close_timeout
            await self._end_handlers(self.limits.close_timeout if close_connections else None)
            if self.agenda.tasks:  # connections on their way to HTTP
                await asyncio.wait(self.agenda.tasks, timeout=self.limits.close_timeout)
            if self.http is not None:
                await self.http.stop(self.limits.close_timeout)
        finally:
            self._cut_strays(half_open=False)
            self.agenda.drop_user()
            self.closed.set()

    async def _end_handlers(self, timeout: float | None) -> None:
        """Wait for the handlers; those that run longer than `timeout` are cancelled."""
        if not self.tasks:
            return
        _, late = await asyncio.wait(self.tasks, timeout=timeout)
        for task in late:
            self.logger.warning("connection handler did not end in time: cancelled")
            task.cancel()
        if late:  # one that refuses to be cancelled does not keep the server from ending
            await asyncio.wait(late, timeout=timeout)

    def _cut_strays(self, half_open: bool) -> None:
        """End the sessions that are no connections: not yet, or not any more."""
        for session in list(self.agenda.strays):
            receiver = session.receiver
            over = not half_open and getattr(receiver, "owner", None) is self
            if over or receiver is self.reception:
                session.abort()


class serve:
    """Start a server: `async with serve(handler, host, port) as server`, or `await serve(...)`.

    Args:
        handler: `async def handler(ws)`, run for each connection; its end closes it. Or None,
            and callbacks instead:
        on_open: called with each connection that was **added**.
        on_message: called with the connection and each message that somebody **sent**.
        on_close: called with each connection that was **closed**. All three are plain
            functions on the event loop's thread: they must not block.
        host, port: where to listen; None is every interface, port 0 a free one.
        path: a Unix socket instead.
        sock: a listening socket instead.
        origins: which web pages may connect: SAME_HOST (default) those of the host they
            talk to; a list of `https://host` texts or patterns, with None in it for clients
            that are no browsers; or None for any page in the world.
        hosts: the names that a Host header may have; None takes any.
        subprotocols: those spoken, the preferred first. select_subprotocol: a function of
            the connection and those offered that picks one instead.
        compression: None, which is all there is so far.
        process_request, process_response: look at the opening handshake; a Response returned
            is sent instead. Plain or coroutine functions.
        server_header: the Server header; None for none.
        http: an ASGI application for requests that are no WebSocket. Without, they get 426.
        ssl: a server context for TLS.
        backlog: connections that may wait to be accepted. reuse_port: SO_REUSEPORT.
        logger: default "longlink.server".
        limits: any field of `Limits` by its name, such as max_size=2**20.

    Raises:
        OSError: cannot listen there. UnknownLimit, ValueError, TypeError: a bad argument.
    """

    def __init__(
        self,
        handler: Handler | None = None,
        host: Host = None,
        port: int | None = None,
        *,
        on_open: ConnectionCallback | None = None,
        on_message: MessageCallback | None = None,
        on_close: ConnectionCallback | None = None,
        origins: Origins = SAME_HOST,
        hosts: Sequence[str] | None = None,
        subprotocols: Sequence[str] | None = None,
        select_subprotocol: SelectSubprotocol | None = None,
        compression: None = None,
        process_request: ProcessRequest | None = None,
        process_response: ProcessResponse | None = None,
        server_header: str | None = SERVER_HEADER,
        http: ASGIApp | None = None,
        logger: Logger | None = None,
        ssl: ssl_module.SSLContext | None = None,
        sock: socket.socket | None = None,
        path: str | None = None,
        backlog: int = 128,
        reuse_port: bool = False,
        **limits: Any,
    ) -> None:
        check_handlers(handler, on_open, on_message, on_close)
        _check_place(host, port, path, sock)
        check_backlog(backlog)
        check_origins(origins)
        check_hosts(hosts)
        check_compression(compression)
        if subprotocols is not None:
            check_subprotocols(subprotocols)
        if server_header is not None:
            check_value("Server", server_header)
        self.policy = Policy(
            Limits.of(limits),
            origins,
            hosts,
            subprotocols,
            select_subprotocol,
            process_request,
            process_response,
            server_header,
        )
        self.callbacks = (handler, on_open, on_message, on_close)
        self.logger = logger or logging.getLogger("longlink.server")
        self.http = http
        self.ssl = ssl
        self.place = (host, port, path, sock, backlog, reuse_port)
        self.server: Server | None = None

    async def _start(self) -> Server:
        if self.server is None:
            backlog = self.place[4]
            sockets = await self._sockets()
            server = Server(self.policy, *self.callbacks, self.logger)
            await server.open(
                sockets,
                backlog=backlog,
                tls=self.ssl,
                http=self.http,
                server_header=self.policy.server_header,
            )
            self.server = server
        return self.server

    async def _sockets(self) -> list[socket.socket]:
        host, port, path, sock, backlog, reuse_port = self.place
        if sock is not None:
            return [sock]
        if path is not None:
            return [listening_unix_socket(path, backlog=backlog)]
        return await listening_sockets(host, port, backlog=backlog, reuse_port=reuse_port)

    def __await__(self) -> Generator[Any, None, Server]:
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        return await self._start()

    async def __aexit__(self, *exception: object) -> None:
        assert self.server is not None
        await self.server.__aexit__(*exception)


serve.__doc__ = f"{serve.__doc__}\n    Limits:\n{describe()}\n"


def unix_serve(handler: Handler | None = None, path: str | None = None, **kwargs: Any) -> serve:
    """`serve` on a Unix socket."""
    if path is None and kwargs.get("sock") is None:
        raise TypeError("unix_serve() needs a path, or sock")
    return serve(handler, path=path, **kwargs)


def _ignore(connection: Connection, message: str | bytes) -> None:
    """Who only pushes doesn't listen; the peer's Close must be seen all the same."""


def _check_place(
    host: Host, port: int | None, path: str | None, sock: socket.socket | None
) -> None:
    given = [(host, port) != (None, None), path is not None, sock is not None]
    if sum(given) > 1:
        raise ValueError("host and port, path, or sock: only one says where to listen")
