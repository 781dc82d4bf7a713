"""What the README shows runs as it stands there, and stands in both languages."""

from __future__ import annotations

import re
import select
import socket

import pytest

from tests.sample import ROOT, blocks, free_port, run, wait_until_it_listens

README = ROOT / "README.md"


def sample(word: str) -> str:
    """The one example that has `word` in it, and a free port in place of its own."""
    (code,) = [code for code in blocks(README, "python") if word in code]
    return code


@pytest.fixture
def port() -> int:
    return free_port()


def test_both_languages_have_the_same_examples() -> None:
    chinese = ROOT / "README.zh-CN.md"
    assert blocks(README, "python") == blocks(chinese, "python")
    assert len(blocks(README, "python")) == 7
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


def test_lines_are_answered(port: int) -> None:
    serving = run(sample("line.serve("), port)
    try:
        wait_until_it_listens(port, serving)
        with socket.create_connection(("127.0.0.1", port)) as sock:
            sock.sendall("测试 é\r\nend".encode())
            sock.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: sock.recv(4096), b""))
        assert answer.decode() == "测试 É\nEND\n"
    finally:
        serving.kill()
        serving.communicate()
