"""`serve_forever`, in a task that is cancelled; and one that ends when a future is done."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


async def upper(ws: ServerConnection) -> None:
    async for message in ws:
        assert isinstance(message, str)
        await ws.send(message.upper())


async def forever(ports: "asyncio.Queue[int]") -> None:
    async with serve(upper, "localhost", 0) as server:
        ports.put_nowait(server.sockets[0].getsockname()[1])
        await server.serve_forever()


async def until_told(ports: "asyncio.Queue[int]", stop: "asyncio.Future[None]") -> None:
    async with serve(upper, "localhost", 0) as server:
        ports.put_nowait(server.sockets[0].getsockname()[1])
        await stop


async def ask(port: int, word: str) -> None:
    async with connect(f"ws://localhost:{port}") as ws:
        await ws.send(word)
        print(await ws.recv())


async def main() -> None:
    ports: asyncio.Queue[int] = asyncio.Queue()
    serving = asyncio.create_task(forever(ports))
    await ask(await ports.get(), "one")
    serving.cancel()
    try:
        await serving
    except asyncio.CancelledError:
        print("cancelled")
    stop: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(until_told(ports, stop))
    await ask(await ports.get(), "two")
    stop.set_result(None)
    await serving
    server = await serve(upper, "localhost", 0)
    await ask(server.sockets[0].getsockname()[1], "three")
    server.close()
    await server.wait_closed()
    print("over")


asyncio.run(main())
