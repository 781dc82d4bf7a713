"""A server: handlers and callbacks, who is let in, how it ends."""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import re
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

from longlink import (
    SAME_HOST,
    Connection,
    ConnectionClosedError,
    ConnectionClosedOK,
    Headers,
    InvalidStatus,
    LocalProtocolError,
    NegotiationError,
    Request,
    Response,
    Server,
    State,
    UnknownLimit,
    __version__,
    broadcast,
    connect,
    serve,
    unix_serve,
)
from tests.api.raw import (
    CLOSE,
    FIN,
    TEXT,
    Raw,
    echo,
    frame,
    header_of,
    idle,
    port_of,
    request,
    until,
    uri_of,
)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def refused(server: Server, **headers: Any) -> tuple[int, str, str]:
    """Status, head and body of the answer to a request with these headers; then TCP ends."""
    raw = await Raw.connect(port_of(server))
    raw.send(request(**headers))
    status, head, body = await raw.answer()
    if status != 101:
        assert await raw.end() == b""
    await raw.close()
    return status, head, body.decode()


# -- both styles ----------------------------------------------------------------------------------


async def test_a_handler_has_the_connection_for_itself() -> None:
    async with serve(echo, "127.0.0.1", 0) as server, connect(uri_of(server)) as ws:
        await ws.send("one")
        await ws.send(b"two")
        assert [await ws.recv(), await ws.recv()] == ["one", b"two"]


async def test_serve_may_be_awaited() -> None:
    server = await serve(echo, "127.0.0.1", 0)
    assert server.is_serving()
    async with connect(uri_of(server)) as ws:
        await ws.send("x")
        assert await ws.recv() == "x"
    server.close()
    await server.wait_closed()
    assert not server.is_serving()


async def test_a_server_that_was_awaited_can_be_a_block_too() -> None:
    async with await serve(echo, "127.0.0.1", 0) as server:
        async with connect(uri_of(server)):
            pass
    assert not server.is_serving()
    starting = serve(echo, "127.0.0.1", 0)
    server = await starting
    async with starting as same:
        assert same is server


async def test_callbacks_see_everything_in_order() -> None:
    seen: list[Any] = []

    def note_and_echo(ws: Connection, message: str | bytes) -> None:
        seen.append(message)
        ws.send(message)

    async with serve(
        host="127.0.0.1",
        port=0,
        on_open=lambda ws: seen.append(("open", ws.state)),
        on_message=note_and_echo,
        on_close=lambda ws: seen.append(("close", ws.state, ws.close_code, ws.close_reason)),
    ) as server:
        async with connect(uri_of(server)) as ws:
            for message in ("one", b"two"):
                await ws.send(message)
                assert await ws.recv() == message
            await ws.close(4000, "enough")
    assert seen == [("open", State.OPEN), "one", b"two", ("close", State.CLOSED, 4000, "enough")]


async def test_messages_sent_with_the_handshake_come_after_on_open() -> None:
    seen: list[Any] = []
    async with serve(
        host="127.0.0.1",
        port=0,
        on_open=lambda ws: seen.append("open"),
        on_message=lambda ws, message: seen.append(message),
    ) as server:
        raw = await Raw.connect(port_of(server))
        hello = frame(FIN | TEXT, b"at once")
        raw.send(request().encode() + hello + frame(FIN | CLOSE, b"\x03\xe8"))
        assert "101" in await raw.head()
        assert await raw.recv_close() == (1000, "")
        await raw.close()
    assert seen == ["open", "at once"]


