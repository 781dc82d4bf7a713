"""Programs written for `websockets` run on longlink after a change of their import lines.

Each program of this folder is run as it stands, and once more with nothing but its imports
changed: both must say the same, and neither may complain.
"""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
PROGRAMS = sorted(path for path in FOLDER.glob("*.py") if path.name != Path(__file__).name)
PATIENCE = 60  # seconds; nothing waits for it unless something hangs

OURS = {
    "websockets.sync.client": "longlink.sync",
    "websockets.asyncio.client": "longlink",
    "websockets.asyncio.router": "longlink",
    "websockets.asyncio.server": "longlink",
    "websockets.exceptions": "longlink",
    "websockets.http11": "longlink",
    "websockets.protocol": "longlink",
}
IMPORT = re.compile(r"^from (websockets[\w.]*) import", re.MULTILINE)
ON_UVLOOP = "import asyncio, uvloop\nasyncio.set_event_loop_policy(uvloop.EventLoopPolicy())\n"


def for_us(program: str) -> str:
    """The program with its imports changed, and nothing else."""
    return IMPORT.sub(lambda line: f"from {OURS[line[1]]} import", program)


def run(program: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-P", "-W", "error", "-c", program],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        env=environment,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    return done.stdout


@pytest.fixture(scope="session")
def said_there() -> dict[Path, str]:
    """What each program says with `websockets`, once it was run."""
    return {}


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_a_program_says_the_same(
    path: Path, loop: str, said_there: dict[Path, str], python_environment: dict[str, str]
) -> None:
    text = path.read_text("utf-8")
    if path not in said_there:
        said_there[path] = run(text, python_environment)
    assert said_there[path]
    before = ""
    if loop == "uvloop":
        if not importlib.util.find_spec("uvloop"):
            pytest.skip("uvloop is not installed")
        before = ON_UVLOOP
    assert run(before + for_us(text), python_environment) == said_there[path]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_only_imports_are_changed(path: Path) -> None:
    text = path.read_text("utf-8")
    changed = for_us(text)
    assert "websockets" not in changed
    different = [
        new for old, new in zip(text.split("\n"), changed.split("\n"), strict=True) if old != new
    ]
    assert different
    assert all(line.startswith("from longlink") for line in different)
