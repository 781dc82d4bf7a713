"""Connecting again: which errors are worth it, how long it waits, what resets that."""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
import ssl
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from longlink import (
    Connection,
    ConnectionClosed,
    Headers,
    InvalidMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidURI,
    Response,
    SecurityError,
    backoff,
    connect,
    process_exception,
    serve,
)
from longlink.api.reconnect import MAX_RETRY_AFTER_S, STEADY_S, Reconnection
from tests.api.raw import Raw, answering, echo, uri_of


def status(code: int, **headers: str) -> InvalidStatus:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return InvalidStatus(Response(code, "Because", Headers(named)))


def proxy_status(code: int) -> InvalidProxyStatus:
    return InvalidProxyStatus(Response(code, "Because"))


def ended(cause: Exception) -> InvalidMessage:
    problem = InvalidMessage("TCP ended")
    problem.__cause__ = cause
    return problem


# -- which errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "problem",
    [
        OSError("x"),
        ConnectionRefusedError(),
        socket.gaierror(),
        TimeoutError(),
        ssl.SSLError(),
        ended(EOFError()),
        ended(ssl.SSLError()),
        *map(status, [500, 502, 503, 504]),
        *map(proxy_status, [502, 503, 504]),
    ],
    ids=repr,
)
def test_after_these_it_is_worth_trying_again(problem: Exception) -> None:
    assert process_exception(problem) is None


@pytest.mark.parametrize(
    "problem",
    [
        ValueError(),
        InvalidMessage("garbage"),
        InvalidURI("x", "y"),
        SecurityError("x"),
        ssl.SSLCertVerificationError(),
        *map(status, [200, 301, 400, 401, 403, 404, 426, 429, 501, 505]),
        *map(proxy_status, [403, 407]),
    ],
    ids=repr,
)
def test_these_are_final(problem: Exception) -> None:
    assert process_exception(problem) is problem


# -- how long -------------------------------------------------------------------------------------


def test_delays_grow_to_a_limit() -> None:
    """RFC 6455 7.2.3."""
    delays = list(itertools.islice(backoff(random=lambda: 0.0), 10))
    assert delays[:3] == pytest.approx([0.0, 3.1, 3.1 * 1.618])
    assert delays == sorted(delays)
    assert delays[-1] == 90.0
    assert list(itertools.islice(backoff(1, 2, 5, 2, lambda: 0.5), 4)) == [0.5, 1.8, 3.6, 4.5]


def test_delays_are_never_the_same_for_two() -> None:
    one, two = (list(itertools.islice(backoff(), 12)) for _ in range(2))
    assert all(a != b for a, b in zip(one, two, strict=True))
    assert 0 <= one[0] <= 5
    assert all(delay <= 90 for delay in one)


class Trial:
    """A reconnection among pretended attempts, whose clock only moves when it sleeps.

    Args:
        attempts: an exception to raise, or how many seconds the connection lasts.
    """

    def __init__(self, *attempts: Exception | float, delays: Any = None, **how: Any) -> None:
        self.attempts = iter(attempts)
        self.now = 0.0
        self.slept: list[float] = []
        self.closed = 0
        self.lasts = 0.0
        self.end = ConnectionClosed(None, None)
        self.session = SimpleNamespace(closed=lambda: self.end)
        self.reconnection = Reconnection(
            self.connect,
            how.get("process_exception", process_exception),
            delays or (lambda: itertools.count(1.0)),
            logging.getLogger("longlink.client"),
            clock=lambda: self.now,
            sleep=self.sleep,
        )

    async def connect(self) -> Any:
        match next(self.attempts, None):
            case None:
                raise LookupError("the trial is over")
            case Exception() as problem:
                raise problem
            case float() | int() as lasts:
                self.lasts = float(lasts)
                return self

    async def close(self) -> None:
        self.closed += 1

    async def sleep(self, delay: float) -> None:
        self.slept.append(delay)
        self.now += delay

    async def run(self) -> list[float]:
        """The delays until the trial is over."""
        with pytest.raises(LookupError):
            await self.until_final()
        return self.slept

    async def until_final(self) -> None:
        async for _ in self.reconnection.connections():
            self.now += self.lasts