async def test_handler_and_on_open_and_on_close_go_together() -> None:
    seen: list[str] = []
    async with serve(
        echo,
        "127.0.0.1",
        0,
        on_open=lambda ws: seen.append("open"),
        on_close=lambda ws: seen.append("close"),
    ) as server:
        async with connect(uri_of(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"
    assert seen == ["open", "close"]


async def test_who_only_pushes_need_not_listen() -> None:
    async with serve(host="127.0.0.1", port=0) as server:
        async with connect(uri_of(server)) as ws:
            for _ in range(100):
                await ws.send("nobody listens")
            await (await ws.ping())
            broadcast(server.connections, "pushed")
            assert await ws.recv() == "pushed"
            await ws.close()
            assert ws.close_code == 1000


async def test_a_callback_may_close_its_own_and_other_connections() -> None:
    box: list[Connection] = []

    def close_all(ws: Connection, message: str | bytes) -> None:
        for each in box:
            each.close(4000, str(message))
            each.close(4001)

    async with serve(host="127.0.0.1", port=0, on_open=box.append, on_message=close_all) as server:
        async with connect(uri_of(server)) as one, connect(uri_of(server)) as two:
            await one.send("over")
            await asyncio.gather(one.wait_closed(), two.wait_closed())
            assert [one.close_code, two.close_code] == [4000, 4000]
            assert [one.close_reason, two.close_reason] == ["over", "over"]


async def test_on_open_may_close_at_once() -> None:
    async with serve(echo, "127.0.0.1", 0, on_open=lambda ws: ws.close(4000)) as server:
        async with connect(uri_of(server)) as ws:
            await ws.wait_closed()
            assert ws.close_code == 4000


async def test_a_flood_of_callbacks_waits_for_a_reader_that_does_not_read() -> None:
    box: list[Connection] = []
    async with serve(
        host="127.0.0.1",
        port=0,
        on_open=box.append,
        on_message=lambda ws, message: ws.send(message),
    ) as server:
        async with Raw.open(server) as raw:
            raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
            for _ in range(400):
                raw.send(frame(FIN | 2, b"x" * 65536))
            await until(lambda: box[0].session.paused)
            raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
            for _ in range(400):
                assert await raw.recv() == (FIN | 2, b"x" * 65536)


# -- what is refused before anything listens ------------------------------------------------------


class AsyncCallable:
    async def __call__(self, *arguments: Any) -> None: ...


async def coroutine(*arguments: Any) -> None: ...


OURS = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)


@pytest.mark.parametrize("name", ["on_open", "on_message", "on_close"])
@pytest.mark.parametrize(
    "callback", [coroutine, functools.partial(coroutine, 1), AsyncCallable(), 5]
)
def test_a_callback_must_be_a_plain_function(name: str, callback: Any) -> None:
    with pytest.raises(TypeError, match=f"{name} must be a"):
        serve(host="127.0.0.1", port=0, **{name: callback})


@pytest.mark.parametrize(
    ("given", "kind", "match"),
    [
        ({"handler": echo, "on_message": print}, TypeError, "not to both"),
        ({"handler": "localhost"}, TypeError, "handler must be a function, not str"),
        ({"handler": echo, "max_sise": 5}, UnknownLimit, "'max_sise'; did you mean 'max_size'"),
        ({"handler": echo, "xyzzy": 5}, UnknownLimit, "known: open_timeout, "),
        ({"handler": echo, "max_size": -1}, ValueError, "max_size must be greater than 0"),
        ({"handler": echo, "max_size": "1"}, ValueError, "max_size must be a number, not '1'"),
        ({"handler": echo, "max_size": True}, ValueError, "max_size must be a number, not True"),
        ({"handler": echo, "ping_interval": 0}, ValueError, "ping_interval must be greater"),
        ({"handler": echo, "open_timeout": float("nan")}, ValueError, "open_timeout must be"),
        ({"handler": echo, "write_limit": None}, ValueError, "write_limit cannot be switched off"),
        ({"handler": echo, "overflow": "block"}, ValueError, "'close' or 'drop', not 'block'"),
        ({"handler": echo, "origins": "http://a"}, TypeError, "origins"),
        ({"handler": echo, "origins": [5]}, TypeError, "origin 5"),
        ({"handler": echo, "subprotocols": "chat"}, TypeError, "subprotocols"),
        ({"handler": echo, "hosts": "a.example"}, TypeError, "hosts"),
        ({"handler": echo, "hosts": ["a^b"]}, ValueError, "a^b"),
        ({"handler": echo, "subprotocols": ["a b"]}, ValueError, "a b"),
        ({"handler": echo, "subprotocols": ["a", "a"]}, ValueError, "different names"),
        ({"handler": echo, "server_header": "a\r\nb"}, ValueError, "Server"),
        ({"handler": echo, "process_request": 3}, TypeError, "process_request must be a function"),
        ({"handler": echo, "process_response": ""}, TypeError, "process_response must be a"),
        ({"handler": echo, "select_subprotocol": "a"}, TypeError, "select_subprotocol must be a"),
        ({"handler": echo, "create_connection": "C"}, TypeError, "create_connection must be a"),
        ({"handler": echo, "http": "app:app"}, TypeError, "http must be a function, not str"),
        ({"handler": echo, "logger": "x"}, TypeError, "logger must be a logging.Logger, not 'x'"),
        ({"handler": echo, "logger": ""}, TypeError, "logger must be a logging.Logger, not ''"),
        ({"handler": echo, "origins": [re.compile(b"")]}, TypeError, "a pattern of strings"),
        ({"handler": echo, "port": "80a"}, TypeError, "port must be a number, not '80a'"),
        ({"handler": echo, "port": 8.5}, TypeError, "port must be a number, not 8.5"),
        ({"handler": echo, "ssl": "cert.pem"}, TypeError, "ssl must be an ssl.SSLContext, not 'ce"),
        ({"handler": echo, "ssl": True}, TypeError, "ssl must be an ssl.SSLContext, not True"),
        ({"handler": echo, "ssl": ssl.create_default_context()}, ValueError, "for clients"),
        ({"handler": echo, "ssl_handshake_timeout": 1}, ValueError, "needs ssl"),
        ({"handler": echo, "ssl_shutdown_timeout": 1}, ValueError, "needs ssl"),
        ({"handler": echo, "ssl": OURS, "ssl_handshake_timeout": 0}, ValueError, "greater than 0"),
        ({"handler": echo, "ssl": OURS, "ssl_shutdown_timeout": -1}, ValueError, "greater than 0"),
    ],
)
def test_a_bad_argument_is_named(given: dict[str, Any], kind: type[Exception], match: str) -> None:
    with pytest.raises(kind, match=re.escape(match)):
        serve(**given)


def test_limits_stand_in_the_docstrings() -> None:
    for function in (serve, connect):
        assert function.__doc__ is not None
        assert "max_size = 1048576 (bytes)" in function.__doc__


# -- the opening handshake ------------------------------------------------------------------------


async def test_a_plain_request_without_an_application_gets_426() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        status, head, body = await refused(server, Upgrade=None, Connection=None)
        assert status == 426
        assert header_of(head, "upgrade") == "websocket"
        assert header_of(head, "date") is not None
        assert header_of(head, "server") == f"longlink/{__version__}"
        assert "close" in str(header_of(head, "connection"))
        assert body.endswith("\n")


@pytest.mark.parametrize("answered", [False, True])
async def test_the_server_header_may_be_left_out(answered: bool) -> None:
    async with serve(echo, "127.0.0.1", 0, server_header=None) as server:
        _, head, _ = await refused(server, **({} if answered else {"Upgrade": None}))
        assert header_of(head, "server") is None
    async with serve(echo, "127.0.0.1", 0, server_header="mine/1") as server:
        _, head, _ = await refused(server)
        assert header_of(head, "server") == "mine/1"


@pytest.mark.parametrize(
    ("origins", "origin", "status"),
    [
        (SAME_HOST, None, 101),
        (SAME_HOST, "http://127.0.0.1", 101),
        (SAME_HOST, "https://127.0.0.1:9999", 101),
        (SAME_HOST, "http://evil.example", 403),
        (SAME_HOST, "null", 403),
        (None, "http://evil.example", 101),
        (["https://good.example"], "https://good.example", 101),
        (["https://good.example"], "https://evil.example", 403),
        (["https://good.example"], None, 403),
        (["https://good.example", None], None, 101),
        ([re.compile(r"https://\w+\.example")], "https://any.example", 101),
        ([re.compile(r"https://\w+\.example")], "https://any.example.com", 403),
        ([], "http://127.0.0.1", 403),
    ],
)
async def test_origins(origins: Any, origin: str | None, status: int) -> None:
    async with serve(idle, "127.0.0.1", 0, origins=origins) as server:
        assert (await refused(server, Origin=origin))[0] == status


async def test_the_same_host_is_the_default() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri_of(server), origin="http://evil.example")
        assert caught.value.status == 403
        async with connect(uri_of(server), origin=f"http://127.0.0.1:{port_of(server)}"):
            pass


