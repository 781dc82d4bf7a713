"""A large message that is worked on while it comes, fragment by fragment."""

import asyncio
import hashlib
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


async def digest(ws: ServerConnection) -> None:
    while True:
        sha, size = hashlib.sha256(), 0
        async for part in ws.recv_streaming(decode=False):
            sha.update(part)
            size += len(part)
        await ws.send(f"{size} {sha.hexdigest()}")
        if not size:
            return


async def pieces(count: int) -> AsyncIterator[bytes]:
    for n in range(count):
        yield bytes([n]) * 10_000
        await asyncio.sleep(0)


async def main() -> None:
    async with serve(digest, "localhost", 0, max_size=None) as server:
        async with connect(f"ws://localhost:{server.sockets[0].getsockname()[1]}") as ws:
            await ws.send(pieces(200))
            print(await ws.recv())
            await ws.send("text, too")
            print(await ws.recv())
            await ws.send(["ü", "nï", "cödé"])
            text = ""
            async for part in ws.recv_streaming():
                assert isinstance(part, str)
                text += part
            print(text)
            stream = ws.recv_streaming()
            await ws.send(b"")
            print([part async for part in stream][-1])


asyncio.run(main())
