"""`connect()`: a connection to somebody else's server, or one after the other."""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
from collections.abc import AsyncGenerator, Callable, Generator, Sequence
from dataclasses import replace
from typing import Any, Final, Literal

from ..engine.agenda import Agenda, agenda_of
from ..engine.reactor import AVAILABLE, reactor_of
from ..errors import InvalidStatus
from ..limits import Limits, describe
from ..wire import uri as uris
from ..wire.deflate import Deflate, options_of
from ..wire.header import Headers, HeadersLike
from .callback import check_callback, check_logger
from .connection import Connection
from .dialer import Dialer
from .opening import Client, Opening, Wish
from .proxy import check_proxy
from .receiving import MessageCallback
from .reconnect import Delays, ProcessException, Reconnection, backoff, process_exception
from .redirect import MAX_REDIRECTS, is_redirect, portable, redirected, too_many
from .version import OURS, said
from .way import Way

_decide = process_exception  # `connect` has a parameter of this name


class connect:
    """Connect to a server: `async with connect(uri) as ws`, or `ws = await connect(uri)`,
    or `async for ws in connect(uri)` to get a new connection whenever one is over.

    Args:
        uri: `ws://` or `wss://`; user and password in it are sent as Basic credentials.
        on_message: a plain function of the connection and each message, instead of `recv`.
        origin: the Origin header. subprotocols: those offered, the preferred first.
        compression: "deflate", a `Deflate` with options, or None.
        additional_headers: more headers. user_agent_header: None for none.
        proxy: True for the environment's (https_proxy and the like), None for none, or
            `http://`, `https://`, `socks5h://`, … `[user:password@]host[:port]`.
        process_exception: for `async for`: is given what connecting raised; returns None to
            try again, or what to raise.
        reconnect_delays: for `async for`: makes an iterator of seconds to wait; see `backoff`.
        logger: instead of "longlink.client".
        create_connection: a subclass of Connection.
        ssl: a client context for `wss://`; the default one verifies.
        server_hostname: the name that the certificate must have.
        host, port: connect there instead; sock: over this connected socket; path: over this
            Unix socket. The URI says what is asked for.
        family, proto, flags, local_addr, happy_eyeballs_delay, interleave,
        ssl_handshake_timeout, ssl_shutdown_timeout: as for asyncio's `create_connection`.
        proxy_ssl, proxy_server_hostname: for a proxy at `https://`.
        limits: any field of `Limits` by its name, such as open_timeout=10.

    Raises:
        InvalidURI, InvalidProxy: before anything is connected. OSError: no TCP or TLS.
        TimeoutError: not open after `open_timeout`, everything included.
        InvalidHandshake: the server's answer; InvalidStatus carries status, headers, body.
        ProxyError: the proxy does not let us through.
    Redirects are followed, at most ten, never from TLS to plain text; to another origin go
    neither credentials nor headers that look like one.
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
        compression: Literal["deflate"] | Deflate | None = "deflate",
        additional_headers: HeadersLike | None = None,
        user_agent_header: str | None = OURS,
        process_exception: ProcessException = _decide,
        reconnect_delays: Delays = backoff,
        logger: Any = None,
        create_connection: type[Connection] | None = None,
        **options: Any,
    ) -> None:
        check_callback("on_message", on_message)
        check_logger(logger)
        _check_kinds(
            uri=uri,
            additional_headers=additional_headers,
            process_exception=process_exception,
            reconnect_delays=reconnect_delays,
            create_connection=create_connection,
        )
        self.uri = uris.parse(uri)
        self.way = Way.of(options)
        self.limits = Limits.of(options, connect, Way)
        self.additional = Headers(additional_headers or ())
        self.logger = logging.getLogger("longlink.client") if logger is None else logger
        user_agent_header = said(user_agent_header)
        client = Client(self.logger, create_connection, on_message)
        self.wish = Wish(origin, subprotocols, options_of(compression), user_agent_header, client)
        self.dialer = Dialer(self.way, self.limits, user_agent_header)
        self.process_exception = process_exception
        self.reconnect_delays = reconnect_delays
        self.connection: Connection | None = None
        self.entered = False
        self._check()

    def _check(self) -> None:
        """Say now what is wrong with the arguments."""
        self.wish.request(self.uri, self.additional)
        check_proxy(self.way)
        if self.way.ssl is not None and not self.uri.secure:
            raise ValueError("ssl= is for wss:// URIs")

    async def _open(self) -> Connection:
        loop = asyncio.get_running_loop()
        agenda: Agenda = reactor_of(loop) if AVAILABLE else agenda_of(loop)
        agenda.add_user()
        clock = asyncio.timeout(self.limits.open_timeout)
        attempt = Attempt(self, agenda)
        try:
            async with clock:
                return await attempt.run()
        except TimeoutError:
            if not clock.expired():
                raise
            raise attempt.opening.late() from None
        finally:
            agenda.drop_user()

    def __repr__(self) -> str:
        # No more of it: there may be a secret in a path or query, too.
        return f"<{type(self).__name__} {replace(self.uri, path='', query='')}>"

    def __await__(self) -> Generator[Any, None, Connection]:
        return self._open().__await__()

    async def __aenter__(self) -> Connection:
        if self.entered:
            raise RuntimeError("this connect() is in use by another `async with`")
        self.entered = True
        try:
            self.connection = await self._open()
        except BaseException:
            self.entered = False
            raise
        return self.connection

    async def __aexit__(self, kind: object, value: object, traceback: object) -> None:
        connection, self.connection = self.connection, None
        self.entered = False
        assert connection is not None
        await connection.__aexit__(kind, value, traceback)

    def __aiter__(self) -> AsyncGenerator[Connection]:
        return Reconnection(
            self._open, self.process_exception, self.reconnect_delays, self.logger
        ).connections()


def _check_kinds(**given: object) -> None:
    """Raise TypeError for what would only fail later, or fail in other words."""
    for name, value in given.items():
        fits, kind = _KINDS[name]
        if not fits(value):
            raise TypeError(f"{name} must be {kind}, not {type(value).__name__}")


_KINDS: Final[dict[str, tuple[Callable[[Any], bool], str]]] = {
    "uri": (lambda value: isinstance(value, str), "str"),
    "additional_headers": (
        lambda value: not isinstance(value, (str, bytes)),
        "a mapping or pairs",
    ),
    "process_exception": (callable, "a function"),
    "reconnect_delays": (callable, "a function"),
    "create_connection": (
        lambda value: value is None or callable(value),
        "a subclass of Connection",
    ),
}


connect.__doc__ = f"{inspect.cleandoc(connect.__doc__ or '')}\n\nLimits:\n{describe()}\n"


def unix_connect(
    path: str | os.PathLike[str] | None = None, uri: str | None = None, **options: Any
) -> connect:
    """`connect` over the Unix socket at `path`.

    Args:
        uri: what is asked for; `ws://localhost/`, or with `ssl=` `wss://localhost/`.
        options: as for `connect`.
    """
    if path is None and options.get("sock") is None:
        raise TypeError("unix_connect() needs a path, or sock")
    if uri is None:
        uri = "ws://localhost/" if options.get("ssl") is None else "wss://localhost/"
    return connect(uri, path=path, **options)


class Attempt:
    """One attempt to connect, through redirects, to a connection or an error."""

    def __init__(self, plan: connect, agenda: Agenda) -> None:
        self.plan = plan
        self.agenda = agenda
        self.uri = plan.uri
        self.additional = plan.additional
        self.opening = self._opening()

    def _opening(self) -> Opening:
        return Opening(self.plan.wish, self.uri, self.additional, self.plan.limits)

    async def run(self) -> Connection:
        """The connection."""
        followed = 0
        while True:
            try:
                return await self._ask()
            except InvalidStatus as problem:
                if not is_redirect(problem.response):
                    raise
                if followed == MAX_REDIRECTS:
                    raise too_many(problem) from problem
                self._turn(problem)
                followed += 1

    async def _ask(self) -> Connection:
        session = await self.plan.dialer.session(self.uri, self.opening, self.agenda)
        return await self.opening.on(session)

    def _turn(self, problem: InvalidStatus) -> None:
        """Follow a redirect, or raise why not."""
        target = redirected(problem, self.uri, self.plan.way.fixed)
        if target.origin != self.uri.origin:
            self.additional = portable(self.additional)
        self.uri = target
        self.opening = self._opening()
