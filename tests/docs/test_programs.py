"""The programs of the manual do what its pages say."""

from __future__ import annotations

import asyncio
import json
import re
import signal
import socket
import ssl
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trustme
from websockets.asyncio.client import connect

import longlink
from tests.sample import ROOT, blocks, free_port, run, wait_until_it_listens
from tests.server.conftest import python_environment as python_environment
from tests.server.product import serving, soon

DOCS = ROOT / "docs"
PROGRAMS = DOCS / "programs"
PRINTING = ("timeouts", "handshake", "frames")
PAGES = sorted(path for path in DOCS.rglob("*.md") if "zh" not in path.relative_to(DOCS).parts)


@pytest.fixture
def port() -> int:
    return free_port()


@contextmanager
def started(name: str, port: int, folder: Path = PROGRAMS) -> Iterator[None]:
    code = (PROGRAMS / name).read_text("utf-8")
    process = run(code, port, folder)
    try:
        wait_until_it_listens(port, process)
        yield
        if "KeyboardInterrupt" in code:
            process.send_signal(signal.SIGINT)
            assert process.wait(30) == 0
    finally:
        process.kill()
        process.communicate()


def console(command: str) -> str:
    """What a page shows that a command prints."""
    shown = [block for page in PAGES for block in blocks(page, "console") if command in block]
    assert len(shown) == 1, command
    return shown[0].partition(f"{command}\n")[2]


