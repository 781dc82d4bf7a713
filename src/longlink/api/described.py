"""What a connection says of itself: who is there, what was asked, how it ended."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from ..engine.receiver import Receiver
from ..engine.session import Session
from ..native.kernel import forget_dict, unpacked_peer
from ..wire.answer import whole_answer
from ..wire.frame import CloseCode
from ..wire.phase import STATE_OF, Phase, State
from ..wire.request import Request, parse_request
from ..wire.response import Response, parse_response
from .transport import transport_of

if TYPE_CHECKING:
    from uuid import UUID

_CLOSED_OVER_THERE = Phase.CLOSE_DONE  # from here on the peer's Close is known, or none comes


class Described(Receiver):
    """The receiver of an open session, as far as it only tells."""

    __slots__ = (
        "_id",
        "_peer",
        "answer",
        "asked",
        "head",
        "owner",
        "session",
        "subprotocol",
        "username",
    )

    def __init__(self, session: Session, owner: Any) -> None:
        forget_dict(self)
        self.session = session
        self.owner = owner  # the server, or `Client`; told `left(connection)` at the end
        self.subprotocol: str | None = None
        self.username: str | None = None  # set by whoever authenticates
        self.head = b""  # the request as it came or went
        self.answer = b""  # the response as it came or went, or what it has in common with others
        self.asked: Request | None = None  # the request as hooks of the application saw it
        self._id: UUID | None = None
        self._peer = session.packed_peer()

    @property
    def server(self) -> Any:
        """The `Server` it came to; None for a client's connection."""
        return None if self.session.client else self.owner

    @property
    def logger(self) -> logging.LoggerAdapter[Any]:
        """The server's logger or "longlink.client"; its records carry `websocket`."""
        return logging.LoggerAdapter(self.owner.logger, {"websocket": self})

    @property
    def transport(self) -> Any:
        """asyncio's transport, or what answers the same questions where there is none."""
        return transport_of(self.session)

    @property
    def loop(self) -> asyncio.AbstractEventLoop:
        """The event loop that it lives on."""
        return self.session.agenda.loop

    @property
    def id(self) -> UUID:
        """A random identifier, for logs."""
        if self._id is None:
            from uuid import uuid4  # slow to import, and not everybody logs

            self._id = uuid4()
        return self._id

    @property
    def request(self) -> Request:
        """The opening handshake's request. Parsed when asked for."""
        if self.asked is None:
            self.asked = parse_request(self.head)
        return self.asked

    @property
    def response(self) -> Response | None:
        """The opening handshake's response; None before there is one. Parsed at each call."""
        return parse_response(whole_answer(self.answer, self.head)) if self.answer else None

    @property
    def local_address(self) -> Any:
        """Our address as the socket module shapes it.

        Once TCP is closed a server knows it only of those of whom it was asked before.
        """
        return self.session.address(peer=False)

    @property
    def remote_address(self) -> Any:
        """The peer's address as the socket module shapes it."""
        return unpacked_peer(self._peer)

    @property
    def state(self) -> State:
        """`readyState`: 0 connecting, 1 open, 2 closing, 3 closed."""
        state = STATE_OF[self.session.phase]
        return State.CLOSING if self.session.broken and state is State.OPEN else state

    @property
    def close_code(self) -> int | None:
        """The code the peer closed with, 1006 when TCP ended without; None before."""
        if self.session.phase < _CLOSED_OVER_THERE and not self.session.broken:
            return None
        rcvd = self.session.close_rcvd
        return int(CloseCode.ABNORMAL_CLOSURE) if rcvd is None else int(rcvd.code)

    @property
    def close_reason(self) -> str | None:
        """The reason the peer closed with, "" when TCP ended without; None before."""
        if self.session.phase < _CLOSED_OVER_THERE and not self.session.broken:
            return None
        rcvd = self.session.close_rcvd
        return "" if rcvd is None else str(rcvd.reason)

    @property
    def latency(self) -> float:
        """Seconds of the last ping's round trip; 0.0 before the first."""
        return float(self.session.latency)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.remote_address} {self.state.name}>"
