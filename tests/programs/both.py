"""One handler that consumes and produces at once: whichever ends first ends the other."""

import asyncio
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve

heard: list[str | bytes] = []


async def numbers() -> AsyncIterator[int]:
    number = 0
    while True:
        yield number
        number += 1
        await asyncio.sleep(0.001)


async def consume(ws: ServerConnection) -> None:
    async for message in ws:
        heard.append(message)


async def produce(ws: ServerConnection) -> None:
    async for number in numbers():
        await ws.send(str(number))


async def handler(ws: ServerConnection) -> None:
    tasks = [asyncio.create_task(consume(ws)), asyncio.create_task(produce(ws))]
    _, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in pending:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    # The producer may have tried once more after the end, or not.
    print("consumer:", results[0], "producer ended:", isinstance(results[1], BaseException))


async def main() -> None:
    async with serve(handler, "localhost", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with connect(f"ws://localhost:{port}") as ws:
            for n in range(5):
                print(await ws.recv())
                await ws.send(f"got {n}")
    print(heard)


asyncio.run(main())
