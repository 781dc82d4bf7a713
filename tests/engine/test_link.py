"""A session on a socket of the reactor: partial writes, what it watches for, handing over."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest

from longlink import ConnectionClosedError
from longlink.engine.link import Link
from longlink.engine.reactor import AVAILABLE, reactor_of
from longlink.engine.receiver import Receiver
from longlink.limits import Limits
from longlink.native import kernel

from .conftest import Place, Until
from .raw import BINARY, Peer, close_frame, frame, text
from .test_reactor import listening, simple

pytestmark = pytest.mark.skipif(not AVAILABLE, reason="needs epoll")


def narrow() -> socket.socket:
    """A listening socket whose connections have the smallest send buffer there is."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    sock.bind(("127.0.0.1", 0))
    sock.listen()
    return sock


async def test_partial_writes_arrive_whole(until: Until) -> None:
    import longlink

    messages = [bytes([n]) * size for n, size in enumerate((10, 300_000, 5, 20_000, 500_000, 0, 1))]

    def on_open(ws: Any) -> None:
        for message in messages:
            ws.send(message)

    async with longlink.serve(
        on_open=on_open, sock=narrow(), on_message=lambda ws, message: ws.send(message)
    ) as server:
        peer = await Peer.open(server.sockets[0].getsockname(), receive_buffer=4096)
        for message in messages:
            assert await peer.frame() == (BINARY, message)
        await peer.send(frame(BINARY, messages[1]))
        assert await peer.frame() == (BINARY, messages[1])
        await peer.leave()


async def test_it_watches_for_room_only_while_there_is_none(link: Place, until: Until) -> None:
    opened: list[Any] = []
    async with link.serve(on_open=opened.append, on_message=lambda ws, m: ws.send(m)) as server:
        peer = await Peer.open(server.address, receive_buffer=4096)
        [ws] = opened
        assert ws.session.watched == kernel.IN
        await peer.send(text("hello"))
        await peer.text()
        assert ws.session.watched == kernel.IN
        count = 0
        while not ws.session.watched & kernel.OUT:
            ws.send(bytes(100_000))
            count += 1
            await asyncio.sleep(0)
        for _ in range(count):
            await peer.frame()
        await until(lambda: ws.session.watched == kernel.IN)
        await peer.leave()


async def test_it_does_not_watch_for_octets_it_could_not_process(link: Place, until: Until) -> None:
    opened: list[Any] = []
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        opened.append(ws)
        await over.wait()
        async for message in ws:
            await ws.send(message)

    async with link.serve(handler, max_queue=2) as server:
        peer = await Peer.open(server.address)
        await peer.send(text("x" * 120) * 500)
        await until(lambda: opened and opened[0].session.watched == 0)
        over.set()
        assert [await peer.text() for _ in range(500)] == ["x" * 120] * 500
        assert opened[0].session.watched == kernel.IN
        await peer.leave()


async def test_reset_while_it_does_not_read(link: Place, until: Until) -> None:
    left: list[Any] = []
    over = asyncio.Event()

    async def handler(ws: Any) -> None:
        await over.wait()

    async with link.serve(handler, max_queue=2, close_timeout=0.3, on_close=left.append) as server:
        peer = await Peer.open(server.address)
        await peer.send(text("x" * 120) * 500)
        await until(lambda: any(ws.session.parked for ws in server.connections))
        peer.reset()
        await until(lambda: left)
        assert left[0].close_code == 1006
        over.set()


async def test_reset_while_it_cannot_send(link: Place, until: Until) -> None:
    opened: list[Any] = []
    left: list[Any] = []
    async with link.serve(
        on_open=opened.append, on_message=lambda ws, m: None, on_close=left.append
    ) as server:
        peer = await Peer.open(server.address, receive_buffer=4096)
        [ws] = opened
        while ws.session.outbox is None:
            ws.send(bytes(100_000))
            await asyncio.sleep(0)
        peer.reset()
        await until(lambda: left)


async def test_a_send_that_fails_ends_it_outside_the_senders_stack(
    link: Place, until: Until
) -> None:
    opened: list[Any] = []
    left: list[Any] = []
    async with link.serve(
        on_open=opened.append,
        on_message=lambda ws, m: None,
        on_close=left.append,
        max_backlog=1000,
    ) as server:
        peer = await Peer.open(server.address)
        [ws] = opened
        peer.reset()
        with socket.socket(fileno=ws.session.fd) as ours:  # wait for the RST, not for the loop
            import select

            waiter = select.poll()
            waiter.register(ours, 0)
            assert waiter.poll(20_000)
            ours.detach()
        ws.send(bytes(2000))
        with pytest.raises(ConnectionClosedError):
            ws.send(bytes(2000))  # the first is over max_backlog: it is tried at once
        assert ws.close_code == 1006
        assert not left
        await until(lambda: left)
        assert left == [ws]


async def test_local_and_remote_address(link: Place, until: Until) -> None:
    opened: list[Any] = []
    async with link.serve(on_open=opened.append, on_message=lambda ws, m: None) as server:
        peer = await Peer.open(server.address)
        [ws] = opened
        assert ws.local_address == server.address
        assert ws.remote_address == peer.sock.getsockname()
        await peer.leave()
        await until(lambda: not server.connections)
        assert ws.remote_address is not None
        assert ws.local_address == server.address


