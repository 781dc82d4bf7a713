"""One port for WebSockets and for whoever checks whether the server is well."""

import asyncio
import http

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response


def check(connection: ServerConnection, request: Request) -> Response | None:
    if request.path == "/healthz":
        return connection.respond(http.HTTPStatus.OK, "OK\n")
    if request.path == "/teapot":
        response = connection.respond(418, "short and stout\n")
        response.headers["X-Kind"] = "teapot"
        return response
    return None


def sign(connection: ServerConnection, request: Request, response: Response) -> None:
    response.headers["X-Served-By"] = request.path


async def handler(ws: ServerConnection) -> None:
    assert ws.request is not None
    await ws.send(f"{ws.request.path} from {ws.request.headers['X-From']}")


async def get(port: int, path: str) -> None:
    reader, writer = await asyncio.open_connection("localhost", port)
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n".encode())
    head, _, body = (await reader.read()).decode().partition("\r\n\r\n")
    print(head.split()[1], "X-Kind: teapot" in head, repr(body))
    writer.close()


async def main() -> None:
    async with serve(
        handler, "localhost", 0, process_request=check, process_response=sign
    ) as server:
        port = server.sockets[0].getsockname()[1]
        await get(port, "/healthz")
        await get(port, "/teapot")
        uri = f"ws://localhost:{port}/live"
        async with connect(uri, additional_headers=[("X-From", "me")]) as ws:
            print(await ws.recv())
            assert ws.response is not None
            print(ws.response.status_code, ws.response.headers["x-served-by"])
        try:
            await connect(f"ws://localhost:{port}/teapot")
        except InvalidStatus as refused:
            print(refused.response.status_code, refused.response.headers["X-Kind"])


asyncio.run(main())
