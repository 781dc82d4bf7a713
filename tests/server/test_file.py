from __future__ import annotations

import os
from pathlib import Path

import pytest

from longlink.server.file import File, FileRefused


async def read(file: File) -> list[bytes]:
    return [piece async for piece in file.pieces(await file.piece(0))]


@pytest.mark.parametrize("size", [1, 65535, 65536, 65537, 200_000])
async def test_pieces_are_the_file(tmp_path: Path, size: int) -> None:
    path = tmp_path / "data.bin"
    path.write_bytes(os.urandom(size))
    with File.open(str(path), size) as file:
        assert (file.name, file.size, file.mime) == ("data.bin", size, "application/octet-stream")
        pieces = await read(file)
    assert b"".join(pieces) == path.read_bytes()
    assert max(map(len, pieces)) <= 65536


async def test_a_file_that_grows_is_sent_as_long_as_announced(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 100_000)
    with File.open(str(path), None) as file:
        path.write_bytes(b"x" * 300_000)
        assert sum(map(len, await read(file))) == 100_000


async def test_a_file_that_shrinks_ends_early(tmp_path: Path) -> None:
    path = tmp_path / "log.txt"
    path.write_bytes(b"x" * 100_000)
    with File.open(str(path), None) as file:
        os.truncate(path, 70_000)
        assert sum(map(len, await read(file))) == 70_000


def test_what_cannot_be_sent_is_said(tmp_path: Path) -> None:
    large = tmp_path / "large"
    large.write_bytes(b"x" * 11)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, complaint in {
        tmp_path: f"cannot send {tmp_path}: it is a directory",
        pipe: f"cannot send {pipe}: it is not a regular file",
        tmp_path / "no": f"cannot read {tmp_path / 'no'}: No such file or directory",
        large: f"cannot send {large}: its 11 bytes are over the limit of 10 (--max-file)",
        "nul\0": "cannot read nul\0: embedded null byte",
    }.items():
        before = len(os.listdir("/dev/fd"))
        with pytest.raises(FileRefused) as caught:
            File.open(str(path), 10)
        assert str(caught.value) == complaint
        assert len(os.listdir("/dev/fd")) == before


def test_a_home_directory_and_odd_names_are_understood(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt")).write_bytes(b"x")
    with File.open("~/\udcff.txt", None) as file:
        assert (file.name, file.mime) == ("?.txt", "text/plain")
