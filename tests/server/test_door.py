from __future__ import annotations

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus

from tests.server.conftest import House, open_house


async def status(url: str, **options: object) -> int:
    """What a handshake is answered with."""
    try:
        async with connect(url, **options):  # type: ignore[arg-type]
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


@pytest.mark.parametrize("path", ["/x", "/ws/", "/ws/x", "/wsx", "/page/app.js", "//ws", "/%77s"])
async def test_other_paths_have_no_websocket(house: House, path: str) -> None:
    assert await status(house.ws + path) == 404


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 101),
        ("http://127.0.0.1", 101),
        ("http://127.0.0.1:9", 101),
        ("https://127.0.0.1", 101),
        ("http://evil.example", 403),
        ("http://127.0.0.1.evil.example", 403),
        ("http://evil.example/127.0.0.1", 403),
        ("http://127.0.0.1@evil.example", 403),
        ("http://localhost", 403),
        ("https://friend.example", 403),
        ("null", 403),
        ("", 403),
        ("file://", 403),
    ],
)
async def test_only_pages_of_the_same_host_may_talk(
    house: House, origin: str | None, expected: int
) -> None:
    assert await status(house.ws, origin=origin) == expected


@pytest.mark.parametrize(
    ("origin", "expected"),
    [
        (None, 101),
        ("http://127.0.0.1", 101),
        ("https://friend.example", 101),
        ("https://friend.example:8443", 101),
        ("http://friend.example", 403),
        ("https://friend.example:1", 403),
        ("https://sub.friend.example", 403),
        ("https://evil.example", 403),
        ("null", 403),
    ],
)
async def test_listed_origins_come_beside_the_same_host(origin: str | None, expected: int) -> None:
    listed = ("https://friend.example", "https://friend.example:8443")
    async with open_house(origin=listed) as house:
        assert await status(house.ws, origin=origin) == expected


@pytest.mark.parametrize("origin", [None, "https://evil.example", "null"])
async def test_a_star_lets_every_page_in(origin: str | None) -> None:
    async with open_house(origin=("*",)) as house:
        assert await status(house.ws, origin=origin) == 101


async def test_origins_are_judged_at_both_paths(house: House) -> None:
    assert await status(house.ws + "/ws", origin="http://evil.example") == 403


async def test_two_origins_are_one_too_many(house: House) -> None:
    headers = [("Origin", "http://127.0.0.1"), ("Origin", "http://127.0.0.1")]
    assert await status(house.ws, additional_headers=headers) == 400


@pytest.mark.parametrize(
    ("options", "host", "expected"),
    [
        ({}, "any.example", 101),
        ({"allow_host": ("box.example",)}, "box.example", 101),
        ({"allow_host": ("box.example",)}, "localhost", 101),
        ({"allow_host": ("box.example",)}, "127.0.0.1", 101),
        ({"allow_host": ("box.example",)}, "rebound.example", 421),
    ],
)
async def test_only_names_that_are_allowed_are_answered(
    options: dict[str, tuple[str, ...]], host: str, expected: int
) -> None:
    async with open_house(**options) as house:
        port = int(house.ws.rpartition(":")[2].strip("/"))
        known_as = f"ws://{host}:{port}/ws"
        assert await status(known_as, host="127.0.0.1", port=port, proxy=None) == expected