STEADY, BRIEF = STEADY_S, STEADY_S / 2


@pytest.mark.parametrize(
    ("attempts", "slept"),
    [
        ([OSError(), OSError(), OSError()], [1, 2, 3]),
        ([STEADY, STEADY, STEADY], []),  # at once, as ever
        ([OSError(), OSError(), STEADY, OSError(), OSError()], [1, 2, 1, 2]),
        ([BRIEF], []),
        ([BRIEF, BRIEF, BRIEF, BRIEF], [1, 2, 3]),  # accepted and dropped: no hot loop
        ([BRIEF, BRIEF, STEADY, BRIEF, BRIEF], [1, 1]),
        ([OSError(), BRIEF, OSError(), BRIEF, STEADY, OSError()], [1, 2, 3, 1]),
    ],
)
async def test_how_long_it_waits(attempts: list[Any], slept: list[float]) -> None:
    trial = Trial(*attempts)
    assert await trial.run() == slept
    assert trial.closed == sum(not isinstance(attempt, Exception) for attempt in attempts)


@pytest.mark.parametrize(
    ("value", "delay"),
    [
        ("120", 120),
        ("0", 1),
        ("999999999", MAX_RETRY_AFTER_S),
        ("9" * 5000, 1),
        ("-5", 1),
        ("soon", 1),
        ("Fri, 20 Nov 2026 10:00:00 GMT", 1),
        ("1.5", 1),
    ],
)
async def test_a_server_may_ask_for_more_time(value: str, delay: float) -> None:
    """RFC 9110 10.2.3."""
    assert await Trial(status(503, Retry_After=value)).run() == [delay]


async def test_an_error_that_is_final_is_raised() -> None:
    problem = status(404)
    trial = Trial(OSError(), problem)
    with pytest.raises(InvalidStatus) as caught:
        await trial.until_final()
    assert caught.value is problem
    assert trial.slept == [1]


async def test_the_caller_says_what_is_final() -> None:
    decided: list[Exception] = []
    refused, final = status(401), OSError("final")

    def decide(problem: Exception) -> Exception | None:
        decided.append(problem)
        return RuntimeError("no more") if problem is final else None

    trial = Trial(refused, final, process_exception=decide)
    with pytest.raises(RuntimeError, match="no more") as caught:
        await trial.until_final()
    assert decided == [refused, final]
    assert caught.value.__cause__ is final


async def test_raising_instead_of_returning_is_understood() -> None:
    def decide(problem: Exception) -> Exception | None:
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        await Trial(OSError(), process_exception=decide).until_final()


async def test_patience_ends_with_the_delays() -> None:
    last = OSError("third")
    trial = Trial(OSError("first"), OSError("second"), last, delays=lambda: iter([1.0, 2.0]))
    with pytest.raises(OSError, match="third") as caught:
        await trial.until_final()
    assert caught.value is last


async def test_patience_ends_with_connections_that_never_last() -> None:
    trial = Trial(BRIEF, BRIEF, BRIEF, BRIEF, delays=lambda: iter([1.0]))
    with pytest.raises(ConnectionClosed) as caught:
        await trial.until_final()
    assert caught.value is trial.end
    assert (trial.slept, trial.closed) == ([1.0], 3)


async def test_it_is_told_that_and_when_it_tries_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "longlink.client")
    await Trial(ConnectionRefusedError(111, "refused"), BRIEF, BRIEF).run()
    failed = "ConnectionRefusedError: [Errno 111] refused"
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("INFO", f"connect failed; reconnecting in 1.0 seconds: {failed}"),
        ("INFO", "connection lasted 5.0 seconds; reconnecting in 2.0 seconds"),
    ]


