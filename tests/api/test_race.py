"""How a socket to the server comes about: addresses in parallel, local ones, Unix sockets."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longlink import UnknownLimit, connect, serve, unix_connect, unix_serve
from longlink.api.race import Entrant, fastest, interleaved, resolve
from tests.api.raw import echo, port_of, uri_of

V4, V6 = socket.AF_INET, socket.AF_INET6


def entrant(address: Any) -> Entrant:
    return Entrant(V4, 0, address)


@pytest.fixture
def open_place() -> Iterator[Any]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock.getsockname()


@pytest.fixture
def closed_place() -> Iterator[Any]:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()


@pytest.fixture
def black_hole() -> Iterator[Any]:
    """An address where connecting neither succeeds nor fails: its queue is full."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        sock.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(sock.getsockname())
        yield sock.getsockname()
        for each in waiting:
            each.close()


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


async def peer_of(*entrants: Entrant, delay: float | None = 0.01) -> Any:
    loop = asyncio.get_running_loop()
    sock = await fastest(loop, entrants, delay, "somewhere:1")
    try:
        return sock.getpeername()
    finally:
        sock.close()


# -- happy eyeballs -------------------------------------------------------------------------------


async def test_the_next_address_is_tried_beside_one_that_is_slow(
    open_place: Any, black_hole: Any
) -> None:
    """RFC 8305 5."""
    before = descriptors()
    assert await peer_of(entrant(black_hole), entrant(open_place)) == open_place
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert descriptors() == before


async def test_the_next_address_is_tried_as_soon_as_one_fails(
    open_place: Any, closed_place: Any
) -> None:
    for delay in (3600.0, None):
        found = await peer_of(entrant(closed_place), entrant(open_place), delay=delay)
        assert found == open_place


