"""`longlink serve` as a process: where it listens, what it prints, how it ends."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from websockets.asyncio.client import connect, unix_connect
from websockets.exceptions import InvalidStatus

import longlink
from longlink.api.version import FLAVOUR
from longlink.server import service
from longlink.server.config import Config
from longlink.server.room import Room
from longlink.server.service import CannotRun, address, choose_loop, is_loopback
from tests.server.conftest import Launch
from tests.server.product import Chat, chatting, closed, soon

Run = Callable[..., Any]


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="no IPv6 on this machine")


async def test_one_line_says_where(launch: Launch) -> None:
    async with launch() as product:
        version = re.escape(longlink.__version__)
        assert re.fullmatch(
            rf"longlink {version} serving on http://127\.0\.0\.1:[1-9]\d*/  \(Ctrl-C stops\)\n",
            product.banner,
        )
        product.signal(signal.SIGTERM)
        code, rest, log = await product.end()
    assert (code, rest) == (0, "")
    assert any("uncompiled" in line for line in log) is (FLAVOUR == "uncompiled")
    assert not any("anybody" in line for line in log)


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "localhost"),
        pytest.param("::1", "[::1]", marks=needs_ipv6),
        pytest.param("[::1]", "[::1]", marks=needs_ipv6),
    ],
)
async def test_hosts(launch: Launch, host: str, shown: str) -> None:
    async with launch("--host", host) as product:
        assert product.url.startswith(f"http://{shown}:")
        async with aiohttp.ClientSession() as session, session.get(product.url) as response:
            assert response.status == 200
        async with connect(product.ws, origin=product.url.rstrip("/")) as raw:  # type: ignore[arg-type]
            await raw.send("hi")
            assert await soon(raw) == "hi"
        await product.stop()


async def test_every_interface_is_worth_a_warning(launch: Launch) -> None:
    async with launch("--host", "0.0.0.0") as product:
        assert product.url.startswith("http://127.0.0.1:")
        await product.line("WARNING listening beyond this machine: anybody who reaches it may talk")
        async with connect(product.ws) as raw:
            await raw.send("hi")
            assert await soon(raw) == "hi"
        await product.stop()


async def test_any_origin_is_worth_a_warning(launch: Launch) -> None:
    async with launch("--origin", "*") as product:
        await product.line(r"WARNING --origin \*: any page")
        async with connect(product.ws, origin="http://evil.example") as raw:  # type: ignore[arg-type]
            await raw.send("hi")
            assert await soon(raw) == "hi"


async def test_a_port_that_is_taken(launch: Launch, run: Run) -> None:
    async with launch() as product:
        port = product.url.rpartition(":")[2].strip("/")
        code, out, log = await run("serve", "--port", port)
        assert (code, out, log) == (
            2,
            "",
            [f"longlink: cannot listen on 127.0.0.1:{port}: Address already in use"],
        )


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["--host", "192.0.2.1"], "cannot listen on 192.0.2.1:8008: Cannot assign requested"),
        (["--host", "no.such.invalid"], "cannot listen on no.such.invalid: "),
        (["--host", "300.1.1.1"], "cannot listen on 300.1.1.1: "),
        (["--host", "a..b"], "cannot listen on 'a..b': not a host name"),
        (["--uds", "/no/such/folder/s"], "cannot listen on /no/such/folder/s: No such file"),
        (["--uds", "/tmp/" + "x" * 200], "cannot listen on /tmp/xxx"),
    ],
)
async def test_a_place_that_cannot_be_had(run: Run, arguments: list[str], complaint: str) -> None:
    code, out, log = await run("serve", *arguments)
    assert (code, out, len(log)) == (2, "", 1), log
    assert log[0].startswith(f"longlink: {complaint}")


async def test_the_same_port_again_at_once(launch: Launch) -> None:
    async with launch() as product, connect(product.ws):
        port = product.url.rpartition(":")[2].strip("/")
        await product.stop()  # the server closed first: the port is in TIME_WAIT
    async with launch("--port", port) as product:
        await product.stop()


async def test_a_unix_socket(launch: Launch, run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(path)
    async with launch("--uds", path) as product:
        assert f" serving on unix:{path}  (Ctrl-C stops)\n" in product.banner
        assert stat.S_ISSOCK(os.stat(path).st_mode)
        async with unix_connect(path, "ws://localhost/", subprotocols=["chat"]) as connection:
            welcome = await Chat(connection).event("welcome")
            assert welcome["people"][0]["ip"] == "unix"
            code, _, log = await run("serve", "--uds", path)
            assert (code, len(log)) == (2, 1)
            assert path in log[0]
        await product.line("#1 unix joined")
        await product.stop()
    assert not os.path.exists(path)


async def test_connections_beyond_the_limit_are_refused(launch: Launch) -> None:
    async with launch("--max-connections", "2") as product:
        async with connect(product.ws) as one, connect(product.ws):
            for path in ("", "ws"):
                with pytest.raises(InvalidStatus) as refused:
                    await connect(product.ws + path)
                assert refused.value.response.status_code == 503
            await one.close()
            await product.line("#1 left")
            async with connect(product.ws) as three:
                await three.send("room for one more")
                assert await soon(three) == "room for one more"
        log = await product.stop()
    lines = [line[20:] for line in log if "503" in line]
    assert lines == ["INFO    127.0.0.1 refused: 503 too many connections"] * 2


async def test_who_was_refused_and_why_is_logged(launch: Launch) -> None:
    async with launch() as product:
        for options in ({"origin": "http://evil.example"}, {"origin": "\x9b31m" + "x" * 5000}):
            with pytest.raises(InvalidStatus):
                await connect(product.ws, **options)  # type: ignore[arg-type]
        async with aiohttp.ClientSession() as session:
            async with session.get(product.url + "ws") as response:
                assert response.status == 426
        log = await product.stop()
    refusals = [line[20:] for line in log if "refused" in line]
    assert refusals[0] == (
        "INFO    127.0.0.1 refused: 403 invalid header 'Origin': 'http://evil.example',"
        " expected one of those allowed"
    )
    assert len(refusals) == 2
    assert refusals[1].isprintable()
    assert len(refusals[1]) < 400


async def test_a_limit_from_the_environment_is_obeyed(launch: Launch) -> None:
    async with launch(env={"LONGLINK_MAX_SIZE": "10"}) as product, connect(product.ws) as raw:
        await raw.send("x" * 11)
        assert (await closed(raw))[0] == 1009
        await product.line(r"#1 left \(1009 .*\) after \d+\.\d s, 0 messages")


async def test_echo(launch: Launch) -> None:
    async with launch("--echo") as product, connect(product.ws) as one, connect(product.ws) as two:
        await one.send("one")
        await two.send("two")
        assert (await soon(one), await soon(two)) == ("one", "two")


async def test_coming_and_going_is_logged(launch: Launch) -> None:
    async with launch() as product:
        async with chatting(product.ws) as chat:
            await chat.event("welcome")
            await chat.say("hi")
            await chat.event("message")
            await chat.connection.close(1001, "")
        async with connect(product.ws):
            pass
        await product.line(r"\d\d:\d\d:\d\d INFO +#1 127\.0\.0\.1 joined \(chat\)$")
        await product.line(r"INFO +#1 left \(1001 going away\) after \d+\.\d s, 1 message$")
        await product.line(r"INFO +#2 127\.0\.0\.1 joined \(raw\)$")
        await product.line(r"INFO +#2 left \(1000 normal closure\) after \d+\.\d s, 0 messages$")


async def test_log_lines_escape_what_peers_say(launch: Launch) -> None:
    async with launch() as product:
        async with connect(product.ws) as raw:
            await raw.close(4000, "\x1b[2J\r\nINFO forged \x9b31m\u202e")
        await product.line(re.escape(r"#1 left (4000 \x1b[2J\r\nINFO forged \x9b31m\u202e) after"))
        async with aiohttp.ClientSession() as session:
            async with session.get(product.url + "%1b%5b31m") as response:
                assert response.status == 404
        log = await product.stop()
    assert all(line.isprintable() for line in log)


async def test_messages_are_not_logged_without_a_terminal(launch: Launch) -> None:
    async with launch() as product, connect(product.ws) as raw:
        await raw.send("a secret")
        assert await soon(raw) == "a secret"
        assert not any("secret" in line for line in await product.stop())


async def test_log_level(launch: Launch) -> None:
    async with launch("--log-level", "error", "--host", "0.0.0.0") as product:
        async with connect(product.ws):
            pass
        log = await product.stop()
    assert [line for line in log if "uncompiled" not in line] == []


@pytest.mark.parametrize("loop", ["asyncio", "uvloop", "auto"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_signal_says_goodbye_to_everybody(
    launch: Launch, loop: str, number: signal.Signals
) -> None:
    if loop == "uvloop":
        pytest.importorskip("uvloop")
    async with (
        launch("--loop", loop) as product,
        connect(product.ws) as raw,
        chatting(product.ws) as chat,
    ):
        await product.line("#2 127.0.0.1 joined")
        product.signal(number)
        for connection in (raw, chat.connection):
            assert await closed(connection) == (1001, "server is shutting down")
        code, rest, log = await product.end()
    assert (code, rest) == (0, "")
    assert not any("Traceback" in line for line in log)
    assert log[-1].endswith("stopped")


async def open_mute(product: Any) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that opens a WebSocket and never answers anything."""
    host, port = product.url[7:].strip("/").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(
        b"GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
    )
    assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    return reader, writer


