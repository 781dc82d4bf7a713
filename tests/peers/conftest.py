"""Independent implementations on the other side of the wire."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.api.deadline import set_deadlines


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    set_deadlines(items, Path(__file__).parent)
