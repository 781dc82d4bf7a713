"""Time limits and several tasks on one connection."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConcurrencyError, ConnectionClosedOK


async def slow(ws: ServerConnection) -> None:
    async for message in ws:
        if message == "close":
            return
        await asyncio.sleep(0.03)
        await ws.send(f"late answer to {message!s}")


async def main() -> None:
    async with serve(slow, "localhost", 0) as server:
        async with connect(f"ws://localhost:{server.sockets[0].getsockname()[1]}") as ws:
            await ws.send("one")
            try:
                async with asyncio.timeout(0.001):
                    await ws.recv()
            except TimeoutError:
                print("not yet")
            print(await asyncio.wait_for(ws.recv(), 10))
            receiving = asyncio.create_task(ws.recv())
            await asyncio.sleep(0)
            try:
                await ws.recv()
            except ConcurrencyError:
                print("one at a time")
            await ws.send("two")
            print(await receiving)
            waiting = asyncio.create_task(ws.wait_closed())
            await ws.send("close")
            await waiting
            try:
                await ws.recv()
            except ConnectionClosedOK:
                print("closed")
            print([message async for message in ws])


asyncio.run(main())
