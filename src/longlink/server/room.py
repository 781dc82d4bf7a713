"""The room: everybody connected, in one conversation of three forms.

Raw users send and receive bare text and binary; chat users send and receive JSON events
(`event.py`); guests talk in lines (`guest.py`). A message from one form arrives in the others.
Whatever goes to many is encoded once for each form and handed to `broadcast`.

The room is called by the library (`join`, `receive`, `leave`) and by the operator (`say`, `kick`,
`send_file`); it knows nothing of sockets, terminals or HTTP.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any

from .. import Close, CloseCode, Connection, ConnectionClosed, __version__, broadcast
from . import event
from .address import Addresses
from .event import BadEvent, Rename, Say
from .file import File
from .guest import NAME, WELCOME, Guest, lines, said
from .meter import Meter
from .roster import Roster, User

log = logging.getLogger("longlink.room")

Message = str | bytes
# Told about each message of a user: who, what.
Listener = Callable[[User, Message], None]


class Room:
    """One conversation.

    Args:
        echo: answer only the one who sent, instead of everybody.
        proxies: those whose word about a user's address counts, see `Addresses`.
    """

    def __init__(self, *, echo: bool = False, proxies: Sequence[str] = ()) -> None:
        self.roster = Roster(Addresses(proxies))
        self.listener: Listener | None = None
        self._echo = echo
        self._meter = Meter(self._tell_stats)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._closed = False

    # What the library calls.

    def join(self, connection: Connection | Guest) -> None:
        """Take a new connection in: welcome it, tell the others."""
        others = set(self.roster.chats)
        user = self.roster.add(connection)
        if log.isEnabledFor(logging.INFO):
            log.info("#%d %s joined (%s)", user.id, user.ip, user.kind)
        if user.chat:
            self._send(user, event.welcome(user, self.roster.users(), __version__, time.time()))
        if others:
            broadcast(others, event.joined(user, time.time()))
        self._tell_guests(lines(f"* {user.label} joined from {user.ip}"), but=connection)
        if isinstance(connection, Guest):
            count = len(self.roster)
            people = f"{count} {'person is' if count == 1 else 'people are'}"
            connection.tell(lines("* " + WELCOME.format(id=user.id, people=people)))
        self._meter.touch()

    def receive(self, connection: Connection | Guest, message: Message) -> None:
        """Pass a message on, or obey what a chat user or a guest asks for."""
        user = self.roster.of(connection)
        try:
            if isinstance(connection, Guest) and isinstance(message, str) and _is_wish(message):
                self._obey(user, event.rename(message.removeprefix(NAME)))
            elif user.chat:
                self._obey(user, event.parse(message))
            else:
                self._heard(user, message)
                self._share(user, message)
        except BadEvent as error:
            text = str(error)
            self._send(user, event.error(text) if user.chat else f"* {text}")

    def leave(self, connection: Connection | Guest) -> None:
        """Forget a connection that ended and tell the others."""
        user = self.roster.remove(connection)
        close = closed_with(connection)
        if log.isEnabledFor(logging.INFO):
            self._log_leave(user, close)
        # While everybody is being sent away, telling each about each serves nobody.
        if not self._closed:
            if self.roster.chats:
                left = event.left(user, close.code, close.reason, time.time())
                broadcast(self.roster.chats, left)
            self._tell_guests(lines(f"* {user.label} left"))
            self._meter.touch()

    # What the operator calls.

    def say(self, text: str, to: User | None = None) -> None:
        """Say something as the operator, to everybody or to one user."""
        self._meter.count()
        line = event.message(None, text, time.time(), to.id if to else None)
        if to is not None:
            if isinstance(to.connection, Guest):
                to.connection.tell(said("operator, to you alone", text))
            else:
                self._send(to, line if to.chat else text)
            return
        broadcast(self.roster.chats, line)
        broadcast(self.roster.raws, text)
        self._tell_guests(said("operator", text))

    def kick(self, user: User, reason: str) -> None:
        """Close a user's connection with 1008 and a reason of at most 123 bytes."""
        self.start(user.connection.close(CloseCode.POLICY_VIOLATION, reason))

    async def send_file(self, file: File, to: User | None = None) -> tuple[int, int]:
        """Send a file; returns how many users were sent all of it, of how many.

        The file must stay open until then. Raises OSError when it cannot be read at all; then
        nobody was told of it. Cancellation fails the connections it interrupts.
        """
        first = await file.piece(0)
        users = [to] if to else self.roster.users()
        number = to.id if to else None
        sent = await asyncio.gather(*(self._deliver(file, first, user, number) for user in users))
        return sum(sent), len(users)

    def start(self, work: Awaitable[Any]) -> None:
        """Let something run beside the conversation until it is done or the room closes."""
        task = asyncio.ensure_future(_quietly(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def close(self) -> None:
        """Stop timers and events; connections, and what is on its way to them, the server ends."""
        self._closed = True
        self._meter.stop()

    # How it is done.

    def _obey(self, user: User, request: Say | Rename) -> None:
        if isinstance(request, Say):
            self._heard(user, request.text)
            self._share(user, request.text)
        elif request.name != user.name:
            log.info("#%d is now called %s", user.id, request.name or "nothing")
            before, user.name = user.label, request.name
            broadcast(self.roster.chats, event.renamed(user, time.time()))
            self._tell_guests(lines(f"* {before} is now called {request.name or 'nothing'}"))

    def _heard(self, user: User, message: Message) -> None:
        user.messages += 1
        self._meter.count()
        if self.listener is not None:
            self.listener(user, message)

    def _share(self, user: User, message: Message) -> None:
        chats: Iterable[Connection] = self.roster.chats
        raws: Iterable[Connection] = self.roster.raws
        if self._echo:
            # Its own form only: raw gets back what came, chat the event.
            if isinstance(user.connection, Guest):
                self._send(user, message)
                return
            ours = (user.connection,)
            chats, raws = (ours, ()) if user.chat else ((), ours)
        elif self.roster.guests:
            self._share_lines(user, message)
        if chats:
            self._share_events(user, message, chats)
        broadcast(raws, message)

    def _share_lines(self, user: User, message: Message) -> None:
        if isinstance(message, str):
            octets = said(user.label, message)
        else:
            octets = lines(f"* {user.label} sent {len(message)} bytes of binary")
        self._tell_guests(octets, but=user.connection)  # whose terminal shows what was typed

    def _tell_guests(self, octets: bytes, but: object = None) -> None:
        for guest in tuple(self.roster.guests):
            if guest is not but:
                guest.tell(octets)

    def _share_events(self, user: User, message: Message, chats: Iterable[Connection]) -> None:
        now = time.time()
        if isinstance(message, str):
            to = user.id if self._echo else None
            broadcast(chats, event.message(user, message, now, to))
        else:
            broadcast(chats, event.binary(user, len(message), now))
            broadcast(chats, message)

    def _log_leave(self, user: User, close: Close) -> None:
        log.info(
            "#%d left (%d %s) after %.1f s, %d %s",
            user.id,
            close.code,
            close.reason or code_words(close.code),
            time.monotonic() - user.opened,
            user.messages,
            "message" if user.messages == 1 else "messages",
        )

    async def _deliver(self, file: File, first: bytes, user: User, to: int | None) -> bool:
        connection = user.connection
        if isinstance(connection, Guest):
            connection.tell(lines(f"* the operator sends {file.name}, {file.size} bytes: not here"))
            return False
        async with user.file_lock():
            try:
                if user.chat:
                    line = event.file(file.name, file.size, file.mime, time.time(), to)
                    self._send(user, line)
                # Nothing is awaited between the event and the first piece, so nothing comes
                # between them; from then on the library holds others back.
                await connection.send(file.pieces(first) if first else b"")
            except ConnectionClosed:
                return False
            except OSError as error:
                log.error("reading %s failed: %s", file.name, error.strerror)
                # What was announced will not come, and the next message would be taken for it.
                self.start(connection.close(CloseCode.INTERNAL_ERROR, "file unreadable"))
                return False
        return True

    def _send(self, user: User, message: Message) -> None:
        if isinstance(user.connection, Guest):
            text = message if isinstance(message, str) else f"* {len(message)} bytes of binary"
            user.connection.tell(lines(text))
        else:
            broadcast((user.connection,), message)

    def _tell_stats(self, rate: float) -> None:
        broadcast(self.roster.chats, event.stats(len(self.roster), rate, time.time()))


def closed_with(connection: Connection | Guest) -> Close:
    """What the peer closed with; when it said nothing, what we told it."""
    if isinstance(connection, Guest):
        return connection.ended
    session = connection.session
    return session.close_rcvd or session.close_sent or Close(CloseCode.ABNORMAL_CLOSURE, "")


def _is_wish(text: str) -> bool:
    """Whether a guest asks for something, and does not talk."""
    return text.startswith(NAME)


def code_words(code: int) -> str:
    """What a close code says, in words."""
    try:
        return CloseCode(code).name.lower().replace("_", " ")
    except ValueError:
        return "application code"


async def _quietly(work: Awaitable[Any]) -> None:
    """Await something whose connection may end meanwhile."""
    with contextlib.suppress(ConnectionClosed):
        await work
