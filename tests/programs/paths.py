"""A router: handlers by path, with parameters."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.router import route
from websockets.asyncio.server import ServerConnection
from websockets.exceptions import InvalidStatus
from werkzeug.routing import Map, Rule


async def room(ws: ServerConnection, name: str, number: int) -> None:
    await ws.send(f"room {name} {number + 1}")


async def home(ws: ServerConnection) -> None:
    await ws.send("home")


URLS = Map([Rule("/", endpoint=home), Rule("/room/<name>/<int:number>", endpoint=room)])


async def main() -> None:
    async with route(URLS, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        for path in ("/", "/room/tea/41"):
            async with connect(uri + path) as ws:
                print(await ws.recv())
        for path in ("/nowhere", "/room/tea/many"):
            try:
                await connect(uri + path)
            except InvalidStatus as refused:
                print(path, refused.response.status_code)


asyncio.run(main())
