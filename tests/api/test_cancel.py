"""Cancelling any await at any of its suspension points leaves a connection that can be used."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

import longlink.api.client
import longlink.api.server
from longlink import Connection, ConnectionClosedError, connect, serve
from tests.api.raw import idle, uri_of

Call = Callable[[Connection], Awaitable[Any]]
BIG = b"y" * 2**20
TURNS = 30  # of the loop: more than anything here takes


class Ends:
    """Both ends of a connection, on one kind of carrier."""

    def __init__(self, tls: tuple[ssl.SSLContext, ssl.SSLContext] | None) -> None:
        self.tls = tls

    @asynccontextmanager
    async def meet(self) -> AsyncIterator[tuple[Connection, Connection]]:
        came: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()
        ours: dict[str, Any] = {
            "write_limit": 1000,
            "max_backlog": None,
            "max_size": None,
            "compression": None,
        }
        theirs: dict[str, Any] = {"max_size": None, "max_queue": 1}
        scheme = "ws"
        if self.tls is not None:
            ours["ssl"], theirs["ssl"] = self.tls
            theirs["server_hostname"], scheme = "localhost", "wss"
        async with serve(idle, "127.0.0.1", 0, on_open=came.set_result, **ours) as server:
            async with connect(uri_of(server, scheme=scheme), **theirs) as ws:
                yield await came, ws


@pytest.fixture(params=["link", "stream", "tls"])
def ends(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Ends:
    if request.param == "tls":
        names = ("server_tls", "client_tls")
        first, second = (request.getfixturevalue(name) for name in names)
        return Ends((first, second))
    if request.param == "stream":
        monkeypatch.setattr(longlink.api.server, "AVAILABLE", False)
        monkeypatch.setattr(longlink.api.client, "AVAILABLE", False)
    return Ends(None)


async def cancelled(call: Awaitable[Any], turns: int) -> asyncio.Future[Any]:
    """Let `call` run for so many turns of the loop, then cancel it."""
    task = asyncio.ensure_future(call)
    for _ in range(turns):
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    return task


async def check_usable(ours: Connection, theirs: Connection) -> list[str | bytes]:
    """Both directions work; what came before is returned, the messages to `theirs`."""
    before: list[str | bytes] = []
    ours.send("end")
    while (message := await theirs.recv()) != "end":
        before.append(message)
    await theirs.send("back")
    assert await ours.recv() == "back"
    await (await ours.ping())
    return before


async def two_fragments(pause: asyncio.Event) -> AsyncIterator[bytes]:
    yield BIG
    await pause.wait()
    yield BIG


# -- nothing stands in the way --------------------------------------------------------------------

CALLS: dict[str, Call] = {
    "recv": lambda ws: ws.recv(),
    "next": lambda ws: ws.__anext__(),
    "send": lambda ws: ws.send("x"),
    "fragments": lambda ws: ws.send(["x", "y"]),
    "no fragments": lambda ws: ws.send([]),
    "ping": lambda ws: ws.ping(),
    "pong": lambda ws: ws.pong(),
    "wait_closed": lambda ws: ws.wait_closed(),
}


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("turns", [0, 1, 2, 5])
async def test_an_await_that_is_cancelled(ends: Ends, name: str, turns: int) -> None:
    async with ends.meet() as (ours, theirs):
        await cancelled(CALLS[name](ours), turns)
        await check_usable(ours, theirs)


@pytest.mark.parametrize("turns", [0, 1, 2, TURNS])
async def test_the_pong_that_is_waited_for(ends: Ends, turns: int) -> None:
    async with ends.meet() as (ours, theirs):
        for _ in range(3):
            await cancelled(await ours.ping(), turns)
        await check_usable(ours, theirs)
        assert ours.latency > 0


@pytest.mark.parametrize("turns", range(8))
async def test_recv_while_its_message_arrives(ends: Ends, turns: int) -> None:
    """Whatever the moment, the message is received by somebody, once."""
    async with ends.meet() as (ours, theirs):
        task = asyncio.ensure_future(ours.recv())
        await asyncio.sleep(0)
        theirs.send("first")
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        received = [] if task.cancelled() else [task.result()]
        await theirs.send("second")
        while "second" not in received:
            received.append(await ours.recv())
        assert received == ["first", "second"]


# -- the peer does not read -----------------------------------------------------------------------


async def congest(ours: Connection) -> int:
    """Send until there is no room; how many messages that were."""
    count = 0
    while not ours.session.congested():
        ours.send(BIG)
        count += 1
        await asyncio.sleep(0)
    return count


WAITING: dict[str, Call] = {
    "send": lambda ws: ws.send(b"x" * 5000),
    "send text": lambda ws: ws.send("x" * 5000),
    "pong": lambda ws: ws.pong(b"x" * 100),
}


@pytest.mark.parametrize("name", WAITING)
@pytest.mark.parametrize("turns", [0, 1, TURNS])
async def test_waiting_for_a_slow_peer(ends: Ends, name: str, turns: int) -> None:
    """What was queued is sent all the same, once."""
    async with ends.meet() as (ours, theirs):
        count = await congest(ours)
        await cancelled(WAITING[name](ours), turns)
        messages = int(name != "pong")
        assert len(await check_usable(ours, theirs)) == count + messages


async def test_a_fragmented_send_that_waits_for_its_turn(ends: Ends) -> None:
    """Nothing of it was sent."""
    async with ends.meet() as (ours, theirs):
        pause = asyncio.Event()
        first = asyncio.ensure_future(ours.send(two_fragments(pause)))
        await asyncio.sleep(0)
        await cancelled(ours.send([b"never", b"sent"]), TURNS)
        pause.set()
        reading = asyncio.ensure_future(theirs.recv())
        await first
        assert await reading == BIG * 2
        assert await check_usable(ours, theirs) == []


async def test_a_message_held_back_behind_fragments_is_sent(ends: Ends) -> None:
    async with ends.meet() as (ours, theirs):
        pause = asyncio.Event()
        first = asyncio.ensure_future(ours.send(two_fragments(pause)))
        await asyncio.sleep(0)
        await cancelled(ours.send("x" * 5000), TURNS)
        pause.set()
        reading = asyncio.ensure_future(theirs.recv())
        await first
        assert await reading == BIG * 2
        assert await check_usable(ours, theirs) == ["x" * 5000]


async def test_a_fragmented_send_before_its_first_fragment(ends: Ends) -> None:
    async def never() -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""

    async with ends.meet() as (ours, theirs):
        await cancelled(ours.send(never()), TURNS)
        assert await check_usable(ours, theirs) == []


async def test_a_fragmented_send_half_way_fails_the_connection(ends: Ends) -> None:
    """The one await that can't be taken back: the peer has half a message."""
    async with ends.meet() as (ours, theirs):

        async def half() -> AsyncIterator[bytes]:
            yield b"a"
            yield b"b"
            await asyncio.Event().wait()

        await cancelled(ours.send(half()), TURNS)
        with pytest.raises(ConnectionClosedError) as caught:
            await theirs.recv()
        assert caught.value.code == 1011


# -- the end --------------------------------------------------------------------------------------


@pytest.mark.parametrize("turns", [0, 1, 2, TURNS])
async def test_close_goes_on_by_itself(ends: Ends, turns: int) -> None:
    async with ends.meet() as (ours, theirs):
        task = asyncio.ensure_future(ours.close(4000, "bye"))
        for _ in range(turns):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await theirs.wait_closed()
        await ours.wait_closed()
        assert (theirs.close_code, theirs.close_reason) == (4000, "bye")


async def test_many_that_wait_and_are_cancelled_leave_nothing(ends: Ends) -> None:
    async with ends.meet() as (ours, theirs):
        count = await congest(ours)
        for _ in range(100):
            await cancelled(ours.send(b""), 1)
            await cancelled(ours.wait_closed(), 1)
        assert len(await check_usable(ours, theirs)) == count + 100
