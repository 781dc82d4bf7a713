"""A client that reconnects: the server goes away, and says so, several times."""

import asyncio
from collections.abc import Generator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

visits = 0


def delays() -> Generator[float, None, None]:
    while True:
        yield 0.001


async def unreliable(ws: ServerConnection) -> None:
    global visits
    visits += 1
    await ws.send(f"visit {visits}")
    await ws.close([1000, 1011, 1012, 4000][visits % 4])


async def main() -> None:
    async with serve(unreliable, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async for ws in connect(uri, reconnect_delays=delays):
            try:
                async for message in ws:
                    print(message)
                print("quiet end:", ws.close_code)
            except ConnectionClosed:
                print("error:", ws.close_code)
                continue
            if visits >= 7:
                break


asyncio.run(main())
