"""The echo server that the Autobahn testsuite examines: prints its URI, then echoes.

--unlimited takes messages of any size in any number of fragments, as the suite's cases 9.* ask;
the others meet a server by its default settings.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from longlink import Connection, serve


async def echo(ws: Connection) -> None:
    async for message in ws:
        await ws.send(message)


async def main(unlimited: bool) -> None:
    limits: dict[str, Any] = {"max_size": None, "max_fragments": None} if unlimited else {}
    async with serve(echo, "127.0.0.1", 0, **limits) as server:
        port = server.sockets[0].getsockname()[1]
        print(f"ws://127.0.0.1:{port}", flush=True)
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main("--unlimited" in sys.argv[1:]))
