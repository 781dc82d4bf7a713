"""Three ways to say who one is: a first message, a query, a cookie."""

import asyncio
import http
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlsplit

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosedError, InvalidStatus
from websockets.http11 import Request, Response

USERS = {"token-of-ada": "ada", "token-of-bob": "bob"}


async def first_message(ws: ServerConnection) -> None:
    user = USERS.get(str(await asyncio.wait_for(ws.recv(), 5)))
    if user is None:
        await ws.close(1011, "authentication failed")
        return
    await ws.send(f"hello {user}")


async def by_query(ws: ServerConnection, request: Request) -> Response | None:
    token = parse_qs(urlsplit(request.path).query).get("token", [""])[0]
    return await check(ws, token)


async def by_cookie(ws: ServerConnection, request: Request) -> Response | None:
    cookie = SimpleCookie(request.headers.get("Cookie", ""))
    return await check(ws, cookie["token"].value if "token" in cookie else "")


async def check(ws: ServerConnection, token: str) -> Response | None:
    user = USERS.get(token)
    if user is None:
        return ws.respond(http.HTTPStatus.UNAUTHORIZED, "Invalid token\n")
    ws.username = user
    return None


async def greet(ws: ServerConnection) -> None:
    await ws.send(f"hello {ws.username}")


async def main() -> None:
    async with serve(first_message, "localhost", 0) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri) as ws:
            await ws.send("token-of-ada")
            print(await ws.recv())
        async with connect(uri) as ws:
            await ws.send("nonsense")
            try:
                await ws.recv()
            except ConnectionClosedError as closed:
                print(closed.rcvd and (closed.rcvd.code, closed.rcvd.reason))

    async with serve(greet, "localhost", 0, process_request=by_query) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(f"{uri}/?token=token-of-bob") as ws:
            print(await ws.recv())
        try:
            await connect(f"{uri}/?token=wrong")
        except InvalidStatus as refused:
            print(refused.response.status_code, bytes(refused.response.body))

    async with serve(greet, "localhost", 0, process_request=by_cookie) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        async with connect(uri, additional_headers={"Cookie": "a=b; token=token-of-ada"}) as ws:
            print(await ws.recv())
        try:
            await connect(uri)
        except InvalidStatus as refused:
            print(refused.response.status_code, refused.response.headers["Content-Type"])


asyncio.run(main())