async def test_one_that_is_slow_may_still_win(
    open_place: Any, closed_place: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = asyncio.Event()
    real = Entrant.connect

    async def patient(self: Entrant, loop: asyncio.AbstractEventLoop) -> socket.socket:
        if self.address == open_place:
            await failed.wait()
            return await real(self, loop)
        try:
            return await real(self, loop)
        finally:
            failed.set()

    monkeypatch.setattr(Entrant, "connect", patient)
    assert await peer_of(entrant(open_place), entrant(closed_place)) == open_place


async def test_two_at_once_leave_one(open_place: Any) -> None:
    before = descriptors()
    assert await peer_of(*[entrant(open_place)] * 3, delay=0) == open_place
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert descriptors() == before


async def test_all_fail_alike(closed_place: Any) -> None:
    with pytest.raises(ConnectionRefusedError, match=r"cannot connect to somewhere:1: .*; "):
        await peer_of(entrant(closed_place), entrant(closed_place))


async def test_all_fail_differently(closed_place: Any) -> None:
    unreachable = Entrant(socket.AF_UNIX, 0, "/nowhere")
    with pytest.raises(OSError, match=r"cannot connect to somewhere:1: .*; ") as caught:
        await peer_of(entrant(closed_place), unreachable)
    assert type(caught.value) is OSError


async def test_no_address_at_all() -> None:
    with pytest.raises(OSError, match="cannot connect to somewhere:1: no address"):
        await peer_of()


async def test_cancelling_a_race_leaves_nothing(black_hole: Any) -> None:
    before = descriptors()
    racing = asyncio.create_task(peer_of(*[entrant(black_hole)] * 3, delay=0))
    for _ in range(10):
        await asyncio.sleep(0)
    assert descriptors() > before
    racing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await racing
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert descriptors() == before


# -- which addresses ------------------------------------------------------------------------------


def found(*families: int) -> list[Any]:
    return [(family, 1, 6, number) for number, family in enumerate(families)]


@pytest.mark.parametrize(
    ("families", "first", "order"),
    [
        ([], 1, []),
        ([V6, V6, V4], 1, [0, 2, 1]),
        ([V4, V4, V4], 1, [0, 1, 2]),
        ([V6, V6, V6, V4, V4], 1, [0, 3, 1, 4, 2]),
        ([V6, V6, V6, V4], 2, [0, 1, 3, 2]),
        ([V6, V4], 9, [0, 1]),
    ],
)
def test_families_take_turns(families: list[int], first: int, order: list[int]) -> None:
    """RFC 8305 4."""
    assert [each[3] for each in interleaved(found(*families), first)] == order


async def test_an_address_is_not_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    assert await resolve(loop, ("127.0.0.1", 1), 0, 0, 0) == [(V4, 1, 0, ("127.0.0.1", 1))]
    assert await resolve(loop, ("::1", 1), 0, 0, 0) == [(V6, 1, 0, ("::1", 1))]
    with pytest.raises(socket.gaierror):
        await resolve(loop, ("::1", 1), V4, 0, 0)
    names = await resolve(loop, ("localhost", 1), V4, 0, 0)
    assert ("127.0.0.1", 1) in [each[3] for each in names]


async def test_over_ipv6() -> None:
    if not socket.has_ipv6:
        pytest.skip("no IPv6")
    try:
        serving = await serve(echo, "::1", 0)
    except OSError:
        pytest.skip("no IPv6 loopback")
    async with serving, connect(f"ws://[::1]:{port_of(serving)}/") as ws:
        assert ws.request.headers["Host"] == f"[::1]:{port_of(serving)}"
        await ws.send("x")
        assert await ws.recv() == "x"


async def test_from_an_address_of_ours() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(uri_of(server), local_addr=("127.0.0.2", 0)) as ws:
            assert ws.local_address[0] == "127.0.0.2"
        async with connect(uri_of(server).replace("127.0.0.1", "localhost"), family=V4) as ws:
            assert ws.remote_address == ("127.0.0.1", port_of(server))


async def test_from_an_address_that_is_not_ours() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        with pytest.raises(OSError):
            await connect(uri_of(server), local_addr=("192.0.2.1", 0))
        with pytest.raises(OSError, match="no address"):
            await connect(uri_of(server), local_addr=("::1", 0))


async def test_a_name_that_nobody_has() -> None:
    with pytest.raises(socket.gaierror):
        await connect("ws://nobody.invalid/")


@pytest.mark.parametrize("delay", [None, 0.25])
async def test_the_options_of_asyncio(delay: float | None) -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        how: dict[str, Any] = {"proto": socket.IPPROTO_TCP, "flags": 0, "interleave": 2}
        uri = uri_of(server).replace("127.0.0.1", "localhost")
        async with connect(uri, happy_eyeballs_delay=delay, **how) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


@pytest.mark.parametrize(
    ("how", "kind"),
    [
        ({"happy_eyeballs_delai": 1}, UnknownLimit),
        ({"interleave": 0}, ValueError),
        ({"sock": socket.socket(), "path": "x"}, ValueError),
        ({"ssl": False}, TypeError),
        ({"ssl": "yes"}, TypeError),
        ({"proxy_ssl": 1}, TypeError),
    ],
    ids=repr,
)
def test_options_that_make_no_sense(how: dict[str, Any], kind: type[Exception]) -> None:
    with pytest.raises(kind):
        connect("ws://host/", **how)
    if "sock" in how:
        how["sock"].close()


# -- Unix sockets ---------------------------------------------------------------------------------


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    async with unix_serve(echo, str(path)):
        async with unix_connect(path) as ws:
            assert ws.request.headers["Host"] == "localhost"
            await ws.send("x")
            assert await ws.recv() == "x"
        async with unix_connect(str(path), "ws://any.example/x") as ws:
            assert (ws.request.headers["Host"], ws.request.path) == ("any.example", "/x")


async def test_tls_on_a_unix_socket(tmp_path: Path, server_tls: Any, client_tls: Any) -> None:
    path = tmp_path / "socket"
    async with unix_serve(echo, str(path), ssl=server_tls):
        async with unix_connect(path, ssl=client_tls) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
