"""A server that greets whoever says a name."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


async def greet(ws: ServerConnection) -> None:
    name = await ws.recv()
    print(f"server heard {name!r}")
    await ws.send(f"Hello {name!s}!")


async def main() -> None:
    async with serve(greet, "localhost", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://localhost:{port}") as ws:
            await ws.send("Ada")
            print(f"client heard {await ws.recv()!r}")


asyncio.run(main())
