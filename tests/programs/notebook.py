"""A client without `async`, in a thread beside the server's loop."""

import asyncio

from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect


async def echo(ws: ServerConnection) -> None:
    async for message in ws:
        if message == "close":
            return await ws.close(4000, "enough")
        await ws.send(message)


def talk(uri: str) -> None:
    with connect(uri) as ws:
        ws.send("hello")
        print(ws.recv())
        ws.send(b"octets")
        print(ws.recv(timeout=5))
        try:
            ws.recv(timeout=0.01)
        except TimeoutError:
            print("nothing more")
        ws.send(["in ", "pieces"])
        print(ws.recv())
        ws.send("close")
        try:
            ws.recv()
        except ConnectionClosed as closed:
            print(closed.rcvd and (closed.rcvd.code, closed.rcvd.reason))


async def main() -> None:
    async with serve(echo, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        await asyncio.to_thread(talk, uri)


asyncio.run(main())
