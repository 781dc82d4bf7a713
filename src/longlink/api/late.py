"""Names of `longlink` that are imported when somebody asks for them.

A program serves or connects, and few do routing: each waits for its own half only.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any

# Where they are; `longlink` says the same to type checkers.
_PLACES = {
    "Router": "route",
    "Server": "server",
    "__version__": "version",
    "backoff": "reconnect",
    "basic_auth": "auth",
    "connect": "client",
    "process_exception": "reconnect",
    "route": "route",
    "serve": "server",
    "unix_connect": "client",
    "unix_route": "route",
    "unix_serve": "server",
}
_HOUSE = __package__.rpartition(".")[0]


def __getattr__(name: str) -> Any:
    """The `__getattr__` of `longlink`: called for what is not there yet."""
    place = _PLACES.get(name)
    if place is None:
        raise AttributeError(f"module {_HOUSE!r} has no attribute {name!r}")
    return getattr(import_module(f".{place}", __package__), name)


def __dir__() -> list[str]:
    """The `__dir__` of `longlink`: also what is not there yet."""
    return sorted({*vars(sys.modules[_HOUSE]), *_PLACES})
