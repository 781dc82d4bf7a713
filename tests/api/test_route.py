"""Handlers by path, with werkzeug's patterns."""

from __future__ import annotations

import asyncio
import ssl
import sys
import uuid
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Map, Rule, Submount

from longlink import (
    Connection,
    InvalidStatus,
    Request,
    Response,
    Router,
    basic_auth,
    connect,
    route,
    unix_connect,
    unix_route,
)
from tests.api.raw import Raw, header_of, port_of, request


async def say(ws: Connection, **caught: Any) -> None:
    await ws.send(repr(caught))


async def home(ws: Connection) -> None:
    await ws.send("home")


def make_map(**options: Any) -> Map:
    return Map(
        [
            Rule("/", endpoint=home),
            Rule("/room/<name>", endpoint=say),
            Rule("/number/<int:number>", endpoint=say),
            Rule("/id/<uuid:id>/", endpoint=say),
            Rule("/any/<path:rest>", endpoint=say),
            Rule("/old/<name>", endpoint=say, redirect_to="/room/<name>"),
            Rule("/posted", endpoint=say, methods=["POST"]),
            Submount("/sub", [Rule("/one", endpoint=home)]),
        ],
        **options,
    )


async def heard(server: Any, path: str) -> str:
    async with connect(f"ws://127.0.0.1:{port_of(server)}{path}") as ws:
        return str(await ws.recv())


async def refused(server: Any, target: str, **headers: Any) -> tuple[int, str | None]:
    """Status and Location for a request."""
    raw = await Raw.connect(port_of(server))
    raw.send(request(target, **headers))
    head = await raw.head()
    await raw.close()
    return int(head.split()[1]), header_of(head, "location")


@pytest.mark.parametrize(
    ("path", "caught"),
    [
        ("/", "home"),
        ("/?token=x", "home"),
        ("/room/tea", "{'name': 'tea'}"),
        ("/room/M%C3%BCnchen%20Ost", "{'name': 'München Ost'}"),
        ("/room/a?b=c", "{'name': 'a'}"),
        ("/number/7", "{'number': 7}"),
        ("/any/a/b/c", "{'rest': 'a/b/c'}"),
        ("/sub/one", "home"),
    ],
)
async def test_a_path_leads_to_its_handler_with_what_it_caught(path: str, caught: str) -> None:
    async with route(make_map(), "127.0.0.1", 0) as server:
        assert await heard(server, path) == caught


async def test_a_parameter_has_its_type() -> None:
    number = uuid.uuid4()
    async with route(make_map(), "127.0.0.1", 0) as server:
        assert await heard(server, f"/id/{number}/") == repr({"id": number})


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/nowhere", 404),
        ("/number/x", 404),
        ("/room/a/b", 404),
        ("/room/%ff", 404),
        ("//evil.example/room/a", 404),
        ("/posted", 405),
    ],
)
async def test_a_path_that_leads_nowhere_is_refused(target: str, status: int) -> None:
    async with route(make_map(), "127.0.0.1", 0) as server:
        assert (await refused(server, target))[0] == status


@pytest.mark.parametrize(
    ("target", "location"),
    [
        ("/old/tea", "ws://here.example/room/tea"),
        ("/sub//one", "ws://here.example/sub/one"),
        ("//old/tea", "ws://here.example/room/tea"),
        (f"/id/{uuid.UUID(int=5)}?q=1", f"ws://here.example/id/{uuid.UUID(int=5)}/?q=1"),
    ],
)
async def test_a_path_that_is_spelled_differently_is_redirected(target: str, location: str) -> None:
    async with route(make_map(), "127.0.0.1", 0) as server:
        assert await refused(server, target, Host="here.example") == (302, location)


async def test_our_client_follows_a_redirect() -> None:
    async with route(make_map(), "127.0.0.1", 0) as server:
        assert await heard(server, "/old/tea") == "{'name': 'tea'}"


async def test_redirects_behind_a_proxy_say_the_name_and_scheme_that_clients_know() -> None:
    known: dict[str, Any] = {"server_name": "known.example", "ssl": True}
    async with route(make_map(), "127.0.0.1", 0, **known) as server:
        assert await refused(server, "/old/a") == (302, "wss://known.example/room/a")


async def test_redirects_of_a_server_with_tls_are_to_wss(
    server_tls: ssl.SSLContext, client_tls: ssl.SSLContext
) -> None:
    async with route(make_map(), "127.0.0.1", 0, ssl=server_tls) as server:
        where = f"wss://localhost:{port_of(server)}/old/tea"
        async with connect(where, host="127.0.0.1", ssl=client_tls) as ws:
            assert await ws.recv() == "{'name': 'tea'}"


@pytest.mark.parametrize("host", [None, "a" * 70 + ".example", ""])
async def test_a_host_that_is_none_is_refused(host: str | None) -> None:
    async with route(make_map(), "127.0.0.1", 0) as server:
        assert (await refused(server, "/", Host=host))[0] == 400


@pytest.mark.parametrize("late", [False, True])
async def test_another_hook_is_asked_first(late: bool) -> None:
    def judge(ws: Connection, asked: Request) -> Response | None:
        return ws.respond(403, "no\n") if "secret" in asked.path else None

    async def judge_late(ws: Connection, asked: Request) -> Response | None:
        await asyncio.sleep(0)
        return judge(ws, asked)

    hook = judge_late if late else judge
    async with route(make_map(), "127.0.0.1", 0, process_request=hook) as server:
        assert (await refused(server, "/room/secret"))[0] == 403
        assert (await refused(server, "/nowhere"))[0] == 404
        assert await heard(server, "/room/tea") == "{'name': 'tea'}"


async def test_with_basic_auth() -> None:
    auth = basic_auth("rooms", ("ann", "one"))
    async with route(make_map(), "127.0.0.1", 0, process_request=auth) as server:
        async with connect(f"ws://ann:one@127.0.0.1:{port_of(server)}/room/a") as ws:
            assert await ws.recv() == "{'name': 'a'}"
        with pytest.raises(InvalidStatus, match="401"):
            await heard(server, "/room/a")


async def test_a_router_of_its_own() -> None:
    class Polite(Router):
        def not_found(self, connection: Connection) -> Response:
            return connection.respond(410, "gone\n")

    async with route(make_map(), "127.0.0.1", 0, create_router=Polite) as server:
        assert (await refused(server, "/nowhere"))[0] == 410


async def test_on_a_unix_socket(tmp_path: Path) -> None:
    place = tmp_path / "s"
    async with unix_route(make_map(), place), unix_connect(str(place), "ws://localhost/") as ws:
        assert await ws.recv() == "home"
    with pytest.raises(TypeError, match="needs a path"):
        unix_route(make_map())


def test_werkzeug_is_needed_and_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "werkzeug.routing", None)
    with pytest.raises(ImportError, match=r"pip install 'longlink\[router\]'"):
        route(make_map(), "127.0.0.1", 0)
