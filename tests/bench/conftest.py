"""The generator and the floor are built once, before the first test that runs them."""

from __future__ import annotations

import shutil

import pytest

from tests.bench.programs import build


@pytest.fixture(scope="session")
def programs() -> None:
    """Builds what is not built, or skips where there is no compiler."""
    if shutil.which("gcc") is None:
        pytest.skip("no gcc")
    build()
