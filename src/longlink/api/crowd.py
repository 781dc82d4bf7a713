"""Everybody who is connected to a server."""

from __future__ import annotations

from collections.abc import Iterator

from .connection import Connection


class Crowd:
    """Connections on a list, each of which knows its place: a third of a set's memory."""

    __slots__ = ("members",)

    def __init__(self) -> None:
        self.members: list[Connection] = []

    def __len__(self) -> int:
        return len(self.members)

    def __iter__(self) -> Iterator[Connection]:
        return iter(self.members)

    def add(self, connection: Connection) -> None:
        """One more."""
        connection.place = len(self.members)
        self.members.append(connection)

    def remove(self, connection: Connection) -> None:
        """One who is in it has left: the last of them takes the place."""
        last = self.members.pop()
        if last is not connection:
            self.members[connection.place] = last
            last.place = connection.place
