"""A typed program over the public names: `mypy --strict src/longlink tests` reads it; nobody runs
it. Each name that annotations use must be valid as a type."""

from __future__ import annotations

import asyncio
import ssl

import longlink.sync
from longlink import (
    ClientConnection,
    ConnectionClosed,
    Data,
    Request,
    Response,
    Server,
    ServerConnection,
    Subprotocol,
    WebSocketException,
    basic_auth,
    broadcast,
    connect,
    serve,
)


async def handler(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)


def process_request(ws: ServerConnection, request: Request) -> Response | None:
    return ws.respond(200, "ok\n") if request.path == "/health" else None


async def judge(ws: ServerConnection, request: Request) -> Response | None:
    return None


class Session(ServerConnection):
    """A connection of the program's own."""

    visits = 0


async def tell(server: Server, message: str) -> None:
    broadcast(server.connections, message)


async def ask(ws: ClientConnection, question: str) -> tuple[str | bytes, float]:
    await ws.send(question)
    answer: str | bytes = await ws.recv()
    return answer, await (await ws.ping())


async def several(ws: ServerConnection) -> None:
    """What is awaited later is a coroutine, as tasks want it."""
    async with asyncio.TaskGroup() as group:
        group.create_task(ws.recv())
        group.create_task(ws.send("hello"))
        group.create_task(ws.pong())
        group.create_task(ws.close())
        group.create_task(ws.wait_closed())
        pinged: asyncio.Task[asyncio.Future[float]] = group.create_task(ws.ping())
    await asyncio.gather(ws.send("one"), ws.send("two"), pinged.result())
    trip: float = await asyncio.wait_for(await asyncio.wait_for(ws.ping(), 1), 1)
    message: str | bytes = await asyncio.wait_for(ws.recv(), trip)
    await asyncio.shield(ws.send(message))


def named(subprotocol: Subprotocol, said: Data) -> str:
    return f"{subprotocol}: {said!r}"


def blame(problem: WebSocketException) -> str:
    return type(problem).__name__


async def main() -> None:
    hooks = basic_auth("realm", credentials=("user", "password"))
    async with serve(
        handler, "127.0.0.1", 0, process_request=process_request, max_size=1
    ) as server:
        await tell(server, "hello")
    later: Server = await serve(handler, "127.0.0.1", 0, process_request=judge, start_serving=False)
    later.close()
    serve(handler, process_request=hooks)
    async with connect("ws://127.0.0.1/", ssl=ssl.create_default_context()) as ws:
        await ask(ws, "who?")
    async for client in connect("ws://127.0.0.1/", create_connection=Session):
        try:
            await ask(client, "again?")
        except ConnectionClosed as end:
            if end.code == 1000 and end.reason.endswith("bye"):
                return


def block() -> str | bytes:
    with longlink.sync.connect("ws://127.0.0.1/") as ws:
        given: longlink.sync.ClientConnection = ws
        answer: str | bytes = given.recv()
        return answer
