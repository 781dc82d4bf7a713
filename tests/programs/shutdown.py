"""A server that is told to stop by a signal says goodbye to everybody."""

import asyncio
import os
import signal

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

ended: list[int | None] = []


async def handler(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)
    ended.append(ws.close_code)


async def run_server(ready: "asyncio.Future[int]") -> None:
    loop = asyncio.get_running_loop()
    async with serve(handler, "localhost", 0) as server:
        loop.add_signal_handler(signal.SIGTERM, server.close)
        ready.set_result(server.sockets[0].getsockname()[1])
        await server.wait_closed()
    loop.remove_signal_handler(signal.SIGTERM)
    print("server is down, serving:", server.is_serving())


async def main() -> None:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(run_server(ready))
    port = await ready
    clients = [await connect(f"ws://localhost:{port}") for _ in range(3)]
    for ws in clients:
        await ws.send("hello")
        print(await ws.recv())
    os.kill(os.getpid(), signal.SIGTERM)
    for ws in clients:
        try:
            await ws.recv()
        except ConnectionClosed as closed:
            print(type(closed).__name__, closed.rcvd and closed.rcvd.code)
    await running
    print(ended)
    try:
        await connect(f"ws://localhost:{port}")
    except OSError as refused:
        print(isinstance(refused, OSError))


asyncio.run(main())
