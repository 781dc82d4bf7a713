"""picows' client, on uvloop: one message back and forth on each connection."""

from __future__ import annotations

import argparse
import asyncio
import json
import time

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

WARM_UP = 0.2  # seconds


class Echoes(WSListener):
    """Answers each echo with the next message until the time is over."""

    def __init__(self, message: bytes) -> None:
        self.transport: WSTransport | None = None
        self.message = message
        self.count = 0
        self.ends = 0.0
        self.over = asyncio.Event()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        frame.get_payload_as_bytes()  # as everybody else gets it
        if time.monotonic() < self.ends:
            self.count += 1
            transport.send(WSMsgType.BINARY, self.message)
        else:
            self.over.set()

    async def run(self, seconds: float) -> int:
        assert self.transport is not None
        self.count = 1
        self.ends = time.monotonic() + seconds
        self.over.clear()
        self.transport.send(WSMsgType.BINARY, self.message)
        await self.over.wait()
        return self.count


async def run_all(clients: list[Echoes], seconds: float) -> int:
    return sum(await asyncio.gather(*(echoes.run(seconds) for echoes in clients)))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--size", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=1.0)
    return parser.parse_args()


async def main(chosen: argparse.Namespace) -> None:
    uri = f"ws://127.0.0.1:{chosen.port}/"
    clients = [Echoes(bytes(chosen.size)) for _ in range(chosen.connections)]
    for echoes in clients:
        await ws_connect(lambda echoes=echoes: echoes, uri)
    await run_all(clients, WARM_UP)
    began = time.process_time()
    count = await run_all(clients, chosen.seconds)
    seconds = time.process_time() - began
    print(json.dumps({"count": count, "cpu_us": seconds / count * 1e6}))


if __name__ == "__main__":
    uvloop.run(main(arguments()))
