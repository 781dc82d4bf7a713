"""Whose address is shown: the peer's, or that of whom a trusted proxy speaks."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
from websockets.asyncio.client import connect, unix_connect

from longlink.server.config import Config
from tests.server.conftest import Launch, open_house
from tests.server.product import Chat, chatting, serving

FORWARDED = "X-Forwarded-For"


async def shown(trusted: tuple[str, ...], *said: str) -> str:
    """The address in the list of people, of somebody with these headers."""
    async with open_house(forwarded_allow_ips=trusted) as house:
        headers = [(FORWARDED, each) for each in said]
        async with chatting(house.ws, additional_headers=headers) as chat:
            ip: str = (await chat.event("welcome"))["people"][0]["ip"]
            return ip


@pytest.mark.parametrize(
    ("trusted", "said", "expected"),
    [
        ((), ["203.0.113.7"], "127.0.0.1"),  # nobody is believed unless asked for
        (("10.0.0.1", "unix"), ["203.0.113.7"], "127.0.0.1"),  # not this one
        (("127.0.0.1",), [], "127.0.0.1"),
        (("127.0.0.1",), ["203.0.113.7"], "203.0.113.7"),
        (("127.0.0.0/8",), ["203.0.113.7:4711"], "203.0.113.7"),
        (("127.0.0.1",), ["2001:DB8::1"], "2001:db8::1"),
        (("127.0.0.1",), ["[2001:db8::1]:99"], "2001:db8::1"),
        # Only the last was seen by our proxy; before it stands what they said themselves.
        (("127.0.0.1",), ["6.6.6.6, 203.0.113.7"], "203.0.113.7"),
        (("127.0.0.1",), ["6.6.6.6", "203.0.113.7"], "203.0.113.7"),
        (("127.0.0.1", "10.0.0.0/8"), ["6.6.6.6, 203.0.113.7, 10.1.2.3"], "203.0.113.7"),
        (("127.0.0.1", "10.0.0.0/8"), ["10.1.2.3"], "10.1.2.3"),
        (("127.0.0.1",), ["<b>me</b>"], "127.0.0.1"),
        (("127.0.0.1",), ["203.0.113.7, unknown"], "127.0.0.1"),
        (("127.0.0.1",), [""], "127.0.0.1"),
        # A zone may be any text at all.
        (("127.0.0.1",), ["fe80::1%\x9b31m"], "127.0.0.1"),
        # A proxy that listens for both families writes IPv4 as IPv6.
        (("127.0.0.1",), ["::ffff:203.0.113.7"], "203.0.113.7"),
        (("127.0.0.1", "10.0.0.0/8"), ["203.0.113.7, ::ffff:10.1.2.3"], "203.0.113.7"),
    ],
)
async def test_whose_word_counts(trusted: tuple[str, ...], said: list[str], expected: str) -> None:
    assert await shown(trusted, *said) == expected


@pytest.mark.skipif(not socket.has_dualstack_ipv6(), reason="no IPv6 on this machine")
async def test_both_families_on_one_socket(python_environment: dict[str, str]) -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as sock:
        url = f"ws://127.0.0.1:{sock.getsockname()[1]}/"
        arguments = ("--fd", str(sock.fileno()), "--forwarded-allow-ips", "127.0.0.1")
        async with serving(python_environment, *arguments, pass_fds=(sock.fileno(),)) as product:
            async with connect(url, additional_headers={FORWARDED: "203.0.113.7"}), connect(url):
                await product.line(r"#1 203\.0\.113\.7 joined")
                await product.line(r"#2 127\.0\.0\.1 joined")
            await product.stop()


@pytest.mark.parametrize(("trusted", "expected"), [("unix", "203.0.113.7"), ("127.0.0.1", "unix")])
async def test_over_a_unix_socket(tmp_path: Path, trusted: str, expected: str) -> None:
    path = str(tmp_path / "s")
    async with (
        open_house(uds=path, forwarded_allow_ips=(trusted,)),
        unix_connect(
            path,
            "ws://localhost/",
            subprotocols=["chat"],
            additional_headers={FORWARDED: "203.0.113.7"},
        ) as connection,
    ):
        welcome = await Chat(connection).event("welcome")
        assert welcome["people"][0]["ip"] == expected


async def test_the_log_names_it_too(launch: Launch) -> None:
    async with launch("--forwarded-allow-ips", "127.0.0.1") as product:
        async with connect(product.ws, additional_headers={FORWARDED: "203.0.113.7"}):
            await product.line(r"#1 203\.0\.113\.7 joined")
        async with asyncio.timeout(30):
            await product.stop()


def test_what_is_no_network_is_refused() -> None:
    with pytest.raises(ValueError, match=r"such as 10\.0\.0\.0/8, or unix, not 'proxy'"):
        Config(forwarded_allow_ips=("proxy",))
