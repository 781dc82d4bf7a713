"""websockets, on uvloop."""

from __future__ import annotations

import argparse
import ssl

import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

everybody: set[ServerConnection] = set()


async def echo(ws: ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)


async def share(ws: ServerConnection) -> None:
    everybody.add(ws)
    try:
        async for message in ws:
            broadcast(everybody, message)
    finally:
        everybody.discard(ws)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--work", choices=("echo", "fanout"), default="echo")
    parser.add_argument("--tls", metavar="PEM", help="certificate and key")
    parser.add_argument("--deflate", action="store_true")
    return parser.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    context = None
    if chosen.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.tls)
    async with serve(
        share if chosen.work == "fanout" else echo,
        "127.0.0.1",
        chosen.port,
        compression="deflate" if chosen.deflate else None,
        ssl=context,
        backlog=4096,
    ) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(arguments()))
