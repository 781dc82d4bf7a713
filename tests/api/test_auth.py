"""Basic authentication: who is let in, what the others are told (RFC 7617)."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Any

import pytest

from longlink import Connection, InvalidStatus, basic_auth, connect, serve
from tests.api.raw import Raw, header_of, port_of, request

USERS = [("ann", "one"), ("bob", "two:three"), ("zoë", "pässword\u00a0✓")]


async def greet(ws: Connection) -> None:
    await ws.send(f"hello {ws.username}")


async def status_for(authorization: str | None, **options: Any) -> tuple[int, str | None]:
    """Status and challenge for a request with this Authorization header."""
    options = options or {"credentials": USERS}
    async with serve(
        greet, "127.0.0.1", 0, process_request=basic_auth("here", **options)
    ) as server:
        raw = await Raw.connect(port_of(server))
        raw.send(request(Authorization=authorization))
        head = await raw.head()
        await raw.close()
        return int(head.split()[1]), header_of(head, "www-authenticate")


def basic(user: str, password: str) -> str:
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(("user", "password"), USERS)
async def test_who_knows_the_password_comes_in_by_name(user: str, password: str) -> None:
    assert await status_for(basic(user, password)) == (101, None)


@pytest.mark.parametrize(
    "authorization",
    [
        basic("ann", "One"),
        basic("ann", ""),
        basic("ann", "two:three"),
        basic("nobody", "one"),
        basic("", ""),
        basic("ann:", "one"),
        basic("ann", "one\n"),
    ],
)
async def test_wrong_credentials_are_401(authorization: str) -> None:
    assert await status_for(authorization) == (401, 'Basic realm="here", charset="UTF-8"')


@pytest.mark.parametrize(
    "authorization",
    [
        None,
        "Basic",
        "Basic ",
        "Basic !",
        "Basic YQ",
        "Basic " + b64encode(b"nocolon").decode(),
        "Basic " + b64encode(b"\xff:\xfe").decode(),
        "Bearer abc",
        "Digest username=ann",
        f"{basic('ann', 'one')}, {basic('ann', 'one')}",
    ],
)
async def test_missing_and_malformed_credentials_are_401(authorization: str | None) -> None:
    assert (await status_for(authorization))[0] == 401


async def test_the_scheme_is_case_insensitive() -> None:
    assert (await status_for(basic("ann", "one").replace("Basic", "bASIC")))[0] == 101


async def test_one_pair_will_do() -> None:
    assert (await status_for(basic("ann", "one"), credentials=("ann", "one")))[0] == 101


@pytest.mark.parametrize("late", [False, True])
async def test_a_function_may_decide(late: bool) -> None:
    asked: list[tuple[str, str]] = []

    def check(user: str, password: str) -> bool:
        asked.append((user, password))
        return password == "right"

    async def check_late(user: str, password: str) -> bool:
        await asyncio.sleep(0)
        return check(user, password)

    how = {"check_credentials": check_late if late else check}
    assert (await status_for(basic("eve", "wrong"), **how))[0] == 401
    assert (await status_for(basic("ann", "right"), **how))[0] == 101
    assert (await status_for(None, **how))[0] == 401
    assert asked == [("eve", "wrong"), ("ann", "right")]


async def test_our_client_takes_credentials_from_the_address() -> None:
    auth = basic_auth('a "realm" \\ of ours', credentials=USERS)
    async with serve(greet, "127.0.0.1", 0, process_request=auth) as server:
        async with connect(f"ws://ann:one@127.0.0.1:{port_of(server)}/") as ws:
            assert await ws.recv() == "hello ann"
        with pytest.raises(InvalidStatus) as caught:
            await connect(f"ws://127.0.0.1:{port_of(server)}/")
        challenge = caught.value.headers["WWW-Authenticate"]
        assert challenge == 'Basic realm="a \\"realm\\" \\\\ of ours", charset="UTF-8"'


@pytest.mark.parametrize(
    ("given", "kind"),
    [
        ({}, ValueError),
        ({"credentials": ("a", "b"), "check_credentials": lambda user, password: True}, ValueError),
        ({"credentials": "ab"}, TypeError),
        ({"credentials": 5}, TypeError),
        ({"credentials": [("a", "b"), "ab"]}, TypeError),
        ({"credentials": [("a", 5)]}, TypeError),
        ({"credentials": [("a:b", "c")]}, ValueError),
        ({"credentials": ("a", "b"), "realm": "héré"}, ValueError),
        ({"credentials": ("a", "b"), "realm": "a\r\nb"}, ValueError),
    ],
)
def test_arguments_that_cannot_be_are_named_at_once(
    given: dict[str, Any], kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        basic_auth(**given)
