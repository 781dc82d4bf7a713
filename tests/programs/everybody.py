"""Everybody who is connected hears what anybody says; one has left already."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, broadcast, serve

CONNECTED: set[ServerConnection] = set()


async def handler(ws: ServerConnection) -> None:
    CONNECTED.add(ws)
    broadcast(CONNECTED, f"{len(CONNECTED)} here")
    try:
        async for message in ws:
            broadcast(CONNECTED, message)
        await ws.wait_closed()
    finally:
        CONNECTED.remove(ws)
        broadcast(CONNECTED, f"{len(CONNECTED)} left")


async def main() -> None:
    async with serve(handler, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri) as one:
            print("one:", await one.recv())
            async with connect(uri) as two:
                print("one:", await one.recv(), "two:", await two.recv())
                async with connect(uri) as three:
                    print(await one.recv(), await two.recv(), await three.recv())
                    await two.send(b"to all")
                    print(await one.recv(), await two.recv(), await three.recv())
                print(await one.recv(), await two.recv())
            print(await one.recv())
            broadcast(server.connections, "from outside")
            print(await one.recv())
    broadcast(CONNECTED, "nobody hears this")
    print(len(CONNECTED))


asyncio.run(main())
