"""What is served over plain HTTP beside the WebSockets: the page, its files, a health check."""

from __future__ import annotations

import asyncio
import contextlib
import mimetypes
from collections.abc import Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .. import __version__

PAGE = Path(__file__).with_name("page")

# Everything from here and nothing inline: what users type can never become script or style.
# ws: and wss: are named because 'self' does not cover them in every browser; blob: shows
# pictures that came through the socket.
SECURITY_HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:;"
    " connect-src 'self' ws: wss:; style-src 'self'; script-src 'self'; object-src 'none';"
    " base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}

# nosniff makes browsers refuse modules of another type, and what the system believes varies.
for suffix, mime in {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}.items():
    mimetypes.add_type(mime, suffix)


class Guard:
    """ASGI middleware: puts the security headers, and a cache rule, on every response.

    There is nothing to start or to stop, so a lifespan ends at once, and no task of it is left
    for a hurried exit to cancel.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(SECURITY_HEADERS)
                # The page may be kept, but is asked for again (ETag, 304): after an update of
                # the server nobody runs half of the old one.
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        # Cancelled means that the server stops: who is cut off then is not worth a traceback.
        with contextlib.suppress(asyncio.CancelledError):
            await self._app(scope, receive, guarded)


def make_app(count_people: Callable[[], int], page: Path = PAGE) -> ASGIApp:
    """The ASGI application that answers every request that is not a WebSocket's."""
    files = StaticFiles(directory=page)

    async def index(request: Request) -> Response:
        return await files.get_response("index.html", request.scope)

    async def health(request: Request) -> Response:
        body = {"status": "ok", "version": __version__, "people": count_people()}
        return JSONResponse(body, headers={"Cache-Control": "no-store"})

    async def upgrade_required(request: Request) -> Response:
        headers = {
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Version": "13",
        }
        return PlainTextResponse("this address speaks WebSocket\n", 426, headers)

    return Starlette(
        routes=[
            Route("/", index),
            Route("/ws", upgrade_required),
            Route("/healthz", health),
            Mount("/page", files),
        ],
        middleware=[Middleware(Guard)],
    )
