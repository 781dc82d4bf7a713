"""What `import longlink` brings along, and what waits until somebody asks."""

from __future__ import annotations

import subprocess
import sys

import pytest

import longlink

# Each takes its time, and is for one half of the programs, or for few.
HEAVY = {
    "difflib",
    "email",
    "http",
    "importlib.metadata",
    "isal",
    "longlink.api.auth",
    "longlink.api.client",
    "longlink.api.http",
    "longlink.api.route",
    "longlink.api.secure",
    "longlink.api.server",
    "longlink.engine.sealed",
    "longlink.engine.stream",
    "longlink.sync",
    "longlink.wire.uri",
    "secrets",
    "urllib.request",
    "uuid",
}
# Whoever connects may be asked for TLS by the next URI.
OF_SERVE = {"longlink.api.server"}
OF_CONNECT = {
    "longlink.api.client",
    "longlink.engine.sealed",
    "longlink.engine.stream",
    "longlink.wire.uri",
}


@pytest.mark.parametrize(
    ("statement", "needed"),
    [
        ("import longlink", set()),
        ("from longlink import serve", OF_SERVE),
        ("from longlink import connect", OF_CONNECT),
    ],
)
def test_what_is_heavy_is_not_imported_before_it_is_needed(
    statement: str, needed: set[str]
) -> None:
    code = f"""
import sys, asyncio
before = set(sys.modules)
{statement}
print(*({HEAVY} & set(sys.modules) - before))
"""
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert set(done.stdout.split()) == needed


@pytest.mark.parametrize("name", longlink.__all__)
def test_every_name_is_there_and_listed(name: str) -> None:
    assert getattr(longlink, name) is not None
    assert name in dir(longlink)


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="module 'longlink' has no attribute 'serv'"):
        _ = longlink.serv  # type: ignore[attr-defined]
    with pytest.raises(ImportError):
        from longlink import nothing  # type: ignore[attr-defined]  # noqa: F401


def test_everything_at_once() -> None:
    names: dict[str, object] = {}
    exec("from longlink import *", names)
    assert set(longlink.__all__) <= set(names)
