"""The reactor: accepting, fairness among everybody, faults that stay where they happen."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import longlink
from longlink.engine.link import Link
from longlink.engine.reactor import AVAILABLE, Listener, Reactor, reactor_of
from longlink.engine.receiver import Receiver
from longlink.limits import Limits
from longlink.native import kernel

from .conftest import Place, Until
from .raw import CLOSE, HEAD, Frames, Peer, close_frame, descriptors, make_reset, text

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs epoll")

EXHAUSTED = Path(__file__).with_name("exhausted.py")


@asynccontextmanager
async def listening(make: Any) -> AsyncIterator[tuple[Reactor, Any, Listener]]:
    """A listener of its own, without a server around it."""
    reactor = reactor_of(asyncio.get_running_loop())
    sock = socket.create_server(("127.0.0.1", 0))
    sock.setblocking(False)
    listener = Listener(reactor, sock, lambda fd: make(reactor, fd))
    try:
        yield reactor, sock.getsockname(), listener
    finally:
        listener.close()


def simple(receiver: Receiver) -> Any:
    return lambda reactor, fd: Link(fd, reactor.poll, False, receiver, Limits(), reactor)


# -- on and off the loop --------------------------------------------------------------------------


async def test_the_last_to_leave_takes_it_off_the_loop(link: Place, until: Until) -> None:
    before = descriptors()
    async with link.serve(on_message=lambda ws, message: None) as server:
        reactor = server.agenda
        peer = await Peer.open(server.address)
        await peer.leave()
    assert reactor.users == 0
    assert reactor.poll.count == 0
    await until(lambda: reactor.poll.fileno() < 0)
    assert descriptors() == before
    async with link.serve(on_message=lambda ws, message: ws.send(message)) as server:
        assert server.agenda is not reactor
        peer = await Peer.open(server.address)
        await peer.send(text("again"))
        assert await peer.text() == "again"
        await peer.leave()


def test_a_loop_that_was_closed_under_it() -> None:
    loop = asyncio.new_event_loop()
    reactor = reactor_of(loop)
    near, far = socket.socketpair()
    near.setblocking(False)
    link = Link(near.detach(), reactor.poll, False, Receiver(), Limits(), reactor)
    loop.close()
    reactor.begin()  # as in a turn: nothing is left to be done later
    link.abort()
    assert reactor.users == 0
    assert reactor.poll.fileno() < 0
    assert far.recv(1) == b""
    far.close()


async def test_a_link_that_cannot_be_watched_ends_at_once() -> None:
    ended: list[int] = []

    class Witness(Receiver):
        def on_end(self) -> None:
            ended.append(1)

    reactor = reactor_of(asyncio.get_running_loop())
    reactor.add_user()
    closed = kernel.Poll()
    closed.close()
    near, far = socket.socketpair()
    near.setblocking(False)
    session = Link(near.detach(), closed, False, Witness(), Limits(), reactor)
    assert ended == [1]
    assert session.fd == -1
    assert far.recv(1) == b""
    far.close()
    reactor.drop_user()


# -- accepting ------------------------------------------------------------------------------------


async def test_more_callers_than_one_turn_accepts(until: Until) -> None:
    made: list[int] = []

    def make(reactor: Reactor, fd: int) -> None:
        made.append(fd)
        kernel.close(fd)

    async with listening(make) as (_, address, _):
        peers = [await Peer.connect(address) for _ in range(120)]
        await until(lambda: len(made) == 120)
        for peer in peers:
            assert await peer.recv() == b""
            peer.cut()


async def test_one_that_cannot_be_made_is_one_less(
    until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ValueError("a bug"), asyncio.CancelledError(), MemoryError()]

    class Talk(Receiver):
        def on_head(self, session: Any, head: bytes) -> None:
            session.refuse(b"HTTP/1.1 200 OK\r\n\r\n")

    def make(reactor: Reactor, fd: int) -> None:
        if faults:
            raise faults.pop()
        simple(Talk())(reactor, fd)

    async with listening(make) as (reactor, address, _):
        for _ in range(3):
            peer = await Peer.connect(address)
            assert await peer.recv() == b""
            peer.cut()
        peer = await Peer.connect(address)
        await peer.send(HEAD)
        assert await peer.rest() == b"HTTP/1.1 200 OK\r\n\r\n"
        peer.cut()
        await until(lambda: reactor.users == 1)
    assert [record.message for record in caplog.records] == ["cannot take a connection"] * 3


async def test_aborted_while_waiting_to_be_accepted(until: Until) -> None:
    made: list[int] = []

    def make(reactor: Reactor, fd: int) -> None:
        made.append(fd)
        kernel.close(fd)

    async with listening(make) as (_, address, _):
        # Blocking and in one go: the loop has no turn before they are gone.
        for _ in range(20):
            sock = socket.create_connection(address)
            sock.send(b"GET")
            sock.close()
        await until(lambda: len(made) == 20)


async def test_closing_twice_and_aborting_a_listener() -> None:
    async with listening(lambda reactor, fd: None) as (reactor, address, listener):
        listener.abort()
        assert reactor.users == 0
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            await Peer.connect(address)


# -- descriptors run out --------------------------------------------------------------------------


async def test_out_of_descriptors(
    python_environment: dict[str, str], require: Any, until: Until
) -> None:
    """Quiet, idle, serving those it has, and accepting again when a descriptor is free."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, EXHAUSTED, stdout=subprocess.PIPE, env=python_environment
    )
    assert process.stdout is not None
    address = ("127.0.0.1", int(await process.stdout.readline()))

    async def tell(peer: Peer, command: str) -> tuple[int, int, str]:
        await peer.send(text(command))
        looks, lines, said = (await peer.text()).split(" ", 2)
        return int(looks), int(lines), said

    inside = await Peer.open(address)
    await tell(inside, "fill")
    callers = [await Peer.connect(address) for _ in range(5)]
    for peer in callers:
        await peer.send(HEAD)
    before, lines, said = await tell(inside, "count")
    while not lines:  # not noticed yet
        before, lines, said = await tell(inside, "count")
    assert "cannot accept connections: EMFILE" in said

    # Freed by somebody else: found by looking again, about once a second, and only then.
    await tell(inside, "free")
    assert b" 101 " in await callers[0].answer()
    after, lines, _ = await tell(inside, "count")
    assert after - before < 50
    assert lines == 1

    # Freed by one of its own connections: at once, one after the other.
    for leaving, coming in pairwise(callers):
        await leaving.leave()
        assert b" 101 " in await coming.answer()
    last, lines, _ = await tell(callers[-1], "count")
    assert last - after < 100
    assert lines <= 2

    # And it can be closed like that.
    waiting = await Peer.connect(address)
    await tell(inside, "stop")
    for peer in (inside, callers[-1]):
        assert (await peer.closed())[0] == 1001
        await peer.send(close_frame(1001))
        peer.cut()
    waiting.cut()
    assert await process.wait() == 0


