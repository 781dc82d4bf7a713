"""What tools in pipes are made of: input, output, calls aside, history."""

from __future__ import annotations

import asyncio
import os
import stat
from pathlib import Path

import pytest

from longlink.tool import outlet as outlets
from longlink.tool import source as sources
from longlink.tool.aside import aside
from longlink.tool.history import MOST, FileHistory, place
from longlink.tool.outlet import MAX_WAITING, Outlet, to_descriptor
from longlink.tool.source import BadInput, Source
from tests.server.product import DEADLINE_S


async def read(data: bytes) -> list[str]:
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    try:
        return [line async for line in Source(reading).texts()]
    finally:
        os.close(reading)


@pytest.mark.parametrize(
    ("data", "lines"),
    [
        (b"", []),
        (b"\n", [""]),
        (b"a", ["a"]),
        (b"a\n", ["a"]),
        (b"a\r\n\nb", ["a\r", "", "b"]),
        ("测\n试".encode(), ["测", "试"]),
    ],
)
async def test_lines_of_the_input(data: bytes, lines: list[str]) -> None:
    assert await read(data) == lines


async def test_no_input_and_bad_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert [piece async for piece in Source(None).pieces()] == []
    with pytest.raises(BadInput, match="line 2 of the input is not UTF-8: octet 0xff at 1"):
        await read(b"a\nb\xff\n")
    monkeypatch.setattr(sources, "MAX_LINE", 5)
    assert await read(b"12345\n12345") == ["12345", "12345"]
    with pytest.raises(BadInput, match="line 2 of the input is over the limit of 5 bytes"):
        await read(b"1\n123456")
    folder = os.open(tmp_path, os.O_RDONLY)
    with pytest.raises(BadInput, match="cannot read the input: Is a directory"):
        await Source(folder).piece()
    os.close(folder)


async def test_who_stops_waiting_for_input_loses_none() -> None:
    reading, writing = os.pipe()
    source = Source(reading)
    waiting = asyncio.create_task(source.piece())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait((waiting,))
    os.write(writing, b"here")
    assert await source.piece() == b"here"
    os.close(writing)
    assert await source.piece() == b""
    os.close(reading)


async def test_who_writes_too_much_waits_for_the_reader() -> None:
    reading, writing = os.pipe()
    outlet = Outlet(to_descriptor(writing))
    piece = bytes(MAX_WAITING)
    await outlet.put(piece)
    second = asyncio.create_task(outlet.put(piece))
    await asyncio.sleep(0)
    assert not second.done()
    assert not outlet.idle
    taken = 0
    async with asyncio.timeout(DEADLINE_S):
        while taken < 2 * MAX_WAITING:
            taken += len(await aside(os.read, reading, 65536))
            assert second.done() or taken <= MAX_WAITING
    await outlet.flush()
    assert outlet.idle
    os.close(reading)
    await outlet.put(b"nobody reads this")
    with pytest.raises(BrokenPipeError):
        await outlet.flush()
    with pytest.raises(BrokenPipeError):
        await outlet.put(b"nor this")
    os.close(writing)


async def test_a_descriptor_that_does_not_wait() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    written = aside(outlets.write_all, writing, bytes(300_000))
    taken = 0
    while taken < 300_000:
        taken += len(await aside(os.read, reading, 65536))
    await written
    os.close(reading)
    os.close(writing)


async def test_a_call_aside_raises_what_it_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        await aside(lambda: 1 // 0)


def test_the_place_of_a_history(monkeypatch: pytest.MonkeyPatch) -> None:
    assert place("x", {"XDG_STATE_HOME": "/s"}) == Path("/s/longlink/x_history")
    monkeypatch.setenv("HOME", "/home/ann")
    for environment in ({}, {"XDG_STATE_HOME": "relative"}):
        assert place("x", environment) == Path("/home/ann/.local/state/longlink/x_history")
    monkeypatch.setenv("HOME", "")
    assert place("x", {}) is None or place("x", {}).is_absolute()  # type: ignore[union-attr]


def test_a_history_is_bounded_and_private(tmp_path: Path) -> None:
    path = tmp_path / "longlink" / "x_history"
    history = FileHistory(path)
    for number in range(2 * MOST + 1):
        history.store_string(f"line {number}\n\x1b测")
    for untold in (" blank", "x" * 20_000):
        history.store_string(untold)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    recalled = list(history.load_history_strings())
    assert len(recalled) == MOST
    assert recalled[0] == f"line {2 * MOST}\n\x1b测"
    assert path.read_text().count("\n") == MOST
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert [each.name for each in path.parent.iterdir()] == ["x_history"]
    path.write_bytes(b'"good"\nbad\xff\n17\n')
    assert list(history.load_history_strings()) == ["good"]


def test_a_history_that_cannot_be_kept(tmp_path: Path) -> None:
    blocked = FileHistory(tmp_path / "file" / "x")
    (tmp_path / "file").write_bytes(b"")
    blocked.store_string("x")
    assert list(blocked.load_history_strings()) == []
    (tmp_path / "link").symlink_to(tmp_path / "target")
    FileHistory(tmp_path / "link").store_string("x")
    assert not (tmp_path / "target").exists()
