"""websockets' client, on uvloop: one message back and forth on each connection."""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import uvloop
from websockets.asyncio.client import ClientConnection, connect

WARM_UP = 0.2  # seconds


async def talk_all(clients: list[ClientConnection], message: bytes, seconds: float) -> int:
    return sum(await asyncio.gather(*(talk(ws, message, seconds) for ws in clients)))


async def talk(ws: ClientConnection, message: bytes, seconds: float) -> int:
    count, ends = 0, time.monotonic() + seconds
    while time.monotonic() < ends:
        await ws.send(message)
        await ws.recv()
        count += 1
    return count


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=1.0)
    return parser.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    message = bytes(chosen.size)
    uri = f"ws://127.0.0.1:{chosen.port}/"
    clients = [await connect(uri, compression=None, proxy=None) for _ in range(chosen.connections)]
    await talk_all(clients, message, WARM_UP)
    began = time.process_time()
    count = await talk_all(clients, message, chosen.seconds)
    seconds = time.process_time() - began
    print(json.dumps({"count": count, "cpu_us": seconds / count * 1e6}))


if __name__ == "__main__":
    uvloop.run(main(arguments()))
