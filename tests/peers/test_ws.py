"""npm's `ws` on the other side, in a process of its own."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.peers.talk import SIZES, converse, our_server


@asynccontextmanager
async def node(folder: Path, *arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        "node",
        *arguments,
        cwd=folder,
        stdout=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_client(node_modules: Path) -> None:
    async with our_server() as (uri, ended):
        async with node(node_modules, "client.js", uri, json.dumps(SIZES)) as process:
            out, _ = await process.communicate()
        assert process.returncode == 0, out.decode()
        assert json.loads(out) == {
            "protocol": "a",
            "echoed": 2 * len(SIZES),
            "sentFragments": "fragmented",
            "receivedFragments": "fragmented",
            "pong": "00ff",
            "ping": "00ff" + b"ping".hex(),
            "ponged": "ponged",
            "closedByServer": [4001, "enough"],
            "closedByClient": [4002, "my turn"],
            "refused": 403,
            "closedWithNothing": 1005,
        }
        assert [await ended.get() for _ in range(3)] == [
            (4001, "enough"),
            (4002, "my turn"),
            (1005, ""),
        ]


async def test_server(node_modules: Path) -> None:
    async with node(node_modules, "server.js") as process:
        assert process.stdout is not None
        port = int(await process.stdout.readline())
        await converse(f"ws://127.0.0.1:{port}/")
        closes = [json.loads(await process.stdout.readline()) for _ in range(2)]
        assert closes == [[4001, "enough"], [4002, "my turn"]]
