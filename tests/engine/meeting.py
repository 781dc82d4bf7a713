"""A server whose guests are noted, and a raw peer that meets one of its connections."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from longlink.errors import ConnectionClosedError

from .raw import Peer

if TYPE_CHECKING:
    from .conftest import Place


def echo(ws: Any, message: str | bytes) -> None:
    ws.send(message)


def publish(ws: Any, number: int) -> bool:
    """Send 10,000 octets that tell the number; whether that was still possible."""
    try:
        ws.send(number.to_bytes(4, "big") * 2500)
    except ConnectionClosedError:
        return False
    return True


class Guests:
    """Callbacks of a server that note who came and went, and what was said."""

    def __init__(self) -> None:
        self.came: list[Any] = []
        self.left: list[Any] = []
        self.said: list[str | bytes] = []

    def on_open(self, ws: Any) -> None:
        self.came.append(ws)

    def on_message(self, ws: Any, message: str | bytes) -> None:
        self.said.append(message)
        ws.send(message)

    def on_close(self, ws: Any) -> None:
        self.left.append(ws)

    @property
    def callbacks(self) -> dict[str, Any]:
        return {
            "on_open": self.on_open,
            "on_message": self.on_message,
            "on_close": self.on_close,
        }


@asynccontextmanager
async def meeting(place: Place, guests: Guests, **options: Any) -> AsyncIterator[tuple[Any, Any]]:
    """A raw peer that is connected to a server with `guests`; and its connection over there."""
    receive_buffer = options.pop("receive_buffer", 0)
    async with place.serve(**{**guests.callbacks, **options}) as server:
        peer = await Peer.open(server.address, receive_buffer=receive_buffer)
        try:
            yield peer, guests.came[0]
        finally:
            peer.sock.close()
