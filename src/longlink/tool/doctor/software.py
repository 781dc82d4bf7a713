"""What is installed: longlink's own form, Python, the event loop, libraries."""

from __future__ import annotations

import importlib
import platform
import ssl
import sys
from collections.abc import Iterator
from importlib import metadata
from typing import Final

from ...api.version import FLAVOUR, __version__
from ...engine.reactor import AVAILABLE
from .finding import Finding, Settings, fail, ok, warn

# What optional libraries are for, and the extra that brings them.
OPTIONAL: Final[dict[str, tuple[str, str]]] = {
    "isal": ("compresses two to six times as fast as zlib", "fast"),
    "werkzeug": ("longlink.route(): a handler for each path", "router"),
    "python_socks": ("connecting through SOCKS proxies", "socks"),
}
# What `longlink serve` and the tools cannot do without.
NEEDED: Final = ("starlette", "uvicorn", "prompt_toolkit", "rich", "regex")
_PACKAGES: Final = {"python_socks": "python-socks"}


def check_form(settings: Settings) -> Iterator[Finding]:
    """Whether it was compiled."""
    text = f"longlink {__version__}, {FLAVOUR}"
    if FLAVOUR == "compiled":
        yield ok("longlink", text)
        return
    yield warn(
        "longlink",
        f"{text}: plain Python, which takes many times the processor's time",
        "install a C compiler and Python's headers (apt install gcc python3-dev), then"
        " pip install --force-reinstall longlink; pip install -v shows why compiling failed",
    )


def check_python(settings: Settings) -> Iterator[Finding]:
    """Interpreter and system."""
    system = f"{platform.system()} {platform.release()} {platform.machine()}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    yield ok("python", f"{python}, {sys.maxsize.bit_length() + 1} bit, {system}")


def check_loop(settings: Settings) -> Iterator[Finding]:
    """The event loop that `longlink serve` takes, and what carries connections on it."""
    wanted, found = settings.config.loop, version_of("uvloop")
    carrier = "the epoll reactor" if AVAILABLE else "asyncio transports"
    if wanted == "uvloop" and found is None:
        yield fail(
            "loop",
            "LONGLINK_LOOP is uvloop, which is not installed: longlink serve ends at once",
            "pip install uvloop, or LONGLINK_LOOP=auto",
        )
    elif wanted == "asyncio" or found is None:
        gain = "pip install 'longlink[uvloop]': a faster loop for what is not the reactor's"
        yield ok("loop", f"asyncio, with {carrier}", "" if wanted == "asyncio" else gain)
    else:
        yield ok("loop", f"uvloop {found}, with {carrier}")
    if not AVAILABLE:
        yield warn(
            "reactor",
            f"there is no epoll on {platform.system()}: connections cost more time and memory",
            "serve many people from Linux",
        )


def check_libraries(settings: Settings) -> Iterator[Finding]:
    """What is needed, and what is good to have."""
    missing = [name for name in NEEDED if version_of(name) is None]
    if missing:
        yield fail(
            "libraries",
            f"not installed: {', '.join(missing)}, which longlink serve and the tools need",
            "pip install 'longlink[server]'",
        )
    else:
        yield ok("libraries", ", ".join(f"{name} {version_of(name)}" for name in NEEDED))
    for name, (purpose, extra) in OPTIONAL.items():
        found, install = version_of(name), f"pip install 'longlink[{extra}]'"
        if found is not None:
            yield ok(name, f"{found}: {purpose}")
        elif name == "isal" and settings.config.compression != "off":
            yield warn(name, f"not installed, and compression is on: it {purpose}", install)
        else:
            yield ok(name, f"not installed: {purpose}", install)


def check_tls(settings: Settings) -> Iterator[Finding]:
    """The TLS library, and the versions that servers and clients agree on."""
    # Older ones are refused by every context that Python makes.
    known = {"1.2": ssl.HAS_TLSv1_2, "1.3": ssl.HAS_TLSv1_3}
    versions = " and ".join(name for name, there in known.items() if there)
    yield ok("tls", f"{ssl.OPENSSL_VERSION}: TLS {versions}")


def version_of(name: str) -> str | None:
    """The version of a library that can be imported; None for one that cannot."""
    try:
        importlib.import_module(name)
    except ImportError:
        return None
    try:
        return metadata.version(_PACKAGES.get(name, name))
    except metadata.PackageNotFoundError:
        return "of unknown version"
