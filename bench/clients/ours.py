"""longlink's client, by callback or coroutine: one message back and forth on each connection."""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from typing import Any

from longlink import ClientConnection, Data, connect

WARM_UP = 0.2  # seconds


class Echoes:
    """Answers each echo with the next message until the time is over."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.count = 0
        self.ends = 0.0
        self.over = asyncio.Event()

    def on_message(self, ws: ClientConnection, message: Data) -> None:
        if time.monotonic() < self.ends:
            self.count += 1
            ws.send(self.message)
        else:
            self.over.set()

    async def run(self, ws: ClientConnection, seconds: float) -> int:
        self.count = 1
        self.ends = time.monotonic() + seconds
        self.over.clear()
        ws.send(self.message)
        await self.over.wait()
        return self.count


class Talk:
    """The same with coroutines."""

    on_message = None

    def __init__(self, message: bytes) -> None:
        self.message = message

    async def run(self, ws: ClientConnection, seconds: float) -> int:
        count, ends = 0, time.monotonic() + seconds
        while time.monotonic() < ends:
            await ws.send(self.message)
            await ws.recv()
            count += 1
        return count


WAYS: dict[str, type[Any]] = {"callback": Echoes, "async": Talk}


async def run_all(clients: list[tuple[Any, ClientConnection]], seconds: float) -> int:
    return sum(await asyncio.gather(*(way.run(ws, seconds) for way, ws in clients)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--api", choices=WAYS, default="callback")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    return parser.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    uri = f"ws://127.0.0.1:{chosen.port}/"
    clients = []
    for _ in range(chosen.connections):
        way = WAYS[chosen.api](bytes(chosen.size))
        ws = await connect(uri, on_message=way.on_message, compression=None, proxy=None)
        clients.append((way, ws))
    await run_all(clients, WARM_UP)
    began = time.process_time()
    count = await run_all(clients, chosen.seconds)
    seconds = time.process_time() - began
    print(json.dumps({"count": count, "cpu_us": seconds / count * 1e6}))


if __name__ == "__main__":
    chosen = arguments()
    if chosen.loop == "uvloop":
        import uvloop

        uvloop.run(main(chosen))
    else:
        asyncio.run(main(chosen))