# -- with real connections ------------------------------------------------------------------------


def at_once() -> Iterator[float]:
    return itertools.repeat(0.0)


async def test_a_new_connection_for_each_that_is_over() -> None:
    async def once(ws: Connection) -> None:
        await ws.send("x")
        await ws.recv()

    seen: list[Connection] = []
    async with serve(once, "127.0.0.1", 0) as server:
        async for ws in connect(uri_of(server), reconnect_delays=at_once):
            seen.append(ws)
            try:
                assert await ws.recv() == "x"
                await ws.send("y")
                await ws.recv()
            except ConnectionClosed:
                if len(seen) == 5:
                    break
                continue
    assert len({ws.id for ws in seen}) == 5


async def test_each_connection_is_closed_before_the_next() -> None:
    last: Connection | None = None
    async with serve(echo, "127.0.0.1", 0) as server:
        connections = aiter(connect(uri_of(server), reconnect_delays=at_once))
        for _ in range(3):
            ws = await anext(connections)
            assert last is None or last.close_code == 1000
            last = ws
        await connections.aclose()
        assert ws.close_code == 1000


async def test_the_server_comes_back() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
    started: list[Any] = []

    async def start() -> None:
        started.append(await serve(echo, "127.0.0.1", port))

    def delays() -> Iterator[float]:
        yield 0.0
        starting = asyncio.ensure_future(start())
        while True:
            yield 0.0
            assert starting is not None

    async for ws in connect(f"ws://127.0.0.1:{port}/", reconnect_delays=delays):
        await ws.send("x")
        assert await ws.recv() == "x"
        break
    await ws.close()
    started[0].close()
    await started[0].wait_closed()


async def test_an_overloaded_server_is_asked_again() -> None:
    refusals = iter(["500", "502", "503", "504"])

    async def script(raw: Raw, head: str) -> None:
        raw.send(f"HTTP/1.1 {next(refusals, '403')} No\r\nContent-Length: 0\r\n\r\n")
        await raw.end()

    async with answering(script) as uri:
        with pytest.raises(InvalidStatus) as caught:
            await anext(aiter(connect(uri, reconnect_delays=at_once)))
    assert caught.value.status == 403


async def test_tcp_that_ends_before_the_answer_is_tried_again() -> None:
    attempts = 0

    async def script(raw: Raw, head: str) -> None:
        nonlocal attempts
        attempts += 1
        if attempts > 2:
            raw.send("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n")

    async with answering(script) as uri:
        with pytest.raises(InvalidStatus):
            await anext(aiter(connect(uri, reconnect_delays=at_once)))
    assert attempts == 3


async def test_a_socket_of_the_caller_is_good_for_one_connection() -> None:
    async def leave(ws: Connection) -> None:
        await ws.close()

    async with serve(leave, "127.0.0.1", 0) as server:
        sock = socket.create_connection(server.sockets[0].getsockname())
        connections = aiter(connect("ws://any.example/", sock=sock, reconnect_delays=at_once))
        await anext(connections)
        with pytest.raises(ValueError, match=r"sock= is closed: .* one connection"):
            await anext(connections)


async def test_a_logger_of_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    logger = logging.getLogger("mine")
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        uri = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
        connections = aiter(connect(uri, reconnect_delays=lambda: iter([0.0]), logger=logger))
        with pytest.raises(ConnectionRefusedError):
            await anext(connections)
    assert [record.name for record in caplog.records if "reconnecting" in record.msg] == ["mine"]


async def test_cancelling_while_it_waits() -> None:
    waiting = asyncio.Event()

    def delays() -> Iterator[float]:
        waiting.set()
        yield 3600.0

    async def forever() -> None:
        async for _ in connect(uri, reconnect_delays=delays):
            pass

    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        uri = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
        task = asyncio.create_task(forever())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
