"""What was typed at a prompt before, kept in a file that only its owner reads."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from prompt_toolkit.history import History

MOST: Final = 1000  # lines kept; the file is shortened when it has twice as many
LONGEST: Final = 10_000  # characters; longer ones are recalled until the tool ends


def place(tool: str, environment: Mapping[str, str]) -> Path | None:
    """Where the history of a tool is (XDG Base Directory Specification); None without a home."""
    state = environment.get("XDG_STATE_HOME", "")
    if not os.path.isabs(state):  # to be ignored, it says
        state = os.path.expanduser("~/.local/state")
    return Path(state, "longlink", f"{tool}_history") if os.path.isabs(state) else None


class FileHistory(History):
    """One JSON string a line, the oldest first. What cannot be read or written is forgotten.

    What begins with a blank is not written down: that is how shells are told of a secret.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def load_history_strings(self) -> Iterable[str]:
        """What was typed, the newest first."""
        lines = self._read()
        if len(lines) > 2 * MOST:
            self._shorten(lines[-MOST:])
        return [text for line in reversed(lines[-MOST:]) if (text := _text(line))]

    def store_string(self, string: str) -> None:
        """Keep what was typed."""
        if string.startswith(" ") or len(string) > LONGEST:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(0o700, parents=True, exist_ok=True)
            self._write(self._path, os.O_APPEND, json.dumps(string) + "\n")

    def _read(self) -> list[str]:
        try:
            return self._path.read_text("ascii", errors="replace").splitlines()
        except OSError:
            return []

    def _shorten(self, lines: list[str]) -> None:
        """Through a second file, so that two tools at once never see half of it."""
        new = self._path.with_suffix(f".{os.getpid()}")
        with contextlib.suppress(OSError):
            self._write(new, os.O_TRUNC, "".join(f"{line}\n" for line in lines))
            new.replace(self._path)

    @staticmethod
    def _write(path: Path, how: int, text: str) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | how, 0o600)
        with open(descriptor, "w", encoding="ascii") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)


def _text(line: str) -> str:
    """The text of one line; empty for a damaged one."""
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""
