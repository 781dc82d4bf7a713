"""The door: judges opening handshakes, one decision each, in one place.

head ── parse ──> an upgrade? ──no──> the ASGI application, or 426
                     │ yes
             room for one more? ──no──> 503
                     │ yes
  process_request, accept, process_response ──> 101 and a connection, or a refusal
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ..engine.agenda import FAULTS
from ..engine.receiver import Receiver
from ..engine.session import Session
from ..errors import shorten
from ..limits import Limits
from ..wire.answer import common_answer, own_answer
from ..wire.deflate import Deflate, negotiate
from ..wire.handshake import (
    Origins,
    accept,
    agree,
    check_hosts,
    check_origins,
    check_subprotocols,
    is_upgrade,
    prefer,
)
from ..wire.header import Extension, check_value
from ..wire.knock import Knock, knock_of
from ..wire.request import Request, knock_behind, late_request, parse_request
from ..wire.response import Refusal, Response, add_server_headers, last, respond
from .callback import check_hooks
from .connection import Connection
from .receiving import MessageCallback

if TYPE_CHECKING:
    from .http import HTTPService

ProcessRequest = Callable[[Connection, Request], Any]
ProcessResponse = Callable[[Connection, Request, Response], Any]
SelectSubprotocol = Callable[[Connection, Sequence[str]], str | None]

# Refusals that say nothing of who was kept out: health checks and scanners cause them all day.
_ROUTINE = frozenset({400, 405, 426, 505})
_SHOWN_BYTES = 400  # of the text of a refusal, in the log


TOO_LONG = "the server took too long to answer\n"


class Policy(NamedTuple):
    """Who is let in, and what they are told."""

    limits: Limits
    origins: Origins
    hosts: Sequence[str] | None
    subprotocols: Sequence[str] | None
    select_subprotocol: SelectSubprotocol | None
    process_request: ProcessRequest | None
    process_response: ProcessResponse | None
    server_header: str | None
    compression: Deflate | None
    create_connection: type[Connection]

    def check(self) -> None:
        """Raise TypeError or ValueError for what cannot be."""
        check_hooks(
            process_request=self.process_request,
            process_response=self.process_response,
            select_subprotocol=self.select_subprotocol,
            create_connection=self.create_connection,
        )
        check_origins(self.origins)
        check_hosts(self.hosts)
        if self.subprotocols is not None:
            check_subprotocols(self.subprotocols)
        if self.server_header is not None:
            check_value("Server", self.server_header)


class House(Protocol):
    """The server behind the door."""

    logger: logging.Logger | logging.LoggerAdapter[Any]
    http: HTTPService | None
    on_message: MessageCallback | None

    def is_open(self) -> bool:
        """Whether anybody may come in: False while shutting down."""

    def is_full(self) -> bool:
        """Whether there is no room for one more."""

    def has_room(self) -> bool:
        """Whether there are descriptors for one more request of plain HTTP."""

    def entered(self, connection: Connection, session: Session) -> None:
        """The connection is open."""

    def left(self, connection: Connection) -> None:
        """The connection is over."""


class Reception(Receiver):
    """Receives the opening handshakes of a server's sessions."""

    def __init__(self, policy: Policy, house: House) -> None:
        self.policy = policy
        self.house = house
        self.asks = policy.process_request is not None or policy.process_response is not None
        self.of_head = policy.limits.of_head()
        self.select = policy.select_subprotocol or prefer(policy.subprotocols or ())
        self.consulting: dict[Session, asyncio.Task[None]] = {}

    def on_head(self, session: Session, head: bytes) -> None:
        try:
            self._judge(session, head)
        except Refusal as refusal:
            self._refuse(session, refusal.response)
        except FAULTS:
            self._failed(session)

    def on_overdue(self, session: Session) -> None:
        consulting = self.consulting.get(session)
        if consulting is not None:
            consulting.cancel()
            self._refuse(session, respond(503, TOO_LONG))
        elif session.head is not None:
            self._refuse(session, respond(408, "the opening handshake took too long\n"))
        else:
            session.abort()  # to those who never said anything: nothing, and no time to hear it

    async def stop(self) -> None:
        """Cancel the hooks of the application that still run."""
        tasks = list(self.consulting.values())
        await asyncio.sleep(0)  # by then each has begun: no coroutine of a hook is left unawaited
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=self.policy.limits.close_timeout)

    def _judge(self, session: Session, head: bytes) -> None:
        limits = self.policy.limits
        knock = knock_of(head, limits.max_head, limits.max_line, limits.max_headers)
        if knock is None:
            self._judge_closely(session, head)
            return
        connection = self._connection(session, head)
        if self.asks:
            self._ask(session, connection, late_request(knock))
        else:
            self._admit(session, connection, knock)

    def _judge_closely(self, session: Session, head: bytes) -> None:
        """It is no ordinary handshake: a rare one, a bad one, or plain HTTP."""
        request = parse_request(head, **self.of_head)
        http = self.house.http
        if http is not None and not is_upgrade(request):
            if not self.house.has_room():
                raise Refusal(respond(503, "too many connections\n"))
            session.hand_over(http.protocol(), head)
            return
        connection = self._connection(session, head)
        if self.asks:
            self._ask(session, connection, request)
        else:
            self._answer(session, connection, self._accept(connection, request), request)

    def _connection(self, session: Session, head: bytes) -> Connection:
        """The connection that may come of it. Raises Refusal when there is no room."""
        self._check_room()
        connection = self.policy.create_connection(session, self.house, self.house.on_message)
        connection.head = head
        return connection

    def _check_room(self) -> None:
        """Raise Refusal when nobody may come in, or there is no room for one more."""
        if not self.house.is_open():
            raise Refusal(respond(503, "shutting down\n"))
        if self.house.is_full():
            raise Refusal(respond(503, "too many connections\n"))

    def _accept(self, connection: Connection, request: Request) -> Response:
        policy = self.policy
        return accept(
            request,
            select_subprotocol=self.select,
            connection=connection,
            origins=policy.origins,
            hosts=policy.hosts,
            extensions=lambda offers: self._agree(connection, offers),
        )

    def _admit(self, session: Session, connection: Connection, knock: Knock) -> None:
        """As `_accept` and `_answer`, for an ordinary handshake: no object of it is made."""
        policy = self.policy
        subprotocol, extensions = agree(
            knock,
            select_subprotocol=self.select,
            connection=connection,
            origins=policy.origins,
            hosts=policy.hosts,
            extensions=lambda offers: self._agree(connection, offers),
        )
        if not session.undecided():
            return  # they left, or the time is up
        common = common_answer(subprotocol, extensions, policy.server_header, int(time.time()))
        connection.answer = common
        connection.subprotocol = subprotocol
        session.send_head(own_answer(common, knock.key))
        self.house.entered(connection, session)

    def _agree(self, connection: Connection, offers: list[Extension]) -> str | None:
        """The answer to what the client offers, by which the session will compress."""
        if self.policy.compression is None:
            return None
        found = negotiate(offers, self.policy.compression)
        if found is None:
            return None
        connection.session.agree(found[1])
        return found[0]

    def _ask(self, session: Session, connection: Connection, request: Request) -> None:
        """Let the application's hooks look at it. Plain functions are asked at once; only one
        that takes its time costs a task."""
        connection.asked = request
        answer = self._hear(connection, request)
        if answer is None or isinstance(answer, Response):
            self._conclude(session, connection, answer, request)
            return
        waiting = self._consult(session, connection, request, answer)
        task = session.agenda.loop.create_task(waiting)
        self.consulting[session] = task
        task.add_done_callback(lambda _: self.consulting.pop(session))

    async def _consult(
        self,
        session: Session,
        connection: Connection,
        request: Request,
        answer: Coroutine[Any, Any, Response | None],
    ) -> None:
        try:
            # The deadline of those who leave meanwhile, too: nobody else ends their hooks.
            async with asyncio.timeout(self.policy.limits.open_timeout) as patience:
                response = await answer
            self._conclude(session, connection, response, request)
        except TimeoutError:
            if patience.expired():
                self._refuse(session, respond(503, TOO_LONG))
            else:
                self._failed(session)
        except Refusal as refusal:
            self._refuse(session, refusal.response)
        except Exception:
            self._failed(session)

    def _hear(
        self, connection: Connection, request: Request
    ) -> Response | Coroutine[Any, Any, Response | None] | None:
        """What is answered after the hooks had their say, or a coroutine that waits for it; None
        for what is usual."""
        hook = self.policy.process_request
        response = None if hook is None else hook(connection, request)
        if inspect.isawaitable(response):
            return self._hear_late(connection, request, response)
        return self._review(connection, request, response)

    async def _hear_late(
        self, connection: Connection, request: Request, verdict: Awaitable[Response | None]
    ) -> Response | None:
        answer = self._review(connection, request, await verdict)
        return answer if answer is None or isinstance(answer, Response) else await answer

    def _review(
        self, connection: Connection, request: Request, response: Response | None
    ) -> Response | Coroutine[Any, Any, Response] | None:
        """The second half: our own verdict, and what process_response makes of it."""
        hook = self.policy.process_response
        if hook is None:
            return None if response is None else _checked(response)
        if response is None:
            response = self._verdict(connection, request)
        changed = hook(connection, request, response)
        if inspect.isawaitable(changed):
            return _later(changed, response)
        return _checked(changed or response)

    def _verdict(self, connection: Connection, request: Request) -> Response:
        """As `_accept`, a refusal returned: process_response sees that, too."""
        try:
            return self._accept(connection, request)
        except Refusal as refusal:
            return refusal.response

    def _conclude(
        self,
        session: Session,
        connection: Connection,
        response: Response | None,
        request: Request,
    ) -> None:
        """The hooks are through."""
        self._check_room()  # it may have changed meanwhile
        knock = None if response is not None else knock_behind(request)
        if knock is not None:
            connection.asked = None  # whoever asks for it again gets the same from the head
            self._admit(session, connection, knock)
            return
        if response is None:
            response = self._accept(connection, request)
        self._answer(session, connection, response, request)

    def _answer(
        self, session: Session, connection: Connection, response: Response, request: Request
    ) -> None:
        if response.status_code != 101:
            self._refuse(session, last(response, request.method))
            return
        if not session.undecided():
            return  # they left, or the time is up
        add_server_headers(response, self.policy.server_header, time.time())
        connection.answer = response.serialize()
        connection.subprotocol = response.headers.get("Sec-WebSocket-Protocol")
        if "Sec-WebSocket-Extensions" not in response.headers:
            session.agree(None)  # process_response may have taken it back
        session.send_head(connection.answer)
        self.house.entered(connection, session)

    def _refuse(self, session: Session, response: Response) -> None:
        add_server_headers(response, self.policy.server_header, time.time())
        answer = response.serialize()
        if session.undecided():
            self._log_refusal(session, response)
            session.refuse(answer)

    def _log_refusal(self, session: Session, response: Response) -> None:
        status = response.status_code
        level = logging.DEBUG if status < 400 or status in _ROUTINE else logging.INFO
        if self.house.logger.isEnabledFor(level):
            self.house.logger.log(
                level, "%s refused: %d %s", _ip(session), status, _reason(response)
            )

    def _failed(self, session: Session) -> None:
        """Inside an `except`: a hook of the application raised."""
        self.house.logger.error("opening handshake failed", exc_info=True)
        self._refuse(session, respond(500, "the server failed to answer\n"))


def _ip(session: Session) -> str:
    """The peer's address without its port, or what stands for it."""
    address = session.address(peer=True)
    if isinstance(address, tuple):
        return str(address[0])
    return "somebody" if address is None else "unix"  # None: they just left


def _reason(response: Response) -> str:
    """The first line of an answer's text, or else its reason phrase; safe to print.

    What we write quotes the peer escaped and shortened, but the application may write anything.
    """
    kind = response.headers.joined("Content-Type") or ""
    text = bytes(response.body[:_SHOWN_BYTES]) if kind.startswith("text/plain") else b""
    line = text.decode(errors="replace").partition("\n")[0] or response.reason_phrase
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in line)


async def _later(changed: Awaitable[Response | None], response: Response) -> Response:
    return _checked(await changed or response)


def _checked(answer: Any) -> Response:
    if not isinstance(answer, Response):
        raise TypeError(f"a hook must return a Response or None, not {shorten(answer)}")
    return answer
