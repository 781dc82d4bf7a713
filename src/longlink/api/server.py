"""`serve()`: listening sockets, and everybody who came in."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import socket
import ssl as ssl_module
from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any

from ..engine.agenda import Agenda, agenda_of
from ..engine.reactor import AVAILABLE, reactor_of
from ..engine.session import Session
from ..errors import ConnectionClosed
from ..limits import SPARE_DESCRIPTORS, Limits, describe
from ..wire.deflate import Compression, options_of
from ..wire.frame import CloseCode, close_payload
from ..wire.handshake import SAME_HOST, Origins
from ..wire.phase import State
from .callback import ASGIApp, check_handlers, check_hooks, check_logger
from .connection import Connection
from .crowd import Crowd
from .front import Front
from .handler import Handler, Handlers, Logger
from .port import Host, Place, descriptors, port_number, shown
from .receiving import MessageCallback
from .reception import Policy, ProcessRequest, ProcessResponse, Reception, SelectSubprotocol
from .version import OURS, said
from .waves import Waves

if TYPE_CHECKING:
    from .http import HTTPService

ConnectionCallback = Callable[[Connection], object]


class Server:
    """A running server: what `async with serve(...) as server` gives."""

    def __init__(
        self,
        policy: Policy,
        place: Place,
        sockets: Sequence[socket.socket],
        handler: Handler | None,
        on_open: ConnectionCallback | None,
        on_message: MessageCallback | None,
        on_close: ConnectionCallback | None,
        logger: Logger,
    ) -> None:
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
        self.front = Front(
            place, sockets, self.reception, policy.limits, self.agenda, logger, self.has_room
        )
        self.handlers = None if handler is None else Handlers(handler, self.loop, logger)
        self._connections = Crowd()
        self.closing: asyncio.Task[None] | None = None
        self.closed = asyncio.Event()
        self.empty = asyncio.Event()  # set once, when the last leaves a server that closes
        self.agenda.add_user()

    # For its user.

    @property
    def connections(self) -> set[Connection]:
        """Those that are open now: a copy, safe to walk while people leave."""
        return {connection for connection in self._connections if connection.state is State.OPEN}

    @property
    def sockets(self) -> tuple[socket.socket, ...]:
        """Those that it listens on; none once it is closed."""
        return self.front.sockets

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it runs on."""
        return self.loop

    async def start_serving(self) -> None:
        """Accept connections, after `serve(start_serving=False)`; otherwise it does already.

        Raises OSError when the address was taken meanwhile; then the server is closed, as it is
        after cancellation. Raises RuntimeError when it was closed before.
        """
        if self.closing is not None:
            raise RuntimeError("the server is closed")
        try:
            await self.front.open()
        except BaseException:
            self.close()
            raise

    def is_serving(self) -> bool:
        """Whether new connections are accepted."""
        return bool(self.front.listeners) and self.closing is None

    async def serve_forever(self) -> None:
        """Accept connections until the server is closed; cancelling this closes it."""
        try:
            if self.closing is None:
                await self.start_serving()
            await self.wait_closed()
        finally:
            self.close()
            await self.wait_closed()

    def close(
        self,
        close_connections: bool = True,
        code: int = CloseCode.GOING_AWAY,
        reason: str = "",
        over: float = 0.0,
    ) -> None:
        """Stop accepting and close every connection; `wait_closed` waits for the end of it.

        Connections get `close_timeout` for their closing handshake, handlers as long again.
        Only the first call counts; who wants to hurry after it calls `abort_clients`.

        Args:
            close_connections: False leaves open connections to their handlers.
            code, reason: what they are told (RFC 6455 §7.4.1).
            over: seconds in which they are told, evenly, so that thousands don't come back all
                in the same one. Those not told yet go on as before.

        Raises LocalProtocolError for a code or reason that may not travel.
        """
        close_payload(code, reason)
        if not 0 <= over < float("inf"):
            raise ValueError(f"over must be a number of seconds, not {over!r}")
        if self.closing is None:
            waves = Waves(over, code, reason, self.agenda) if close_connections else None
            self.closing = self.loop.create_task(self._close(waves))

    def abort_clients(self) -> None:
        """Cut every connection now, without a closing handshake or what is left of it."""
        for connection in list(self._connections):
            connection.session.abort()

    async def wait_closed(self) -> None:
        """Wait until the server was closed, everybody has left, every handler has returned.
        Cancellation changes nothing."""
        await self.closed.wait()

    async def __aenter__(self) -> Server:
        return self

    async def __aexit__(self, *exception: object) -> None:
        self.close()
        await self.wait_closed()

    def __repr__(self) -> str:
        name = type(self).__name__
        if self.closed.is_set():
            return f"<{name} closed>"
        places = [shown(sock.getsockname()) for sock in self.sockets if sock.fileno() >= 0]
        return f"<{name} {' '.join(places) or 'closing'}, {len(self._connections)} connected>"

    # Starting.

    async def open(self, http: ASGIApp | None, server_header: str | None) -> None:
        """Start the application for plain HTTP. When that fails the server is closed."""
        try:
            if http is not None:
                from .http import HTTPService

                service = HTTPService(
                    http, self.front.carrier, server_header, self.limits, self.agenda
                )
                await service.start()
                self.http = service
        except BaseException:
            self.front.close()
            self.close()
            raise

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
        session.welcome(connection)
        if self.on_open is not None:
            self._call(self.on_open, "on_open", connection)
        if self.handlers is not None and connection.state is State.OPEN:
            self.handlers.start(connection)

    def left(self, connection: Connection) -> None:
        """See `House`."""
        self._connections.remove(connection)
        if self.closing is not None and not self._connections:
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

    # Shutting down is a state: stop accepting, say 1001, drain to a deadline, cut.

    async def _close(self, waves: Waves | None) -> None:
        try:
            self.front.close()
            self._cut_strays(half_open=True)
            farewell = () if waves is None else (waves.roll(self._connections),)
            await asyncio.gather(self.reception.stop(), *farewell)
            if self._connections:
                await self.empty.wait()  # each has its own deadline: close_timeout
            if self.handlers is not None:
                await self.handlers.end(None if waves is None else self.limits.close_timeout)
            if self.agenda.tasks:  # connections on their way to HTTP
                await asyncio.wait(self.agenda.tasks, timeout=self.limits.close_timeout)
            if self.http is not None:
                await self.http.stop(self.limits.close_timeout)
        finally:
            self._cut_strays(half_open=False)
            self.agenda.drop_user()
            self.closed.set()

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
            and callbacks instead; with none, what comes is thrown away, for who only pushes.
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
        compression: "deflate" (RFC 7692), a `Deflate` with other parameters, or None.
        process_request, process_response: look at the opening handshake; a Response returned
            is sent instead. Plain or coroutine functions.
        server_header: the Server header; None for none.
        http: an ASGI application for requests that are no WebSocket. Without, they get 426.
        ssl: a server context for TLS; ssl_handshake_timeout, ssl_shutdown_timeout: in seconds,
            instead of open_timeout and close_timeout.
        family: socket.AF_INET or AF_INET6 for one of them only. reuse_port: SO_REUSEPORT.
        backlog: connections that may wait to be accepted.
        start_serving: False only binds the address, until `Server.start_serving`.
        logger: default "longlink.server".
        create_connection: a subclass of Connection.
        limits: any field of `Limits` by its name, such as max_size=2**20.

    Raises:
        OSError: cannot listen there. UnknownLimit, ValueError, TypeError: a bad argument.
    Cancellation leaves nothing that listens.
    """

    def __init__(
        self,
        handler: Handler | None = None,
        host: Host = None,
        port: int | str | None = None,
        *,
        on_open: ConnectionCallback | None = None,
        on_message: MessageCallback | None = None,
        on_close: ConnectionCallback | None = None,
        origins: Origins = SAME_HOST,
        hosts: Sequence[str] | None = None,
        subprotocols: Sequence[str] | None = None,
        select_subprotocol: SelectSubprotocol | None = None,
        compression: Compression = "deflate",
        process_request: ProcessRequest | None = None,
        process_response: ProcessResponse | None = None,
        server_header: str | None = OURS,
        http: ASGIApp | None = None,
        logger: Logger | None = None,
        create_connection: type[Connection] | None = None,
        ssl: ssl_module.SSLContext | None = None,
        sock: socket.socket | None = None,
        path: str | os.PathLike[str] | None = None,
        family: int = socket.AF_UNSPEC,
        backlog: int = 128,
        reuse_port: bool = False,
        ssl_handshake_timeout: float | None = None,
        ssl_shutdown_timeout: float | None = None,
        start_serving: bool = True,
        **limits: Any,
    ) -> None:
        check_handlers(handler, on_open, on_message, on_close)
        check_hooks(http=http)
        check_logger(logger)
        self.policy = Policy(
            Limits.of(limits, serve),
            origins,
            hosts,
            subprotocols,
            select_subprotocol,
            process_request,
            process_response,
            said(server_header),
            options_of(compression),
            Connection if create_connection is None else create_connection,
        )
        self.policy.check()
        self.callbacks = (handler, on_open, on_message, on_close)
        self.logger = logging.getLogger("longlink.server") if logger is None else logger
        self.http = http
        self.start_serving = start_serving
        self.place = Place(
            host=host,
            port=port_number(port),
            path=path,
            sock=sock,
            family=family,
            backlog=backlog,
            reuse_port=reuse_port,
            tls=ssl,
            ssl_handshake_timeout=ssl_handshake_timeout,
            ssl_shutdown_timeout=ssl_shutdown_timeout,
        )
        self.place.check()
        self.server: Server | None = None

    async def _start(self) -> Server:
        if self.server is None:
            sockets = await self.place.bind(listen=self.start_serving)
            server = Server(self.policy, self.place, sockets, *self.callbacks, self.logger)
            await server.open(self.http, self.policy.server_header)
            if self.start_serving:
                await server.start_serving()
            self.server = server
        return self.server

    def __await__(self) -> Generator[Any, None, Server]:
        return self._start().__await__()

    async def __aenter__(self) -> Server:
        return await self._start()

    async def __aexit__(self, *exception: object) -> None:
        assert self.server is not None
        await self.server.__aexit__(*exception)


serve.__doc__ = f"{inspect.cleandoc(serve.__doc__ or '')}\n\nLimits:\n{describe()}\n"


def unix_serve(
    handler: Handler | None = None, path: str | os.PathLike[str] | None = None, **kwargs: Any
) -> serve:
    """`serve` on a Unix socket."""
    if path is None and kwargs.get("sock") is None:
        raise TypeError("unix_serve() needs a path, or sock")
    return serve(handler, path=path, **kwargs)


def _ignore(connection: Connection, message: str | bytes) -> None:
    """Who only pushes doesn't listen; the peer's Close must be seen all the same."""
