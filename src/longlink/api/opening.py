"""The client's half of the opening handshake: ask, judge the answer, hand over."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.receiver import Receiver
from ..engine.session import Session
from ..errors import InvalidMessage, InvalidStatus
from ..limits import Limits
from ..wire.deflate import Agreement, Deflate, judge, offer
from ..wire.handshake import check_response, make_request, new_key
from ..wire.header import Extension, Headers
from ..wire.response import MAX_BODY, Body, Response, parse_response
from ..wire.uri import URI
from .connection import Connection
from .redirect import is_redirect


@dataclass(frozen=True, slots=True)
class Wish:
    """What the opening handshake asks for, wherever it leads.

    Attributes:
        client: makes the connection.
    """

    origin: str | None
    subprotocols: Sequence[str] | None
    compression: Deflate | None
    user_agent: str | None
    client: Client

    def request(self, uri: URI, additional: Headers, key: str = "") -> bytes:
        """The head that goes out; says what is wrong with it before anything is connected."""
        request = make_request(
            uri,
            key,
            origin=self.origin,
            subprotocols=self.subprotocols,
            extensions=None if self.compression is None else offer(self.compression),
            additional_headers=additional,
            user_agent_header=self.user_agent,
        )
        return request.serialize()


class Opening(Receiver):
    """One opening handshake. `outcome` becomes the connection, or why there is none."""

    def __init__(self, wish: Wish, uri: URI, additional: Headers, limits: Limits) -> None:
        self.wish = wish
        self.limits = limits
        self.key = new_key(os.urandom(16))
        self.request = wish.request(uri, additional, self.key)
        self.session: Session | None = None
        self.outcome: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        self.agreement: Agreement | None = None
        self.refused: tuple[Response, Body] | None = None

    async def on(self, session: Session) -> Connection:
        """The connection that comes of asking on `session`, which is closed if none does."""
        self.session = session
        session.send_head(self.request)
        try:
            return await self.outcome
        except BaseException:
            session.abort()
            raise

    def on_head(self, session: Session, head: bytes) -> None:
        try:
            response = parse_response(head, **self.limits.of_head())
            if response.interim:
                session.read_head()
            elif response.status_code == 101:
                self._accepted(session, head, response)
            else:
                self._refused(session, response)
        except Exception as problem:  # of the caller's class, too
            self._failed(session, problem)

    def _accepted(self, session: Session, head: bytes, response: Response) -> None:
        judge_extensions = None if self.wish.compression is None else self._agree
        subprotocol = check_response(
            response, self.key, self.wish.subprotocols, extensions=judge_extensions
        )
        connection = self.wish.client.connection(session)
        connection.head, connection.answer = self.request, head
        connection.subprotocol = subprotocol
        if self.agreement is not None:
            session.agree(self.agreement)
        session.welcome(connection)
        if not self.outcome.done():
            self.outcome.set_result(connection)

    def _agree(self, agreed: list[Extension]) -> None:
        assert self.wish.compression is not None
        self.agreement = judge(agreed, self.wish.compression)

    def _refused(self, session: Session, response: Response) -> None:
        body = Body(response, MAX_BODY)
        self.refused = response, body
        if body.done or is_redirect(response):
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
        ended = InvalidMessage("the server closed TCP before it answered")
        # A sign that trying again may help: what went wrong with TLS, or just the end.
        fault = None if self.session is None else self.session.fault()
        ended.__cause__ = fault or EOFError("end of stream")
        self._settle(self.refusal(ended))

    def _failed(self, session: Session, problem: Exception) -> None:
        self._settle(problem)
        session.abort()

    def _settle(self, problem: Exception) -> None:
        if not self.outcome.done():
            self.outcome.set_exception(problem)
            self.outcome.exception()  # nobody may be there to hear it: no complaint then


class Client:
    """What the connections of one `connect` share, as those of a server share the server.

    Args:
        logger: theirs.
        kind: their class. callback: for their messages.
    """

    def __init__(self, logger: Any, kind: type[Connection] | None, callback: Any) -> None:
        self.logger = logger
        self.kind = Connection if kind is None else kind
        self.callback = callback

    def connection(self, session: Session) -> Connection:
        """A connection on a session that is about to be open."""
        return self.kind(session, self, self.callback)

    def left(self, connection: Connection) -> None:
        """Nobody counts a client's connections."""
