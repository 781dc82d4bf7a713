"""A client that decides which failures are worth another try."""

import asyncio
from collections.abc import Generator

from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request, Response

asked = 0


def delays() -> Generator[float, None, None]:
    while True:
        yield 0.001


def refuse(connection: ServerConnection, request: Request) -> Response:
    global asked
    asked += 1
    return connection.respond(410 if asked > 1 else 403, "no\n")


def worth_it(problem: Exception) -> Exception | None:
    if isinstance(problem, InvalidStatus) and problem.response.status_code == 410:
        return problem
    return None if isinstance(problem, InvalidStatus) else problem


async def nobody(ws: ServerConnection) -> None:
    raise AssertionError


async def main() -> None:
    async with serve(nobody, "localhost", 0, process_request=refuse) as server:
        uri = f"ws://localhost:{server.sockets[0].getsockname()[1]}"
        try:
            async for _ in connect(uri, process_exception=worth_it, reconnect_delays=delays):
                print("unreachable")
        except InvalidStatus as refused:
            print("gave up:", refused.response.status_code, "after", asked)


asyncio.run(main())
