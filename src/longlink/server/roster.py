"""Who is here: users with unique ids, found by connection or by id."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any

from .. import Connection
from .address import Addresses
from .guest import Guest


@dataclass(eq=False, slots=True)
class User:
    """One connection in the room."""

    id: int
    connection: Connection | Guest
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
        """The form of conversation: "chat" (JSON events), "raw" or "line"."""
        return "chat" if self.chat else "line" if isinstance(self.connection, Guest) else "raw"

    @property
    def label(self) -> str:
        """What a line about this user begins with: `#7` or `#7 Ann`."""
        return f"#{self.id} {self.name}" if self.name else f"#{self.id}"

    def file_lock(self) -> asyncio.Lock:
        """The lock that a file to this user holds from its event to its last byte."""
        if self.files is None:
            self.files = asyncio.Lock()
        return self.files


class Roster:
    """All users who are here. Ids count up from 1 and are never given twice.

    Args:
        addresses: knows under which address a user is shown; default: the peer's.
    """

    def __init__(self, addresses: Addresses | None = None) -> None:
        self._addresses = addresses or Addresses()
        self._last_id = 0
        self._by_connection: dict[Connection | Guest, User] = {}
        self._by_id: dict[int, User] = {}
        self.chats: set[Connection] = set()
        self.raws: set[Connection] = set()
        self.guests: set[Guest] = set()

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, connection: Connection | Guest) -> User:
        """A new user for this connection; its agreed subprotocol decides the kind."""
        self._last_id += 1
        chat = connection.subprotocol == "chat"
        user = User(self._last_id, connection, chat, self._addresses.of(connection))
        self._by_connection[connection] = self._by_id[user.id] = user
        self._those_like(user).add(connection)
        return user

    def remove(self, connection: Connection | Guest) -> User:
        """The user who had this connection, now gone from the roster."""
        user = self._by_connection.pop(connection)
        del self._by_id[user.id]
        self._those_like(user).remove(connection)
        return user

    def of(self, connection: Connection | Guest) -> User:
        """The user behind this connection."""
        return self._by_connection[connection]

    def find(self, user_id: int) -> User | None:
        """The user with this id."""
        return self._by_id.get(user_id)

    def users(self) -> list[User]:
        """Everybody, in the order they came."""
        return list(self._by_id.values())

    def _those_like(self, user: User) -> set[Any]:
        if user.chat:
            return self.chats
        return self.guests if user.kind == "line" else self.raws
