"""How a connection may end, and what both sides are told: codes, reasons, who was first."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.protocol import State


def told(closed: ConnectionClosed) -> tuple[object, ...]:
    rcvd = closed.rcvd and (closed.rcvd.code, closed.rcvd.reason)
    sent = closed.sent and (closed.sent.code, closed.sent.reason)
    return type(closed).__name__, rcvd, sent, closed.rcvd_then_sent


over: asyncio.Event
heard: list[tuple[object, ...]] = []


async def handler(ws: ServerConnection) -> None:
    try:
        match str(await ws.recv()):
            case "close me":
                await ws.close(1000, "as you wish")
            case "application":
                await ws.close(4002, "our own")
                await ws.recv()
            case "nothing":
                return
            case "cut":
                ws.transport.abort()
            case _:
                print("unreachable")
    except ConnectionClosed as closed:
        heard.append(told(closed)[1:])
    finally:
        over.set()


async def main() -> None:
    global over
    async with serve(handler, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        for wish in ("close me", "application", "nothing", "cut"):
            over = asyncio.Event()
            async with connect(uri) as ws:
                await ws.send(wish)
                try:
                    await ws.recv()
                except (ConnectionClosedOK, ConnectionClosedError) as closed:
                    print("client", *told(closed))
                await ws.wait_closed()
                print(ws.state is State.CLOSED, ws.close_code, repr(ws.close_reason))
                try:
                    await ws.send("too late")
                except ConnectionClosed as closed:
                    print("send:", type(closed).__name__)
            await over.wait()
        over = asyncio.Event()
        ws = await connect(uri)
        await ws.close(3000, "client's own")
        await over.wait()
        await ws.close()
        print(ws.close_code)
    print(*heard, sep="\n")


asyncio.run(main())
