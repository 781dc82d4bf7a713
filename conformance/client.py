"""The client that the Autobahn testsuite examines, by the suite's own convention.

client.py [--unlimited] URI AGENT: asks the fuzzing server how many cases there are, echoes through
each of them, and has the reports written. --unlimited as in server.py. What the suite calls itself
goes to the file that CONFORMANCE_NOTE names.
"""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from longlink import Connection, ConnectionClosed, connect


async def main(uri: str, agent: str, limits: dict[str, Any]) -> None:
    async with connect(f"{uri}/getCaseCount") as ws:
        count = int(await ws.recv())
        note_suite(ws)
    for case in range(1, count + 1):
        async with connect(f"{uri}/runCase?case={case}&agent={agent}", **limits) as ws:
            await echo(ws)
    async with connect(f"{uri}/updateReports?agent={agent}"):
        pass


def note_suite(ws: Connection) -> None:
    note = os.environ.get("CONFORMANCE_NOTE")
    if note and ws.response is not None:
        Path(note).write_text(ws.response.headers.get("Server", "an unnamed suite"), "utf-8")


async def echo(ws: Connection) -> None:
    with suppress(ConnectionClosed):
        async for message in ws:
            await ws.send(message)


if __name__ == "__main__":
    *options, uri, agent = sys.argv[1:]
    limits: dict[str, Any] = {}
    if "--unlimited" in options:
        limits = {"max_size": None, "max_fragments": None}
    asyncio.run(main(uri.rstrip("/"), agent, limits))
