"""Messages that are sent from iterables, fragment by fragment, and received whole."""

import asyncio
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

SHAPES: list[bytes | bytearray | memoryview] = [b"x", bytearray(b"yy"), memoryview(b"zzz")]


async def count(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(f"{type(message).__name__} of {len(message)}")


async def pieces() -> AsyncIterator[bytes]:
    for n in range(5):
        yield bytes(n * 1000)
        await asyncio.sleep(0)


async def main() -> None:
    async with serve(count, "localhost", 0) as server:
        async with connect(f"ws://localhost:{server.sockets[0].getsockname()[1]}") as ws:
            await ws.send(["a", "b", "c"])
            print(await ws.recv())
            await ws.send(pieces())
            print(await ws.recv())
            await ws.send(iter(SHAPES))
            print(await ws.recv())
            await asyncio.gather(ws.send(pieces()), ws.send("in between"), ws.send(["d", "e"]))
            print(sorted([str(await ws.recv()) for _ in range(3)]))
            for wrong in ({"a": "dict"}, 5, None):
                try:
                    await ws.send(wrong)  # type: ignore[arg-type]
                except TypeError:
                    print("no message:", wrong)


asyncio.run(main())