async def test_hosts() -> None:
    async with serve(idle, "127.0.0.1", 0, hosts=["good.example"]) as server:
        assert (await refused(server, Host="good.example"))[0] == 101
        assert (await refused(server, Host="rebound.example"))[0] == 421


@pytest.mark.parametrize(
    ("offered", "chosen"),
    [
        (None, None),
        ("chat", "chat"),
        ("b, chat", "chat"),
        ("CHAT", None),
        ("b, superchat", "superchat"),
    ],
)
async def test_subprotocols(offered: str | None, chosen: str | None) -> None:
    async with serve(idle, "127.0.0.1", 0, subprotocols=["chat", "superchat"]) as server:
        _, head, _ = await refused(server, Sec_WebSocket_Protocol=offered)
        assert header_of(head, "sec-websocket-protocol") == chosen


async def test_select_subprotocol_decides() -> None:
    def select(ws: Connection, offered: Sequence[str]) -> str | None:
        assert ws.state is State.CONNECTING
        if not offered:
            raise NegotiationError("no subprotocol offered")
        return offered[-1] if offered[0] == "last" else None

    async with serve(idle, "127.0.0.1", 0, select_subprotocol=select) as server:
        async with connect(uri_of(server), subprotocols=["last", "b", "c"]) as ws:
            assert ws.subprotocol == "c"
        async with connect(uri_of(server), subprotocols=["a"]) as ws:
            assert ws.subprotocol is None
        status, _, body = await refused(server)
        assert (status, body) == (400, "no subprotocol offered\n")


@pytest.mark.parametrize("hooked", [False, True])
async def test_a_hook_that_raises_is_500_and_logged_once(
    caplog: pytest.LogCaptureFixture, hooked: bool
) -> None:
    def select(ws: Connection, offered: Sequence[str]) -> str | None:
        raise LookupError("a bug")

    hooks: dict[str, Any] = {"process_request": lambda ws, request: None} if hooked else {}
    async with serve(idle, "127.0.0.1", 0, select_subprotocol=select, **hooks) as server:
        assert (await refused(server))[0] == 500
    assert errors(caplog) == ["opening handshake failed"]


def plain(hook: Any) -> Any:
    return hook


