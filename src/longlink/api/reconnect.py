"""Connecting again and again: which errors are worth it, and how long to wait in between."""

from __future__ import annotations

import asyncio
import logging
import random as random_module
import ssl
import time
import traceback
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from typing import Any, Final

from ..errors import InvalidHandshake, InvalidMessage, InvalidProxyStatus, InvalidStatus
from .connection import Connection

BACKOFF_INITIAL_DELAY: Final = 5.0
BACKOFF_MIN_DELAY: Final = 3.1
BACKOFF_MAX_DELAY: Final = 90.0
BACKOFF_FACTOR: Final = 1.618
JITTER: Final = 0.2  # of each delay: clients that were cut off together come back one by one

STEADY_S: Final = 10.0  # a connection that lasted this long was a good one
MAX_RETRY_AFTER_S: Final = 300.0  # what a server may ask for

_PASSING: Final = frozenset({500, 502, 503, 504})

ProcessException = Callable[[Exception], Exception | None]
Delays = Callable[[], Iterator[float]]


def process_exception(exc: Exception) -> Exception | None:
    """None if trying again may help, otherwise the exception to raise.

    Worth trying: OSError and TimeoutError, TCP or TLS that ended before the answer, and the
    statuses 500, 502, 503 and 504 of server or proxy. A certificate that does not verify is final.
    """
    if isinstance(exc, ssl.SSLCertVerificationError):
        return exc
    if isinstance(exc, (OSError, TimeoutError)):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(exc.__cause__, (EOFError, ssl.SSLError)):
        return None
    if isinstance(exc, (InvalidStatus, InvalidProxyStatus)) and exc.status in _PASSING:
        return None
    return exc


def backoff(
    initial_delay: float = BACKOFF_INITIAL_DELAY,
    min_delay: float = BACKOFF_MIN_DELAY,
    max_delay: float = BACKOFF_MAX_DELAY,
    factor: float = BACKOFF_FACTOR,
    random: Callable[[], float] = random_module.random,
) -> Iterator[float]:
    """Seconds to wait before each attempt: growing, and never the same for two clients.

    Args:
        random: gives numbers from 0 to 1.

    Source: RFC 6455 7.2.3: a random first delay of up to five seconds, then longer ones.
    """
    yield random() * initial_delay
    delay = min_delay
    while True:
        yield min(delay, max_delay) * (1 - JITTER * random())
        delay = min(delay * factor, max_delay)


class Reconnection:
    """One connection after the other, for as long as somebody asks for the next.

    Args:
        connect: makes a connection.
        process_exception: None for an error after which to try again, else what to raise.
        reconnect_delays: makes the delays in seconds of one series of failures; patience ends
            with them.
        clock: seconds. sleep: waits for some.
    """

    def __init__(
        self,
        connect: Callable[[], Awaitable[Connection]],
        process_exception: ProcessException,
        reconnect_delays: Delays,
        logger: Any,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self.connect = connect
        self.process_exception = process_exception
        self.reconnect_delays = reconnect_delays
        self.logger: logging.Logger | logging.LoggerAdapter[Any] = logger
        self.clock = clock
        self.sleep = sleep
        self.delays: Iterator[float] | None = None
        self.brief = False  # the last connection ended soon

    async def connections(self) -> AsyncGenerator[Connection]:
        """The connections; each is closed before the next one is opened."""
        while True:
            try:
                connection = await self.connect()
            except Exception as problem:
                await self._failed(problem)
                continue
            opened = self.clock()
            try:
                yield connection
            finally:
                await connection.close()
            await self._ended(connection, self.clock() - opened)

    async def _failed(self, problem: Exception) -> None:
        """Wait after an attempt that failed, or raise."""
        try:
            final = self.process_exception(problem)
        except Exception as raised:  # instead of returned, as one may well think
            final = raised
        if final is problem:
            raise problem
        if final is not None:
            raise final from problem
        delay = self._next_delay()
        if delay is None:
            raise problem
        delay = max(delay, _retry_after(problem))
        words = traceback.format_exception_only(problem)[0].strip()
        self.logger.info("connect failed; reconnecting in %.1f seconds: %s", delay, words)
        await self.sleep(delay)

    async def _ended(self, connection: Connection, lasted: float) -> None:
        """Wait after a connection, or raise: neither, unless one after the other ends soon."""
        if lasted >= STEADY_S:
            self.delays = None
            self.brief = False
        elif not self.brief:
            self.brief = True
        else:
            delay = self._next_delay()
            if delay is None:
                raise connection.session.closed()
            self.logger.info(
                "connection lasted %.1f seconds; reconnecting in %.1f seconds", lasted, delay
            )
            await self.sleep(delay)

    def _next_delay(self) -> float | None:
        """None when the delays have come to an end, and so has patience."""
        if self.delays is None:
            self.delays = iter(self.reconnect_delays())
        return next(self.delays, None)


def _retry_after(problem: Exception) -> float:
    """The seconds that the server asks for, within reason (RFC 9110 10.2.3)."""
    headers = problem.headers if isinstance(problem, InvalidHandshake) else None
    value = "" if headers is None else "".join(headers.get_all("Retry-After"))
    if not (value.isascii() and value.isdigit() and len(value) < 10):
        return 0.0  # a date, which needs a clock that is right on both sides, or nonsense
    return min(float(value), MAX_RETRY_AFTER_S)
