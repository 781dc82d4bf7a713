"""An echo server, whose loop ends when its client is done, and a client that says many things."""

import asyncio

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedOK

SAID: list[str | bytes] = [
    "",
    "text",
    b"octets",
    "ünïcödé 🙂",
    b"\x00\xff",
    "x" * 100_000,
    b"y" * 200_000,
]

ended: list[tuple[int | None, str | None]] = []


async def echo(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)
    ended.append((ws.close_code, ws.close_reason))


async def talk(ws: ClientConnection) -> None:
    for said in SAID:
        await ws.send(said)
        heard = await ws.recv()
        print(type(heard).__name__, len(heard), heard == said)
    print(type(await ws.recv(decode=False)).__name__ if await say(ws, "as bytes") else "")
    print(type(await ws.recv(decode=True)).__name__ if await say(ws, b"as text") else "")
    await ws.send(b"bytes as text", text=True)
    print(repr(await ws.recv()))
    await ws.send("text as bytes", text=False)
    print(repr(await ws.recv()))


async def say(ws: ClientConnection, message: str | bytes) -> bool:
    await ws.send(message)
    return True


async def main() -> None:
    async with serve(echo, "127.0.0.1", 0) as server:
        host, port = server.sockets[0].getsockname()
        ws = await connect(f"ws://{host}:{port}/")
        await talk(ws)
        await ws.close(1001, "done")
        try:
            await ws.recv()
        except ConnectionClosedOK as closed:
            print("client:", closed.rcvd and closed.rcvd.code, closed.sent and closed.sent.reason)
            print(closed.rcvd_then_sent)
    print("server: loop over", ended)


asyncio.run(main())
