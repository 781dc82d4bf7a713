"""Handlers by path: `route()`, with werkzeug's patterns and the names of `websockets`.

werkzeug is imported when `route` is called: `pip install 'longlink[router]'`.
"""

from __future__ import annotations

import inspect
import os
import ssl as ssl_module
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import unquote

from ..wire.request import Request
from ..wire.response import Response
from .connection import Connection
from .reception import ProcessRequest
from .server import serve

if TYPE_CHECKING:
    from werkzeug.routing import Map


class Router:
    """Finds the handler for a path; a subclass may answer differently.

    Args:
        url_map: patterns, with handlers as their endpoints.
        server_name: what redirects call this server; None for what the client calls it.
        url_scheme: of redirects, "ws" or "wss".

    Raises ImportError, saying what to install, when werkzeug is not there.
    """

    def __init__(
        self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws"
    ) -> None:
        try:
            import werkzeug.routing  # noqa: F401
        except ImportError:
            raise ImportError("route() needs werkzeug: pip install 'longlink[router]'") from None
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme
        for rule in url_map.iter_rules():
            rule.websocket = True

    def get_server_name(self, connection: Connection, request: Request) -> str:
        """The name and port in the address of a redirect."""
        return self.server_name or request.headers.get("Host") or ""

    def redirect(self, connection: Connection, url: str) -> Response:
        """The answer when the path is spelled differently, or has moved."""
        response = connection.respond(302, f"found at {url}\n")
        response.headers["Location"] = url
        return response

    def not_found(self, connection: Connection) -> Response:
        """The answer when no pattern fits."""
        return connection.respond(404, "no WebSocket here\n")

    def route_request(self, connection: Connection, request: Request) -> Response | None:
        """A `process_request`: sets `handler` and `handler_kwargs` of the connection, or answers.

        Parameters are percent-decoded; a path that is no UTF-8 is not found.
        """
        from werkzeug.exceptions import HTTPException, NotFound
        from werkzeug.routing import RequestRedirect

        path, _, query = request.path.partition("?")
        routed: Any = connection
        try:
            adapter = self.url_map.bind(
                server_name=self.get_server_name(connection, request), url_scheme=self.url_scheme
            )
            found = adapter.match(unquote(path, errors="strict"), query_args=query)
        except RequestRedirect as redirect:
            return self.redirect(connection, redirect.new_url)
        except (NotFound, UnicodeDecodeError):
            return self.not_found(connection)
        except HTTPException as problem:  # 405: the pattern is for other methods
            return connection.respond(problem.code or 400, f"{problem.description}\n")
        routed.handler, routed.handler_kwargs = found
        return None

    async def handler(self, connection: Connection) -> None:
        """Run the handler that was found, with what the pattern caught."""
        routed: Any = connection
        await routed.handler(connection, **routed.handler_kwargs)


def route(
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: Callable[..., Router] | None = None,
    **kwargs: Any,
) -> serve:
    """`serve` with a handler for each path: `async with route(url_map, host, port) as server`.

        url_map = Map([Rule("/room/<int:number>", endpoint=talk)])

        async def talk(ws, number): ...

    Args:
        url_map: a `werkzeug.routing.Map` whose endpoints are handlers. Each is called with the
            connection and, as keywords, what its pattern caught.
        server_name: what redirects call this server, where a proxy changes the Host header;
            None for what the client calls it.
        ssl: as for `serve`; True says that a proxy speaks TLS, so redirects are to wss://.
        create_router: makes the `Router`; a subclass, for example.
        args, kwargs: as for `serve`. A process_request is asked first.

    Raises ImportError, saying what to install, when werkzeug is not there.
    """
    router = (create_router or Router)(url_map, server_name, "ws" if ssl is None else "wss")
    if ssl is not None and ssl is not True:
        kwargs["ssl"] = ssl
    first: ProcessRequest | None = kwargs.pop("process_request", None)
    return serve(router.handler, *args, process_request=_both(first, router), **kwargs)


def unix_route(url_map: Map, path: str | os.PathLike[str] | None = None, **kwargs: Any) -> serve:
    """`route` on a Unix socket."""
    if path is None and kwargs.get("sock") is None:
        raise TypeError("unix_route() needs a path, or sock")
    return route(url_map, path=path, **kwargs)


def _both(first: ProcessRequest | None, router: Router) -> ProcessRequest:
    """A hook that asks `first`, and the router when that has nothing against it."""
    if first is None:
        return router.route_request
    ask = first

    def process_request(connection: Connection, request: Request) -> Any:
        answer = ask(connection, request)
        if inspect.isawaitable(answer):
            return later(connection, request, answer)
        return answer or router.route_request(connection, request)

    async def later(
        connection: Connection, request: Request, answer: Awaitable[Response | None]
    ) -> Response | None:
        return await answer or router.route_request(connection, request)

    return process_request
