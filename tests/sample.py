"""Programs as the README and the manual show them: found in the text, run as they stand there."""

from __future__ import annotations

import contextlib
import os
import random
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import longlink

ROOT = Path(__file__).parent.parent


def blocks(path: Path, language: str) -> list[str]:
    """The blocks of code in a page that say they are in this language."""
    return re.findall(rf"```{language}\n(.*?)```", path.read_text(encoding="utf-8"), re.DOTALL)


def free_port() -> int:
    """One that nobody has just now, below those that the system gives to whoever connects."""
    for port in random.sample(range(20_000, 32_000), 100):
        with contextlib.suppress(OSError), socket.create_server(("", port)):
            return port
    pytest.fail("no free port")


def run(code: str, port: int, folder: Path | None = None) -> subprocess.Popen[str]:
    """The program as a process, with this port in place of its own, on the copy under test."""
    code = re.sub(r"\b(7007|8000|8008|8765)\b", str(port), code)
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(longlink.__file__).parents[1])},
    )


def wait_until_it_listens(port: int, process: subprocess.Popen[str]) -> None:
    """Return when the port can be connected to; fails when the program ended instead."""
    while process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
    pytest.fail("the example ended")