@pytest.mark.parametrize("loop", ["asyncio", "auto"])
async def test_who_does_not_say_goodbye_is_cut_off(launch: Launch, loop: str) -> None:
    async with launch("--shutdown-timeout", "0.1", "--loop", loop) as product:
        reader, writer = await open_mute(product)
        log = await product.stop()
        assert (await reader.read())[:4] == b"\x88\x19\x03\xe9"
        writer.close()
    assert any("1 did not say goodbye in time and were cut off" in line for line in log)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_a_second_signal_does_not_wait(launch: Launch, number: signal.Signals) -> None:
    async with launch("--shutdown-timeout", "1000", "--close-timeout", "1000") as product:
        _, writer = await open_mute(product)
        await product.line("#1 127.0.0.1 joined")
        product.signal(signal.SIGINT)
        await product.line("saying goodbye to 1")
        product.signal(number)
        code, _, log = await product.end()
        writer.close()
    assert code == 0
    assert not any("Traceback" in line for line in log)


@pytest.mark.parametrize(
    ("people", "rate", "timeout", "seconds"),
    [
        (3, 1000, 5.0, 0.003),
        (2000, 1000, 5.0, 2.0),
        (10_000, 1000, 5.0, 4.0),
        (10_000, None, 5.0, 0.0),
        (10_000, 1000, 0.0, 0.0),
    ],
)
def test_thousands_are_not_told_in_the_same_second(
    people: int, rate: int | None, timeout: float, seconds: float
) -> None:
    config = Config(shutdown_rate=rate, shutdown_timeout=timeout)
    assert service.spread(people, config) == pytest.approx(seconds)


