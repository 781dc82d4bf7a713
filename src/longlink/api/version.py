"""Which longlink this is."""

from __future__ import annotations

from importlib import metadata

from ..native.kernel import COMPILED


def _version() -> str:
    try:
        return metadata.version("longlink")
    except metadata.PackageNotFoundError:
        return "0.0.0"  # run from a source tree that was never installed


__version__ = _version()
FLAVOUR = "compiled" if COMPILED else "uncompiled"
SERVER_HEADER = USER_AGENT = f"longlink/{__version__}"
