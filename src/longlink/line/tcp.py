"""`serve` and `connect`: conversations in lines over TCP.

On Linux a line is a socket of the same reactor as the WebSockets; elsewhere, and with TLS, it is
an asyncio transport.
"""

from __future__ import annotations

import asyncio
import logging
import ssl as ssl_module
from typing import Any, Literal

from ..api.port import Host, Place, begin_listening, descriptors, port_number
from ..api.way import Way, client_context
from ..engine.reactor import Listener, Reactor
from ..errors import LineClosed
from ..limits import SPARE_DESCRIPTORS
from .line import Line
from .linked import Linked
from .rules import Rules
from .server import Handler, Logger, Server, Starting, agenda_here, check_handler
from .streamed import Streamed

# So many at once are told that there is no room; more are cut without a word. Each keeps a
# descriptor until it leaves, and that of somebody who stays is not to be had by others.
TURNED_AWAY = 16


class TCPServer(Server):
    """Accepts lines over TCP."""

    def __init__(
        self,
        handler: Handler,
        rules: Rules,
        place: Place,
        max_accepts: int | None,
        logger: Logger,
    ) -> None:
        most = rules.limits.max_connections or max(1, descriptors() - SPARE_DESCRIPTORS)
        Server.__init__(self, handler, rules, most, logger)
        self.place = place
        self.accepts_left = max_accepts
        self.listeners: list[Any] = []
        self.turned_away: set[Line] = set()

    async def open(self) -> None:
        """Listen. Raises OSError, saying where; then the server is closed."""
        try:
            self.sockets = tuple(await self.place.bind(listen=True))
            for sock in self.sockets:
                self.listeners.append(await self._listen(sock))
        except BaseException:
            self.close()
            raise

    async def _listen(self, sock: Any) -> Any:
        begin_listening(sock, self.place.backlog)
        if isinstance(self.agenda, Reactor) and self.place.tls is None:
            return Listener(self.agenda, sock, self._accept)
        how: dict[str, Any] = {"sock": sock, "ssl": self.place.tls, "backlog": self.place.backlog}
        if self.place.tls is not None:
            how |= self.place.timeouts(self.rules.limits)
        return await self.loop.create_server(self._make_protocol, **how)

    def _accept(self, fd: int) -> None:
        assert isinstance(self.agenda, Reactor)
        self._accepted(Linked(fd, self.agenda, self.rules, self.left))

    def _make_protocol(self) -> Streamed:
        return Streamed(self.agenda, self.rules, self._accepted, self.left)

    def _accepted(self, line: Line) -> None:
        if self.accepts_left == 0 or self.closing:
            line.abort()  # in the same turn as the last one, or its TLS took until now
        elif line.over:
            pass  # lost before it began
        elif self.is_full():
            self._turn_away(line)
        else:
            self.joined(line)
            if self.accepts_left is not None:
                self.accepts_left -= 1
                if not self.accepts_left:
                    self.stop()

    def _turn_away(self, line: Line) -> None:
        if len(self.turned_away) < TURNED_AWAY:
            self.turned_away.add(line)
            line.refuse(LineClosed(f"too many connections, the limit is {self.most}"))
        else:
            line.abort()

    def left(self, line: Line) -> None:
        self.turned_away.discard(line)
        Server.left(self, line)

    def release(self) -> None:
        for line in list(self.turned_away):
            line.abort()

    def is_done(self) -> bool:
        return self.accepts_left == 0

    def stop(self) -> None:
        for listener in self.listeners:
            listener.close()
        for sock in self.sockets:  # those on which nobody listened yet
            sock.close()
        self.listeners, self.sockets = [], ()


