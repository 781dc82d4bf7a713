"""uvicorn, on uvloop, with each of its WebSocket implementations; the smallest ASGI application."""

from __future__ import annotations

import argparse
import asyncio
from typing import Any

import uvicorn

everybody: set[Any] = set()


async def echo(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        await send({**event, "type": "websocket.send"})


async def share(scope: Any, receive: Any, send: Any) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    everybody.add(send)
    while (event := await receive())["type"] == "websocket.receive":
        for each in list(everybody):
            await each({**event, "type": "websocket.send"})
    everybody.discard(send)


APPLICATIONS = {"echo": echo, "fanout": share}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--work", choices=APPLICATIONS, default="echo")
    parser.add_argument("--ws", default="websockets-sansio")
    parser.add_argument("--tls", metavar="PEM", help="certificate and key")
    parser.add_argument("--deflate", action="store_true")
    return parser.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    config = uvicorn.Config(
        APPLICATIONS[chosen.work],
        port=chosen.port,
        backlog=4096,
        ws=chosen.ws,
        ws_per_message_deflate=chosen.deflate,
        ssl_certfile=chosen.tls,
        loop="uvloop",
        lifespan="off",
        log_level="error",
        access_log=False,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event for it
        await asyncio.sleep(0.01)
    print("listening", server.servers[0].sockets[0].getsockname()[1], flush=True)
    await serving


if __name__ == "__main__":
    import uvloop

    uvloop.run(main(arguments()))
