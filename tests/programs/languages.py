"""Subprotocols: chosen by order, by a function, and none in common."""

import asyncio
from collections.abc import Sequence
from typing import Any

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve


async def tell(ws: ServerConnection) -> None:
    await ws.send(str(ws.subprotocol))


def last_of(ws: ServerConnection, offered: Sequence[str]) -> Any:
    return offered[-1] if offered else None


async def ask(port: int, *offered: Any) -> None:
    async with connect(f"ws://localhost:{port}", subprotocols=offered or None) as ws:
        print(offered, await ws.recv(), ws.subprotocol)


async def main() -> None:
    spoken: Any = ["v2.chat", "v1.chat"]
    async with serve(tell, "localhost", 0, subprotocols=spoken) as server:
        port = server.sockets[0].getsockname()[1]
        await ask(port, "v1.chat", "v2.chat")
        await ask(port, "v1.chat")
    async with serve(
        tell, "localhost", 0, subprotocols=spoken, select_subprotocol=last_of
    ) as server:
        port = server.sockets[0].getsockname()[1]
        await ask(port, "v2.chat", "v1.chat")


asyncio.run(main())