class Body(asyncio.Protocol):
    """Somebody else's protocol: keeps what it gets, answers at the end of the stream."""

    def __init__(self) -> None:
        self.got = b""
        self.made = 0
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: Any) -> None:
        self.made += 1
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        assert self.made == 1
        self.got += data

    def eof_received(self) -> bool:
        self.transport.write(b"%d octets" % len(self.got))
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost.set_result(exc)


class Giver(Receiver):
    """Hands every connection over, at once or later."""

    def __init__(self, later: bool) -> None:
        self.later = later
        self.protocols: list[Body] = []
        self.sessions: list[Any] = []

    def on_head(self, session: Any, head: bytes) -> None:
        self.protocols.append(Body())
        self.sessions.append(session)
        if self.later:
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, session.hand_over, self.protocols[-1], head)
        else:
            session.hand_over(self.protocols[-1], head)


@pytest.mark.parametrize("later", [False, True])
async def test_handing_over_keeps_every_octet_in_order(later: bool, until: Until) -> None:
    giver = Giver(later)
    head = b"POST / HTTP/1.1\r\nHost: test\r\n\r\n"
    body = b"".join(b"%06d" % n for n in range(30_000))
    async with listening(simple(giver)) as (reactor, address, _):

        async def one(cut: int) -> None:
            peer = await Peer.connect(address)
            await peer.send((head + body)[:cut])
            await peer.send((head + body)[cut:])
            peer.sock.shutdown(socket.SHUT_WR)
            assert await peer.rest() == b"%d octets" % len(head + body)
            peer.cut()

        cuts = [len(head), len(head) + 1, len(head) + 50_000, 10, 170_000]
        await asyncio.gather(*(one(cut) for cut in cuts * 4))
        for protocol in giver.protocols:
            await protocol.lost
            assert protocol.got == head + body
        await until(lambda: reactor.users == 1 and not reactor.tasks)
        assert not reactor.strays


async def test_what_a_session_does_after_it_was_handed_over_does_no_harm(until: Until) -> None:
    giver = Giver(later=False)
    async with listening(simple(giver)) as (_, address, _):
        peer = await Peer.connect(address)
        await peer.send(b"GET / HTTP/1.1\r\n\r\n")
        await until(lambda: giver.sessions)
        [session] = giver.sessions
        session.pause(0)
        session.resume()
        session.refuse(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        session.hang_up()
        session.flush()
        session.abort()
        peer.sock.shutdown(socket.SHUT_WR)
        assert await peer.rest() == b"18 octets"
        peer.cut()
        await giver.protocols[0].lost


async def test_events_of_a_turn_in_which_it_was_closed(until: Until) -> None:
    """Whoever comes first closes all the others, whose events are in the same batch."""
    links: list[Link] = []
    heads: list[int] = []

    class Closer(Receiver):
        def on_head(self, session: Any, head: bytes) -> None:
            heads.append(1)
            for other in links:
                other.abort()

    reactor = reactor_of(asyncio.get_running_loop())
    fars = []
    for _ in range(50):
        near, far = socket.socketpair()
        near.setblocking(False)
        links.append(Link(near.detach(), reactor.poll, False, Closer(), Limits(), reactor))
        far.send(b"GET / HTTP/1.1\r\n\r\n")
        fars.append(far)
    await until(lambda: reactor.users == 0)
    assert heads == [1]
    for far in fars:
        far.close()


async def test_two_links_of_a_pair_talk(until: Until) -> None:
    """Client and server on one reactor, joined by a socket pair, all through our own engine."""
    got: list[Any] = []

    class Side(Receiver):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_message(self, message: str | bytes) -> None:
            got.append((self.name, message))

        def on_end(self) -> None:
            got.append((self.name, "end"))

    reactor = reactor_of(asyncio.get_running_loop())
    near, far = socket.socketpair()
    near.setblocking(False)
    far.setblocking(False)
    client = Link(near.detach(), reactor.poll, True, Side("client"), Limits(), reactor)
    server = Link(far.detach(), reactor.poll, False, Side("server"), Limits(), reactor)
    client.welcome(Side("client"))
    server.welcome(Side("server"))
    client.send("up")
    server.send(b"down")
    await until(lambda: len(got) == 2)
    assert sorted(got) == [("client", b"down"), ("server", "up")]
    client.send_close(1000, "")
    await until(lambda: reactor.users == 0)
    assert sorted(got[2:]) == [("client", "end"), ("server", "end")]


async def test_peer_closes_with_much_still_on_its_way(link: Place, until: Until) -> None:
    """Close and FIN at once, megabytes still owed: all of it arrives, then our Close."""

    async def handler(ws: Any) -> None:
        for _ in range(80):
            ws.send(bytes(100_000))
        await ws.wait_closed()

    async with link.serve(handler, max_backlog=None) as server:
        peer = await Peer.open(server.address, receive_buffer=4096)
        [ws] = server.connections
        await until(lambda: ws.session.outbox is not None)
        await peer.send(close_frame(3000, "done"))
        peer.sock.shutdown(socket.SHUT_WR)
        await until(lambda: ws.state >= 2)
        for _ in range(50):
            await asyncio.sleep(0)
        for _ in range(80):
            assert await peer.frame() == (BINARY, bytes(100_000))
        assert await peer.closed() == (3000, "done")
        assert await peer.recv() == b""
        peer.cut()
        await until(lambda: not server.agenda.strays)
        assert ws.close_code == 3000
