"""`longlink serve` with TLS: https and wss on one port, client certificates, compression."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

import aiohttp
import pytest
import trustme
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage

from tests.server.conftest import Launch


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def pem(authority: trustme.CA, tmp_path: Path) -> str:
    """A file with a certificate for localhost and its key."""
    path = tmp_path / "both.pem"
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(path)
    )
    return str(path)


@pytest.fixture
def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


async def test_the_page_and_websockets_share_a_port(
    launch: Launch, pem: str, trusting: ssl.SSLContext
) -> None:
    async with launch("--ssl-certfile", pem) as product, aiohttp.ClientSession() as session:
        assert product.url.startswith("https://127.0.0.1:")
        async with session.get(product.url, ssl=trusting) as response:
            assert response.status == 200
            assert "<title>" in await response.text()
        origin = product.url.rstrip("/")
        async with connect(product.ws, ssl=trusting, origin=origin) as ws:  # type: ignore[arg-type]
            await ws.send("hello")
            assert await ws.recv() == "hello"
        plain = product.url.replace("https", "http")
        async with session.get(plain) as response:
            assert (response.status, await response.text()) == (
                400,
                "this port speaks TLS: use https:// or wss://\n",
            )
        log = await product.stop()
    assert not any("ERROR" in line or "WARNING" in line for line in log)


async def test_clients_must_show_a_certificate_where_an_authority_is_named(
    launch: Launch, pem: str, authority: trustme.CA, trusting: ssl.SSLContext, tmp_path: Path
) -> None:
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    how = ("--ssl-certfile", pem, "--ssl-ca-certs", str(tmp_path / "ca.pem"))
    async with launch(*how) as product:
        with pytest.raises((ssl.SSLError, ConnectionError, InvalidMessage)):
            async with connect(product.ws, ssl=trusting) as ws:
                await ws.recv()
        authority.issue_cert("ann@example.com").configure_cert(trusting)
        async with connect(product.ws, ssl=trusting) as ws:
            await ws.send("hello")
            assert await ws.recv() == "hello"
        await product.stop()


async def test_a_certificate_that_is_not_there_is_one_line(run: object) -> None:
    code, out, lines = await run("serve", "--port", "0", "--ssl-certfile", "nowhere.pem")  # type: ignore[operator]
    assert (code, out) == (2, "")
    assert lines == ["longlink: cannot read nowhere.pem: No such file or directory"]


@pytest.mark.parametrize("offered", [False, True])
async def test_compression_is_off_until_it_is_switched_on(launch: Launch, offered: bool) -> None:
    arguments = ("--compression", "deflate") if offered else ()
    async with launch(*arguments) as product, connect(product.ws) as ws:
        assert ws.response is not None
        agreed = ws.response.headers.get("Sec-WebSocket-Extensions", "")
        assert agreed.startswith("permessage-deflate") is offered
        await asyncio.gather(ws.send("hello " * 1000), ws.recv())
