"""Sockets that are passed on: by number, and as systemd does it."""

from __future__ import annotations

import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect, unix_connect

from longlink.server.descriptor import FIRST, adopt, passed_on
from tests.server.product import serving, soon

Run = Callable[..., Any]
Environment = dict[str, str]


@pytest.fixture
def listening() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        yield sock


STARTER = f"""
import os, sys
os.dup2(int(sys.argv[1]), {FIRST})
passed = {{"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}}
os.execve(sys.argv[2], sys.argv[2:], {{**os.environ, **passed}})
"""


def as_systemd_does(descriptor: int) -> dict[str, Any]:
    """How a process is started that finds this descriptor as its third, under its own number."""
    return {
        "through": (sys.executable, "-c", STARTER, str(descriptor)),
        "pass_fds": (descriptor,),
    }


async def test_a_descriptor_by_its_number(
    python_environment: Environment, listening: socket.socket
) -> None:
    number = listening.fileno()
    how = {"pass_fds": (number,)}
    async with serving(python_environment, "--fd", str(number), **how) as product:
        assert product.url == f"http://127.0.0.1:{listening.getsockname()[1]}/"
        async with connect(product.ws) as raw:
            await raw.send("hi")
            assert await soon(raw) == "hi"
        await product.stop()


async def test_the_socket_of_systemd_outlives_the_server(
    python_environment: Environment, listening: socket.socket
) -> None:
    how = as_systemd_does(listening.fileno())
    async with serving(python_environment, **how) as product:
        async with connect(product.ws) as raw:
            await raw.send("one")
            assert await soon(raw) == "one"
        await product.stop()
    with socket.create_connection(listening.getsockname()) as early:  # waits in the backlog
        early.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        async with serving(python_environment, **how) as product:
            async with connect(product.ws) as raw:
                await raw.send("two")
                assert await soon(raw) == "two"
            answer = b"".join(iter(lambda: early.recv(4096), b""))
            product.signal(signal.SIGTERM)
            assert (await product.end())[0] == 0
    assert answer.startswith(b"HTTP/1.1 200 OK")


async def test_a_unix_socket_that_was_passed_on_stays(
    python_environment: Environment, tmp_path: Path
) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(path)
        listening.listen()
        how = as_systemd_does(listening.fileno())
        async with serving(python_environment, **how) as product:
            assert f" serving on unix:{path}  " in product.banner
            async with unix_connect(path, "ws://localhost/") as raw:
                await raw.send("hi")
                assert await soon(raw) == "hi"
            await product.stop()
    assert os.path.exists(path)


async def test_a_port_beside_a_socket_of_systemd_is_refused(
    run: Run, python_environment: Environment
) -> None:
    through = ("sh", "-c", 'LISTEN_PID=$$ LISTEN_FDS=1 exec "$0" "$@"')
    code, out, log = await run("serve", "--port", "9", through=through)
    assert (code, out) == (2, "")
    assert log == [
        "longlink: the socket of LISTEN_FDS is instead of --host and --port, but --port was given"
    ]


async def test_what_does_not_listen_is_refused(run: Run) -> None:
    code, _, log = await run("serve", "--fd", "0")
    assert (code, len(log)) == (2, 1), log
    assert log[0].startswith("longlink: cannot serve on descriptor 0: ")


def test_programs_that_are_started_do_not_get_it(listening: socket.socket) -> None:
    with socket.socket(fileno=os.dup(listening.fileno())) as passed:
        passed.set_inheritable(True)
        adopted = adopt(passed.fileno())
        assert not adopted.get_inheritable()
        adopted.detach()


def test_only_one_that_listens_is_adopted() -> None:
    with (
        socket.socket() as silent,
        pytest.raises(ValueError, match="no TCP or UNIX socket that listens"),
    ):
        adopt(silent.fileno())
    with socket.socket(type=socket.SOCK_DGRAM) as datagrams:
        with pytest.raises(ValueError, match="no TCP or UNIX socket that listens"):
            adopt(datagrams.fileno())
        assert datagrams.getsockname()  # still open
    with pytest.raises(ValueError, match="cannot serve on descriptor 987654: Bad file descriptor"):
        adopt(987654)


def test_a_socket_that_listens_for_virtual_machines_is_refused() -> None:
    try:
        sock = socket.socket(socket.AF_VSOCK)
        sock.bind((socket.VMADDR_CID_ANY, socket.VMADDR_PORT_ANY))
    except (AttributeError, OSError) as problem:
        pytest.skip(f"no AF_VSOCK here: {problem}")
    with sock:
        sock.listen()
        with pytest.raises(ValueError, match="no TCP or UNIX socket that listens"):
            adopt(sock.fileno())


@pytest.mark.parametrize("number", ["0", "2", "x", ""])
def test_one_socket_is_served(number: str) -> None:
    with pytest.raises(ValueError, match="LISTEN_FDS must be 1"):
        passed_on({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": number})


def test_what_is_meant_for_another_process_is_left_alone() -> None:
    assert passed_on({"LISTEN_PID": "1", "LISTEN_FDS": "1"}) is None
    assert passed_on({}) is None
    assert passed_on({"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": "1"}) == FIRST
