"""Pings that wait for their pongs."""

from __future__ import annotations

import asyncio
import time
from os import urandom
from typing import Any

from ..errors import ConcurrencyError
from ..native.kernel import Source, Wait
from ..wire.frame import MAX_CONTROL


class Pings:
    """The pings of one connection that were not answered yet, oldest first."""

    __slots__ = ("loop", "waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: dict[bytes, tuple[asyncio.Future[float], float]] = {}

    def payload(self, data: str | bytes | None) -> bytes:
        """What to send: `data`, or something no other ping has. Raises ConcurrencyError."""
        if data is not None:
            payload = control_payload(data)
            if payload in self.waiting:
                raise ConcurrencyError(f"already waiting for a pong with the data {payload!r}")
            return payload
        while (payload := urandom(4)) in self.waiting:
            pass
        return payload

    def sent(self, payload: bytes) -> asyncio.Future[float]:
        """Note a ping; the future will have its round trip in seconds."""
        # Not the loop's clock: that of uvloop stands still during a turn, in whole milliseconds.
        answered: asyncio.Future[float] = self.loop.create_future()
        self.waiting[payload] = (answered, time.monotonic())
        return answered

    def answer(self, payload: bytes) -> float | None:
        """A pong came: it answers its ping and those before (RFC 6455 §5.5.3). Returns the
        round trip, None when nobody asked."""
        if payload not in self.waiting:
            return None
        now = time.monotonic()
        while True:
            known = next(iter(self.waiting))
            answered, sent_at = self.waiting.pop(known)
            trip = now - sent_at
            if not answered.done():
                answered.set_result(trip)
            if known == payload:
                return trip

    def abandon(self, problem: Exception) -> None:
        """There will be no more pongs."""
        for answered, _ in self.waiting.values():
            if not answered.done():
                answered.set_exception(problem)
                answered.cancel()  # marks it retrieved: not everybody waits for the pong
        self.waiting.clear()


class Given(Source):
    """A result that is there already, from a call that may or may not be awaited."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def attempt(self, wait: Wait, /) -> Any:
        return self.value


def control_payload(data: str | bytes) -> bytes:
    """The payload of a Ping or Pong. Raises ValueError over 125 octets (RFC 6455 §5.5)."""
    if not isinstance(data, (str, bytes, bytearray, memoryview)):
        raise TypeError(f"data is str or bytes-like, not {type(data).__name__}")
    payload = data.encode() if isinstance(data, str) else bytes(data)
    if len(payload) > MAX_CONTROL:
        raise ValueError(f"a control frame carries {MAX_CONTROL} bytes at most, not {len(payload)}")
    return payload
