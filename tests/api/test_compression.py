"""Compression between real ends: what is agreed on, what goes over the wire, who understands it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from websockets.asyncio.client import connect as their_connect
from websockets.asyncio.server import serve as their_serve
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)

import longlink.wire.deflater as deflater_module
from longlink import (
    Connection,
    ConnectionClosedError,
    Deflate,
    NegotiationError,
    broadcast,
    connect,
    serve,
    unix_serve,
)
from tests.api.raw import (
    BINARY,
    FIN,
    PING,
    TEXT,
    Raw,
    answering,
    echo,
    header_of,
    idle,
    pair,
    port_of,
    request,
    switching,
    uri_of,
)
from tests.wire.compression import deflated, inflated

RSV1 = 0x40
NAME = "permessage-deflate"
NONE = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
LONG = "".join(random.Random(2).choices(["price ", "time ", "EUR ", "1.08 ", "é"], k=2000))
MESSAGES: list[str | bytes] = [LONG, "short", "", b"", LONG.encode(), b"\xff" * 100_000, "é" * 300]
TAKEOVER = Deflate(context_takeover=True, threshold=0)


def answered(ws: Connection) -> str | None:
    """What the server said about extensions."""
    assert ws.response is not None
    return ws.response.headers.get("Sec-WebSocket-Extensions")


async def answer_to(server: Any, offer: str) -> str | None:
    raw = await Raw.connect(port_of(server))
    try:
        raw.send(request(Sec_WebSocket_Extensions=offer))
        head = await raw.head()
        assert head.startswith("HTTP/1.1 101 ")
        return header_of(head, "Sec-WebSocket-Extensions")
    finally:
        await raw.close()


# -- agreeing -------------------------------------------------------------------------------------


async def test_it_is_on_by_default() -> None:
    async with pair() as (ours, theirs):
        assert answered(theirs) == answered(ours) == NONE
        offer = theirs.request.headers["Sec-WebSocket-Extensions"]
        assert offer == (
            f"{NAME}; server_no_context_takeover; client_no_context_takeover; "
            "client_max_window_bits"
        )


@pytest.mark.parametrize(
    ("ours", "theirs", "answer"),
    [
        (None, "deflate", None),
        ("deflate", None, None),
        (None, None, None),
        (TAKEOVER, TAKEOVER, NAME),
        ("deflate", TAKEOVER, NONE),
        (TAKEOVER, "deflate", NONE),
        (
            "deflate",
            Deflate(window_bits=9),
            f"{NONE}; server_max_window_bits=9; client_max_window_bits=9",
        ),
        (
            Deflate(window_bits=8),
            TAKEOVER,
            f"{NONE}; server_max_window_bits=8; client_max_window_bits=8",
        ),
    ],
)
async def test_both_ends_have_a_say(ours: Any, theirs: Any, answer: str | None) -> None:
    async with pair(echo, compression=ours, client={"compression": theirs}) as (_, client):
        assert answered(client) == answer
        for message in MESSAGES * 2:
            await client.send(message)
            assert await client.recv() == message


@pytest.mark.parametrize("compression", ["gzip", True, 5, Deflate])
async def test_a_wrong_argument_is_named(compression: Any) -> None:
    for make in (
        lambda: serve(idle, "127.0.0.1", 0, compression=compression),
        lambda: connect("ws://127.0.0.1/", compression=compression),
    ):
        with pytest.raises((ValueError, TypeError), match="compression is"):
            make()


async def test_a_bad_offer_is_declined_and_the_connection_opens() -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        assert await answer_to(server, f"{NAME}; server_max_window_bits=7") is None
        assert await answer_to(server, f"{NAME}; x, {NAME}") == NONE
        assert await answer_to(server, "x-webkit-deflate-frame") is None


@pytest.mark.parametrize("offer", [";", "=x", f'{NAME}; a="unterminated', f"{NAME} x"])
async def test_an_offer_that_is_no_grammar_is_refused(offer: str) -> None:
    async with serve(idle, "127.0.0.1", 0) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request(Sec_WebSocket_Extensions=offer))
        assert (await raw.answer())[0] == 400
        await raw.close()


@pytest.mark.parametrize(
    "answer",
    [
        f"{NAME}; unknown",
        f"{NAME}; server_max_window_bits=16",
        f"{NAME}; server_max_window_bits",
        f"{NAME}; client_max_window_bits",
        f"{NAME}; server_no_context_takeover; server_no_context_takeover",
        f"{NAME}, {NAME}",
        "x-other",
    ],
)
async def test_a_bad_answer_fails_the_handshake(answer: str) -> None:
    async def script(raw: Raw, head: str) -> None:
        raw.send(switching(head, Sec_WebSocket_Extensions=answer))
        assert await raw.end() == b""

    async with answering(script) as uri:
        with pytest.raises(NegotiationError):
            await connect(uri)


async def test_an_answer_to_no_offer_fails_the_handshake() -> None:
    async def script(raw: Raw, head: str) -> None:
        assert header_of(head, "Sec-WebSocket-Extensions") is None
        raw.send(switching(head, Sec_WebSocket_Extensions=NAME))

    async with answering(script) as uri:
        with pytest.raises(NegotiationError):
            await connect(uri, compression=None)


async def test_a_server_may_limit_itself_unasked() -> None:
    async def script(raw: Raw, head: str) -> None:
        answer = f"{NAME}; server_no_context_takeover; server_max_window_bits=10"
        raw.send(switching(head, Sec_WebSocket_Extensions=answer))
        raw.frame(FIN | RSV1 | TEXT, deflated(LONG.encode(), 10), mask=False)
        first, payload = await raw.recv()
        assert first == FIN | RSV1 | TEXT
        assert inflated(payload) == LONG.encode()

    async with answering(script) as uri:
        ws = await connect(uri, compression=TAKEOVER)
        assert await ws.recv() == LONG
        await ws.send(LONG)
        await ws.wait_closed()


async def test_process_response_may_take_it_back() -> None:
    def without(ws: Connection, request: Any, response: Any) -> None:
        del response.headers["Sec-WebSocket-Extensions"]

    async with pair(echo, process_response=without) as (_, theirs):
        assert answered(theirs) is None
        await theirs.send(LONG)
        assert await theirs.recv() == LONG


# -- what goes over the wire ----------------------------------------------------------------------


@asynccontextmanager
async def raw_pair(**options: Any) -> AsyncIterator[tuple[Connection, Raw]]:
    """A connection of ours, and its peer as octets, which has agreed on compression."""
    opened: asyncio.Future[Connection] = asyncio.get_running_loop().create_future()

    def note(ws: Connection) -> None:
        if not opened.done():
            opened.set_result(ws)

    async with serve(idle, "127.0.0.1", 0, on_open=note, **options) as server:
        async with Raw.open(server, Sec_WebSocket_Extensions=NAME) as raw:
            yield await opened, raw


async def test_messages_are_compressed_where_it_pays() -> None:
    async with raw_pair() as (ws, raw):
        ws.send("short")
        ws.send(LONG)
        ws.send(random.Random(1).randbytes(1000))
        ws.send(LONG.encode(), text=True)
        assert await raw.recv() == (FIN | TEXT, b"short")
        first, payload = await raw.recv()
        assert (first, inflated(payload)) == (FIN | RSV1 | TEXT, LONG.encode())
        assert len(payload) < len(LONG) / 3
        assert (await raw.recv())[0] == FIN | BINARY
        first, payload = await raw.recv()
        assert (first, inflated(payload)) == (FIN | RSV1 | TEXT, LONG.encode())


async def test_a_message_may_ask_for_it_or_not() -> None:
    async with raw_pair() as (ws, raw):
        ws.send(LONG, compress=False)
        ws.send(bytearray(300), compress=False)
        ws.send("a" * 100, compress=True)
        ws.send(b"a" * 100, text=True, compress=True)
        assert await raw.recv() == (FIN | TEXT, LONG.encode())
        assert await raw.recv() == (FIN | BINARY, bytes(300))
        for _ in range(2):
            first, payload = await raw.recv()
            assert (first, inflated(payload)) == (FIN | RSV1 | TEXT, b"a" * 100)


async def test_fragments_are_compressed_as_one_message() -> None:
    async with raw_pair() as (ws, raw):
        await ws.send([LONG, "", LONG])
        await ws.send([LONG, LONG], compress=False)
        await ws.send([LONG])
        got = [await raw.recv() for _ in range(3)]
        assert [first for first, _ in got] == [RSV1 | TEXT, 0, FIN]
        assert inflated(b"".join(part for _, part in got)) == (LONG + LONG).encode()
        assert await raw.recv() == (TEXT, LONG.encode())
        assert await raw.recv() == (FIN, LONG.encode())
        first, payload = await raw.recv()
        assert (first, inflated(payload)) == (FIN | RSV1 | TEXT, LONG.encode())


@pytest.mark.parametrize("compression", ["deflate", TAKEOVER])
async def test_what_waits_behind_fragments_is_compressed_then(compression: Any) -> None:
    go = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        yield LONG
        yield "middle"
        await go.wait()
        yield LONG

    client = {"compression": compression}
    async with pair(compression=compression, client=client) as (ours, theirs):
        sending = asyncio.ensure_future(ours.send(slowly()))
        await asyncio.sleep(0)
        ours.send("behind" * 100)
        broadcast([ours], LONG)
        ours.send("plain" * 100, compress=False)
        await (await ours.ping())
        go.set()
        await sending
        expected = [LONG + "middle" + LONG, "behind" * 100, LONG, "plain" * 100]
        assert [await theirs.recv() for _ in expected] == expected
        ours.send(LONG)
        assert await theirs.recv() == LONG


async def test_fragments_given_up_fail_the_connection() -> None:
    async def broken() -> AsyncIterator[str]:
        yield LONG
        yield LONG
        raise RuntimeError("no more")

    async with pair() as (ours, theirs):
        with pytest.raises(RuntimeError, match="no more"):
            await ours.send(broken())
        with pytest.raises(ConnectionClosedError) as caught:
            await theirs.recv()
        assert caught.value.code == 1011


# -- what comes in --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("first", "payload", "code"),
    [
        (FIN | RSV1 | TEXT, deflated(b"\xff"), 1007),
        (FIN | RSV1 | TEXT, b"\xff\xff\xff", 1007),
        (FIN | RSV1 | BINARY, deflated(bytes(2**20 + 1)), 1009),
        (FIN | RSV1 | PING, b"", 1002),
        (FIN | 0x60 | TEXT, deflated(b"a"), 1002),
    ],
)
async def test_what_is_wrong_fails_the_connection(first: int, payload: bytes, code: int) -> None:
    async with raw_pair() as (_, raw):
        raw.frame(first, payload)
        assert (await raw.recv_close())[0] == code


async def test_without_an_agreement_nothing_is_inflated() -> None:
    async with serve(idle, "127.0.0.1", 0) as server, Raw.open(server) as raw:
        raw.frame(FIN | RSV1 | TEXT, deflated(b"a"))
        assert (await raw.recv_close())[0] == 1002


async def test_a_flood_of_little_bombs_leaves_room_for_others() -> None:
    """One connection's share of a turn is bounded by what it inflates, too."""
    bomb = deflated(bytes(2**20))
    async with raw_pair(max_queue=None) as (ws, raw):
        async with connect(f"ws://127.0.0.1:{ws.local_address[1]}/") as other:
            for _ in range(50):
                raw.frame(FIN | RSV1 | BINARY, bomb)
            assert await (await other.ping()) > 0
            raw.frame(FIN | TEXT, b"done")
            for _ in range(50):
                assert len(await ws.recv()) == 2**20
            assert await ws.recv() == "done"


