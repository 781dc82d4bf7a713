"""Rooms: the first message says who one is and where one wants to go; wrong ones are told why."""

import asyncio
import json
from collections import defaultdict

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

ROOMS: defaultdict[str, dict[str, ServerConnection]] = defaultdict(dict)


async def join(ws: ServerConnection) -> tuple[str, str] | None:
    wish = json.loads(await ws.recv())
    name, room = wish["name"], wish["room"]
    if name in ROOMS[room]:
        await ws.close(4009, f"{name} is taken in {room}")
        return None
    ROOMS[room][name] = ws
    return name, room


async def chat(ws: ServerConnection) -> None:
    joined = await join(ws)
    if joined is None:
        return
    name, room = joined
    broadcast(ROOMS[room].values(), f"* {name} joined {room}")
    try:
        async for message in ws:
            broadcast(ROOMS[room].values(), f"<{name}> {message!s}")
    except ConnectionClosedError as closed:
        print("server:", name, "was cut:", closed.rcvd)
    finally:
        del ROOMS[room][name]
        broadcast(ROOMS[room].values(), f"* {name} left")


async def main() -> None:
    async with serve(chat, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri) as ada, connect(uri) as bob, connect(uri) as eve:
            await ada.send(json.dumps({"name": "ada", "room": "tea"}))
            print(await ada.recv())
            await bob.send(json.dumps({"name": "bob", "room": "tea"}))
            print(await ada.recv(), await bob.recv())
            await eve.send(json.dumps({"name": "bob", "room": "tea"}))
            try:
                await eve.recv()
            except ConnectionClosed as closed:
                print(type(closed).__name__, closed.rcvd and closed.rcvd.code)
                print(eve.close_code, eve.close_reason)
            await bob.send("hello")
            print(await ada.recv(), await bob.recv())
            bob.transport.abort()
            print(await ada.recv())


asyncio.run(main())
