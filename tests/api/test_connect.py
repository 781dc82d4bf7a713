"""A client: what it asks for, what it believes, and how it ends."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

import pytest

import longlink
from longlink import (
    Connection,
    ConnectionClosedError,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidProtocol,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    SecurityError,
    State,
    TooManyHeaders,
    UnknownLimit,
    connect,
    serve,
    unix_connect,
)
from longlink.api import race
from longlink.api.dialer import _begin, _secure
from longlink.api.proxy import Hall
from tests.api.raw import (
    FIN,
    KEY,
    TEXT,
    Raw,
    answering,
    echo,
    frame,
    header_of,
    idle,
    pair,
    switching,
    uri_of,
)

Script = Callable[[Raw, str], Awaitable[None]]


def says(answer: str | bytes) -> Script:
    """A server that answers with these octets and waits for the client to leave."""

    async def script(raw: Raw, head: str) -> None:
        raw.send(answer)
        await raw.end()

    return script


def switches(after: bytes = b"", **changes: str | None) -> Script:
    """A server that agrees, with headers changed."""

    async def script(raw: Raw, head: str) -> None:
        raw.send(switching(head, **changes).encode() + after)
        await raw.end()

    return script


async def failure(script: Script, **how: Any) -> BaseException:
    """What connect raises at such a server; TCP is closed then, or the server would hang."""
    done = asyncio.Event()

    async def watched(raw: Raw, head: str) -> None:
        try:
            await script(raw, head)
        finally:
            done.set()

    async with answering(watched) as uri:
        with pytest.raises((InvalidHandshake, OSError)) as caught:
            await connect(uri, **how)
        await done.wait()
    return caught.value


# -- what it asks for -----------------------------------------------------------------------------


async def asked(uri_format: str, **how: Any) -> str:
    """The head of the request that goes out."""
    heads: list[str] = []

    async def script(raw: Raw, head: str) -> None:
        heads.append(head)
        raw.send("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")

    async with answering(script) as uri:
        with pytest.raises(InvalidStatus):
            await connect(uri_format.format(uri.removeprefix("ws://").rstrip("/")), **how)
    return heads[0]


async def test_the_request() -> None:
    head = await asked("ws://{}")
    lines = head.split("\r\n")
    assert lines[0] == "GET / HTTP/1.1"
    assert str(header_of(head, "Host")).startswith("127.0.0.1:")
    assert header_of(head, "Upgrade") == "websocket"
    assert header_of(head, "Connection") == "Upgrade"
    assert header_of(head, "Sec-WebSocket-Version") == "13"
    assert len(base64.b64decode(str(header_of(head, "Sec-WebSocket-Key")))) == 16
    assert header_of(head, "User-Agent") == f"longlink/{longlink.__version__}"
    names = [line.partition(":")[0].lower() for line in lines[1:] if line]
    assert len(names) == len(set(names))
    assert header_of(await asked("ws://{}"), "Sec-WebSocket-Key") != header_of(
        head, "Sec-WebSocket-Key"
    )


async def test_the_request_as_the_caller_wants_it() -> None:
    head = await asked(
        "ws://user:p%40ss@{}/a%2Fb?c=d",
        origin="https://page.example",
        subprotocols=["a", "b"],
        additional_headers={"X-One": "1", "Cookie": "c=d"},
        user_agent_header="mine/1",
    )
    assert head.startswith("GET /a%2Fb?c=d HTTP/1.1\r\n")
    assert header_of(head, "Origin") == "https://page.example"
    assert header_of(head, "Sec-WebSocket-Protocol") == "a, b"
    assert header_of(head, "X-One") == "1"
    assert header_of(head, "Cookie") == "c=d"
    assert header_of(head, "User-Agent") == "mine/1"
    assert header_of(head, "Authorization") == "Basic " + base64.b64encode(b"user:p@ss").decode()
    assert header_of(await asked("ws://{}", user_agent_header=None), "User-Agent") is None


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({"uri": "http://host"}, InvalidURI),
        ({"uri": "ws://host/#fragment"}, InvalidURI),
        ({"uri": "ws:///path"}, InvalidURI),
        ({"uri": "ws://host:0/"}, InvalidURI),
        ({"uri": "ws://host:65536/"}, InvalidURI),
        ({"uri": "ws://host/a b"}, InvalidURI),
        ({"uri": "ws://host/\r\nX: y"}, InvalidURI),
        ({"max_sise": 1}, UnknownLimit),
        ({"max_size": 0}, ValueError),
        ({"origin": "a\r\nb"}, InvalidHeaderValue),
        ({"subprotocols": "chat"}, TypeError),
        ({"subprotocols": ["a b"]}, InvalidHeaderValue),
        ({"subprotocols": ["a", "a"]}, InvalidHeaderValue),
        ({"additional_headers": {"X": "a\nb"}}, InvalidHeaderValue),
        ({"additional_headers": {"X Y": "a"}}, InvalidHeader),
        ({"additional_headers": {"Host": "a"}}, InvalidHeaderValue),
        ({"user_agent_header": "a\r\nb"}, InvalidHeaderValue),
        ({"on_message": idle}, TypeError),
        ({"on_message": 5}, TypeError),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)}, ValueError),
        ({"ssl": ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), "uri": "wss://host/"}, ValueError),
        ({"ssl_handshake_timeout": -1}, ValueError),
        ({"ssl_shutdown_timeout": float("nan")}, ValueError),
        ({"ssl_handshake_timeout": "5"}, TypeError),
    ],
)
def test_a_bad_argument_is_refused_before_anything_is_connected(
    given: dict[str, Any], kind: type[Exception]
) -> None:
    given = {"uri": "ws://host/", **given}
    with pytest.raises(kind):
        connect(**given)


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"uri": None}, "uri must be str, not NoneType"),
        ({"uri": b"ws://host/"}, "uri must be str, not bytes"),
        ({"additional_headers": "A: b"}, "additional_headers must be a mapping or pairs, not str"),
        ({"reconnect_delays": [1, 2]}, "reconnect_delays must be a function, not list"),
        ({"process_exception": 3}, "process_exception must be a function, not int"),
        ({"logger": "x"}, "logger must be a logging.Logger, not 'x'"),
        ({"create_connection": 3}, "create_connection must be a subclass of Connection, not int"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(given: dict[str, Any], problem: str) -> None:
    given = {"uri": "ws://host/", **given}
    with pytest.raises(TypeError, match=f"^{problem}$"):
        connect(**given)


def test_unix_connect_needs_to_know_where() -> None:
    with pytest.raises(TypeError, match=r"unix_connect\(\) needs a path, or sock"):
        unix_connect()


def test_no_repr_tells_the_password_of_the_proxy() -> None:
    assert "secret" not in repr(connect("ws://host/", proxy="http://me:secret@proxy").way)


@pytest.mark.parametrize(
    ("uri", "place"),
    [
        ("wss://me:secret@host:8443/secret?token=secret", "wss://host:8443/"),
        ("ws://[::1]/", "ws://[::1]/"),
    ],
)
def test_its_repr_tells_where_and_no_secret(uri: str, place: str) -> None:
    assert repr(connect(uri, proxy="http://me:secret@proxy")) == f"<connect {place}>"


# -- styles ---------------------------------------------------------------------------------------


async def test_connect_may_be_awaited_or_be_a_block() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        ws = await connect(uri_of(server))
        await ws.send("x")
        assert await ws.recv() == "x"
        await ws.close()
        assert ws.state is State.CLOSED
        with pytest.raises(LookupError):
            async with connect(uri_of(server)) as ws:
                raise LookupError
        assert (ws.state, ws.close_code) == (State.CLOSED, 1011)


async def test_a_client_may_have_a_callback() -> None:
    received: asyncio.Queue[Any] = asyncio.Queue()
    async with pair(client={"on_message": lambda ws, message: received.put_nowait(message)}) as (
        ours,
        theirs,
    ):
        await ours.send("one")
        await ours.send(b"two")
        assert [await received.get(), await received.get()] == ["one", b"two"]
        await ours.close()
        await theirs.wait_closed()


async def test_a_callback_of_a_client_that_raises_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(ws: Connection, message: str | bytes) -> None:
        raise LookupError("a bug")

    async with pair(client={"on_message": fail}) as (ours, _):
        await ours.send("x")
        await ours.wait_closed()
        assert ours.close_code == 1011
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == [
        "longlink.client"
    ]


async def test_over_a_socket_of_the_caller() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        sock = socket.create_connection(server.sockets[0].getsockname())
        async with connect("ws://any.example/", sock=sock) as ws:
            assert ws.request is not None
            assert ws.request.headers["Host"] == "any.example"
            await ws.send("x")
            assert await ws.recv() == "x"


async def test_to_another_place_than_the_uri_says() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        async with connect("ws://any.example/", host=host, port=port) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


# -- answers that are no agreement ----------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 301, 401, 404, 426, 503])
async def test_another_status_is_told_with_headers_and_body(status: int) -> None:
    answer = f"HTTP/1.1 {status} Because\r\nX-Why: why\r\nContent-Length: 4\r\n\r\nbodyrest"
    problem = await failure(says(answer))
    assert isinstance(problem, InvalidStatus)
    assert (problem.status, problem.reason, problem.body) == (status, "Because", b"body")
    assert problem.headers["x-why"] == "why"
    assert str(problem) == f"server answered {status} 'Because' instead of 101: 'body'"


async def test_a_body_that_comes_later() -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send("HTTP/1.1 403 Forbidden\r\nContent-Length: 10\r\n\r\n")
        await raw.writer.drain()
        for piece in ("01234", "567", "89"):
            await asyncio.sleep(0)
            raw.send(piece)
            await raw.writer.drain()
        await raw.end()

    problem = await failure(script)
    assert isinstance(problem, InvalidStatus)
    assert problem.body == b"0123456789"


@pytest.mark.parametrize(
    ("answer", "body"),
    [
        (
            "HTTP/1.1 404 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
            b"abcde",
        ),
        ("HTTP/1.1 404 No\r\n\r\n", b""),
        ("HTTP/1.1 404 No\r\n\r\nuntil the end", b"until the end"),
        ("HTTP/1.0 404 No\r\n\r\nuntil the end", b"until the end"),
        ("HTTP/1.1 404 No\r\nContent-Length: 100\r\n\r\ncut short", b"cut short"),
        ("HTTP/1.1 204 No\r\n\r\n", b""),
        ("HTTP/1.1 404 No\r\nContent-Length: 1000000\r\n\r\n" + "x" * 1_000_000, b"x" * 65536),
        ("HTTP/1.1 404 No\r\n\r\n" + "x" * 1_000_000, b"x" * 65536),
    ],
    ids=["chunked", "none", "to-the-end", "http-1.0", "cut", "204", "huge", "endless"],
)
async def test_a_body_is_bounded_and_read_however_it_is_framed(answer: str, body: bytes) -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send(answer)
        raw.writer.write_eof()
        await raw.end()

    problem = await failure(script)
    assert isinstance(problem, InvalidStatus)
    assert problem.body == body


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"Upgrade": None}, InvalidUpgrade),  # B4
        ({"Upgrade": "websockets"}, InvalidUpgrade),
        ({"Upgrade": "h2c, websocket"}, InvalidUpgrade),
        ({"Connection": None}, InvalidUpgrade),  # B5
        ({"Connection": "close"}, InvalidUpgrade),
        ({"Connection": "upgraded"}, InvalidUpgrade),
        ({"Sec_WebSocket_Accept": None}, InvalidHeader),  # B6
        ({"Sec_WebSocket_Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="}, InvalidHeader),
        ({"Sec_WebSocket_Protocol": "not-offered"}, NegotiationError),  # B7
        ({"Sec_WebSocket_Extensions": "permessage-deflate, permessage-deflate"}, NegotiationError),
        ({"Sec_WebSocket_Extensions": "x-webkit-deflate-frame"}, NegotiationError),  # B8
        ({"Sec_WebSocket_Extensions": "x, x"}, NegotiationError),
    ],
)
async def test_an_agreement_that_is_none(
    changes: dict[str, str | None], kind: type[Exception]
) -> None:
    problem = await failure(switches(b"", **changes))
    assert isinstance(problem, kind)
    assert isinstance(problem, InvalidHandshake)
    assert problem.status == 101


async def test_an_accept_twice_or_in_other_letter_case() -> None:
    async def twice(raw: Raw, head: str) -> None:
        answer = switching(head)
        proof = header_of(answer, "sec-websocket-accept")
        raw.send(answer[:-2] + f"Sec-WebSocket-Accept: {proof}\r\n\r\n")
        await raw.end()

    async def swapped(raw: Raw, head: str) -> None:
        proof = str(header_of(switching(head), "sec-websocket-accept"))
        raw.send(switching(head, Sec_WebSocket_Accept=proof.swapcase()))
        await raw.end()

    for script in (twice, swapped):
        assert isinstance(await failure(script), InvalidHeader)


async def test_two_subprotocols_where_one_was_offered() -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send(
            switching(head, Sec_WebSocket_Protocol="a")[:-2] + "Sec-WebSocket-Protocol: b\r\n\r\n"
        )
        await raw.end()

    problem = await failure(script, subprotocols=["a", "b"])
    assert isinstance(problem, (InvalidHeader, NegotiationError))


@pytest.mark.parametrize(
    "changes",
    [
        {"Upgrade": "WebSocket"},
        {"Connection": "keep-alive, UPGRADE"},
        {"Sec_WebSocket_Protocol": "a"},
    ],
)
async def test_an_agreement_in_other_words(changes: dict[str, str]) -> None:
    first = frame(FIN | TEXT, b"hello", mask=False)
    script = switches(first, **changes)
    async with answering(script) as uri:
        ws = await connect(uri, subprotocols=["a"], close_timeout=0.05)
        assert await ws.recv() == "hello"
        assert ws.subprotocol == changes.get("Sec_WebSocket_Protocol")
        await ws.close()


@pytest.mark.parametrize(
    ("answer", "kind", "how"),
    [
        ("garbage\r\n\r\n", InvalidMessage, {}),
        ("HTTP/2.0 101 Switching\r\n\r\n", InvalidProtocol, {}),
        ("HTTP/1.0 101 Switching\r\n\r\n", InvalidProtocol, {}),
        ("HTTP/1.1 101 Switching\r\nno colon\r\n\r\n", InvalidHandshake, {}),
        ("HTTP/1.1 101 Switching\r\nX: a\x00b\r\n\r\n", InvalidHandshake, {}),
        ("HTTP/1.1 101 " + "x" * 20_000, SecurityError, {}),
        ("HTTP/1.1 101 Switching\r\nX: " + "y" * 20_000, SecurityError, {}),
        ("HTTP/1.1 101 Switching\r\n" + "X: y\r\n" * 101 + "\r\n", TooManyHeaders, {}),
        ("HTTP/1.1 101 Switching\r\nA: b\r\nC: d\r\n\r\n", TooManyHeaders, {"max_headers": 1}),
    ],
    ids=["garbage", "http2", "http1.0", "colon", "nul", "line", "header", "headers", "limit"],
)
async def test_an_answer_that_is_no_http(
    answer: str, kind: type[Exception], how: dict[str, Any]
) -> None:
    assert isinstance(await failure(says(answer), **how), kind)


async def test_an_endless_head_ends_at_the_limit() -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send("HTTP/1.1 101 Switching\r\n")
        while True:
            raw.send("X: y\r\n" * 1000)
            await raw.writer.drain()

    assert isinstance(await failure(script), InvalidHandshake)


@pytest.mark.parametrize("said", [b"", b"HTTP/1.1 101 Swit"])
@pytest.mark.parametrize("reset", [False, True])
async def test_tcp_that_ends_before_the_answer(said: bytes, reset: bool) -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send(said)
        await raw.writer.drain()
        if reset:
            raw.reset()

    problem = await failure(script)
    assert isinstance(problem, InvalidMessage)
    assert "closed TCP before it answered" in str(problem)


async def test_silence_is_a_timeout() -> None:
    problem = await failure(says(b""), open_timeout=0.05)
    assert isinstance(problem, TimeoutError)
    assert str(problem) == "timed out during the opening handshake"


async def test_an_answer_that_drips_is_a_timeout() -> None:
    async def script(raw: Raw, head: str) -> None:
        while not raw.reader.at_eof():
            raw.send("HTTP/1.1 100 Continue\r\n\r\n")
            await raw.writer.drain()
            await asyncio.sleep(0.01)

    assert isinstance(await failure(script, open_timeout=0.1), TimeoutError)


async def test_a_refusal_whose_body_does_not_end_is_told_at_the_deadline() -> None:
    answer = "HTTP/1.1 403 Forbidden\r\n\r\nbecause"
    problem = await failure(says(answer), open_timeout=0.05)
    assert isinstance(problem, InvalidStatus)
    assert (problem.status, problem.body) == (403, b"because")


async def test_no_timeout_at_all() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(uri_of(server), open_timeout=None) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


@pytest.mark.parametrize("together", [True, False])
async def test_interim_answers_come_before_the_final_one(together: bool) -> None:
    async def script(raw: Raw, head: str) -> None:
        interim = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
        final = switching(head).encode() + frame(FIN | TEXT, b"first", mask=False)
        if together:
            raw.send(interim.encode() + final)
        else:
            raw.send(interim)
            await raw.writer.drain()
            await asyncio.sleep(0)
            raw.send(final)
        await raw.end()

    async with answering(script) as uri:
        ws = await connect(uri, close_timeout=0.05)
        assert await ws.recv() == "first"
        await ws.close()


async def test_ten_thousand_interim_answers_are_no_trouble() -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send("HTTP/1.1 100 Continue\r\n\r\n" * 10_000 + switching(head))
        await raw.end()

    async with answering(script) as uri:
        ws = await connect(uri, close_timeout=0.05)
        assert ws.state is State.OPEN
        await ws.close()


async def test_an_answer_octet_by_octet_and_frames_right_behind_it() -> None:
    async def script(raw: Raw, head: str) -> None:
        for octet in switching(head).encode() + frame(FIN | TEXT, b"first", mask=False):
            raw.send(bytes((octet,)))
            await raw.writer.drain()
            await asyncio.sleep(0)
        await raw.end()

    async with answering(script) as uri:
        ws = await connect(uri, close_timeout=0.05)
        assert await ws.recv() == "first"
        await ws.close()


async def test_a_masked_frame_from_the_server_fails_1002() -> None:
    said: asyncio.Future[tuple[int, str]] = asyncio.get_running_loop().create_future()

    async def script(raw: Raw, head: str) -> None:
        raw.send(switching(head).encode() + frame(FIN | TEXT, b"masked"))
        said.set_result(await raw.recv_close())
        await raw.end()

    async with answering(script) as uri:
        ws = await connect(uri)
        with pytest.raises(ConnectionClosedError):
            await ws.recv()
        assert (await said)[0] == 1002
        await ws.wait_closed()


# -- how it ends ----------------------------------------------------------------------------------


async def test_nobody_listens() -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(ConnectionRefusedError):
            await connect(f"ws://127.0.0.1:{port}/")
        with pytest.raises(ConnectionRefusedError):
            await connect(f"wss://127.0.0.1:{port}/")


async def test_nobody_listens_on_any_address(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        loop = asyncio.get_running_loop()

        async def two(*arguments: Any, **more: Any) -> list[Any]:
            found = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))
            return [found, found]

        if not hasattr(loop, "__dict__"):
            pytest.skip("uvloop's loop cannot be patched")
        monkeypatch.setattr(loop, "getaddrinfo", two)
        with pytest.raises(OSError, match=rf"cannot connect to somewhere:{port}: .*; "):
            await connect(f"ws://somewhere:{port}/")


async def test_the_second_address_is_tried() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:  # not on ::1
        uri = uri_of(server).replace("127.0.0.1", "localhost")
        async with connect(uri) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


async def test_a_timeout_of_the_kernel_is_told_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    async def timed_out(*arguments: Any) -> None:
        raise TimeoutError(110, "Connection timed out")

    monkeypatch.setattr(race.Entrant, "connect", timed_out)
    with pytest.raises(TimeoutError, match="Connection timed out"):
        await connect("ws://127.0.0.1:1/")


async def test_a_path_where_nobody_listens(tmp_path: Any) -> None:
    with pytest.raises(FileNotFoundError):
        await connect("ws://localhost/", path=str(tmp_path / "nothing"))


async def test_cancellation_closes_what_was_opened() -> None:
    arrived, left = asyncio.Event(), asyncio.Event()

    async def script(raw: Raw, head: str) -> None:
        arrived.set()
        await raw.end()
        left.set()

    async with answering(script) as uri:
        opening = asyncio.create_task(connect(uri)._open())
        await arrived.wait()
        opening.cancel()
        with pytest.raises(asyncio.CancelledError):
            await opening
        await left.wait()


async def test_cancellation_at_any_moment_leaves_nothing() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        for steps in range(12):
            opening = asyncio.create_task(connect(uri_of(server))._open())
            for _ in range(steps):
                await asyncio.sleep(0)
            if opening.cancel():
                with pytest.raises(asyncio.CancelledError):
                    await opening
            else:
                await opening.result().close()
        while server.connections:
            await asyncio.wait(
                [asyncio.ensure_future(ws.wait_closed()) for ws in server.connections]
            )
    gc.collect()


async def test_the_same_connect_may_be_awaited_again() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        connecting = connect(uri_of(server))
        one, two = await connecting, await connecting
        assert one is not two
        assert one.request is not None
        assert two.request is not None
        assert one.request.headers["Sec-WebSocket-Key"] != two.request.headers["Sec-WebSocket-Key"]
        await one.close()
        await two.close()


async def test_a_key_of_the_example_is_answered_as_in_the_rfc() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        raw = await Raw.connect(server.sockets[0].getsockname()[1])
        raw.send(
            f"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        assert header_of(await raw.head(), "sec-websocket-accept") == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        await raw.close()


# -- what the caller brings -----------------------------------------------------------------------


async def test_a_logger_of_the_caller(caplog: pytest.LogCaptureFixture) -> None:
    def fail(ws: Connection, message: str | bytes) -> None:
        raise LookupError("a bug")

    mine = logging.getLogger("mine")
    async with pair(client={"on_message": fail, "logger": mine}) as (ours, theirs):
        await ours.send("x")
        await ours.wait_closed()
        assert theirs.server is None
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["mine"]


async def test_a_class_of_the_caller() -> None:
    class Counting(Connection):
        sent = 0

        def count(self) -> int:
            self.sent += 1
            return self.sent

    async with serve(echo, "127.0.0.1", 0) as server:
        async with connect(uri_of(server), create_connection=Counting) as ws:
            assert isinstance(ws, Counting)
            await ws.send(str(ws.count()))
            assert await ws.recv() == "1"


async def test_a_class_of_the_caller_that_cannot_be_made() -> None:
    class Broken(Connection):
        def __init__(self, *arguments: Any) -> None:
            raise LookupError("a bug")

    async with serve(idle, "127.0.0.1", 0) as server:
        with pytest.raises(LookupError, match="a bug"):
            await connect(uri_of(server), create_connection=Broken)


async def test_one_connect_is_not_two_blocks_that_begin_together() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        connecting = connect(uri_of(server))
        one, two = await asyncio.gather(
            connecting.__aenter__(), connecting.__aenter__(), return_exceptions=True
        )
        assert isinstance(one, Connection)
        assert isinstance(two, RuntimeError)
        await connecting.__aexit__(None, None, None)
        assert one.state is State.CLOSED
    with pytest.raises(OSError):
        await connecting.__aenter__()
    with pytest.raises(OSError):  # it was not left in use
        await connecting.__aenter__()


async def test_one_connect_is_one_block_at_a_time() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        connecting = connect(uri_of(server))
        async with connecting:
            with pytest.raises(RuntimeError, match="in use by another"):
                await connecting.__aenter__()
        async with connecting as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


@pytest.mark.parametrize("said", [b"", b"garbage\r\n\r\n", b"HTTP/1.1 403 No\r\n\r\nearly"])
async def test_a_tls_server_that_speaks_before_it_is_asked(
    said: bytes, server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(said)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()

    server = await asyncio.start_server(speak, "127.0.0.1", 0, ssl=server_tls)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for _ in range(20):
            with pytest.raises((InvalidHandshake, OSError)):
                await connect(f"wss://localhost:{port}/", ssl=client_tls)


async def test_tls_does_not_begin_on_a_connection_that_is_over(
    client_tls: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    loop, transports = asyncio.get_running_loop(), list[Any]()
    ours, theirs = socket.socketpair()
    with theirs:
        ours.setblocking(False)
        await _begin(loop, ours, Hall(), transports)
        transports[0].close()
        with pytest.raises(ConnectionResetError, match="before the TLS handshake"):
            await _secure(loop, transports, {"ssl": client_tls, "server_hostname": "x"})
    assert caplog.records == []


async def test_tcp_that_ends_during_the_tls_handshake_is_said_so(
    client_tls: ssl.SSLContext,
) -> None:
    async def leave(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(2**16)
        writer.close()

    server = await asyncio.start_server(leave, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(ConnectionResetError, match="TCP was closed during the TLS handshake"):
            await connect(f"wss://localhost:{port}/", ssl=client_tls)
