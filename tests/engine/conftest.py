"""Servers to test, a clock to turn, and conditions to wait for."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

import longlink
import longlink.api.client
import longlink.api.server
from longlink.engine.agenda import agenda_of

from .meeting import Guests

Until = Callable[..., Awaitable[None]]


@pytest.fixture
def until() -> Until:
    """`await until(condition)`: let the loop run until it holds, or fail after 20 s."""

    async def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "this never became true"
            await asyncio.sleep(0)

    return until


class Clock:
    """The loop's clock with an offset; `turn` moves it and lets the wheel see what is due."""

    def __init__(self, loop: Any) -> None:
        self.offset = 0.0
        self.loop = loop
        real = loop.time
        loop.time = lambda: real() + self.offset

    def turn(self, seconds: float) -> None:
        self.offset += seconds
        agenda_of(self.loop).wheel.expire(self.loop.time())


@pytest.fixture
async def clock() -> Clock:
    """A clock for the engine on the running loop. Ask for it before anything connects."""
    return Clock(asyncio.get_running_loop())


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, require: Callable[[str], str]) -> Path:
    """A PEM file with a throw-away key and a certificate for localhost."""
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2"
    subject = "-subj /CN=localhost -addext subjectAltName=DNS:localhost"
    subprocess.run(
        [*command.split(), *subject.split(), "-keyout", path, "-out", path],
        check=True,
        capture_output=True,
    )
    return path


@pytest.fixture(scope="session")
def server_context(certificate: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    return context


@pytest.fixture(scope="session")
def client_context(certificate: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(certificate))


class Place:
    """Where sessions live: on the reactor, on asyncio transports, or under TLS."""

    def __init__(self, name: str, server: Any, client: Any) -> None:
        self.name = name
        self.server = server
        self.client = client

    @asynccontextmanager
    async def serve(self, handler: Any = None, **options: Any) -> AsyncIterator[Any]:
        """A server on a free port of 127.0.0.1, which has `address` and `uri`."""
        options.setdefault("close_timeout", 5)
        options.setdefault("backlog", 1024)
        scheme = "ws"
        if self.name == "tls":
            options["ssl"], scheme = self.server, "wss"
        served: Any
        async with longlink.serve(handler, "127.0.0.1", 0, **options) as served:
            served.address = served.sockets[0].getsockname()
            served.uri = f"{scheme}://localhost:{served.address[1]}/"
            yield served

    def connect(self, server: Any, **options: Any) -> Any:
        """Our own client, on the same kind of carrier."""
        if self.name == "tls":
            options.setdefault("ssl", self.client)
        return longlink.connect(server.uri, host="127.0.0.1", **options)


@pytest.fixture
def link() -> Place:
    """Sessions on the reactor."""
    return Place("link", None, None)


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Place:
    """Sessions on asyncio transports, as where there is no epoll."""
    monkeypatch.setattr(longlink.api.server, "AVAILABLE", False)
    monkeypatch.setattr(longlink.api.client, "AVAILABLE", False)
    return Place("stream", None, None)


@pytest.fixture
def tls(server_context: ssl.SSLContext, client_context: ssl.SSLContext) -> Place:
    """Sessions under TLS."""
    return Place("tls", server_context, client_context)


@pytest.fixture(params=["link", "stream"])
def plain(request: pytest.FixtureRequest) -> Place:
    """Both carriers that a raw client can talk to."""
    place: Place = request.getfixturevalue(request.param)
    return place


@pytest.fixture(params=["link", "stream", "tls"])
def place(request: pytest.FixtureRequest) -> Place:
    """Every carrier."""
    place: Place = request.getfixturevalue(request.param)
    return place


@pytest.fixture
def guests() -> Guests:
    return Guests()


@pytest.fixture(autouse=True)
async def nothing_left(until: Until) -> AsyncIterator[None]:
    """After every test: no task, no engine on the loop."""
    yield
    agenda = agenda_of(asyncio.get_running_loop())
    await until(lambda: agenda.users == 0)
    assert not agenda.strays
    agenda.retire()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    assert not others, others