def typed(port: int) -> socket.socket:
    """Somebody with nc."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.settimeout(30)
    return sock


def heard(sock: socket.socket, expected: str) -> None:
    data = b""
    while len(data) < len(expected):
        data += sock.recv(4096)
    assert data.decode() == expected


def test_every_program_is_shown_and_tried() -> None:
    text = "".join(page.read_text("utf-8") for page in PAGES)
    for path in PROGRAMS.glob("*.py"):
        assert f"programs/{path.name}\n" in text, path.name
        assert path.stem in PRINTING or f"test_{path.stem}" in globals(), path.name


@pytest.mark.parametrize("name", PRINTING)
def test_what_it_prints_is_what_the_page_shows(name: str) -> None:
    done = subprocess.run(
        [sys.executable, f"{name}.py"], cwd=PROGRAMS, capture_output=True, text=True, check=True
    )
    assert done.stdout == console(f"$ python {name}.py")


def conversation(page: str) -> tuple[bytes, str]:
    """What a page shows in a conversation with nc: what is typed, and what comes."""
    (shown,) = [each for each in blocks(DOCS / page, "console") if "$ nc" in each]
    shown = shown.partition("$ nc")[2]
    _, greeting, typed, answer = shown.splitlines(keepends=True)
    return typed.encode(), greeting + answer


def test_greet(port: int) -> None:
    line, answers = conversation("tutorial/socket.md")
    with started("greet.py", port), typed(port) as first, typed(port) as second:
        first.sendall(line)
        heard(first, answers)
        second.sendall(line)  # served when the first is done
        heard(second, answers)


def test_room(port: int) -> None:
    code = (PROGRAMS / "room.py").read_text("utf-8")
    assert code.count("\n") == 20  # as the page says
    with started("room.py", port), typed(port) as one, typed(port) as two, typed(port) as three:
        two.sendall(b"from two\n")
        for sock in (one, three):
            heard(sock, "from two\n")
        one.sendall(b"from one\n")
        heard(two, "from one\n")
        two.close()
        three.sendall(b"still here\n")
        heard(one, "still here\n")


async def test_chat(port: int) -> None:
    with started("chat.py", port):
        url = f"ws://127.0.0.1:{port}/"
        page = await asyncio.to_thread(refused, url.replace("ws", "http"))
        assert page == (426, b"WebSockets are here\n")
        async with longlink.connect(url) as one, connect(url) as two:
            for text in ("short", "é" * 200, "x" * 70_000):
                await one.send(text)
                assert await one.recv() == text
                assert await soon(two) == text
            await two.send(["in ", "three ", "pieces"])
            assert await one.recv() == "in three pieces"
            await (await one.ping())
            await one.close(1000, "bye")
            assert (one.close_code, one.close_reason) == (1000, "bye")
            await two.send("alone")
            assert await soon(two) == "in three pieces"
            assert await soon(two) == "alone"


def refused(url: str) -> tuple[int, bytes]:
    try:
        urllib.request.urlopen(url, timeout=30)
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    raise AssertionError("not refused")


async def test_callbacks(port: int) -> None:
    with started("callbacks.py", port):
        url = f"ws://127.0.0.1:{port}/"
        async with connect(url) as one, connect(url) as two:
            await one.send("hello")
            assert [await soon(one), await soon(two)] == ["hello", "hello"]


async def test_one_port(port: int) -> None:
    with started("one_port.py", port):
        url = f"http://127.0.0.1:{port}/say/news?text=hello"

        def say() -> str:
            with urllib.request.urlopen(urllib.request.Request(url, method="POST")) as answer:
                return str(answer.read().decode())

        async with connect(f"ws://127.0.0.1:{port}/listen/news") as ws:
            answer = await asyncio.to_thread(say)
            assert json.loads(answer) == {"heard_by": 1}
            assert await soon(ws) == "hello"
            assert answer in "".join(blocks(DOCS / "how-to" / "fastapi.md", "console"))
        assert json.loads(await asyncio.to_thread(say)) == {"heard_by": 0}


async def test_tls_server(port: int, tmp_path: Path) -> None:
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    certificate.private_key_pem.write_to_path(str(tmp_path / "key.pem"))
    certificate.cert_chain_pems[0].write_to_path(str(tmp_path / "cert.pem"))
    trusting = ssl.create_default_context()
    authority.configure_trust(trusting)
    with started("tls_server.py", port, tmp_path):
        async with connect(f"wss://localhost:{port}/", ssl=trusting) as ws:
            await ws.send("secret")
            assert await soon(ws) == "secret"


async def test_workers(port: int) -> None:
    with started("workers.py", port):
        url = f"ws://127.0.0.1:{port}/"
        async with connect(url) as ann, connect(url) as bob:
            await ann.send(json.dumps({"type": "login", "name": "ann"}))
            await ann.send(json.dumps({"type": "all", "text": "ann is here"}))
            assert await soon(ann) == await soon(bob) == "ann is here"
            await bob.send(json.dumps({"type": "to", "name": "ann", "text": "hi"}))
            assert json.loads(await soon(ann)) == {"from": None, "text": "hi"}
            await bob.send(json.dumps({"type": "login", "name": "ann"}))
            await bob.send(json.dumps({"type": "all", "text": "I am ann"}))
            assert await soon(ann) == await soon(bob) == "I am ann"
            await ann.close()  # who had the name before takes nothing along
            await bob.send(json.dumps({"type": "to", "name": "ann", "text": "me"}))
            assert json.loads(await soon(bob)) == {"from": "ann", "text": "me"}


def test_lines(port: int) -> None:
    line, answers = conversation("how-to/lines.md")
    with started("lines.py", port), typed(port) as sock:
        sock.sendall(line)
        heard(sock, answers)


async def test_a_script_of_a_page_joins_the_room(python_environment: dict[str, str]) -> None:
    (code,) = blocks(DOCS / "tutorial" / "serve.md", "python")
    async with serving(python_environment) as product:
        port = int(product.url.rstrip("/").rpartition(":")[2])
        process = run(code, port)
        said, _ = await asyncio.to_thread(process.communicate, timeout=30)
        assert said == "hello from a script\n"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_python_in_pages_is_python(page: Path) -> None:
    for code in blocks(page, "python"):
        compile(code, str(page), "exec")
    for command in re.findall(r"\./scripts/\w+", page.read_text("utf-8")):
        assert (ROOT / command).exists(), command