# -- to many --------------------------------------------------------------------------------------


async def test_a_broadcast_is_compressed_once_for_each_form(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls: list[int] = []
    squeeze = deflater_module.squeeze

    def counted(compressor: Any, payload: bytes, flush: int) -> bytes:
        calls.append(len(payload))
        return squeeze(compressor, payload, flush)

    monkeypatch.setattr(deflater_module, "squeeze", counted)
    kinds: list[Any] = ["deflate", None, Deflate(window_bits=10), TAKEOVER]
    async with (
        serve(idle, "127.0.0.1", 0, compression=TAKEOVER) as server,
        AsyncExitStack() as stack,
    ):
        clients = [
            await stack.enter_async_context(connect(uri_of(server), compression=kind))
            for kind in kinds * 5
        ]
        broadcast(server.connections, LONG)
        assert calls == [len(LONG.encode())] * 2  # windows of 15 and of 10 bits
        broadcast(server.connections, LONG, compress=False)
        assert len(calls) == 2
        for client in clients:
            assert [await client.recv(), await client.recv()] == [LONG, LONG]


async def test_broadcasts_and_takeover_stay_in_step() -> None:
    dice = random.Random(4)
    async with (
        serve(idle, "127.0.0.1", 0, compression=TAKEOVER) as server,
        connect(uri_of(server), compression=TAKEOVER) as ours,
        their_connect(uri_of(server)) as theirs,
    ):
        expected: list[str] = []
        for i in range(300):
            message = " ".join(dice.choices(LONG.split(), k=dice.choice([1, 5, 50]))) + str(i)
            expected.append(message)
            if dice.random() < 0.3:
                broadcast(server.connections, message)
            elif dice.random() < 0.2:
                for ws in server.connections:
                    await ws.send([message[:3], message[3:]])
            else:
                for ws in server.connections:
                    ws.send(message, compress=dice.choice([None, None, False]))
        for message in expected:
            assert await ours.recv() == message
            assert await theirs.recv() == message


# -- others ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("compression", ["deflate", TAKEOVER, Deflate(window_bits=9, threshold=0)])
@pytest.mark.parametrize(
    "theirs", [(False, False, None, True), (True, True, 9, 10), (False, True, 15, 12)]
)
async def test_clients_of_websockets(compression: Any, theirs: Any) -> None:
    factory = ClientPerMessageDeflateFactory(*theirs)
    async with serve(echo, "127.0.0.1", 0, compression=compression) as server:
        async with their_connect(uri_of(server), compression=None, extensions=[factory]) as client:
            for message in MESSAGES * 2:
                await client.send(message)
                assert await client.recv() == message
            await client.send([LONG, LONG])
            assert await client.recv() == LONG + LONG


@pytest.mark.parametrize("compression", ["deflate", TAKEOVER])
@pytest.mark.parametrize("theirs", [(False, False, None, None), (True, True, 9, 10)])
async def test_servers_of_websockets(compression: Any, theirs: Any) -> None:
    async def echo_back(ws: Any) -> None:
        async for message in ws:
            await ws.send([message[:5], message[5:]] if len(message) > 1000 else message)

    factory = ServerPerMessageDeflateFactory(*theirs)
    async with their_serve(
        echo_back, "127.0.0.1", 0, compression=None, extensions=[factory]
    ) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        async with connect(f"ws://127.0.0.1:{port}/", compression=compression) as client:
            assert (answered(client) or "").startswith(NAME)
            for message in MESSAGES * 2:
                await client.send(message)
                assert await client.recv() == message
            await client.send([LONG, LONG])
            assert await client.recv() == LONG + LONG


@pytest.mark.parametrize("bits", [9, 15])
async def test_a_client_of_aiohttp(bits: int) -> None:
    async with serve(echo, "127.0.0.1", 0) as server, aiohttp.ClientSession() as session:
        async with session.ws_connect(uri_of(server), compress=bits) as client:
            assert client.compress
            for message in MESSAGES * 2:
                if isinstance(message, str):
                    await client.send_str(message)
                    assert await client.receive_str() == message
                else:
                    await client.send_bytes(message)
                    assert await client.receive_bytes() == message


@pytest.mark.parametrize("compression", ["deflate", TAKEOVER])
async def test_a_server_of_aiohttp(compression: Any) -> None:
    async def handle(request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        async for message in ws:
            if message.type is aiohttp.WSMsgType.TEXT:
                await ws.send_str(message.data)
            else:
                await ws.send_bytes(message.data)
        return ws

    app = web.Application()
    app.router.add_get("/", handle)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        port = runner.addresses[0][1]
        async with connect(f"ws://127.0.0.1:{port}/", compression=compression) as client:
            assert (answered(client) or "").startswith(NAME)
            for message in MESSAGES * 2:
                await client.send(message)
                assert await client.recv() == message
    finally:
        await runner.cleanup()


async def test_it_works_over_tls_and_unix_sockets(
    server_tls: Any, client_tls: Any, tmp_path: Any
) -> None:
    path = str(tmp_path / "socket")
    async with (
        serve(echo, "127.0.0.1", 0, ssl=server_tls) as server,
        unix_serve(echo, path),
        connect(
            f"wss://localhost:{port_of(server)}/", ssl=client_tls, host="127.0.0.1"
        ) as over_tls,
        connect("ws://localhost/", path=path) as over_unix,
    ):
        for client in (over_tls, over_unix):
            assert answered(client) == NONE
            for message in MESSAGES:
                await client.send(message)
                assert await client.recv() == message
