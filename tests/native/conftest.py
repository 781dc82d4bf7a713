"""Every test of the leaf runs against each face there is: the imported kernel, and its twin."""

from __future__ import annotations

import importlib.util
import socket
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from longlink.native import kernel as imported


def load_twin() -> Any:
    """The portable face, under a name of its own, although the compiled one won the import."""
    path = Path(str(imported.__file__)).with_name("kernel.py")
    spec = importlib.util.spec_from_file_location("longlink_portable_kernel", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


FACES: dict[str, Any] = (
    {"compiled": imported, "portable": load_twin()} if imported.COMPILED else {"portable": imported}
)


@pytest.fixture(scope="session", params=FACES)
def kernel(request: pytest.FixtureRequest) -> Any:
    """One face of the kernel."""
    return FACES[request.param]


@pytest.fixture(scope="session")
def faces() -> dict[str, Any]:
    """All faces by name; skips where there is nothing to compare."""
    if len(FACES) == 1:
        pytest.skip("the kernel is not compiled here: one face only")
    return FACES


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Two ends of a stream that do not block."""
    near, far = socket.socketpair()
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        yield near, far
