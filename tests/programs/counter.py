"""State that is shared and pushed as JSON: a value, and how many watch it."""

import asyncio
import json
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, broadcast, serve

USERS: set[ServerConnection] = set()
value = 0


def users_event() -> str:
    return json.dumps({"type": "users", "count": len(USERS)})


def value_event() -> str:
    return json.dumps({"type": "value", "value": value})


async def counter(ws: ServerConnection) -> None:
    global value
    try:
        USERS.add(ws)
        broadcast(USERS, users_event())
        await ws.send(value_event())
        async for message in ws:
            match json.loads(message):
                case {"action": "minus"}:
                    value -= 1
                case {"action": "plus"}:
                    value += 1
                case other:
                    await ws.send(json.dumps({"type": "error", "what": other}))
                    continue
            broadcast(USERS, value_event())
    finally:
        USERS.remove(ws)
        broadcast(USERS, users_event())


async def event(ws: ClientConnection) -> Any:
    return json.loads(await ws.recv())


async def main() -> None:
    async with serve(counter, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri) as ada:
            print(await event(ada), await event(ada))
            async with connect(uri) as bob:
                print(await event(ada), await event(bob), await event(bob))
                for action in ("plus", "plus", "minus", "plus"):
                    await ada.send(json.dumps({"action": action}))
                    print(await event(ada), await event(bob))
                await bob.send('{"action": "divide"}')
                print(await event(bob))
            print(await event(ada))


asyncio.run(main())
