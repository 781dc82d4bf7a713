"""The version is written once, in pyproject.toml."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

import longlink

ROOT = Path(__file__).resolve().parent.parent


def written() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    return str(project["version"])


def test_the_version_is_the_one_of_the_project() -> None:
    try:
        installed = version("longlink")
    except PackageNotFoundError:
        pytest.skip("longlink is not installed beside this Python")
    assert longlink.__version__ == installed == written()


def test_the_version_is_written_once() -> None:
    pattern = re.compile(r"(?<![\d.])" + re.escape(written()) + r"(?![\d.])")
    found = [
        str(path.relative_to(ROOT))
        for path in (ROOT / "src").rglob("*.py")
        if pattern.search(path.read_text("utf-8"))
    ]
    assert found == []


def test_a_tree_that_is_not_installed_still_answers() -> None:
    """-S leaves site-packages out, and with it what the installer wrote down."""
    folder = Path(longlink.__file__).resolve().parent.parent
    code = (
        f"import sys; sys.path[:0] = [{str(folder)!r}]; import longlink as l; print(l.__version__)"
    )
    if (folder / f"longlink-{written()}.dist-info").exists():
        pytest.skip("this copy is an installed one")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COVERAGE"))}
    answer = subprocess.run(
        [sys.executable, "-S", "-P", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+\S*\n", answer.stdout)
