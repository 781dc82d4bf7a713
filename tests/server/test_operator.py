from __future__ import annotations

import errno
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from websockets.asyncio.client import connect

from longlink.server.command import COMMANDS
from longlink.server.log import MESSAGES
from longlink.server.operator import Operator
from tests.server.conftest import House
from tests.server.product import chatting, closed, soon, until


class Quits:
    """Counts how often the operator wanted to quit."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@pytest.fixture
def quits() -> Quits:
    return Quits()


@pytest.fixture
def operator(house: House, quits: Quits) -> Operator:
    operator = Operator(house.room, max_file=1000, quit=quits)
    house.room.listener = operator.hear
    return operator


@pytest.fixture(autouse=True)
def shown(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO, "longlink"), caplog.at_level(logging.INFO, MESSAGES):
        yield caplog


async def test_nobody_is_here(operator: Operator) -> None:
    assert operator.obey("/who") == ["nobody is here"]
    assert operator.obey("/reply hi") == ["nobody has said anything yet"]
    for line in ("/to 7 hi", "/kick 7"):
        assert operator.obey(line) == ["nobody here has the id 7: /who lists who is here"]
    assert operator.obey("/file x") == ["nobody is here"]
    assert operator.obey("hello") == []
    assert operator.obey("") == []


def test_help_and_mistakes(operator: Operator) -> None:
    assert len(operator.obey("/help")) == len(COMMANDS) + 1
    assert operator.obey("/bogus") == ["unknown command /bogus: /help lists them"]


def test_quit(operator: Operator, quits: Quits) -> None:
    assert operator.obey("/quit") == []
    assert quits.count == 1


async def test_the_operator_hears_and_answers(
    house: House, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    async with connect(house.ws) as one, chatting(house.ws) as two:
        await two.event("welcome")
        await two.send("name", name="Ann")
        await two.event("renamed")
        await one.send("hi from one")
        await one.send(b"\x00\x01")
        assert [await soon(one), await soon(one)] == ["hi from one", b"\x00\x01"]
        heard = [record.getMessage() for record in caplog.records if record.name == MESSAGES]
        assert heard == ["#1: hi from one", "#1 sent 2 bytes of binary"]
        assert operator.obey("/reply you again") == ["to #1: you again"]
        assert await soon(one) == "you again"
        assert operator.obey("/to 2 psst") == ["to #2 Ann: psst"]
        await two.event("message")
        assert (await two.event("message"))["text"] == "psst"
        assert operator.obey("to all") == []
        assert await soon(one) == "to all"
        table = operator.obey("/who")
        assert table[0].split() == ["ID", "KIND", "ADDRESS", "HERE", "FOR", "MESSAGES", "NAME"]
        assert table[1].split()[:3] == ["1", "raw", "127.0.0.1"]
        assert table[1].split()[-1] == "2"
        assert table[2].split()[-2:] == ["0", "Ann"]


async def test_whoever_spoke_last_may_have_left(house: House, operator: Operator) -> None:
    async with chatting(house.ws) as chat:
        async with connect(house.ws) as raw:
            await raw.send("hi")
            await chat.event("message")
        await chat.event("left")
        assert operator.obey("/reply hi")[0].endswith(", who spoke last, has left")


async def test_kick(house: House, operator: Operator) -> None:
    async with connect(house.ws) as raw:
        await raw.send("hi")
        await soon(raw)
        assert operator.obey("/kick 1 too loud") == []
        assert await closed(raw) == (1008, "too loud")


async def test_a_file_that_cannot_be_read(
    house: House,
    operator: Operator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def fail(descriptor: int, length: int, offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    path = tmp_path / "bad.txt"
    path.write_text("content")
    async with chatting(house.ws) as chat:
        await chat.event("welcome")
        monkeypatch.setattr(os, "pread", fail)
        assert operator.obey(f"/file {path}") == ["sending bad.txt (7 bytes, text/plain)"]
        await until(lambda: "reading bad.txt failed: Input/output error" in caplog.messages)
        operator.obey("still here")
        assert (await chat.next())["text"] == "still here"


async def test_file(
    house: House, operator: Operator, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a file.txt"
    path.write_text("content")
    (tmp_path / "large").write_bytes(bytes(1001))
    async with connect(house.ws) as raw, chatting(house.ws) as chat:
        await chat.event("welcome")
        assert operator.obey(f"/file {tmp_path}") == [f"cannot send {tmp_path}: it is a directory"]
        assert "over the limit of 1000" in operator.obey(f"/file {tmp_path / 'large'}")[0]
        assert operator.obey(f"/file '{path}' 77")[0].startswith("nobody here has the id 77")
        assert operator.obey(f"/file '{path}'") == ["sending a file.txt (7 bytes, text/plain)"]
        assert await soon(raw) == b"content"
        assert (await chat.event("file"))["name"] == "a file.txt"
        assert await chat.next() == b"content"
        await until(lambda: any("handed to 2 of 2" in line for line in caplog.messages))
        operator.obey(f"/file '{path}' 1")
        assert await soon(raw) == b"content"
