"""What the README shows runs as it stands there, and stands in both languages."""

from __future__ import annotations

import re
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"


def blocks(path: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def sample(word: str) -> str:
    """The one example that has `word` in it, and a free port in place of its own."""
    (code,) = [code for code in blocks(README, "python") if word in code]
    return code


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        number = int(sock.getsockname()[1])
    return number


def run(code: str, port: int) -> subprocess.Popen[str]:
    code = re.sub(r"\b(8765|8000)\b", str(port), code)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)


def wait_until_it_listens(port: int, process: subprocess.Popen[str]) -> None:
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("the example ended")


def test_both_languages_have_the_same_examples() -> None:
    chinese = ROOT / "README.zh-CN.md"
    assert blocks(README, "python") == blocks(chinese, "python")
    assert len(blocks(README, "python")) == 6
    commands = [re.sub(r" *#.*", "", block) for block in blocks(README, "sh")]
    assert commands == [re.sub(r" *#.*", "", block) for block in blocks(chinese, "sh")]


@pytest.mark.parametrize("server", ["broadcast(", "on_open"])
def test_client_and_server_talk(server: str, port: int) -> None:
    serving = run(sample(server), port)
    try:
        wait_until_it_listens(port, serving)
        said, _ = run(sample("async with longlink.connect("), port).communicate(timeout=30)
        assert said == "hello\n"
    finally:
        serving.kill()
        serving.communicate()


def test_the_client_that_blocks_and_the_one_that_comes_back(port: int) -> None:
    serving = run(sample("broadcast("), port)
    waiting = None
    try:
        wait_until_it_listens(port, serving)
        waiting = run(sample("async for ws"), port)
        assert waiting.stdout is not None
        heard = ""
        while not heard:  # it may not have connected before the first was sent
            said, _ = run(sample("longlink.sync"), port).communicate(timeout=30)
            assert said == "hello\n"
            if select.select([waiting.stdout], [], [], 0.5)[0]:
                heard = waiting.stdout.readline()
        assert heard == "hello\n"
    finally:
        for process in filter(None, (serving, waiting)):
            process.kill()
            process.communicate()


def test_one_port_for_http_and_websockets(port: int) -> None:
    serving = run(sample("http=app"), port)
    try:
        wait_until_it_listens(port, serving)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert answer.endswith(b"plain HTTP")
        said, _ = run(sample("async with longlink.connect("), port).communicate(timeout=30)
        assert said == "hello\n"
    finally:
        serving.kill()
        serving.communicate()
