"""Every example is listed, in both languages, short, and careful with what others wrote."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.examples.conftest import EXAMPLES

FILES = sorted(path for path in EXAMPLES.iterdir() if path.suffix in {".py", ".ipynb"})
TESTS = [path for path in Path(__file__).parent.glob("test_*.py") if path != Path(__file__)]
MOST_LINES = 250


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_every_example_is_listed_and_every_link_leads_somewhere(name: str) -> None:
    links = re.findall(r"\]\(([^)]+)\)", (EXAMPLES / name).read_text("utf-8"))
    assert sorted(links) == [path.name for path in FILES]


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_an_example_is_tested_and_short(path: Path) -> None:
    assert any(
        f'"{path.stem}"' in test.read_text("utf-8") or path.name in test.read_text("utf-8")
        for test in TESTS
    )
    assert path.read_text("utf-8").count("\n") <= MOST_LINES


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_page_makes_no_markup_of_texts(path: Path) -> None:
    found = re.findall(
        r"innerHTML\s*\+?=|insertAdjacentHTML|document\.write|eval\(", path.read_text("utf-8")
    )
    assert found == []