class serve(Starting[Server]):
    r"""Serve lines: `async with serve(handler, host, port) as server`, or `await serve(...)`.

    Args:
        handler: `async def handler(line)`, run for each connection; its end closes it, what it
            raises cuts it (LineClosed is nobody's fault).
        host, port: where to listen; None is every interface, port 0 a free one.
        terminators: octets, each of which ends a line: b"\n" (default) or b"\n\t\0".
            A CR in front of a LF belongs to the end.
        newline: what `send` ends a line with, b"\n" by default.
        max_line: octets of the longest line (8192). A longer one is answered with an error line
            and the connection closed.
        timeout: seconds in which each line for which the handler waits must come, whole (300).
            Past it, an error line and the end. None for ever; then TCP itself is asked
            now and then whether they are still there.
        max_accepts: so many connections are accepted, then the server ends with the last one.
        backlog: connections that may wait to be accepted.
        ssl: a server context for TLS.
        path, sock, family, reuse_port: as in `longlink.serve`.
        logger: default "longlink.line".
        open_timeout, close_timeout, stall_timeout, write_limit, max_backlog, max_connections:
            as in `longlink.Limits`. One connection too many is told so and closed.

    Raises:
        OSError: cannot listen there. UnknownLimit, ValueError, TypeError: a bad argument.
    """

    def __init__(
        self,
        handler: Handler,
        host: Host = None,
        port: int | str | None = None,
        *,
        max_accepts: int | None = None,
        backlog: int = 128,
        ssl: ssl_module.SSLContext | None = None,
        path: Any = None,
        sock: Any = None,
        family: int = 0,
        reuse_port: bool = False,
        logger: Logger | None = None,
        **rules: Any,
    ) -> None:
        check_handler(handler)
        if max_accepts is not None and (not isinstance(max_accepts, int) or max_accepts < 1):
            raise ValueError(f"max_accepts must be at least 1, not {max_accepts!r}")
        self._handler = handler
        self._rules = Rules.of(rules)
        self._max_accepts = max_accepts
        self._logger = logging.getLogger("longlink.line") if logger is None else logger
        self._place = Place(
            host=host,
            port=port_number(port),
            path=path,
            sock=sock,
            family=family,
            backlog=backlog,
            reuse_port=reuse_port,
            tls=ssl,
        )
        self._place.check()

    async def _make(self) -> Server:
        server = TCPServer(self._handler, self._rules, self._place, self._max_accepts, self._logger)
        await server.open()
        return server


class connect(Starting[Line]):
    """Connect: `async with connect(host, port) as line`, or `await connect(...)`.

    Several addresses of a host race with a head start of 0.25 s each (RFC 8305).

    Args:
        host, port: of the server.
        ssl: True or a client context for TLS; server_hostname: the name in its certificate.
        local_addr: host and port to connect from.
        timeout: as in `serve`, but None by default.
        terminators, newline, max_line, open_timeout, close_timeout, stall_timeout, write_limit,
            max_backlog: as in `serve`.

    Raises:
        OSError: no connection. TimeoutError: none within `open_timeout` (10 s).
    Cancellation leaves nothing open.
    """

    def __init__(
        self,
        host: str,
        port: int | str,
        *,
        ssl: ssl_module.SSLContext | Literal[True] | None = None,
        server_hostname: str | None = None,
        local_addr: tuple[str, int] | None = None,
        **rules: Any,
    ) -> None:
        number = port_number(port)
        if number is None or not 0 < number <= 65535:
            raise ValueError(f"port must be 1 to 65535, not {port!r}")
        self._host, self._port = host, number
        self._rules = Rules.of({"timeout": None, **rules})
        self._way = Way(ssl=ssl, server_hostname=server_hostname, local_addr=local_addr)

    async def _make(self) -> Line:
        async with asyncio.timeout(self._rules.limits.open_timeout):
            return await self._connect(asyncio.get_running_loop())

    async def _connect(self, loop: asyncio.AbstractEventLoop) -> Line:
        sock = await self._way.dial(loop, self._host, self._port)
        agenda = agenda_here(loop)
        if isinstance(agenda, Reactor) and self._way.ssl is None:
            return Linked(sock.detach(), agenda, self._rules)
        line = Streamed(agenda, self._rules)
        how: dict[str, Any] = {"sock": sock}
        if self._way.ssl is not None:
            how["ssl"] = client_context(self._way.ssl)
            how["server_hostname"] = self._way.server_hostname or self._host
        agenda.add_user()
        try:
            await loop.create_connection(lambda: line, **how)
        except BaseException:
            sock.close()
            raise
        finally:
            agenda.drop_user()
        return line
