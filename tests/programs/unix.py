"""Over a Unix socket."""

import asyncio
import os
import tempfile

from websockets.asyncio.client import unix_connect
from websockets.asyncio.server import ServerConnection, unix_serve


async def reverse(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message[::-1])


async def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "socket")
        async with unix_serve(reverse, path):
            async with unix_connect(path) as ws:
                assert ws.request is not None
                print(ws.request.path, ws.request.headers["Host"])
                await ws.send("stressed")
                print(await ws.recv())


asyncio.run(main())
