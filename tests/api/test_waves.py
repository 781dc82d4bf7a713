"""A server that ends tells thousands of people in waves. Time is turned by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink import Connection, LocalProtocolError, Server, State, connect, serve
from longlink.api import waves
from longlink.engine.agenda import agenda_of
from tests.api.raw import Raw, idle, port_of, request, until, uri_of


class Clock:
    """The loop's clock, which stands still until it is turned."""

    def __init__(self) -> None:
        self.loop: Any = asyncio.get_running_loop()
        self.now = self.loop.time()
        self.real = self.loop.time

    def stop(self) -> None:
        self.loop.time = lambda: self.now

    def go_on(self) -> None:
        self.loop.time = self.real

    def turn(self, seconds: float) -> None:
        self.now += seconds
        agenda_of(self.loop).wheel.expire(self.now)


@asynccontextmanager
async def crowd(count: int, **options: Any) -> AsyncIterator[tuple[Server, list[Raw]]]:
    """A server and as many silent clients."""
    async with serve(on_message=print, host="127.0.0.1", port=0, **options) as server:
        peers = []
        for _ in range(count):
            raw = await Raw.connect(port_of(server))
            raw.send(request())
            await raw.head()
            peers.append(raw)
        await until(lambda: len(server.connections) == count)
        try:
            yield server, peers
        finally:
            server.abort_clients()
            for raw in peers:
                await raw.close()


async def settled() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_they_are_told_evenly_over_the_time_given() -> None:
    async with crowd(50) as (server, _):
        clock = Clock()
        clock.stop()
        server.close(over=5.0)
        await settled()
        open_at = {0.0: len(server.connections)}
        for tenth in range(1, 53):
            clock.turn(0.1)
            await settled()
            open_at[tenth / 10] = len(server.connections)
        clock.go_on()
    assert open_at[0.0] in (48, 49)
    for second in (1.0, 2.0, 3.0, 4.0):
        assert 50 - 10 * second - 3 <= open_at[second] <= 50 - 10 * second + 3
    assert open_at[5.2] == 0


async def test_those_not_told_yet_go_on_talking_and_nobody_new_is_let_in() -> None:
    async with serve(
        None, "127.0.0.1", 0, on_message=lambda ws, message: ws.send(message)
    ) as server:
        clients = [await connect(uri_of(server)) for _ in range(4)]
        place = uri_of(server)
        clock = Clock()
        clock.stop()
        server.close(code=1012, over=1000.0)
        await settled()
        assert len(server.connections) == 3
        told = [ws for ws in clients if ws.state is not State.OPEN]
        for ws in clients:
            if ws not in told:
                await ws.send("still here")
                assert await ws.recv() == "still here"
        with pytest.raises(OSError):
            await connect(place)
        clock.go_on()
        server.abort_clients()
        for ws in clients:
            await ws.wait_closed()
        assert [ws.close_code for ws in told] == [1012]


async def test_without_a_time_all_are_told_but_never_too_many_in_one_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waves, "WAVE", 10)
    left: list[int] = []
    async with crowd(35) as (server, peers):
        loop = asyncio.get_running_loop()
        server.close()

        def look() -> None:
            left.append(len(server.connections))
            if left[-1]:
                loop.call_soon(look)

        loop.call_soon(look)
        for raw in peers:
            assert await raw.recv_close() == (1001, "")
    assert {25, 15, 5, 0} <= set(left)


async def test_when_all_have_left_by_themselves_nobody_is_waited_for() -> None:
    async with crowd(5) as (server, peers):
        server.close(over=1000.0)
        for raw in peers:
            raw.reset()
        await server.wait_closed()  # after a tick of the wheel


async def test_cutting_the_rest_off_ends_the_waves() -> None:
    async with crowd(5) as (server, peers):
        server.close(over=1000.0)
        await settled()
        server.abort_clients()
        await server.wait_closed()
        for raw in peers:
            assert b"HTTP" not in await raw.end()


async def test_only_the_first_call_counts() -> None:
    async with serve(idle, "127.0.0.1", 0) as server, connect(uri_of(server)) as ws:
        server.close(code=1012, reason="back soon")
        server.close(code=1001, over=1000.0)
        await ws.wait_closed()
        assert (ws.close_code, ws.close_reason) == (1012, "back soon")


async def test_handlers_are_ended_by_their_deadline_whatever_the_waves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def stubborn(ws: Connection) -> None:
        await asyncio.Event().wait()

    async with serve(stubborn, "127.0.0.1", 0, close_timeout=0.05) as server:
        clients = [await connect(uri_of(server)) for _ in range(3)]
        server.close(over=0.2)
        await server.wait_closed()
        for ws in clients:
            await ws.wait_closed()
            assert ws.close_code == 1001
    assert [record.getMessage() for record in caplog.records] == [
        "connection handler did not end in time: cancelled"
    ] * 3


async def test_what_cannot_be_said_or_waited_for_is_named() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        for over in (-1.0, float("inf"), float("nan")):
            with pytest.raises(ValueError, match="over must be a number of seconds"):
                server.close(over=over)
        with pytest.raises(LocalProtocolError):
            server.close(code=1005)
        assert server.is_serving()
