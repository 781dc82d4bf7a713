"""The calls on sockets: received, accepted, named, shut and closed."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def test_recv_fills_from_there_on(kernel: Any, pair: Pair) -> None:
    near, far = pair
    buffer = kernel.Buffer(10)
    far.send(b"abcd")
    assert kernel.recv(near.fileno(), buffer, 0) == 4
    far.send(b"efghijklm")
    assert kernel.recv(near.fileno(), buffer, 4) == 6
    assert buffer.copy(0, 10) == b"abcdefghij"
    assert buffer.size == 0
    assert kernel.recv(near.fileno(), buffer, 7) == 3
    assert buffer.copy(0, 10) == b"abcdefgklm"


def test_recv_tells_nothing_yet_from_the_end(kernel: Any, pair: Pair) -> None:
    near, far = pair
    buffer = kernel.Buffer(10)
    assert kernel.recv(near.fileno(), buffer, 0) == -errno.EAGAIN
    far.close()
    assert kernel.recv(near.fileno(), buffer, 0) == 0
    assert kernel.recv(-1, buffer, 0) == -errno.EBADF


@pytest.mark.parametrize("start", [10, 11, -1])
def test_no_room_is_not_the_end(kernel: Any, pair: Pair, start: int) -> None:
    pair[1].send(b"x")
    assert kernel.recv(pair[0].fileno(), kernel.Buffer(10), start) == -errno.ENOBUFS


def test_accept_gives_what_a_server_wants(kernel: Any, listener: socket.socket) -> None:
    assert kernel.accept(listener.fileno()) == -errno.EAGAIN
    with socket.create_connection(listener.getsockname()) as client:
        fd = kernel.accept(listener.fileno())
        assert fd >= 0
        with socket.socket(fileno=fd) as taken:
            assert not os.get_blocking(fd)
            assert not os.get_inheritable(fd)
            assert taken.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
            assert taken.getpeername() == client.getsockname()
    assert not listener.getblocking()
    assert listener.fileno() >= 0


def test_accept_from_a_path(kernel: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as client:
        listener.bind(path)
        listener.listen()
        client.connect(path)
        fd = kernel.accept(listener.fileno())
        assert not os.get_blocking(fd)
        assert kernel.sock_name(fd) == path
        assert kernel.peer_name(fd) == ""
        assert kernel.peer_name(client.fileno()) == path
        assert kernel.close(fd) == 0


def test_accept_from_what_does_not_listen(kernel: Any, pair: Pair) -> None:
    assert kernel.accept(-1) == -errno.EBADF
    assert kernel.accept(pair[0].fileno()) == -errno.EINVAL


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_names_have_the_shape_of_the_socket_module(kernel: Any, host: str) -> None:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, 0), family=family)
    except OSError:
        pytest.skip(f"this machine has no {host}")
    with listener, socket.create_connection(listener.getsockname()[:2]) as client:
        taken, _ = listener.accept()
        with taken:
            for sock in (client, taken):
                assert kernel.peer_name(sock.fileno()) == sock.getpeername()
                assert kernel.sock_name(sock.fileno()) == sock.getsockname()


@pytest.mark.parametrize(
    "name", [b"\0longlink-\xff\0-test", "longlink-é.sock"], ids=["abstract", "path"]
)
def test_names_of_local_sockets(
    kernel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str | bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as sock:
        assert kernel.sock_name(sock.fileno()) == sock.getsockname() == ""
        sock.bind(name)
        assert kernel.sock_name(sock.fileno()) == sock.getsockname() == name


def test_no_name_is_none(kernel: Any, listener: socket.socket) -> None:
    assert kernel.peer_name(listener.fileno()) is None
    assert kernel.peer_name(-1) is None
    assert kernel.sock_name(-1) is None


def test_shutdown_ends_our_side_alone(kernel: Any, pair: Pair) -> None:
    near, far = pair
    assert kernel.shutdown(near.fileno()) == 0
    assert far.recv(1) == b""
    far.send(b"still")
    assert near.recv(5) == b"still"
    assert kernel.shutdown(-1) == -errno.EBADF


def test_close_closes(kernel: Any, pair: Pair) -> None:
    near, far = pair
    fd = near.detach()
    assert kernel.close(fd) == 0
    assert far.recv(1) == b""
    assert kernel.close(fd) == -errno.EBADF


def test_shutting_what_was_never_connected(kernel: Any) -> None:
    with socket.socket() as lonely:
        assert kernel.shutdown(lonely.fileno()) == -errno.ENOTCONN


def test_a_packed_peer_says_the_same(kernel: Any, listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as client:
        fd = kernel.accept(listener.fileno())
        with socket.socket(fileno=fd):
            packed = kernel.packed_peer(fd)
            assert packed == 0x7F000001 << 16 | client.getsockname()[1]
            assert kernel.unpacked_peer(packed) == client.getsockname() == kernel.peer_name(fd)


def test_other_peers_are_packed_as_they_are(kernel: Any, pair: Pair) -> None:
    assert kernel.packed_peer(pair[0].fileno()) == kernel.peer_name(pair[0].fileno())
    assert kernel.packed_peer(-1) is None
    assert kernel.unpacked_peer(None) is None
    assert kernel.unpacked_peer(("::1", 5, 0, 0)) == ("::1", 5, 0, 0)


def test_what_is_corked_leaves_with_the_end(kernel: Any, listener: socket.socket) -> None:
    with socket.create_connection(listener.getsockname()) as client:
        with socket.socket(fileno=kernel.accept(listener.fileno())) as taken:
            assert kernel.cork(taken.fileno()) == 0
            taken.send(b"last")
            assert kernel.shutdown(taken.fileno()) == 0
            assert client.recv(9) == b"last"
            assert client.recv(9) == b""


def test_not_everything_has_a_cork(kernel: Any, pair: Pair) -> None:
    assert kernel.cork(pair[0].fileno()) < 0
    assert kernel.cork(-1) == -errno.EBADF


def test_an_empty_dictionary_is_forgotten(kernel: Any) -> None:
    class Thing:
        pass

    thing: Any = Thing()
    assert kernel.forget_dict(thing) == 0
    thing.name = "kept"
    assert kernel.forget_dict(thing) == 0
    assert thing.name == "kept"
    assert kernel.forget_dict(5) == 0
