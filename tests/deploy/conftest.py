"""The files of deploy/, and the programs they are for."""

from __future__ import annotations

from pathlib import Path

from tests.browser.conftest import browser as browser
from tests.browser.conftest import tabs as tabs
from tests.cli.test_serve import ran as ran
from tests.server.conftest import python_environment as python_environment

ROOT = Path(__file__).resolve().parent.parent.parent
DEPLOY = ROOT / "deploy"


def replaced(text: str, changes: dict[str, str]) -> str:
    """`text` with each of these replaced, which must be there."""
    for old, new in changes.items():
        assert old in text, f"{old!r} is not there any more"
        text = text.replace(old, new)
    return text
