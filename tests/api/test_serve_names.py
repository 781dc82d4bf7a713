"""What `serve` and `Server` take and say under the names that `websockets` and asyncio use."""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from longlink import Connection, Request, Response, connect, serve, unix_connect, unix_serve
from tests.api.raw import FIN, TEXT, Raw, echo, idle, port_of, request, until, uri_of


async def test_a_server_may_start_later() -> None:
    async with serve(echo, "127.0.0.1", 0, start_serving=False) as server:
        assert not server.is_serving()
        with pytest.raises(ConnectionRefusedError):
            await connect(uri_of(server))
        await server.start_serving()
        await server.start_serving()
        assert server.is_serving()
        async with connect(uri_of(server)) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
    with pytest.raises(RuntimeError, match="closed"):
        await server.start_serving()
    await server.serve_forever()  # to the end, which was before
    assert not server.is_serving()


async def test_serve_forever_starts_a_server_that_has_not_started() -> None:
    server = await serve(echo, "127.0.0.1", 0, start_serving=False)
    forever = asyncio.create_task(server.serve_forever())
    await until(server.is_serving)
    async with connect(uri_of(server)):
        pass
    forever.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forever
    assert not server.is_serving()


async def test_a_server_that_never_started_gives_its_port_back() -> None:
    server = await serve(echo, "127.0.0.1", 0, start_serving=False)
    (sock,) = server.sockets
    server.close()
    await server.wait_closed()
    assert sock.fileno() == -1


async def test_an_address_that_was_taken_meanwhile_is_an_error_and_the_end() -> None:
    with socket.socket() as thief:
        thief.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server = await serve(echo, "127.0.0.1", 0, start_serving=False)
        thief.bind(server.sockets[0].getsockname())
        thief.listen()
        host, port = thief.getsockname()
        with pytest.raises(OSError, match=f"cannot listen on {host}:{port}: .*in use"):
            await server.start_serving()
        await server.wait_closed()
        assert len(server.sockets) == 0


async def test_one_family_only() -> None:
    async with serve(echo, "localhost", 0, family=socket.AF_INET) as server:
        assert [sock.family for sock in server.sockets] == [socket.AF_INET]


async def test_a_closed_server_has_no_sockets() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        assert len(server.sockets) == 1
        assert server.get_loop() is asyncio.get_running_loop()
    assert len(server.sockets) == 0


async def test_a_unix_socket_by_a_path_object(tmp_path: Path) -> None:
    place = tmp_path / "s"
    async with unix_serve(echo, place), unix_connect(str(place), "ws://localhost/") as ws:
        await ws.send("hello")
        assert await ws.recv() == "hello"


async def test_the_port_may_come_as_text() -> None:
    async with serve(echo, "127.0.0.1", "0") as server:
        async with serve(echo, "::1", str(port_of(server))) as same:
            assert port_of(same) == port_of(server)


class Counting(Connection):
    """A connection of the program's own."""

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        self.heard = 0

    def respond(self, status: int, text: str) -> Response:
        return super().respond(status, f"own {text}")


async def test_connections_may_be_of_the_program_s_own_class() -> None:
    async def count(ws: Any) -> None:
        async for message in ws:
            ws.heard += len(message)
            await ws.send(str(ws.heard))

    def judge(ws: Connection, asked: Request) -> Response | None:
        return ws.respond(200, "health") if asked.path == "/health" else None

    async with serve(
        count, "127.0.0.1", 0, create_connection=Counting, process_request=judge
    ) as server:
        async with connect(uri_of(server)) as ws:
            await ws.send("four")
            await ws.send("five")
            assert [await ws.recv(), await ws.recv()] == ["4", "8"]
            assert {type(connection) for connection in server.connections} == {Counting}
        raw = await Raw.connect(port_of(server))
        raw.send(request("/health"))
        status, _, body = await raw.answer()
        assert (status, body) == (200, b"own health")
        await raw.close()


