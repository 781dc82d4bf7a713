"""Publish and subscribe with a queue for each subscriber, so that a slow one stops nobody."""

import asyncio
from collections.abc import AsyncIterator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


class Topic:
    def __init__(self) -> None:
        self.queues: set[asyncio.Queue[str]] = set()

    def publish(self, message: str) -> None:
        for queue in self.queues:
            queue.put_nowait(message)

    async def subscribe(self) -> AsyncIterator[str]:
        queue: asyncio.Queue[str] = asyncio.Queue()
        self.queues.add(queue)
        try:
            while True:
                yield await queue.get()
        finally:
            self.queues.remove(queue)


TOPIC = Topic()


async def push(ws: ServerConnection) -> None:
    async for message in TOPIC.subscribe():
        await ws.send(message)


async def handler(ws: ServerConnection) -> None:
    pushing = asyncio.create_task(push(ws))
    await ws.wait_closed()
    pushing.cancel()


async def main() -> None:
    async with serve(handler, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri) as quick, connect(uri) as slow:
            while len(TOPIC.queues) < 2:
                await asyncio.sleep(0)
            for n in range(100):
                TOPIC.publish(f"news {n}")
            print([await quick.recv() for _ in range(100)][-1])
            print([await slow.recv() for _ in range(100)][-1])
    while TOPIC.queues:
        await asyncio.sleep(0)
    print("subscribers:", len(TOPIC.queues))


asyncio.run(main())
