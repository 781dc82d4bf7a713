"""Pings: round trips that are measured, given data, and what a client sees of keepalive."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConcurrencyError


async def handler(ws: ServerConnection) -> None:
    while ws.latency == 0:
        await asyncio.sleep(0.01)
    await ws.send("measured")
    await ws.wait_closed()


async def main() -> None:
    async with serve(handler, "localhost", 0, ping_interval=0.02, ping_timeout=5) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri, ping_interval=None) as ws:
            print(ws.latency)
            print(await ws.recv())
            pong = await ws.ping()
            trip = await pong
            print(0 < trip < 5, ws.latency == trip)
            first, second = await ws.ping("same"), await ws.ping(b"other")
            try:
                await ws.ping("same")
            except ConcurrencyError:
                print("twice the same")
            print(all(0 < trip < 5 for trip in await asyncio.gather(first, second)))
            await ws.pong("unasked")
            await ws.ping()  # nobody waits for this one


asyncio.run(main())