async def test_connections_are_those_that_are_open() -> None:
    entered: list[Connection] = []
    async with serve(idle, "127.0.0.1", 0, on_open=entered.append) as server:
        async with Raw.open(server) as quiet, connect(uri_of(server)):
            await until(lambda: len(entered) == 2)
            assert server.connections == set(entered)
            entered[0].close()  # and never hears an answer
            assert server.connections == {entered[1]}
            assert await quiet.recv_close() == (1000, "")


async def test_clients_may_be_cut_off() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        clients = [await connect(uri_of(server)) for _ in range(3)]
        server.abort_clients()
        for ws in clients:
            await ws.wait_closed()
            assert ws.close_code == 1006
        assert server.is_serving()


async def test_tls_has_timeouts_of_its_own(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    patience: dict[str, Any] = {"ssl_handshake_timeout": 0.05, "ssl_shutdown_timeout": 0.05}
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls, **patience) as server:
        raw = await Raw.connect(port_of(server))
        assert await raw.end() == b""  # not after the ten seconds of open_timeout
        await raw.close()
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"


# -- hooks ----------------------------------------------------------------------------------------


async def test_a_plain_hook_costs_no_task() -> None:
    tasks: list[object] = []

    def judge(ws: Connection, asked: Request) -> None:
        tasks.append(asyncio.current_task())

    def review(ws: Connection, asked: Request, response: Response) -> None:
        tasks.append(asyncio.current_task())

    hooks: dict[str, Any] = {"process_request": judge, "process_response": review}
    async with serve(idle, "127.0.0.1", 0, **hooks) as server:
        async with connect(uri_of(server)):
            assert tasks == [None, None]
            assert server.reception.consulting == {}


async def before(ws: Connection, asked: Request) -> None:
    await asyncio.sleep(0)


async def after(ws: Connection, asked: Request, response: Response) -> None:
    await asyncio.sleep(0)


@pytest.mark.parametrize(
    "hooks",
    [
        {"process_request": lambda ws, asked: None},
        {"process_request": before},
        {"process_response": after},
        {"process_request": before, "process_response": after},
    ],
)
async def test_what_is_sent_while_hooks_think_is_kept(hooks: dict[str, Any]) -> None:
    async with serve(echo, "127.0.0.1", 0, **hooks) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        for number in range(100):
            raw.frame(FIN | TEXT, b"%d" % number)
            if number % 10 == 0:
                await asyncio.sleep(0)
        assert (await raw.head()).startswith("HTTP/1.1 101 ")
        for number in range(100):
            assert await raw.recv() == (FIN | TEXT, b"%d" % number)
        await raw.close()


async def test_a_plain_hook_may_close_the_server() -> None:
    async with serve(
        idle, "127.0.0.1", 0, process_request=lambda ws, asked: ws.owner.close()
    ) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        assert (await raw.head()).startswith("HTTP/1.1 503 ")
        await raw.close()
        await server.wait_closed()


async def test_a_plain_hook_that_asks_a_cancelled_future_is_500(
    caplog: pytest.LogCaptureFixture,
) -> None:
    cancelled = asyncio.get_running_loop().create_future()
    cancelled.cancel()
    async with serve(
        idle, "127.0.0.1", 0, process_request=lambda ws, asked: cancelled.result()
    ) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        assert (await raw.head()).startswith("HTTP/1.1 500 ")
        await raw.close()
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == [
        "opening handshake failed"
    ]


@pytest.mark.parametrize("hooks", [{"process_request": before}, {"process_response": after}])
async def test_a_server_that_closes_before_a_hook_began_leaves_no_coroutine(
    hooks: dict[str, Any],
) -> None:
    async with serve(idle, "127.0.0.1", 0, **hooks) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        await until(lambda: server.reception.consulting)
        server.close()
        await server.wait_closed()
        await raw.close()
