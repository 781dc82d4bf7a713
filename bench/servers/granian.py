"""granian with one worker, on uvloop, over its own interface (RSGI)."""

from __future__ import annotations

import argparse
import socket
from typing import Any

from granian import Granian
from granian.constants import Interfaces, Loops
from granian.rsgi import WebsocketMessageType

everybody: set[Any] = set()


async def send(to: Any, message: Any) -> None:
    if message.kind == WebsocketMessageType.string:
        await to.send_str(message.data)
    else:
        await to.send_bytes(message.data)


async def echo(scope: Any, protocol: Any) -> None:
    ws = await protocol.accept()
    while (message := await ws.receive()).kind != WebsocketMessageType.close:
        await send(ws, message)
    protocol.close()


async def share(scope: Any, protocol: Any) -> None:
    ws = await protocol.accept()
    everybody.add(ws)
    while (message := await ws.receive()).kind != WebsocketMessageType.close:
        for each in list(everybody):
            await send(each, message)
    everybody.discard(ws)
    protocol.close()


APPLICATIONS = {"echo": echo, "fanout": share}


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--work", choices=APPLICATIONS, default="echo")
    return parser.parse_args()


def free_port() -> int:
    """It does not tell which one it got for port 0."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


def load(work: str) -> Any:
    return APPLICATIONS[work]


def main(chosen: argparse.Namespace) -> None:
    port = chosen.port or free_port()
    server = Granian(
        chosen.work,
        port=port,
        interface=Interfaces.RSGI,
        loop=Loops.uvloop,
        workers=1,
        backlog=4096,
        log_enabled=False,
    )
    server.on_startup(lambda: print("listening", port, flush=True))
    server.serve(target_loader=load)


if __name__ == "__main__":
    main(arguments())
