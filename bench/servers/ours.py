"""longlink, with callbacks or with `async for`, on asyncio's loop or uvloop's."""

from __future__ import annotations

import argparse
import asyncio
import ssl
from typing import Any

import longlink

everybody: set[longlink.ServerConnection] = set()


async def echo(ws: longlink.ServerConnection) -> None:
    async for message in ws:
        await ws.send(message)


async def share(ws: longlink.ServerConnection) -> None:
    async for message in ws:
        longlink.broadcast(everybody, message)


def on_echo(ws: longlink.ServerConnection, message: longlink.Data) -> None:
    ws.send(message)


def on_share(ws: longlink.ServerConnection, message: longlink.Data) -> None:
    longlink.broadcast(everybody, message)


WAYS: dict[tuple[str, str], dict[str, Any]] = {
    ("async", "echo"): {"handler": echo},
    ("async", "fanout"): {"handler": share},
    ("callback", "echo"): {"on_message": on_echo},
    ("callback", "fanout"): {"on_message": on_share},
}
MEMBERS: dict[str, Any] = {"on_open": everybody.add, "on_close": everybody.discard}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--work", choices=("echo", "fanout"), default="echo")
    parser.add_argument("--api", choices=("callback", "async"), default="callback")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--tls", metavar="PEM", help="certificate and key")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--max-size", type=int, default=2**20)
    return parser.parse_args()


def options(chosen: argparse.Namespace) -> dict[str, Any]:
    """Keywords of `serve()`."""
    context = None
    if chosen.tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(chosen.tls)
    return {
        **WAYS[chosen.api, chosen.work],
        **(MEMBERS if chosen.work == "fanout" else {}),
        "compression": "deflate" if chosen.deflate else None,
        "ssl": context,
        "backlog": 4096,
        "max_size": chosen.max_size,
        "max_backlog": max(2**20, 2 * chosen.max_size),
    }


async def main(chosen: argparse.Namespace) -> None:
    async with longlink.serve(host="127.0.0.1", port=chosen.port, **options(chosen)) as server:
        print("listening", server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    chosen = arguments()
    if chosen.loop == "uvloop":
        import uvloop

        uvloop.run(main(chosen))
    else:
        asyncio.run(main(chosen))
