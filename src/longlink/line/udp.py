"""`serve_datagrams` and `connect_datagrams`: the same conversations over UDP.

A datagram is a line. Who writes from one address is in one conversation, which begins with the
first datagram and ends when the handler returns, so that a handler for TCP serves here, too. There
is no promise that anything arrives, or in which order; `post.py` says who is answered.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import socket
from collections.abc import Callable
from typing import Any

from ..api.port import port_number
from ..engine.agenda import Agenda
from ..errors import DatagramTooLong, LineClosed, LineTooLong
from .cutter import Pile
from .flow import spoken
from .line import Line
from .post import LARGEST, Note, Post, cost, receive, unanswerable, watch_destinations, worth
from .rules import Rules
from .server import Handler, Logger, Server, Starting, agenda_here, check_handler

_ABSENT = (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT)
CORRESPONDENTS = 1024  # at once, where nothing else is said
DATAGRAMS_PER_TURN = 64


class Correspondence(Line):
    """The conversation with one address; of a server its post is shared with all others."""

    __slots__ = ("credit", "note", "post", "shared")

    def __init__(
        self,
        post: Post,
        address: Any,
        agenda: Agenda,
        rules: Rules,
        left: Callable[[Any], object] | None = None,
        credit: float | None = None,
    ) -> None:
        Line.__init__(self, rules, agenda, left, Pile(rules.terminators))
        agenda.add_user()
        self.post = post
        self.shared = left is not None
        self.credit = credit  # octets that may be sent; None for any number
        self.note: list[Note] = []
        self.remote_address = address
        self.local_address = post.sock.getsockname()

    def arrived(self, octets: bytes) -> None:
        most = self.rules.max_line
        if len(octets) > most:
            self.refuse(LineTooLong(f"datagram of {len(octets)} bytes, the limit is {most}"))
        elif self.intake.room() > 0:
            Line.arrived(self, octets)

    def refuse(self, problem: LineClosed) -> None:
        """Somebody who falls silent over UDP is not told: they may have left long ago."""
        if self.shared and not self.closing and isinstance(problem, LineTooLong):
            with contextlib.suppress(DatagramTooLong):
                self.put(b"error: " + str(problem).encode() + self.rules.newline)
        if not self.closing:
            self.end_with(problem)

    def put(self, octets: bytes) -> None:
        if self.credit is not None and cost(len(octets), self.post.family) > self.credit:
            raise DatagramTooLong(
                f"no answer of {len(octets)} bytes to {spoken(self.remote_address)}:"
                " too much for what came from there"
            )
        try:
            if self.shared:
                self.post.send(octets, self.remote_address, self.note)
            else:
                self.post.send(octets)
        except OSError as error:
            self.refused(error)
            return
        if self.credit is not None:
            self.credit -= cost(len(octets), self.post.family)

    def refused(self, error: OSError) -> None:
        """The system says that they cannot be reached."""
        number = error.errno or errno.EIO
        if number == errno.ECONNREFUSED:
            self.lose(f"refused: nothing listens on UDP {spoken(self.remote_address)}", number)
        else:
            self.lose(f"lost: {os.strerror(number).lower()}", number)

    def read_socket(self) -> None:
        """Of a client: datagrams have come, or an error."""
        self.agenda.begin()
        try:
            for _ in range(DATAGRAMS_PER_TURN):
                if self.over:
                    return
                self.arrived(self.post.sock.recv(65536))
        except BlockingIOError:
            pass
        except OSError as error:
            self.refused(error)
        finally:
            self.agenda.finish()

    def flush(self) -> None:
        """Nothing is kept here."""

    def hang_up(self) -> None:
        self.abort()

    def end_sending(self) -> None:
        """There is no way to say so."""

    def abort(self) -> None:
        if not self.over:
            if not self.shared:
                self.post.close()
            self.ended()


class UDPServer(Server):
    """Answers datagrams."""

    def __init__(
        self, handler: Handler, rules: Rules, factor: float | None, logger: Logger
    ) -> None:
        most = rules.limits.max_connections or CORRESPONDENTS
        Server.__init__(self, handler, rules, most, logger)
        self.factor = factor
        self.posts: list[Post] = []
        self.known: dict[tuple[Post, Any], Correspondence] = {}  # the longest silent first

    async def open(self, host: str | None, port: int) -> None:
        """Listen. Raises OSError, saying where; then the server is closed."""
        try:
            for sock in await _bound(self.loop, host, port):
                post = Post(sock, self.loop)
                self.posts.append(post)
                self.loop.add_reader(sock, self._read, post)
            self.sockets = tuple(post.sock for post in self.posts)
        except BaseException:
            self.close()
            raise

    def _read(self, post: Post) -> None:
        self.agenda.begin()
        try:
            for _ in range(DATAGRAMS_PER_TURN):
                octets, source, note, ours = receive(post.sock)
                reason = unanswerable(source, post.port) if ours else "not meant for us alone"
                if reason is None:
                    self._deliver(post, source, note, octets)
                else:
                    self.logger.debug("datagram from %s ignored: %s", spoken(source), reason)
        except BlockingIOError:
            pass
        except OSError as error:
            self.logger.debug("receiving failed: %s", error)  # of a datagram sent before
        finally:
            self.agenda.finish()

    def _deliver(self, post: Post, source: Any, note: list[Note], octets: bytes) -> None:
        line = self.known.pop((post, source), None)
        new = line is None
        if line is None:
            if self.is_full():
                self._forget_one()
            credit = None if self.factor is None else 0.0
            line = Correspondence(post, source, self.agenda, self.rules, self.left, credit)
        self.known[post, source] = line
        line.note = note
        if line.credit is not None and self.factor is not None:
            line.credit += worth(len(octets), post.family, self.factor)
        if new:
            self.joined(line)
        line.arrived(octets)

    def _forget_one(self) -> None:
        """Addresses can be made up: who has been silent for longest makes room."""
        line = next(iter(self.known.values()), None)
        if line is not None:
            line.lose("forgotten: too many others")

    def left(self, line: Line) -> None:
        assert isinstance(line, Correspondence)
        self.known.pop((line.post, line.remote_address), None)
        Server.left(self, line)

    def stop(self) -> None:
        for post in self.posts:
            self.loop.remove_reader(post.sock)
        self.sockets = ()

    def release(self) -> None:
        for post in self.posts:
            post.close()


class serve_datagrams(Starting[Server]):
    """Serve lines over UDP: `async with serve_datagrams(handler, host, port) as server`.

    Args:
        handler: as in `serve`, run for each address that writes; the first `readline` gives what
            was written first. An address whose handler returned may write again.
        host, port: where to listen; None is every interface, port 0 a free one.
        factor: so many times as many octets go to an address as came from it, at most; None for
            any number, where nobody can forge addresses.
        timeout: seconds until an address that is waited for is forgotten (60).
        max_connections: addresses at once (1024); beyond, who was silent for longest is forgotten.
        terminators, newline, max_line, close_timeout: as in `serve`. A datagram that is longer is
            answered with an error line.
        logger: default "longlink.line".

    Raises:
        OSError: cannot listen there. UnknownLimit, ValueError, TypeError: a bad argument.

    `send` raises DatagramTooLong for what UDP cannot carry, or may not be answered.
    """

    def __init__(
        self,
        handler: Handler,
        host: str | None = None,
        port: int | str = 0,
        *,
        factor: float | None = 3.0,
        logger: Logger | None = None,
        **rules: Any,
    ) -> None:
        check_handler(handler)
        if factor is not None and not factor > 0:
            raise ValueError(f"factor must be greater than 0, not {factor!r}")
        self._where = host, _checked_port(port, 0)
        self._handler, self._factor = handler, factor
        self._rules = Rules.of({"timeout": 60.0, **rules})
        self._logger = logging.getLogger("longlink.line") if logger is None else logger

    async def _make(self) -> Server:
        server = UDPServer(self._handler, self._rules, self._factor, self._logger)
        await server.open(*self._where)
        return server


class connect_datagrams(Starting[Line]):
    """Write to one address over UDP: `async with connect_datagrams(host, port) as line`.

    Nothing is sent until `send`, and whether anybody listens shows only then: where the other
    machine says that nobody does, `readline` and `send` raise LineFailed.

    Args:
        host, port: where to write.
        timeout: seconds for each answer; then LineTimeout. None, the default, is for ever.
        terminators, newline, max_line: as in `serve`; lines may be as long as a datagram.

    Raises:
        OSError: no such host, or no way there.
    """

    def __init__(self, host: str, port: int | str, **rules: Any) -> None:
        self._where = host, _checked_port(port, 1)
        self._rules = Rules.of({"timeout": None, "max_line": max(LARGEST.values()), **rules})

    async def _make(self) -> Line:
        loop = asyncio.get_running_loop()
        host, port = self._where
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_DGRAM)
        post = Post(_connected(found), loop)
        line = Correspondence(post, post.sock.getpeername(), agenda_here(loop), self._rules)
        loop.add_reader(post.sock, line.read_socket)
        return line


def _checked_port(port: int | str, least: int) -> int:
    number = port_number(port)
    if number is None or not least <= number <= 65535:
        raise ValueError(f"port must be {least} to 65535, not {port!r}")
    return number


def _connected(found: list[Any]) -> socket.socket:
    """A socket connected to the first of these addresses to which there is a way."""
    problem = OSError(errno.EHOSTUNREACH, "no address")
    for family, _, _, _, address in found:
        try:
            return _made(family, address, socket.socket.connect)
        except OSError as error:
            problem = OSError(error.errno, f"no way to {spoken(address)}: {error.strerror}")
    raise problem


async def _bound(
    loop: asyncio.AbstractEventLoop, host: str | None, port: int
) -> list[socket.socket]:
    """A socket for each address that `host` has, all with the same port."""
    found = await loop.getaddrinfo(
        host or None, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE
    )
    sockets: list[socket.socket] = []
    absent: OSError | None = None
    for family, _, _, _, address in dict.fromkeys(found):
        port = sockets[0].getsockname()[1] if sockets else port
        place = (address[0], port, *address[2:])
        try:
            sockets.append(_made(family, place, _bind))
        except OSError as error:
            absent = OSError(error.errno, f"cannot listen on UDP {spoken(place)}: {error.strerror}")
            if error.errno not in _ABSENT:  # "localhost" may have an address that is not there
                break
    if absent is not None and (not sockets or absent.errno not in _ABSENT):
        for sock in sockets:
            sock.close()
        raise absent
    return sockets


def _made(
    family: int, place: Any, prepare: Callable[[socket.socket, Any], object]
) -> socket.socket:
    """A non-blocking UDP socket, bound or connected to a place; or nothing left of it."""
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.setblocking(False)
        prepare(sock, place)
    except OSError:
        sock.close()
        raise
    return sock


def _bind(sock: socket.socket, place: Any) -> None:
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    watch_destinations(sock)
    sock.bind(place)
