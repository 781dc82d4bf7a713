"""Plain HTTP beside WebSocket on one port: an ASGI application behind `http=`."""

from __future__ import annotations

import asyncio
import hashlib
import ssl
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

import longlink.api.server
from longlink import Connection, connect, serve
from tests.api.raw import FIN, KEY, TEXT, Raw, echo, header_of, port_of, request, until, uri_of

pytest.importorskip("uvicorn")


class App:
    """A bare ASGI application that notes what happens to it."""

    def __init__(self, lifespan: str = "yes") -> None:
        self.lifespan = lifespan
        self.events: list[str] = []
        self.disconnected = asyncio.Event()
        self.asked = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        else:
            await getattr(self, scope["path"].strip("/") or "hello")(scope, receive, send)

    async def live(self, receive: Any, send: Any) -> None:
        if self.lifespan == "unsupported":
            raise TypeError("no lifespan here")
        await receive()
        self.events.append("startup")
        if self.lifespan == "hangs":
            try:
                await receive()
            finally:
                self.events.append("cancelled")
        if self.lifespan == "fails":
            await send({"type": "lifespan.startup.failed", "message": "no database"})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self.events.append("shutdown")
        await send({"type": "lifespan.shutdown.complete"})

    async def hello(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, f"{scope['method']} {scope['scheme']} hello".encode())

    async def digest(self, scope: Any, receive: Any, send: Any) -> None:
        digest, size, more = hashlib.sha256(), 0, True
        while more:
            message = await receive()
            digest.update(message.get("body", b""))
            size += len(message.get("body", b""))
            more = message.get("more_body", False)
        await answer(send, f"{size} {digest.hexdigest()}".encode())

    async def large(self, scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        for number in range(64):
            body = bytes([number]) * 65536
            await send({"type": "http.response.body", "body": body, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def wait(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.set()
        while (await receive())["type"] != "http.disconnect":
            pass
        self.disconnected.set()

    async def never(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.set()
        await asyncio.Event().wait()

    async def huge(self, scope: Any, receive: Any, send: Any) -> None:
        await answer(send, bytes(20_000_000))

    async def slow(self, scope: Any, receive: Any, send: Any) -> None:
        self.asked.set()
        for _ in range(5):
            await asyncio.sleep(0)
        await answer(send, b"late but whole")

    async def fail(self, scope: Any, receive: Any, send: Any) -> None:
        raise LookupError("a bug")


async def answer(send: Any, body: bytes) -> None:
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


@asynccontextmanager
async def site(app: Any = None, **options: Any) -> AsyncIterator[tuple[Any, Raw]]:
    """A server with an application, and a raw client."""
    async with serve(echo, "127.0.0.1", 0, http=app or App(), **options) as server:
        raw = await Raw.connect(port_of(server))
        try:
            yield server, raw
        finally:
            await raw.close()


GET = "GET {} HTTP/1.1\r\nHost: a\r\n{}\r\n"


def get(path: str = "/", extra: str = "") -> str:
    return GET.format(path, extra)


def post(path: str, size: int) -> str:
    return f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {size}\r\n\r\n"


async def test_requests_and_websockets_share_a_port() -> None:
    async with site() as (server, raw):
        raw.send(get())
        status, head, body = await raw.answer()
        assert (status, body) == (200, b"GET http hello")
        assert header_of(head, "date") is not None
        assert str(header_of(head, "server")).startswith("longlink/")
        async with connect(uri_of(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


async def test_a_connection_is_kept_alive() -> None:
    async with site(server_header=None) as (_, raw):
        for _ in range(3):
            raw.send(get())
            status, head, _ = await raw.answer()
            assert status == 200
            assert header_of(head, "server") is None
        raw.send(get() + get())  # pipelined
        assert [(await raw.answer())[0] for _ in range(2)] == [200, 200]
        raw.send(get(extra="Connection: close\r\n"))
        assert (await raw.answer())[0] == 200
        assert await raw.end() == b""


async def test_a_later_head_has_a_limit_too() -> None:
    async with site(max_head=4096) as (_, raw):
        raw.send(get())
        assert (await raw.answer())[0] == 200
        raw.send(get(extra=f"X: {'x' * 100_000}\r\n"))
        assert (await raw.answer())[0] == 400


async def test_requests_beyond_what_the_process_can_hold_are_503(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(longlink.api.server, "descriptors", lambda: 64 + 2)
    async with site(max_connections=10) as (server, raw):
        raw.send(get())
        assert (await raw.answer())[0] == 200
        async with connect(uri_of(server)):
            late = await Raw.connect(port_of(server))
            late.send(get())
            assert (await late.answer())[0] == 503
            await late.close()


async def test_a_request_octet_by_octet() -> None:
    async with site() as (_, raw):
        for octet in (post("/digest", 3) + "abc").encode():
            raw.send(bytes((octet,)))
            await raw.writer.drain()
            await asyncio.sleep(0)
        assert (await raw.answer())[2].startswith(b"3 ")


@pytest.mark.parametrize("size", [0, 1, 10, 1000, 100_000, 5_000_000])
@pytest.mark.parametrize("pause", [False, True])
async def test_a_body_arrives_whole(size: int, pause: bool) -> None:
    data = bytes(range(256)) * (size // 256) + bytes(size % 256)
    expected = f"{size} {hashlib.sha256(data).hexdigest()}".encode()
    async with site() as (_, raw):
        for _ in range(2):  # right behind the head, and on a kept-alive connection
            raw.send(post("/digest", size))
            if pause:
                await raw.writer.drain()
                await asyncio.sleep(0)
            raw.send(data)
            assert (await raw.answer())[2] == expected


async def test_bodies_right_behind_heads_keep_their_order() -> None:
    """The body may arrive while the socket changes hands."""
    for turns in range(12):
        async with site() as (_, raw):
            raw.send(post("/digest", 200_000) + "a" * 100_000)
            await raw.writer.drain()
            for _ in range(turns):
                await asyncio.sleep(0)
            raw.send("b" * 100_000)
            expected = hashlib.sha256(b"a" * 100_000 + b"b" * 100_000).hexdigest()
            assert (await raw.answer())[2] == f"200000 {expected}".encode()


async def test_a_chunked_body() -> None:
    async with site() as (_, raw):
        raw.send("POST /digest HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        raw.send("3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
        expected = hashlib.sha256(b"abcde").hexdigest()
        assert (await raw.answer())[2] == f"5 {expected}".encode()


async def test_a_large_answer_to_a_slow_reader() -> None:
    async with site() as (_, raw):
        raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
        raw.send(get("/large", "Connection: close\r\n"))
        for _ in range(50):
            await asyncio.sleep(0)
        raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
        head = await raw.head()
        assert header_of(head, "transfer-encoding") == "chunked"
        body = await raw.end()
        assert len(body) > 64 * 65536


@pytest.mark.parametrize("how", ["close", "reset"])
async def test_a_client_that_leaves_is_noticed(how: str) -> None:
    app = App()
    async with site(app) as (_, raw):
        raw.send(get("/wait"))
        await app.asked.wait()
        raw.reset() if how == "reset" else await raw.close()
        await app.disconnected.wait()


@pytest.mark.parametrize("cut", [1, 10, 30])
async def test_a_client_that_leaves_in_its_request(cut: int) -> None:
    async with site() as (server, raw):
        raw.send(get()[:cut])
        await raw.writer.drain()
        raw.reset()
        other = await Raw.connect(port_of(server))
        other.send(post("/digest", 100))
        await other.writer.drain()
        other.reset()
        await until(lambda: not server.agenda.strays)
        async with connect(uri_of(server)) as ws:
            await ws.send("fine")
            assert await ws.recv() == "fine"


async def test_an_application_that_raises_is_500(caplog: pytest.LogCaptureFixture) -> None:
    async with site() as (_, raw):
        raw.send(get("/fail"))
        assert (await raw.answer())[0] == 500
    assert "LookupError: a bug" in caplog.text


async def test_a_malformed_request_never_reaches_the_application() -> None:
    async with site() as (_, raw):
        raw.send("GET / HTTP/1.1\r\nHost: a\r\nbad header: x\r\n\r\n")
        assert (await raw.answer())[0] == 400
        assert await raw.end() == b""


@pytest.mark.parametrize("first", ["/", "/digest"])
async def test_a_websocket_on_a_connection_that_was_kept_alive(first: str) -> None:
    opened: list[Connection] = []
    async with site(on_open=opened.append) as (server, raw):
        raw.send(get(first) if first == "/" else post(first, 3) + "abc")
        assert (await raw.answer())[0] == 200
        raw.send(request("/chat?x=1"))
        head = await raw.head()
        assert head.startswith("HTTP/1.1 101 ")
        for size in (1, 1000, 100_000):
            raw.frame(FIN | TEXT, b"x" * size)
            assert await raw.recv() == (FIN | TEXT, b"x" * size)
        (ws,) = opened
        assert ws.request is not None
        assert ws.request.path == "/chat?x=1"
        assert ws.request.headers["sec-websocket-key"] == KEY
        assert ws.remote_address is not None
        server.close()
        assert await raw.recv_close() == (1001, "")
        raw.frame(FIN | 8, b"\x03\xe9")
        assert await raw.end() == b""


async def test_a_refused_websocket_on_a_connection_that_was_kept_alive() -> None:
    async with site() as (_, raw):
        raw.send(get())
        assert (await raw.answer())[0] == 200
        raw.send(request(Origin="http://evil.example"))
        assert (await raw.answer())[0] == 403
        assert await raw.end() == b""


async def test_a_bad_upgrade_is_judged_by_us() -> None:
    async with site() as (_, raw):
        raw.send(request(Sec_WebSocket_Version="8"))
        assert (await raw.answer())[0] == 426


async def test_an_upgrade_in_old_http_is_plain_http() -> None:
    async with site() as (_, raw):
        raw.send(request().replace("HTTP/1.1", "HTTP/1.0"))
        status, _, body = await raw.answer()
        assert (status, body[:3]) == (200, b"GET")


async def test_over_tls(server_tls: ssl.SSLContext, client_tls: ssl.SSLContext) -> None:
    async with serve(echo, "127.0.0.1", 0, http=App(), ssl=server_tls) as server:
        raw = await Raw.connect(port_of(server), ssl=client_tls, server_hostname="localhost")
        data = b"x" * 200_000
        for _ in range(2):
            raw.send(post("/digest", len(data)))
            await raw.writer.drain()
            raw.send(data)
            expected = f"{len(data)} {hashlib.sha256(data).hexdigest()}".encode()
            assert (await raw.answer())[2] == expected
        raw.send(get())
        assert (await raw.answer())[2] == b"GET https hello"
        raw.send(request())
        assert (await raw.head()).startswith("HTTP/1.1 101 ")
        raw.frame(FIN | TEXT, b"secret")
        assert await raw.recv() == (FIN | TEXT, b"secret")
        await raw.close()
        async with connect(uri_of(server, scheme="wss"), ssl=client_tls) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


# -- the life of the application ------------------------------------------------------------------


async def test_lifespan() -> None:
    app = App()
    async with site(app) as (_, raw):
        assert app.events == ["startup"]
        raw.send(get())
        assert (await raw.answer())[0] == 200
    assert app.events == ["startup", "shutdown"]


async def test_an_application_without_lifespan() -> None:
    async with site(App("unsupported")) as (_, raw):
        raw.send(get())
        assert (await raw.answer())[0] == 200


async def test_who_is_cancelled_while_the_application_starts_cancels_that() -> None:
    app = App("hangs")
    before = asyncio.all_tasks()
    starting = asyncio.create_task(serve(echo, "127.0.0.1", 0, http=app)._start())
    await until(lambda: app.events == ["startup"])
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    await until(lambda: asyncio.all_tasks() == before)
    assert app.events == ["startup", "cancelled"]


async def test_a_failed_startup_leaves_nothing_behind() -> None:
    app = App("fails")
    starting = serve(echo, "127.0.0.1", 0, http=app)
    with pytest.raises(RuntimeError, match="failed to start"):
        await starting
    assert app.events == ["startup"]
    await asyncio.sleep(0)


async def test_a_request_under_way_is_finished_before_the_end() -> None:
    app = App()
    server = await serve(echo, "127.0.0.1", 0, http=app)
    raw, idle = await Raw.connect(port_of(server)), await Raw.connect(port_of(server))
    idle.send(get())
    assert (await idle.answer())[0] == 200
    raw.send(get("/slow"))
    await app.asked.wait()
    server.close()
    assert (await raw.answer())[2] == b"late but whole"
    assert await raw.end() == b""
    assert await idle.end() == b""
    await server.wait_closed()
    assert app.events == ["startup", "shutdown"]
    await raw.close()
    await idle.close()


async def test_an_answer_to_a_slow_reader_is_finished_before_the_end() -> None:
    server = await serve(echo, "127.0.0.1", 0, http=App())
    raw = await Raw.connect(port_of(server))
    raw.reader._transport.pause_reading()  # type: ignore[attr-defined]
    raw.send(get("/huge"))
    await until(lambda: server.http and server.http.state.total_requests)
    server.close()
    for _ in range(10):
        await asyncio.sleep(0)
    raw.reader._transport.resume_reading()  # type: ignore[attr-defined]
    status, _, body = await raw.answer()
    assert (status, len(body)) == (200, 20_000_000)
    await server.wait_closed()
    await raw.close()


async def test_a_websocket_on_a_kept_connection_of_a_server_that_closes() -> None:
    """While one handler still has time, another connection asks to come in."""
    server = await serve(echo, "127.0.0.1", 0, http=App())
    raw = await Raw.connect(port_of(server))
    async with connect(uri_of(server)) as ws:
        raw.send(get())
        assert (await raw.answer())[0] == 200
        server.close(close_connections=False)
        raw.send(request())
        assert (await raw.answer())[0] == 503
        await ws.send("still here")
        assert await ws.recv() == "still here"
    await server.wait_closed()
    await raw.close()


async def test_a_request_that_does_not_end_is_cut() -> None:
    app = App()
    server = await serve(echo, "127.0.0.1", 0, http=app, close_timeout=0.05)
    raw = await Raw.connect(port_of(server))
    raw.send(get("/never"))
    await app.asked.wait()
    server.close()
    await server.wait_closed()
    await raw.end()
    await raw.close()
    assert app.events == ["startup", "shutdown"]


async def test_uvicorn_is_needed_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(ImportError, match=r"http= needs uvicorn: pip install 'longlink\[server\]'"):
        await serve(echo, "127.0.0.1", 0, http=App())
    async with serve(echo, "127.0.0.1", 0) as server, connect(uri_of(server)) as ws:
        await ws.send("not without http=")
        assert await ws.recv() == "not without http="


# -- Starlette ------------------------------------------------------------------------------------


async def test_starlette() -> None:
    applications = pytest.importorskip("starlette.applications")
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse
    from starlette.routing import Route

    async def form(asked: Request) -> JSONResponse:
        return JSONResponse({"got": (await asked.body()).decode(), "client": asked.client.host})  # type: ignore[union-attr]

    async def hello(asked: Request) -> PlainTextResponse:
        return PlainTextResponse(f"hello {asked.query_params['who']}")

    app = applications.Starlette(
        routes=[Route("/form", form, methods=["POST"]), Route("/hello", hello)]
    )
    async with site(app) as (server, raw):
        raw.send(get("/hello?who=you"))
        assert (await raw.answer())[2] == b"hello you"
        raw.send(post("/form", 4) + "a=bc")
        assert (await raw.answer())[2] == b'{"got":"a=bc","client":"127.0.0.1"}'
        raw.send(get("/nothing"))
        assert (await raw.answer())[0] == 404
        async with connect(uri_of(server)) as ws:
            await ws.send("x")
            assert await ws.recv() == "x"


# -- later heads have a deadline, too -------------------------------------------------------------


def deadlines(server: Any) -> int:
    """How many things wait for a deadline."""
    return sum(len(members) for members in server.agenda.wheel.ticks.values())


async def test_a_later_head_that_drips_is_408() -> None:
    async with site(open_timeout=0.2) as (_, raw):
        raw.send(get())
        await raw.answer()
        for octet in "GET /slow":
            raw.send(octet)
            await asyncio.sleep(0)
        status, _, body = await raw.answer()
        assert (status, body) == (408, b"the head took too long\n")
        assert await raw.end() == b""


async def test_a_head_in_time_has_no_deadline_any_more() -> None:
    app = App()
    async with site(app, open_timeout=1000, close_timeout=0.05) as (server, raw):
        raw.send(get())
        await raw.answer()
        for octet in get("/never"):
            raw.send(octet)
            await asyncio.sleep(0)
        await app.asked.wait()
        assert deadlines(server) == 0
        raw.send("GET /next")  # in the middle of an answer: uvicorn's own timeout comes after it
        for _ in range(5):
            await asyncio.sleep(0)
        assert deadlines(server) == 0


async def test_who_leaves_in_a_later_head_has_no_deadline_any_more() -> None:
    async with site(open_timeout=1000) as (server, raw):
        raw.send(get())
        await raw.answer()
        raw.send("GET /")
        await until(lambda: deadlines(server))
        raw.reset()
        await until(lambda: not deadlines(server))


async def test_heads_may_take_their_time_where_there_is_no_open_timeout() -> None:
    async with site(open_timeout=None) as (server, raw):
        raw.send(get())
        await raw.answer()
        for octet in get():
            raw.send(octet)
            await asyncio.sleep(0)
            assert deadlines(server) == 0
        assert (await raw.answer())[0] == 200


@pytest.mark.parametrize(
    "later", ["\x01\x02\r\n\r\n", get(extra="Upgrade: h2c\r\nConnection: Upgrade\r\n")]
)
async def test_what_peers_do_wrong_later_is_no_warning(
    later: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with site() as (_, raw):
        raw.send(get())
        await raw.answer()
        raw.send(later)
        assert (await raw.head()).startswith("HTTP/1.1 ")
    assert [record.getMessage() for record in caplog.records if record.levelno > 20] == []
