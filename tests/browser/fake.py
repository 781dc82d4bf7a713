"""A scripted server of the `chat` subprotocol: it says to the page whatever a test wants said.

The real server is what most tests of this folder drive. This one stands in where the page must
cope with something the real one never does, or does only at its operator's terminal.
"""

from __future__ import annotations

import asyncio
import json
import mimetypes
import time
from collections.abc import Iterable
from http import HTTPStatus
from pathlib import Path

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

import longlink.server

PAGE = Path(longlink.server.__file__).parent / "page"
POLICY = (
    "default-src 'self'; img-src 'self' blob:; connect-src 'self' ws: wss:; "
    "style-src 'self'; script-src 'self'"
)


class Fake:
    """Async context manager: a server on a free port, its address in `url`."""

    def __init__(self) -> None:
        self.visitors: dict[int, ServerConnection] = {}
        self.arrivals: asyncio.Queue[ServerConnection] = asyncio.Queue()
        self.names: dict[int, str] = {}
        self.heard: list[dict[str, object]] = []
        self.url = ""
        self._server: Server | None = None
        self._port = 0

    async def __aenter__(self) -> Fake:
        await self.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Listens, on the port of the last time if there was one."""
        self._server = await serve(
            self._converse,
            "127.0.0.1",
            self._port,
            process_request=self._answer,
            subprotocols=["chat"],  # type: ignore[list-item]
            max_size=None,
        )
        self._port = next(iter(self._server.sockets)).getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/"

    async def stop(self) -> None:
        """Sends everybody away with 1001 and stops listening."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def event(self, type_: str, **fields: object) -> None:
        """Sends an event to everybody."""
        await self.raw(json.dumps({"type": type_, "time": time.time(), **fields}))

    async def raw(self, message: str | bytes | Iterable[bytes]) -> None:
        """Sends a message as it is to everybody."""
        for visitor in list(self.visitors.values()):
            await visitor.send(message)

    def _answer(self, connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ws":
            return None
        path = PAGE / (request.path.removeprefix("/page/") if request.path != "/" else "index.html")
        if path.parent != PAGE or not path.is_file():
            return connection.respond(HTTPStatus.NOT_FOUND, "not found\n")
        body = path.read_bytes()
        headers = Headers()
        headers["Content-Type"] = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers["Content-Length"] = str(len(body))
        headers["Content-Security-Policy"] = POLICY
        headers["Connection"] = "close"
        return Response(200, "OK", headers, body)

    async def _converse(self, visitor: ServerConnection) -> None:
        number = max(self.visitors, default=0) + 1
        self.visitors[number] = visitor
        self.arrivals.put_nowait(visitor)
        self.names[number] = ""
        people = [
            {"id": i, "name": self.names[i], "ip": "127.0.0.1", "since": time.time()}
            for i in self.visitors
        ]
        welcome = {"type": "welcome", "id": number, "time": time.time(), "people": people}
        await visitor.send(json.dumps(welcome))
        await self.event("joined", id=number, name="", ip="127.0.0.1")
        try:
            async for message in visitor:
                await self._heard(number, json.loads(message))
        finally:
            del self.visitors[number]
            await self.event("left", id=number, code=1001, reason="")

    async def _heard(self, number: int, event: dict[str, object]) -> None:
        self.heard.append(event)
        if event["type"] == "name":
            self.names[number] = str(event["name"])
            await self.event("renamed", id=number, name=event["name"])
        else:
            name = self.names[number]
            await self.event("message", **{"from": number}, name=name, text=event["text"], to=None)
