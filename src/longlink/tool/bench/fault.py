"""What went wrong in a run: counted by kind, and the first of each told."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Final, Literal

Kind = Literal["wrong", "extra", "missing", "lost", "refused"]
KINDS: Final[tuple[Kind, ...]] = ("wrong", "extra", "missing", "lost", "refused")

# What the server did, for one and for many.
SAID: Final[dict[Kind, tuple[str, str]]] = {
    "wrong": ("message was wrong", "messages were wrong"),
    "extra": ("message came that nobody had to get", "messages came that nobody had to get"),
    "missing": ("message is missing", "messages are missing"),
    "lost": ("connection was lost", "connections were lost"),
    "refused": ("handshake failed", "handshakes failed"),
}


class Faults:
    """Everything that went wrong.

    Attributes:
        counts: how often each kind. first: what the first of each kind was.
        over: set when it makes no sense to go on.
    """

    def __init__(self) -> None:
        self.counts: Counter[Kind] = Counter()
        self.first: dict[Kind, str] = {}
        self.over = asyncio.Event()

    def add(self, kind: Kind, text: str, *, count: int = 1, fatal: bool = False) -> None:
        """This happened."""
        self.counts[kind] += count
        self.first.setdefault(kind, text)
        if fatal:
            self.over.set()

    def __bool__(self) -> bool:
        return self.counts.total() > 0

    def lines(self) -> list[str]:
        """One line for each kind."""
        return [
            f"{self.counts[kind]:,} {SAID[kind][self.counts[kind] != 1]}: {self.first[kind]}"
            for kind in KINDS
            if self.counts[kind]
        ]
