"""Opening handshakes by the thousand: no task, no connection object, one head for all.

A `Call` connects, asks, judges the answer, and closes. What it says differs from others in the
key alone; an answer is judged in full once, and again only when it differs in more than the proof.
"""

from __future__ import annotations

import errno
import secrets
import socket
from collections.abc import Callable
from time import monotonic_ns
from typing import Final

from ... import LonglinkError, connect
from ...engine.link import Link
from ...engine.reactor import Reactor
from ...engine.receiver import Receiver
from ...engine.session import Session
from ...wire.answer import accept_key
from ...wire.handshake import check_response, new_key
from ...wire.response import parse_response

_MOST_KNOWN: Final = 1024  # answers that were judged: a Date is another one every second


class Exchange:
    """What all calls to one place share.

    Args:
        wish: says what to ask. address: of the server. ours: of ours, one after the other.
        opened: told how many nanoseconds it took. over: told of each end, and why it was no
            good, or None.
    """

    def __init__(
        self,
        wish: connect,
        reactor: Reactor,
        address: tuple[str, int],
        ours: list[str],
        opened: Callable[[int], object],
        over: Callable[[Exception | None], object],
    ) -> None:
        self.wish = wish
        self.reactor = reactor
        self.address = address
        self.family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.ours = ours
        self.opened = opened
        self.over = over
        self.begun = 0
        self.known: set[bytes] = set()
        key = new_key(secrets.token_bytes(16))
        head = wish.wish.request(wish.uri, wish.additional, key)
        self.before, _, self.after = head.partition(key.encode())

    def call(self) -> None:
        """Begin one more."""
        self.begun += 1
        call = Call(self)
        sock = socket.socket(self.family, socket.SOCK_STREAM)
        try:
            sock.setblocking(False)
            if self.ours:
                sock.bind((self.ours[self.begun % len(self.ours)], 0))
            if (failed := sock.connect_ex(self.address)) not in (0, errno.EINPROGRESS):
                raise OSError(failed, "cannot connect")
        except OSError as problem:
            sock.close()
            self.reactor.loop.call_soon(self.over, problem)
            return
        call.ask(sock.detach())

    def judge(self, head: bytes, key: str) -> None:
        """Raise LonglinkError for an answer that is none."""
        form = head.replace(accept_key(key).encode(), b"", 1)
        if form in self.known:
            return
        response = parse_response(head, **self.wish.limits.of_head())
        check_response(response, key, self.wish.wish.subprotocols)
        if len(self.known) >= _MOST_KNOWN:
            self.known.clear()
        self.known.add(form)


class Call(Receiver):
    """One of them."""

    def __init__(self, exchange: Exchange) -> None:
        self.exchange = exchange
        self.key = new_key(secrets.token_bytes(16))
        self.begin = monotonic_ns()
        self.problem: Exception | None = ConnectionResetError("closed before it answered")

    def ask(self, descriptor: int) -> None:
        """Send the request as soon as the socket is connected."""
        exchange = self.exchange
        reactor = exchange.reactor
        link = Link(descriptor, reactor.poll, True, self, exchange.wish.limits, reactor)
        link.send_head(exchange.before + self.key.encode() + exchange.after)

    def on_head(self, session: Session, head: bytes) -> None:
        try:
            self.exchange.judge(head, self.key)
        except LonglinkError as problem:
            self.problem = problem
            session.abort()
            return
        self.problem = None
        self.exchange.opened(monotonic_ns() - self.begin)
        session.welcome(self)
        session.send_close(1000)

    def on_end(self) -> None:
        self.exchange.reactor.loop.call_soon(self.exchange.over, self.problem)


def is_possible(wish: connect) -> bool:
    """Whether handshakes can be made this way: over TCP, without TLS."""
    return not wish.uri.secure and wish.way.path is None
