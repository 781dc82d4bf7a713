"""Whoever a session reports to: the way up, so that the engine imports nothing above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..native.kernel import Source

if TYPE_CHECKING:
    from .session import Session


class Receiver(Source):
    """Whoever a session reports to. Its methods must not raise."""

    def on_head(self, session: Session, head: bytes) -> None:
        """The peer's part of the opening handshake is complete, or as long as it may get:
        call `welcome`, `refuse`, `read_body` or `hand_over`, now or later."""

    def on_body(self, session: Session, data: bytes) -> None:
        """More of what follows the head, after `read_body`."""

    def on_overdue(self, session: Session) -> None:
        """The opening handshake took longer than `open_timeout`."""

    def deliver(self, message: str | bytes) -> None:
        """A message has arrived on an open connection. Hot: called through C, so a class that is
        not compiled overrides `on_message`."""
        self.on_message(message)

    def on_message(self, message: str | bytes) -> None:
        """A message has arrived on an open connection."""

    def on_part(self) -> None:
        """More has come of a message whose end has not: `session.take` gives it."""

    def on_pong(self, payload: bytes) -> None:
        """A Pong has arrived."""

    def on_congested(self) -> None:
        """Output stays above the high-water mark though it was flushed."""

    def on_drained(self) -> None:
        """Output fell below the low-water mark."""

    def on_closing(self) -> None:
        """The connection is not open any more."""

    def on_end(self) -> None:
        """The connection is over; nothing follows."""
