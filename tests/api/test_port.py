"""From a host and a port, a path or a socket to something that listens."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from longlink import connect, serve, unix_serve
from longlink.api import port as ports
from tests.api.raw import echo, port_of, uri_of


async def says_hello(uri: str, **how: Any) -> bool:
    async with connect(uri, **how) as ws:
        await ws.send("hello")
        return bool(await ws.recv() == "hello")


def families(sockets: Sequence[socket.socket]) -> list[int]:
    return sorted({int(sock.family) for sock in sockets})


async def test_port_0_picks_a_free_one() -> None:
    async with serve(echo, "127.0.0.1", 0) as one, serve(echo, "127.0.0.1") as two:
        assert 0 < port_of(one) != port_of(two) > 0
        assert await says_hello(f"ws://127.0.0.1:{port_of(two)}/")


async def test_ipv6() -> None:
    async with serve(echo, "::1", 0) as server:
        assert families(server.sockets) == [socket.AF_INET6]
        assert await says_hello(f"ws://[::1]:{port_of(server)}/")


async def test_localhost_is_all_that_it_means_on_one_port() -> None:
    async with serve(echo, "localhost", 0) as server:
        assert len({sock.getsockname()[1] for sock in server.sockets}) == 1
        assert await says_hello(f"ws://localhost:{port_of(server)}/")
        for sock in server.sockets:
            host = sock.getsockname()[0]
            shown = f"[{host}]" if ":" in host else host
            assert await says_hello(f"ws://{shown}:{port_of(server)}/")


@pytest.mark.parametrize("host", [None, ""])
async def test_no_host_is_every_interface(host: str | None) -> None:
    async with serve(echo, host, 0) as server:
        assert families(server.sockets) == [socket.AF_INET, socket.AF_INET6]
        assert await says_hello(f"ws://127.0.0.1:{port_of(server)}/")
        assert await says_hello(f"ws://[::1]:{port_of(server)}/")


async def test_several_hosts_and_each_address_once() -> None:
    async with serve(echo, ["127.0.0.1", "::1", "127.0.0.1"], 0) as server:
        assert len(server.sockets) == 2
        assert await says_hello(f"ws://[::1]:{port_of(server)}/")


async def test_a_taken_port_is_one_clear_error() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        port = port_of(server)
        with pytest.raises(
            OSError, match=rf"cannot listen on 127\.0\.0\.1:{port}: .*in use"
        ) as one:
            await serve(echo, "127.0.0.1", port)
        assert one.value.errno == errno.EADDRINUSE
        with pytest.raises(OSError, match="in use"):
            await serve(echo, ["::1", "127.0.0.1"], port)
    async with serve(echo, "::1", 0) as server:
        with pytest.raises(OSError, match=r"cannot listen on \[::1\]:"):
            await serve(echo, "::1", port_of(server))


async def test_the_port_is_free_again_at_once() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        port = port_of(server)
        assert await says_hello(f"ws://127.0.0.1:{port}/")
    async with serve(echo, "127.0.0.1", port):
        assert await says_hello(f"ws://127.0.0.1:{port}/")


async def test_reuse_port_lets_two_listen() -> None:
    async with serve(echo, "127.0.0.1", 0, reuse_port=True) as server:
        async with serve(echo, "127.0.0.1", port_of(server), reuse_port=True):
            assert await says_hello(f"ws://127.0.0.1:{port_of(server)}/")


@pytest.mark.parametrize("port", [-1, 65536, 70000])
async def test_a_port_that_is_none_is_named(port: int) -> None:
    with pytest.raises(ValueError, match=f"port must be 0 to 65535, not {port}"):
        await serve(echo, "127.0.0.1", port)


@pytest.mark.parametrize("backlog", [-1, 2**31, 10**20])
@pytest.mark.parametrize("place", [{"host": "127.0.0.1"}, {"path": "/tmp/x"}])
def test_a_backlog_that_is_none_is_named(backlog: int, place: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=f"backlog must be 0 to 2147483647, not {backlog}"):
        serve(echo, **place, backlog=backlog)


async def test_the_largest_backlog() -> None:
    async with serve(echo, "127.0.0.1", 0, backlog=2**31 - 1) as server:
        assert await says_hello(uri_of(server))


async def test_a_host_that_is_not_ours() -> None:
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:0: "):
        await serve(echo, "192.0.2.1", 0)


async def test_a_family_that_is_not_there_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    original = socket.socket

    def without_ipv6(family: int = -1, *rest: Any, **more: Any) -> socket.socket:
        if family == socket.AF_INET6:
            raise OSError(errno.EAFNOSUPPORT, "Address family not supported by protocol")
        return original(family, *rest, **more)

    monkeypatch.setattr(socket, "socket", without_ipv6)
    sockets = await ports.Place(host=["::1", "127.0.0.1"], port=0, backlog=1).bind(listen=True)
    assert families(sockets) == [socket.AF_INET]
    for sock in sockets:
        sock.close()
    with pytest.raises(OSError, match="cannot listen on ::1: Address family not supported"):
        await ports.Place(host="::1", port=0, backlog=1).bind(listen=True)


async def test_a_port_free_on_one_address_only_is_not_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = ports._bound_socket
    refused: list[Any] = []

    def listen(family: int, address: tuple[str, int], *rest: Any) -> socket.socket:
        if address[0] == "127.0.0.1" and len(refused) < 3:
            refused.append(address)
            raise OSError(errno.EADDRINUSE, "taken meanwhile")
        return original(family, address, *rest)

    monkeypatch.setattr(ports, "_bound_socket", listen)
    sockets = await ports.Place(host=["::1", "127.0.0.1"], port=0, backlog=1).bind(listen=True)
    assert len(sockets) == 2
    assert len(refused) == 3
    for sock in sockets:
        sock.close()
    monkeypatch.setattr(ports, "_ATTEMPTS", 1)
    refused.clear()
    with pytest.raises(OSError, match="taken meanwhile"):
        await ports.Place(host=["::1", "127.0.0.1"], port=0, backlog=1).bind(listen=True)


# -- sockets of others ----------------------------------------------------------------------------


@pytest.mark.parametrize("listening", [False, True])
async def test_a_socket_of_the_caller(listening: bool) -> None:
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    if listening:
        sock.listen()
    async with serve(echo, sock=sock) as server:
        assert server.sockets == (sock,)
        assert await says_hello(f"ws://127.0.0.1:{port_of(server)}/")
    assert sock.fileno() == -1


async def test_a_socket_that_cannot_listen_is_closed() -> None:
    sock = socket.socket(type=socket.SOCK_DGRAM)
    with pytest.raises(OSError, match="not supported"):
        await serve(echo, sock=sock)
    assert sock.fileno() == -1


async def test_only_one_thing_says_where() -> None:
    with socket.socket() as sock:
        for place in (
            {"host": "127.0.0.1", "sock": sock},
            {"port": 1, "path": "/tmp/x"},
            {"path": "/tmp/x", "sock": sock},
        ):
            with pytest.raises(ValueError, match="only one says where to listen"):
                serve(echo, **place)  # type: ignore[arg-type]


# -- Unix sockets ---------------------------------------------------------------------------------


async def test_a_unix_socket(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    async with unix_serve(echo, path) as server:
        assert server.sockets[0].getsockname() == path
        assert await says_hello("ws://localhost/", path=path)
        async with connect("ws://localhost/", path=path) as ws:
            assert ws.remote_address == path


async def test_a_unix_socket_of_the_caller(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    sock = socket.socket(socket.AF_UNIX)
    sock.bind(path)
    async with unix_serve(echo, sock=sock):
        assert await says_hello("ws://localhost/", path=path)


def test_a_unix_socket_needs_a_path() -> None:
    with pytest.raises(TypeError, match=r"unix_serve\(\) needs a path"):
        unix_serve(echo)  # and never listens on every interface instead


async def test_a_stale_unix_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    async with serve(echo, path=path):
        assert await says_hello("ws://localhost/", path=path)


async def test_a_unix_socket_that_somebody_listens_on_is_taken(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(path)
        other.listen(0)
        with socket.socket(socket.AF_UNIX) as first, socket.socket(socket.AF_UNIX) as second:
            with pytest.raises(OSError, match=f"cannot listen on {path}: .*in use"):
                await serve(echo, path=path)
            for caller in (first, second):  # the backlog is full: nobody must wait for it
                caller.setblocking(False)
                caller.connect_ex(path)
            with pytest.raises(OSError, match="in use"):
                await serve(echo, path=path)


async def test_a_file_is_never_replaced_by_a_socket(tmp_path: Path) -> None:
    path = tmp_path / "precious"
    path.write_text("data")
    with pytest.raises(OSError, match=f"cannot listen on {path}: "):
        await serve(echo, path=str(path))
    assert path.read_text() == "data"


async def test_a_unix_socket_in_no_folder(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="cannot listen on"):
        await serve(echo, path=str(tmp_path / "nowhere" / "socket"))


# -- descriptors ----------------------------------------------------------------------------------


def test_descriptors_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    resource = pytest.importorskip("resource")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert ports.descriptors() == (2**31 if soft == resource.RLIM_INFINITY else soft)
    monkeypatch.setattr(resource, "getrlimit", lambda _: (resource.RLIM_INFINITY, 0))
    assert ports.descriptors() == 2**31
    monkeypatch.setitem(__import__("sys").modules, "resource", None)
    assert ports.descriptors() == 8192


async def test_nothing_is_left_open_when_serve_fails() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        port = port_of(server)
        before = set(os.listdir("/proc/self/fd"))
        for _ in range(3):
            with pytest.raises(OSError, match="in use"):
                await serve(echo, ["::1", "127.0.0.1"], port)
            with pytest.raises(ConnectionRefusedError):
                await connect("ws://127.0.0.1:1/")
        await asyncio.sleep(0)
        assert set(os.listdir("/proc/self/fd")) == before