def waiting(hook: Any) -> Any:
    async def later(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        return hook(*arguments)

    return later


@pytest.mark.parametrize("colour", [plain, waiting])
async def test_process_request_answers_or_lets_in(colour: Any) -> None:
    def judge(ws: Connection, asked: Request) -> Response | None:
        assert ws.request is asked
        assert ws.response is None
        if asked.path == "/health":
            return ws.respond(200, "OK\n")
        if asked.path == "/secret":
            response = Response(401, "Unauthorized", Headers(), b"who?")
            response.headers["WWW-Authenticate"] = "Basic"
            return response
        ws.username = "ann"
        return None

    async def greet(ws: Connection) -> None:
        await ws.send(f"hello {ws.username}")

    async with serve(greet, "127.0.0.1", 0, process_request=colour(judge)) as server:
        async with connect(uri_of(server)) as ws:
            assert await ws.recv() == "hello ann"
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri_of(server, "/secret"))
        assert (caught.value.status, caught.value.body) == (401, b"who?")
        assert caught.value.headers["WWW-Authenticate"] == "Basic"
        raw = await Raw.connect(port_of(server))
        raw.send("GET /health HTTP/1.1\r\nHost: a\r\n\r\n")
        status, _, body = await raw.answer()
        assert (status, body) == (200, b"OK\n")
        assert await raw.end() == b""
        await raw.close()


async def test_a_hook_may_close_the_connection_that_is_not_open_yet() -> None:
    async with serve(
        idle, "127.0.0.1", 0, process_request=lambda ws, asked: no_answer(ws)
    ) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        assert await raw.end() == b""
        await raw.close()
        assert server.connections == set()


def no_answer(ws: Connection) -> None:
    ws.close()


@pytest.mark.parametrize("colour", [plain, waiting])
async def test_process_response_sees_and_changes_every_answer(colour: Any) -> None:
    seen: list[int] = []

    def change(ws: Connection, asked: Request, response: Response) -> Response | None:
        seen.append(response.status_code)
        response.headers["X-Seen"] = asked.path
        if asked.path == "/teapot":
            return Response(418, "I'm a teapot", Headers(), b"short and stout")
        return None

    async with serve(idle, "127.0.0.1", 0, process_response=colour(change)) as server:
        async with connect(uri_of(server, "/open")) as ws:
            assert ws.response is not None
            assert ws.response.headers["X-Seen"] == "/open"
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri_of(server, "/teapot"))
        assert (caught.value.status, caught.value.body) == (418, b"short and stout")
        status, head, _ = await refused(server, Origin="http://evil.example")
        assert (status, header_of(head, "x-seen")) == (403, "/")
    assert seen == [101, 101, 403]


@pytest.mark.parametrize("colour", [plain, waiting])
@pytest.mark.parametrize("name", ["process_request", "process_response"])
async def test_a_process_hook_that_raises_is_500(
    colour: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*arguments: Any) -> None:
        raise LookupError("a bug")

    async with serve(idle, "127.0.0.1", 0, **{name: colour(fail)}) as server:
        assert (await refused(server))[0] == 500
        assert server.connections == set()
    assert errors(caplog) == ["opening handshake failed"]
    assert "LookupError: a bug" in caplog.text


@pytest.mark.parametrize(
    "response", [("200", "legacy"), Response(200, "a\r\nb"), Response(100, "Continue"), 5]
)
async def test_a_process_hook_that_answers_nonsense_is_500(
    response: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(idle, "127.0.0.1", 0, process_request=lambda *_: response) as server:
        assert (await refused(server))[0] == 500
    assert errors(caplog) == ["opening handshake failed"]


async def test_a_hook_that_takes_too_long_is_cancelled_and_503() -> None:
    cancelled = asyncio.Event()

    async def sleep(ws: Connection, asked: Request) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(idle, "127.0.0.1", 0, process_request=sleep, open_timeout=0.05) as server:
        assert (await refused(server))[0] == 503
        await cancelled.wait()


async def test_a_client_that_leaves_while_a_hook_thinks_is_not_let_in() -> None:
    asked, answer = asyncio.Event(), asyncio.Event()
    box: list[Connection] = []

    async def think(ws: Connection, request: Request) -> None:
        asked.set()
        await answer.wait()

    async with serve(idle, "127.0.0.1", 0, process_request=think, on_open=box.append) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request())
        await asked.wait()
        raw.reset()
        await until(lambda: not server.agenda.strays)
        answer.set()
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert box == []


async def test_an_opening_handshake_that_drips_is_408_and_one_that_says_nothing_is_dropped() -> (
    None
):
    async with serve(idle, "127.0.0.1", 0, open_timeout=0.05) as server:
        drip, silent = await Raw.connect(port_of(server)), await Raw.connect(port_of(server))
        drip.send("GET / HT")
        status, head, _ = await drip.answer()
        assert status == 408
        assert header_of(head, "connection") == "close"
        assert await drip.end() == b""
        assert await silent.end() == b""
        await drip.close()
        await silent.close()


async def test_who_says_nothing_costs_a_descriptor_for_open_timeout_and_no_longer() -> None:
    async with serve(idle, "127.0.0.1", 0, open_timeout=0.05, close_timeout=1000) as server:
        silent = await Raw.connect(port_of(server))
        await until(lambda: server.agenda.strays)
        await until(lambda: not server.agenda.strays)  # though the client closes nothing
        await silent.close()