# -- faults ---------------------------------------------------------------------------------------


class Owner:
    """Somebody on the poll whose `on_ready` does what a test says."""

    def __init__(self, reactor: Reactor, sock: socket.socket, act: Any) -> None:
        self.reactor, self.sock, self.act = reactor, sock, act
        self.calls = self.aborts = 0
        reactor.add_user()
        reactor.poll.add(sock.fileno(), self, kernel.IN)

    def on_ready(self, events: int) -> None:
        self.calls += 1
        self.act()

    def abort(self) -> None:
        self.aborts += 1
        self.reactor.poll.remove(self.sock.fileno(), self)
        self.reactor.drop_user()


@pytest.mark.parametrize("fault", [ValueError("a bug"), asyncio.CancelledError()])
async def test_a_bug_costs_one_connection(
    fault: BaseException, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise fault

    reactor = reactor_of(asyncio.get_running_loop())
    pairs = [socket.socketpair() for _ in range(5)]
    owners = [Owner(reactor, near, fail) for near, _ in pairs]
    for _, far in pairs:
        far.send(b"x")
    await until(lambda: all(owner.aborts for owner in owners))
    assert [(owner.calls, owner.aborts) for owner in owners] == [(1, 1)] * 5
    assert not reactor.active
    assert len(caplog.records) == 5
    for near, far in pairs:
        near.close()
        far.close()


async def test_an_exit_in_a_callback_leaves_it_in_order() -> None:
    def leave() -> None:
        raise SystemExit

    reactor = reactor_of(asyncio.get_running_loop())
    near, far = socket.socketpair()
    owner = Owner(reactor, near, leave)
    far.send(b"x")
    with pytest.raises(SystemExit):
        reactor.run_once()
    assert not reactor.active
    owner.abort()
    near.close()
    far.close()


async def test_many_who_take_long_do_not_keep_the_loop() -> None:
    reactor = reactor_of(asyncio.get_running_loop())
    pairs = [socket.socketpair() for _ in range(6)]
    owners = [Owner(reactor, near, lambda: time.sleep(0.005)) for near, _ in pairs]
    for _, far in pairs:
        far.send(b"x")  # which nobody reads: they are ready again and again
    reactor.run_once()
    assert [owner.calls for owner in owners] == [2] * 6
    for owner in owners:
        owner.abort()
    for near, far in pairs:
        near.close()
        far.close()


@pytest.mark.parametrize("fault", [ValueError("theirs"), asyncio.CancelledError()])
async def test_a_callback_that_raises_fails_its_connection_with_1011(
    plain: Place, fault: BaseException, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    def on_message(ws: Any, message: str) -> None:
        if message == "raise":
            raise fault
        ws.send(message)

    async with plain.serve(on_message=on_message) as server:
        one, other = await Peer.open(server.address), await Peer.open(server.address)
        await one.send(text("before") + text("raise") + text("after"))
        await other.send(text("other"))
        assert await one.text() == "before"
        assert (await one.closed())[0] == 1011
        assert await one.recv() == b""
        assert await other.text() == "other"
        one.cut()
        await other.leave()
    assert len(caplog.records) == 1


# -- before the loop sleeps -----------------------------------------------------------------------


class Talker(Owner):
    """Ready again and again, and each time it has something to send."""

    def __init__(self, reactor: Reactor, sock: socket.socket, act: Any = lambda: None) -> None:
        super().__init__(reactor, sock, act)
        self.flushes = 0

    def on_ready(self, events: int) -> None:
        self.reactor.add_dirty(self)
        super().on_ready(events)

    def flush(self) -> None:
        self.flushes += 1


@pytest.fixture
def ready() -> Iterator[socket.socket]:
    """A socket with an octet that nobody reads."""
    near, far = socket.socketpair()
    far.send(b"x")
    with near, far:
        yield near


async def test_who_answers_at_once_is_heard_at_once_but_the_loop_has_its_turn(
    ready: socket.socket,
) -> None:
    talker = Talker(reactor_of(asyncio.get_running_loop()), ready)
    for _ in range(3):
        before = talker.calls
        talker.reactor.run_once()
        assert before + 1 < talker.calls == talker.flushes <= before + 16
    talker.abort()


async def test_who_takes_long_to_answer_does_not_keep_the_loop(ready: socket.socket) -> None:
    talker = Talker(reactor_of(asyncio.get_running_loop()), ready, lambda: time.sleep(0.002))
    talker.reactor.run_once()
    assert talker.calls <= 2
    talker.abort()


async def test_what_is_ready_to_run_is_not_kept_waiting(ready: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    if not hasattr(loop, "_ready"):
        pytest.skip("this loop does not tell")
    talker = Talker(reactor_of(loop), ready, lambda: loop.call_soon(bool))
    talker.reactor.run_once()
    assert talker.calls == 1
    talker.abort()


async def test_nobody_is_waited_for_who_was_not_answered(ready: socket.socket) -> None:
    owner = Owner(reactor_of(asyncio.get_running_loop()), ready, lambda: None)
    owner.reactor.run_once()
    assert owner.calls == 1
    owner.abort()


async def test_nobody_is_waited_for_while_something_waits_for_the_loop(
    ready: socket.socket,
) -> None:
    reactor = reactor_of(asyncio.get_running_loop())
    talker = Talker(reactor, ready, reactor.wake)
    reactor.run_once()
    assert talker.calls == 1
    talker.abort()


async def test_the_last_may_leave_meanwhile(ready: socket.socket, until: Until) -> None:
    def act() -> None:
        if talker.calls == 3:
            talker.abort()

    reactor = reactor_of(asyncio.get_running_loop())
    talker = Talker(reactor, ready, act)
    while not reactor.retired:
        reactor.run_once()
    assert talker.calls == 3
    await until(lambda: reactor.poll.fileno() < 0)


async def test_a_chain_of_messages_and_a_connection_cut_in_it(link: Place, until: Until) -> None:
    """Each message is there when the one before was answered; the last cuts the connection."""
    heard: list[str] = []

    def on_message(ws: Any, message: str) -> None:
        heard.append(message)
        if message == "60":
            ws.session.abort()
            return
        ws.send(message)
        peer.sock.send(text(str(len(heard))))

    async with link.serve(on_message=on_message) as server:
        peer = await Peer.open(server.address)
        await until(lambda: len(server.connections) == 1)
        while not server.agenda.patience.tries():
            pass  # the opening handshake was nothing to wait after
        peer.sock.send(text("0"))
        turns = 0
        while len(heard) < 61:
            server.agenda.run_once()
            turns += 1
        assert heard == [str(number) for number in range(61)]
        assert turns == 4
        assert [await peer.text() for _ in range(60)] == heard[:60]
        await until(lambda: not server.connections)
        peer.cut()


# -- torture --------------------------------------------------------------------------------------


class Riot:
    """A server whose callbacks do anything to anybody; one random source decides."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.here: list[Any] = []
        self.came: list[Any] = []
        self.left: list[Any] = []
        self.messages = 0
        self.server: Any = None

    def on_open(self, ws: Any) -> None:
        self.came.append(ws)
        self.here.append(ws)
        self.act(ws)

    def on_message(self, ws: Any, message: str | bytes) -> None:
        assert ws in self.here, "a message after the end"
        self.messages += 1
        self.act(ws)

    def on_close(self, ws: Any) -> None:
        self.left.append(ws)
        self.here.remove(ws)
        self.act(ws)

    def act(self, ws: Any) -> None:
        other = self.chance.choice(self.here) if self.here else ws
        what = self.chance.choices(
            ["nothing", "echo", "tell", "all", "close", "kick", "abort", "cut", "raise", "cancel"],
            [20, 40, 20, 2, 2, 2, 1, 1, 1, 1],
        )[0]
        if what == "echo":
            ws.send("echo")
        elif what == "tell":
            other.send(b"x" * self.chance.choice((0, 10, 1000, 70_000)))
        elif what == "all":
            longlink.broadcast(self.server.connections, "all")
        elif what == "close":
            ws.close(1000)
        elif what == "kick":
            other.close(1001)
        elif what == "abort":
            other.session.abort()
        elif what == "cut":
            ws.session.abort()
        elif what == "raise":
            raise ZeroDivisionError
        elif what == "cancel":
            raise asyncio.CancelledError
        if self.messages > 6000:
            self.server.close()


class Mob:
    """Bare clients that talk at random, and leave at random."""

    def __init__(self, chance: random.Random) -> None:
        self.chance = chance
        self.heads: dict[socket.socket, bytes] = {}
        self.frames: dict[socket.socket, Frames] = {}
        self.over: set[socket.socket] = set()  # they were told Close

    def join(self, address: Any, count: int) -> None:
        for _ in range(count):
            sock = socket.create_connection(address)
            sock.send(HEAD)
            sock.setblocking(False)
            self.heads[sock] = b""
            self.frames[sock] = Frames()

    def drop(self, sock: socket.socket) -> None:
        del self.frames[sock]
        sock.close()

    def go(self) -> None:
        for sock in list(self.frames):
            self.drop(sock)

    def listen(self) -> None:
        for sock, frames in list(self.frames.items()):
            try:
                data = sock.recv(1 << 18)
            except BlockingIOError:
                continue
            except ConnectionError:
                data = b""
            if not data:
                self.drop(sock)
                continue
            head = self.heads.get(sock)
            if head is not None:
                head, end, data = (head + data).partition(b"\r\n\r\n")
                self.heads[sock] = head
                if not end:
                    continue
                del self.heads[sock]
                if b" 101 " not in head:  # 503: it is closing
                    self.drop(sock)
                    continue
            for opcode, _ in frames.feed(data):
                assert sock not in self.over, "a frame after a Close"
                if opcode == CLOSE:
                    self.over.add(sock)

    def talk(self) -> None:
        chance = self.chance
        for sock in list(self.frames):
            if chance.random() < 0.3:
                said = chance.choice((text("a"), text("b") * 20, text("c" * 3000), b"\x81"))
                try:
                    sock.send(close_frame() if sock in self.over else said)
                except BlockingIOError:
                    pass
                except ConnectionError:
                    self.drop(sock)
                    continue
            if chance.random() < 0.002:
                if chance.random() < 0.5:
                    make_reset(sock)
                self.drop(sock)


@pytest.mark.parametrize("seed", range(3))
async def test_anything_goes_in_a_callback(
    plain: Place, seed: int, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL, "longlink.server")  # callbacks that raise are expected
    riot = Riot(seed)
    async with plain.serve(
        on_open=riot.on_open,
        on_message=riot.on_message,
        on_close=riot.on_close,
        close_timeout=2,
        max_backlog=2**22,
    ) as server:
        riot.server = server
        mob = Mob(random.Random(seed))
        while server.is_serving():
            if len(mob.frames) < 180:
                mob.join(server.address, 20)
            mob.talk()
            mob.listen()
            await asyncio.sleep(0)
        closed = asyncio.ensure_future(server.wait_closed())

        def settle() -> bool:
            mob.listen()
            for sock in list(mob.frames):
                if sock in mob.over:
                    mob.drop(sock)
            return closed.done()

        try:
            await until(settle)
        finally:
            mob.go()
        await closed
    assert len(riot.came) > 200
    assert len(set(riot.left)) == len(riot.left)
    assert set(riot.left) == set(riot.came)
    assert not riot.here
    said = [r.getMessage() for r in caplog.records if r.name == "longlink.engine"]
    # That is about this machine, and nobody's doing.
    assert [line for line in said if not line.startswith("event loop blocked")] == []
