"""A server process that obeys by text message, for running out of descriptors.

Commands: `fill` opens files until there is no descriptor left, `free` closes one of them,
`count` tells how often the event loop has looked for events and how much was logged,
`stop` closes the server. Prints its port first.
"""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import selectors
from typing import Any

import longlink

LIMIT = 64


class Selector(selectors.DefaultSelector):
    looks = 0

    def select(self, timeout: float | None = None) -> Any:
        Selector.looks += 1
        return super().select(timeout)


class Counter(logging.Handler):
    lines: list[str]

    def __init__(self) -> None:
        super().__init__()
        self.lines = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


async def main() -> None:
    counter = Counter()
    logging.getLogger().addHandler(counter)
    logging.getLogger().setLevel(logging.INFO)
    spare: list[int] = []
    stop = asyncio.Event()

    def obey(ws: Any, command: str | bytes) -> None:
        if command == "fill":
            try:
                while True:
                    spare.append(os.open("/dev/null", os.O_RDONLY))
            except OSError:
                pass
        elif command == "free":
            os.close(spare.pop())
        elif command == "stop":
            stop.set()
        ws.send(f"{Selector.looks} {len(counter.lines)} {' '.join(counter.lines)}")

    async with longlink.serve(
        on_message=obey, host="127.0.0.1", port=0, max_connections=1000, close_timeout=5
    ) as server:
        print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201
        await stop.wait()


resource.setrlimit(resource.RLIMIT_NOFILE, (LIMIT, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(Selector())) as runner:
    runner.run(main())