async def test_max_connections_is_503_and_nothing_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with serve(idle, "127.0.0.1", 0, max_connections=2) as server:
        async with connect(uri_of(server)), connect(uri_of(server)) as second:
            with pytest.raises(InvalidStatus) as caught:
                await connect(uri_of(server))
            assert (caught.value.status, caught.value.body) == (503, b"too many connections\n")
            await second.close()
            async with connect(uri_of(server)):
                assert len(server.connections) == 2
    assert errors(caplog) == []


async def test_by_default_64_descriptors_are_kept(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("longlink.api.server.descriptors", lambda: 64 + 1)
    async with serve(idle, "127.0.0.1", 0) as server, connect(uri_of(server)) as first:
        with pytest.raises(InvalidStatus) as caught:
            await connect(uri_of(server))
        assert (caught.value.status, caught.value.body) == (503, b"too many connections\n")
        await first.close()
        async with connect(uri_of(server)):
            assert len(server.connections) == 1
    assert errors(caplog) == []


def refusals(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    """Level and text of what the log says of refusals."""
    return [
        (record.levelname, record.getMessage())
        for record in caplog.records
        if record.name == "longlink.server" and " refused: " in record.getMessage()
    ]


@pytest.mark.parametrize("hooked", [False, True])
@pytest.mark.parametrize(
    ("headers", "level", "reason"),
    [
        (
            {"Origin": "http://evil.example"},
            "INFO",
            "403 invalid header 'Origin': 'http://evil.example', expected a page of the same host",
        ),
        (
            {"Host": "evil.example"},
            "INFO",
            "421 invalid header 'Host': 'evil.example', expected a host that is served here",
        ),
        (
            {"Sec_WebSocket_Key": "x"},
            "DEBUG",
            "400 invalid header 'Sec-WebSocket-Key': 'x', expected base64 of 16 octets",
        ),
        ({"Upgrade": None}, "DEBUG", "426 missing header 'Upgrade', expected websocket"),
    ],
)
async def test_a_refusal_is_one_line(
    hooked: bool,
    headers: dict[str, Any],
    level: str,
    reason: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    hooks: dict[str, Any] = {"process_request": lambda ws, request: None} if hooked else {}
    async with serve(idle, "127.0.0.1", 0, hosts=["127.0.0.1"], **hooks) as server:
        await refused(server, **headers)
    assert refusals(caplog) == [(level, f"127.0.0.1 refused: {reason}")]


@pytest.mark.parametrize(
    ("level", "lines"), [(logging.DEBUG, 1), (logging.INFO, 1), (logging.WARNING, 0)]
)
async def test_refusals_are_at_info(
    level: int, lines: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(level)
    async with serve(idle, "127.0.0.1", 0, max_connections=1) as server:
        async with connect(uri_of(server)):
            assert (await refused(server))[0] == 503
    line = ("INFO", "127.0.0.1 refused: 503 too many connections")
    assert refusals(caplog) == [line] * lines


@pytest.mark.parametrize(
    ("status", "kind", "body", "line"),
    [
        (200, "text/plain", b"fine", ("DEBUG", "200 fine")),
        (401, "text/plain", b"who?\nreally", ("INFO", "401 who?")),
        (401, "text/plain", b"", ("INFO", "401 Why")),
        (401, "text/html", b"<p>no", ("INFO", "401 Why")),
        (401, None, b"no", ("INFO", "401 Why")),
        (
            401,
            "text/plain",
            "\x1b[2J\u202e\u4e2d\r".encode(),
            ("INFO", "401 \\x1b[2J\\u202e\u4e2d\\r"),
        ),
        (401, "text/plain", b"x" * 1000, ("INFO", "401 " + "x" * 400)),
    ],
)
async def test_what_the_application_answers_is_logged_escaped_and_short(
    status: int,
    kind: str | None,
    body: bytes,
    line: tuple[str, str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)

    def answer(ws: Connection, asked: Request) -> Response:
        headers = Headers({"Content-Type": kind} if kind else ())
        return Response(status, "Why", headers, body)

    async with serve(idle, "127.0.0.1", 0, process_request=answer) as server:
        assert (await refused(server))[0] == status
    assert refusals(caplog) == [(line[0], f"127.0.0.1 refused: {line[1]}")]


async def test_a_refusal_on_a_unix_socket_and_by_tls_says_who(
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
    server_tls: ssl.SSLContext,
    client_tls: ssl.SSLContext,
) -> None:
    caplog.set_level(logging.INFO)
    path = str(tmp_path / "socket")
    async with (
        serve(idle, path=path, origins=["x"]),
        serve(idle, "127.0.0.1", 0, ssl=server_tls, origins=["x"]) as server,
    ):
        with pytest.raises(InvalidStatus):
            await connect("ws://localhost/", path=path)
        with pytest.raises(InvalidStatus):
            await connect(uri_of(server, scheme="wss"), ssl=client_tls)
    reason = "refused: 403 missing header 'Origin', expected one of those allowed"
    assert refusals(caplog) == [("INFO", f"unix {reason}"), ("INFO", f"127.0.0.1 {reason}")]


async def test_max_connections_holds_when_hooks_take_their_time() -> None:
    go = asyncio.Event()

    async def think(ws: Connection, request: Request) -> None:
        await go.wait()

    async with serve(idle, "127.0.0.1", 0, process_request=think, max_connections=1) as server:
        both = [asyncio.create_task(connect(uri_of(server))._open()) for _ in range(2)]
        await until(lambda: len(server.reception.consulting) == 2)
        go.set()
        results = await asyncio.gather(*both, return_exceptions=True)
        assert sorted(type(each).__name__ for each in results) == ["Connection", "InvalidStatus"]


# -- what goes wrong in handlers and callbacks ----------------------------------------------------


async def test_a_handler_that_raises_fails_its_connection_only(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def fragile(ws: Connection) -> None:
        async for message in ws:
            if message == "break":
                raise LookupError("a bug")
            await ws.send(message)

    async with serve(fragile, "127.0.0.1", 0) as server:
        async with connect(uri_of(server)) as bad, connect(uri_of(server)) as good:
            await bad.send("break")
            with pytest.raises(ConnectionClosedError) as caught:
                await bad.recv()
            assert caught.value.code == 1011
            assert caught.value.reason == ""
            await good.send("fine")
            assert await good.recv() == "fine"
    (record,) = [each for each in caplog.records if each.levelno >= logging.WARNING]
    assert record.name == "longlink.server"
    assert record.getMessage().startswith("connection handler failed")
    assert "LookupError: a bug" in caplog.text


@pytest.mark.parametrize("name", ["on_open", "on_message", "on_close"])
@pytest.mark.parametrize("problem", [LookupError("a bug"), asyncio.CancelledError("of another")])
async def test_a_callback_that_raises_fails_its_connection_only(
    name: str, problem: BaseException, caplog: pytest.LogCaptureFixture
) -> None:
    bad: list[Connection] = []

    def fail(ws: Connection, *message: Any) -> None:
        if not bad or ws in bad:
            bad.append(ws)
            raise problem
        if message:
            ws.send(message[0])

    callbacks: dict[str, Any] = {"on_message": lambda ws, message: ws.send(message), name: fail}
    async with serve(host="127.0.0.1", port=0, **callbacks) as server:
        async with connect(uri_of(server)) as broken:
            if name == "on_message":
                await broken.send("break")
            if name == "on_close":
                await broken.close()
            await broken.wait_closed()
            assert broken.close_code == (1000 if name == "on_close" else 1011)
        async with connect(uri_of(server)) as good:
            await good.send("fine")
            assert await good.recv() == "fine"
    assert [text.partition(" failed on ")[0] for text in errors(caplog)] == [name]


async def test_a_peer_that_left_is_no_error_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def in_a_group(ws: Connection) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(push(ws))
            group.create_task(talk(ws))

    async def push(ws: Connection) -> None:
        await ws.wait_closed()
        await ws.send("too late")

    async def talk(ws: Connection) -> None:
        while True:
            await ws.recv()

    for handler in (talk, in_a_group):
        async with serve(handler, "127.0.0.1", 0) as server:
            async with Raw.open(server) as raw:
                raw.frame(FIN | TEXT, b"x")
                raw.reset()
            await until(lambda: not server.connections)
    async with serve(
        host="127.0.0.1", port=0, on_open=vanish, on_message=vanish, on_close=vanish
    ) as server:
        async with connect(uri_of(server)) as ws:
            await ws.send("x")
    assert errors(caplog) == []
    assert "connection handler ended" in caplog.text


def vanish(*arguments: Any) -> None:
    raise ConnectionClosedOK(None, None)


async def test_a_handler_that_was_cancelled_leaves_no_connection_behind() -> None:
    async def cancelled(ws: Connection) -> None:
        await ws.recv()
        raise asyncio.CancelledError

    async with serve(cancelled, "127.0.0.1", 0) as server, connect(uri_of(server)) as ws:
        await ws.send("x")
        await ws.wait_closed()
        assert ws.close_code == 1011


async def test_the_end_of_a_handler_closes_its_connection() -> None:
    async def greet(ws: Connection) -> None:
        await ws.send("hello")
        await ws.send("bye")

    async with serve(greet, "127.0.0.1", 0) as server, connect(uri_of(server)) as ws:
        assert [message async for message in ws] == ["hello", "bye"]
        await ws.wait_closed()
        assert ws.close_code == 1000


async def test_a_logger_of_the_caller_is_used(caplog: pytest.LogCaptureFixture) -> None:
    async def fail(ws: Connection) -> None:
        raise LookupError

    logger = logging.LoggerAdapter(logging.getLogger("mine"), {"extra": 1})
    async with serve(fail, "127.0.0.1", 0, logger=logger) as server:
        async with connect(uri_of(server)) as ws:
            await ws.wait_closed()
    assert {record.name for record in caplog.records if record.levelno >= logging.ERROR} == {"mine"}


async def test_another_thread_may_send_by_way_of_the_loop() -> None:
    async with serve(idle, "127.0.0.1", 0) as server, connect(uri_of(server)) as ws:
        (ours,) = server.connections
        loop = asyncio.get_running_loop()
        await asyncio.to_thread(lambda: loop.call_soon_threadsafe(ours.send, "from a thread"))
        assert await ws.recv() == "from a thread"


async def test_a_message_over_the_limit_is_1009_for_its_sender() -> None:
    async with serve(echo, "127.0.0.1", 0, max_size=1000) as server:
        async with connect(uri_of(server)) as bad, connect(uri_of(server)) as good:
            await good.send(b"x" * 1000)
            assert await good.recv() == b"x" * 1000
            await bad.send(b"x" * 1001)
            with pytest.raises(ConnectionClosedError) as caught:
                await bad.recv()
            assert caught.value.code == 1009
            assert "max_size" in caught.value.reason
            await good.send("unharmed")
            assert await good.recv() == "unharmed"


# -- the end of a server --------------------------------------------------------------------------


async def test_a_server_says_where_it_is_and_how_many_are_there(tmp_path: Path) -> None:
    async with serve(idle, ["127.0.0.1", "::1"], 0) as server:
        port = port_of(server)
        assert repr(server) == f"<Server 127.0.0.1:{port} [::1]:{port}, 0 connected>"
        async with Raw.open(server):
            assert repr(server) == f"<Server 127.0.0.1:{port} [::1]:{port}, 1 connected>"
            server.close()
            await asyncio.sleep(0)
            assert repr(server) == "<Server closing, 1 connected>"
    assert repr(server) == "<Server closed>"
    async with unix_serve(idle, tmp_path / "socket") as server:
        assert repr(server) == f"<Server {tmp_path}/socket, 0 connected>"


async def test_connections_are_those_that_are_there() -> None:
    async with serve(idle, "127.0.0.1", 0) as server, AsyncExitStack() as stack:
        assert server.connections == set()
        clients = [await stack.enter_async_context(connect(uri_of(server))) for _ in range(5)]
        connections = server.connections
        assert len(connections) == 5
        connections.clear()
        await clients[0].close()
        assert len(server.connections) == 4


async def test_close_says_1001_to_everybody_and_waits_for_handlers() -> None:
    ended = 0

    async def slow_to_end(ws: Connection) -> None:
        nonlocal ended
        await ws.wait_closed()
        for _ in range(3):
            await asyncio.sleep(0)
        ended += 1

    server = await serve(slow_to_end, "127.0.0.1", 0)
    clients = [await connect(uri_of(server)) for _ in range(5)]
    server.close()
    server.close()
    assert not server.is_serving()
    await asyncio.gather(server.wait_closed(), server.wait_closed())
    assert ended == 5
    assert server.connections == set()
    for client in clients:
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1001, "")
    with pytest.raises(ConnectionRefusedError):
        await connect(f"ws://127.0.0.1:{client.remote_address[1]}/")


async def test_close_says_what_it_is_told_to() -> None:
    server = await serve(idle, "127.0.0.1", 0)
    client = await connect(uri_of(server))
    with pytest.raises(LocalProtocolError):
        server.close(code=999)
    with pytest.raises(LocalProtocolError):
        server.close(reason="x" * 124)
    assert server.is_serving()
    server.close(code=1012, reason="back soon")
    await server.wait_closed()
    await client.wait_closed()
    assert (client.close_code, client.close_reason) == (1012, "back soon")


async def test_close_may_leave_connections_to_their_handlers() -> None:
    server = await serve(echo, "127.0.0.1", 0, close_timeout=0.05)
    async with connect(uri_of(server)) as client:
        server.close(close_connections=False)
        await client.send("still here")
        assert await client.recv() == "still here"
        with pytest.raises(ConnectionRefusedError):
            await connect(f"ws://127.0.0.1:{client.remote_address[1]}/")
        assert client.state is State.OPEN
    await server.wait_closed()


async def test_handlers_that_do_not_end_are_cancelled(caplog: pytest.LogCaptureFixture) -> None:
    cancelled = asyncio.Event()

    async def stubborn(ws: Connection) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with serve(stubborn, "127.0.0.1", 0, close_timeout=0.05) as server:
        async with connect(uri_of(server)):
            server.close()
            await server.wait_closed()
    assert cancelled.is_set()
    assert errors(caplog) == ["connection handler did not end in time: cancelled"]


async def test_clients_that_do_not_answer_are_cut() -> None:
    server = await serve(idle, "127.0.0.1", 0, close_timeout=0.05)
    async with Raw.open(server) as raw:
        server.close()
        await server.wait_closed()
        assert await raw.recv_close() == (1001, "")
        assert await raw.end() == b""


async def test_opening_handshakes_under_way_end_with_the_server() -> None:
    thinking, cancelled = asyncio.Event(), asyncio.Event()

    async def think(ws: Connection, asked: Request) -> None:
        thinking.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    server = await serve(idle, "127.0.0.1", 0, process_request=think)
    half, asking = await Raw.connect(port_of(server)), await Raw.connect(port_of(server))
    half.send("GET / HTTP/1.1\r\n")
    asking.send(request())
    await thinking.wait()
    server.close()
    await server.wait_closed()
    assert cancelled.is_set()
    await half.end()
    await asking.end()
    await half.close()
    await asking.close()


async def test_wait_closed_waits_for_the_close_of_somebody_else() -> None:
    server = await serve(idle, "127.0.0.1", 0)
    waiting = asyncio.create_task(server.wait_closed())
    forever = asyncio.create_task(server.serve_forever())
    for _ in range(3):
        await asyncio.sleep(0)
    assert not waiting.done()
    assert not forever.done()
    server.close()
    await asyncio.gather(waiting, forever)


async def test_serve_forever_closes_when_it_is_cancelled() -> None:
    server = await serve(idle, "127.0.0.1", 0)
    client = await connect(uri_of(server))
    forever = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    forever.cancel()
    with pytest.raises(asyncio.CancelledError):
        await forever
    assert not server.is_serving()
    await client.wait_closed()
    assert client.close_code == 1001


async def test_two_servers_on_one_loop_do_not_mind_each_other() -> None:
    async with serve(echo, "127.0.0.1", 0) as stays:
        async with connect(uri_of(stays)) as ws:
            half = await Raw.connect(port_of(stays))
            half.send("GET / HT")
            async with serve(idle, "127.0.0.1", 0) as leaves:
                async with connect(uri_of(leaves)):
                    pass
            half.send("TP/1.1\r\nHost: a\r\n\r\n")
            assert (await half.answer())[0] == 426
            await half.close()
            await ws.send("still")
            assert await ws.recv() == "still"


async def test_nothing_is_left_of_a_thousand_connections() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(uri_of(server)):
            pass
        await until(lambda: not server.agenda.strays)
        before, tasks = len(os.listdir("/proc/self/fd")), len(asyncio.all_tasks())
        for _ in range(20):
            async with AsyncExitStack() as stack:
                for _ in range(20):
                    await stack.enter_async_context(connect(uri_of(server)))
        await until(lambda: not server.agenda.strays)
        assert len(os.listdir("/proc/self/fd")) == before
        assert len(asyncio.all_tasks()) == tasks


# -- TLS ------------------------------------------------------------------------------------------


async def test_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls) as server:
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls) as ws:
            for message in ("", "text", b"x" * 500_000, ["f", "g"]):
                await ws.send(message)
                assert await ws.recv() == ("fg" if message == ["f", "g"] else message)
            assert await (await ws.ping()) > 0
            await ws.close(4000, "done")
            assert (ws.close_code, ws.close_reason) == (4000, "done")
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls) as ws:
            server.close()
            await ws.wait_closed()
            assert ws.close_code == 1001
        await server.wait_closed()


async def test_tls_callbacks(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    seen: list[Any] = []
    async with serve(
        host="127.0.0.1",
        port=0,
        ssl=server_tls,
        on_open=lambda ws: seen.append("open"),
        on_message=lambda ws, message: ws.send(message),
        on_close=lambda ws: seen.append(ws.close_code),
    ) as server:
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls) as ws:
            for _ in range(100):
                await ws.send(b"x" * 10_000)
            for _ in range(100):
                assert await ws.recv() == b"x" * 10_000
        with pytest.raises(InvalidStatus):
            await connect(
                uri_of(server, scheme="wss"), ssl=client_tls, origin="https://evil.example"
            )
    assert seen == ["open", 1000]


async def test_tls_waits_for_a_slow_reader(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    sent: list[int] = []

    async def flood(ws: Connection) -> None:
        for number in range(200):
            await ws.send(b"x" * 65536, compress=False)
            sent.append(number)

    async with serve(flood, "127.0.0.1", 0, ssl=server_tls) as server:
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls, max_queue=2) as ws:
            before = -1
            while len(sent) != before or not sent:
                before = len(sent)
                for _ in range(20):
                    await asyncio.sleep(0)
            assert len(sent) < 200
            assert [len(message) async for message in ws] == [65536] * 200


async def test_tls_that_is_none_is_no_matter(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls, open_timeout=0.1) as server:
        silent, plain_text = await Raw.connect(port_of(server)), await Raw.connect(port_of(server))
        plain_text.send(request())
        await plain_text.end()
        await silent.end()  # after open_timeout
        await silent.close()
        await plain_text.close()
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


async def test_a_client_asks_for_a_name_that_the_certificate_has(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with serve(echo, "127.0.0.1", 0, ssl=server_tls) as server:
        uri = f"wss://wrong.example:{port_of(server)}/"
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(uri, host="127.0.0.1", ssl=client_tls)
        with pytest.raises(ssl.SSLCertVerificationError):
            await connect(uri_of(server, scheme="wss"))
        how = {"host": "127.0.0.1", "server_hostname": "localhost", "ssl": client_tls}
        async with connect(uri, **how) as ws:  # type: ignore[arg-type]
            assert ws.request is not None
            assert ws.request.headers["Host"] == f"wrong.example:{port_of(server)}"