async def test_a_second_signal_cuts_those_who_were_not_told_yet(launch: Launch) -> None:
    async with launch("--shutdown-rate", "1", "--shutdown-timeout", "1000") as product:
        peers = [await open_mute(product) for _ in range(3)]
        await product.line("#3 127.0.0.1 joined")
        product.signal(signal.SIGTERM)
        await product.line("saying goodbye to 3")
        product.signal(signal.SIGTERM)
        code, _, log = await product.end()
        for _, writer in peers:
            writer.close()
    assert code == 0
    assert not any("Traceback" in line for line in log)


async def test_an_http_client_that_lingers_does_not_hold_the_exit_up(launch: Launch) -> None:
    async with launch("--shutdown-timeout", "1000") as product, aiohttp.ClientSession() as session:
        async with session.get(product.url) as response:
            await response.read()
        await product.stop()


# Parts that need no process.


@pytest.mark.parametrize(
    ("host", "names", "shown"),
    [
        ("127.0.0.1", [("127.0.0.1", 8008)], "http://127.0.0.1:8008/"),
        ("localhost", [("127.0.0.1", 1), ("::1", 1, 0, 0)], "http://localhost:1/"),
        ("::1", [("::1", 1, 0, 0)], "http://[::1]:1/"),
        ("::", [("::", 1, 0, 0)], "http://[::1]:1/"),
        ("0.0.0.0", [("0.0.0.0", 1)], "http://127.0.0.1:1/"),
        ("", [("0.0.0.0", 1), ("::", 1, 0, 0)], "http://127.0.0.1:1/"),
        ("fe80::1%lo", [("fe80::1%lo", 1, 0, 1)], "http://[fe80::1%lo]:1/"),
        ("box.lan", [("10.0.0.5", 80)], "http://box.lan:80/"),
    ],
)
def test_the_address_to_open(host: str, names: list[Any], shown: str) -> None:
    assert address(host, names) == shown
    assert address(host, names, secure=True) == shown.replace("http", "https")


@pytest.mark.parametrize(
    ("ip", "expected"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("10.0.0.1", False),
        ("fe80::1%lo", False),
    ],
)
def test_loopback(ip: str, expected: bool) -> None:
    assert is_loopback(ip) is expected


def test_an_event_loop_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvloop", None)
    assert choose_loop("auto") is asyncio.new_event_loop
    with pytest.raises(CannotRun, match="uvloop is not installed: pip install uvloop"):
        choose_loop("uvloop")


async def test_uvicorn_that_is_not_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "uvicorn", None)
    with pytest.raises(CannotRun, match=r"pip install 'longlink\[server\]'"):
        await service.listen(Config(port=0), Room())


async def test_backlog_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}

    async def fake(**options: Any) -> None:
        given.update(options)

    monkeypatch.setattr(service, "serve", fake)
    await service.listen(Config(backlog=7), Room())
    assert (given["backlog"], given["host"], given["port"]) == (7, "127.0.0.1", 8008)
