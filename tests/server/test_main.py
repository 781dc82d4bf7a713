"""`python -m longlink` before anything of the product is imported."""

from __future__ import annotations

import importlib
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

import longlink
from longlink.__main__ import EXTRA, main
from longlink.api.version import FLAVOUR

# Makes modules unimportable, then runs longlink as `python -m` would.
WITHOUT = """
import runpy, sys
for name in sys.argv.pop(1).split(","):
    sys.modules[name] = None
runpy.run_module("longlink", run_name="__main__", alter_sys=True)
"""


def run(
    environment: dict[str, str], missing: str, *arguments: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", WITHOUT, missing, *arguments],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.parametrize("missing", ["nothing", ",".join(sorted(EXTRA))])
def test_the_version_needs_no_extra(python_environment: dict[str, str], missing: str) -> None:
    done = run(python_environment, missing, "--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(
        f"longlink {longlink.__version__} ({FLAVOUR}), "
        f"{platform.python_implementation()} {platform.python_version()}, {platform.system()} "
    )
    assert done.stdout.count("\n") == 1


@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [((1,), ["doctor", "--json"], 0), ((0, 1, 2), ["doctor"], 0), ((2,), ["no-such"], 2)],
)
def test_what_is_closed_is_nothing_else(
    python_environment: dict[str, str], closed: tuple[int, ...], arguments: list[str], code: int
) -> None:
    """Neither a socket gets its number, nor does an error go to stdout instead."""
    done = subprocess.run(
        [sys.executable, "-m", "longlink", *arguments],
        env=python_environment,
        capture_output=True,
        timeout=60,
        preexec_fn=lambda: tuple(map(os.close, closed)),
    )
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")


@pytest.mark.parametrize("missing", ["click", "starlette", "prompt_toolkit", "uvicorn"])
def test_a_missing_extra_is_named(python_environment: dict[str, str], missing: str) -> None:
    done = run(python_environment, missing, "serve", "--port", "0")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("longlink: ")
    assert missing in done.stderr
    assert "pip install 'longlink[server]'" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_mistake_of_ours_is_not_called_a_missing_extra(
    python_environment: dict[str, str], tmp_path: Path
) -> None:
    done = run(python_environment, "longlink.server.room", "serve")
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_the_version_with_other_options(python_environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "longlink", "--version", "serve"],
        env=python_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout.startswith("longlink ")) == (0, True)


def test_an_interrupt_while_starting_is_quiet(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupt(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(sys, "argv", ["longlink", "serve"])
    monkeypatch.setattr(importlib, "import_module", interrupt)
    assert main() == 130
    assert capsys.readouterr() == ("", "")
