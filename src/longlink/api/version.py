"""Which longlink this is.

`__version__` is written down where longlink is installed, and reading that takes longer than
importing half of the rest: it is read when somebody asks.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

from ..native.kernel import COMPILED

if TYPE_CHECKING:
    __version__: str

FLAVOUR = "compiled" if COMPILED else "uncompiled"
OURS: Final = "longlink/(its version)"  # default of the headers that say who we are


def said(header: str | None) -> str | None:
    """What a header says that may be OURS."""
    return f"longlink/{_version()}" if header == OURS else header


def __getattr__(name: str) -> str:
    if name != "__version__":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return _version()


@cache
def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("longlink")
    except metadata.PackageNotFoundError:
        return "0.0.0"  # run from a source tree that was never installed
