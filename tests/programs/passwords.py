"""HTTP Basic credentials, checked by a list and by a coroutine function."""

import asyncio

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, basic_auth, serve
from websockets.exceptions import InvalidStatus


async def greet(ws: ServerConnection) -> None:
    await ws.send(f"hello {ws.username}")


async def known(username: str, password: str) -> bool:
    return username == "ada" and password == "secret:with:colons"


async def ask(port: int, who: str) -> None:
    try:
        async with connect(f"ws://{who}localhost:{port}") as ws:
            print(await ws.recv())
    except InvalidStatus as refused:
        print(refused.response.status_code, refused.response.headers["WWW-Authenticate"])


async def main() -> None:
    listed = basic_auth(realm="club", credentials=("bob", "1234"))
    asked = basic_auth(realm="desk", check_credentials=known)
    for hook in (listed, asked):
        async with serve(greet, "localhost", 0, process_request=hook) as server:
            port = server.sockets[0].getsockname()[1]
            for who in ("", "bob:1234@", "bob:12345@", "ada:secret:with:colons@"):
                await ask(port, who)


asyncio.run(main())
