"""Who is here: users with unique ids, found by connection or by id."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from .. import Connection


@dataclass(eq=False, slots=True)
class User:
    """One connection in the room."""

    id: int
    connection: Connection
    chat: bool
    ip: str
    name: str = ""
    messages: int = 0
    since: float = field(default_factory=time.time)
    opened: float = field(default_factory=time.monotonic)
    # Made at the first file: files to one user go one after the other.
    files: asyncio.Lock | None = None

    @property
    def kind(self) -> str:
        """The form of conversation: "chat" (JSON events) or "raw"."""
        return "chat" if self.chat else "raw"

    @property
    def label(self) -> str:
        """What a line about this user begins with: `#7` or `#7 Ann`."""
        return f"#{self.id} {self.name}" if self.name else f"#{self.id}"

    def file_lock(self) -> asyncio.Lock:
        """The lock that a file to this user holds from its event to its last byte."""
        if self.files is None:
            self.files = asyncio.Lock()
        return self.files


def peer_ip(connection: Connection) -> str:
    """The peer's address without its port; "unix" for a UNIX domain socket."""
    address = connection.remote_address
    if isinstance(address, tuple) and address:
        return str(address[0])
    return "unix"


class Roster:
    """All users who are here. Ids count up from 1 and are never given twice."""

    def __init__(self) -> None:
        self._last_id = 0
        self._by_connection: dict[Connection, User] = {}
        self._by_id: dict[int, User] = {}
        self.chats: set[Connection] = set()
        self.raws: set[Connection] = set()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, connection: Connection) -> User:
        """A new user for this connection; its agreed subprotocol decides the kind."""
        self._last_id += 1
        chat = connection.subprotocol == "chat"
        user = User(self._last_id, connection, chat, peer_ip(connection))
        self._by_connection[connection] = self._by_id[user.id] = user
        (self.chats if chat else self.raws).add(connection)
        return user

    def remove(self, connection: Connection) -> User:
        """The user who had this connection, now gone from the roster."""
        user = self._by_connection.pop(connection)
        del self._by_id[user.id]
        (self.chats if user.chat else self.raws).remove(connection)
        return user

    def of(self, connection: Connection) -> User:
        """The user behind this connection."""
        return self._by_connection[connection]

    def find(self, user_id: int) -> User | None:
        """The user with this id."""
        return self._by_id.get(user_id)

    def users(self) -> list[User]:
        """Everybody, in the order they came."""
        return list(self._by_id.values())
