"""Binary messages as files: never over another one, never anywhere else."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO


class CannotSave(Exception):
    """A file cannot be written; the text says why."""


class Shelf:
    """Where messages are saved: in the folder `place`, or as the file `place` and its likes.

    Names are made of `place` and a number; nothing of them comes from a peer. A folder is one
    that exists, or a path that ends with a slash.
    """

    def __init__(self, place: str) -> None:
        self._folder = place.endswith(os.sep) or os.path.isdir(place)
        self._place = Path(place)
        self._names = (_numbered if self._folder else _beside)(self._place)

    def save(self, data: bytes) -> str:
        """Write this to a new file; returns its path. Raises CannotSave."""
        path = self._place
        try:
            if self._folder:
                self._place.mkdir(parents=True, exist_ok=True)
            path, file = self._new()
            try:
                with file:
                    file.write(data)
            except OSError:
                path.unlink()  # half a message is worse than none
                raise
        except OSError as error:
            raise CannotSave(f"cannot save to {path}: {error.strerror}") from None
        return str(path)

    def _new(self) -> tuple[Path, BinaryIO]:
        while True:
            path = next(self._names)
            try:
                return path, open(path, "xb")
            except FileExistsError:
                continue


def _numbered(folder: Path) -> Iterator[Path]:
    return (folder / f"{number:04d}.bin" for number in itertools.count(1))


def _beside(path: Path) -> Iterator[Path]:
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem}-{number}{path.suffix}")
