"""Plain HTTP on the same port: requests that are no upgrade go to an ASGI application.

HTTP itself is uvicorn's: its protocol classes get the socket and the octets read so far. A
request that asks for WebSocket on a connection that was kept alive comes back to us. uvicorn
closes connections that are idle; here is what it lacks, a deadline for heads that drip.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from ..engine.agenda import Agenda
from ..limits import Limits
from ..wire.response import http_date, respond
from .callback import ASGIApp


class HTTPService:
    """An ASGI application, ready to take over connections.

    Args:
        app: any ASGI application.
        upgraded: makes the protocol for a WebSocket request on a kept-alive connection.
        server_header: the Server header; None for none.
        limits: max_head and open_timeout hold for every head on a connection kept alive, too.
        agenda: whose wheel looks after the deadlines.

    Raises ImportError, saying what to install, when uvicorn is not there.
    """

    def __init__(
        self,
        app: ASGIApp,
        upgraded: Callable[[], asyncio.BaseProtocol],
        server_header: str | None,
        limits: Limits,
        agenda: Agenda,
    ) -> None:
        try:
            from uvicorn import Config
            from uvicorn.server import ServerState
        except ImportError:
            raise ImportError("http= needs uvicorn: pip install 'longlink[server]'") from None
        self.config: Any = Config(
            app,
            ws=lambda **given: upgraded(),  # type: ignore[arg-type]
            log_config=None,
            access_log=False,
            server_header=False,
            # httptools is faster, and takes heads of any size on a connection that was kept alive.
            http="h11",
            h11_max_incomplete_event_size=limits.max_head,
        )
        self.server_header = server_header
        self.state = _with_headers(ServerState, self.headers)()
        self.state.connections = self.connections = Connections()
        self.lifespan: Any = None
        self.limits = limits
        self.agenda = agenda
        self.kind: Any = None

    def headers(self) -> list[tuple[bytes, bytes]]:
        """What every response has (RFC 9110 §6.6.1: a server with a clock says the date)."""
        headers = [(b"date", http_date(int(time.time())).encode())]
        if self.server_header is not None:
            headers.append((b"server", self.server_header.encode("latin-1")))
        return headers

    async def start(self) -> None:
        """Run the application's start-up. Raises RuntimeError when it fails. Cancellation cancels
        the start-up."""
        self.config.load()
        self.kind = _made_ours(
            self.config.http_protocol_class, self.agenda, self.limits.open_timeout
        )
        self.lifespan = _cancellable(self.config.lifespan_class)(self.config)
        try:
            await self.lifespan.startup()
            if self.lifespan.should_exit:
                raise RuntimeError("the ASGI application failed to start")
        except BaseException:
            self.lifespan.cancel()
            raise

    def protocol(self) -> asyncio.Protocol:
        """A fresh protocol for one connection."""
        made: asyncio.Protocol = self.kind(
            config=self.config, server_state=self.state, app_state=self.lifespan.state
        )
        return made

    async def stop(self, timeout: float | None) -> None:
        """Let running requests finish, at most `timeout` seconds, then run the shut-down."""
        for connection in list(self.connections):
            connection.shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.connections.empty.wait()
                while self.state.tasks:  # the answer is out, but its task isn't done
                    await asyncio.wait(self.state.tasks)
        late = list(self.state.tasks)
        for task in late:
            task.cancel()
        for connection in list(self.connections):
            connection.transport.abort()
        if late:
            await asyncio.wait(late, timeout=timeout)
        await self.lifespan.shutdown()


class Connections(set[Any]):
    """The connections that HTTP has; `empty` is set while there is none."""

    def __init__(self) -> None:
        super().__init__()
        self.empty = asyncio.Event()
        self.empty.set()

    def add(self, connection: Any) -> None:
        super().add(connection)
        self.empty.clear()

    def discard(self, connection: Any) -> None:
        super().discard(connection)
        if not self:
            self.empty.set()


def _with_headers(kind: type[Any], headers: Callable[[], list[tuple[bytes, bytes]]]) -> type[Any]:
    """uvicorn's state with headers that are up to date whenever they are asked for; there a
    ticking task writes them anew each second."""

    class State(kind):  # type: ignore[misc]
        @property
        def default_headers(self) -> list[tuple[bytes, bytes]]:
            return headers()

        @default_headers.setter
        def default_headers(self, value: object) -> None:
            pass  # the empty list of its birth

    return State


def _cancellable(kind: type[Any]) -> type[Any]:
    """uvicorn's lifespan, with a hold on the task that runs the application's."""

    class Lifespan(kind):  # type: ignore[misc]
        task: asyncio.Task[Any] | None = None

        async def main(self) -> None:
            self.task = asyncio.current_task()
            await super().main()

        def cancel(self) -> None:
            if self.task is not None:
                self.task.cancel()

    return Lifespan


class Quiet(logging.LoggerAdapter[logging.Logger]):
    """uvicorn's logger, in which the faults of peers are no warnings."""

    @property
    def level(self) -> int:
        """What uvicorn asks to see whether anybody traces."""
        return self.logger.level

    def warning(self, msg: object, *args: object, **kwargs: Any) -> None:
        self.debug(msg, *args, **kwargs)


def _made_ours(kind: type[Any], agenda: Agenda, patience: float | None) -> type[Any]:
    """uvicorn's protocol with a deadline for each head from its first octet on, and a quiet log."""
    from h11 import IDLE

    class Protocol(kind):  # type: ignore[misc]
        tick = place = 0  # the wheel's, see `Timed`

        def __init__(self, **given: Any) -> None:
            super().__init__(**given)
            self.logger = Quiet(logging.getLogger("uvicorn.error"))

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            begun = self.conn.their_state is IDLE and self.conn.trailing_data[0]
            if not begun or self.transport.is_closing():
                agenda.wheel.cancel(self)
            elif not self.tick and patience is not None:
                agenda.wheel.schedule(self, agenda.loop.time() + patience)

        def _should_upgrade(self) -> bool:
            # RFC 9110 §7.8: not by HTTP/1.0, which would come back to us as HTTP/1.1.
            return bool(self.conn.their_http_version != b"1.0" and super()._should_upgrade())

        def connection_lost(self, exc: Exception | None) -> None:
            agenda.wheel.cancel(self)
            super().connection_lost(exc)

        def on_deadline(self, now: float) -> float:
            self.transport.write(respond(408, "the head took too long\n").serialize())
            self.transport.close()
            return 0.0

        def abort(self) -> None:
            self.transport.abort()

    return Protocol
