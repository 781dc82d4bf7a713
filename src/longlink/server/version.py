"""What runs here, in one line."""

from __future__ import annotations

import platform

from .. import __version__
from ..api.version import FLAVOUR


def version_line() -> str:
    """Version, which of the two forms runs, Python and system: one line for bug reports."""
    python = f"{platform.python_implementation()} {platform.python_version()}"
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    return f"longlink {__version__} ({FLAVOUR}), {python}, {system}"
