"""Which copy of longlink is tested, on which event loops, and parts that may be missing.

Two copies are tested. *Uncompiled* is the tree itself (`PYTHONPATH=src`), *compiled* is the
installed wheel. `LONGLINK_EXPECT=uncompiled|compiled` names the wanted one; a run that would test
the other, or an installed copy that differs from the tree by one byte, stops before the first test.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import shutil
import signal
from collections.abc import Callable, Iterable, Mapping
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import hypothesis
import pytest


def package_under_test() -> Path:
    """Where `import longlink` would come from. Nothing is imported for the answer."""
    spec = importlib.util.find_spec("longlink")
    if spec is None or not spec.submodule_search_locations:
        raise pytest.UsageError("no longlink to test: run scripts/test, or set PYTHONPATH=src")
    return Path(spec.submodule_search_locations[0]).resolve()


ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "longlink"
PACKAGE = package_under_test()
NODE = ROOT / "tests" / "peers" / "node"
COMPARED = {".py", ".pyx", ".pxd", ".pyi", ".h"}


# An example is judged by what happens, not by how long it takes; CI tries the same ones each time.
hypothesis.settings.register_profile(
    "longlink",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("longlink")

# What a shell starts in the background may ignore Ctrl-C, and so would every program a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


# -- which copy -----------------------------------------------------------------------------------


def compiled_modules() -> list[str]:
    """Modules that a compiled copy has as extensions: those with a .pxd beside them."""
    stems = (pxd.with_suffix("") for pxd in SOURCE.rglob("*.pxd"))
    found = (
        stem for stem in stems if any(Path(f"{stem}{kind}").exists() for kind in (".py", ".pyx"))
    )
    return sorted(".".join(stem.relative_to(SOURCE.parent).parts) for stem in found)


def compiled_now() -> set[str]:
    """Those of them that the copy under test has as extensions, which win over a .py."""
    stems = {name: PACKAGE.parent.joinpath(*name.split(".")) for name in compiled_modules()}
    return {
        name
        for name, stem in stems.items()
        if any(Path(f"{stem}{suffix}").exists() for suffix in EXTENSION_SUFFIXES)
    }


def copy_name() -> str:
    """`uncompiled`, `leaf`, `compiled`, or `mixed`, which is always a mistake."""
    wanted, found = set(compiled_modules()), compiled_now()
    if not found:
        return "uncompiled"
    if found == wanted:
        return "compiled"
    return "leaf" if found == {"longlink.native.kernel"} else "mixed"


def differences() -> list[str]:
    """Files in which the copy under test is not the tree: a stale build."""

    def files(top: Path) -> dict[str, bytes]:
        found = (path for path in top.rglob("*") if path.suffix in COMPARED)
        return {str(path.relative_to(top)): path.read_bytes() for path in found}

    here, there = files(SOURCE), files(PACKAGE)
    return sorted(name for name in here.keys() | there.keys() if here.get(name) != there.get(name))


def pytest_configure(config: pytest.Config) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]  # servers of tests are on this machine
    expected = os.environ.get("LONGLINK_EXPECT") or copy_name()
    if copy_name() != expected or expected == "mixed":
        raise pytest.UsageError(f"expected longlink {expected}, got {copy_name()} from {PACKAGE}")
    if changed := differences():
        some = ", ".join(changed[:5])
        raise pytest.UsageError(
            f"{PACKAGE} is not what src/ says ({some}): run scripts/test, or PYTHONPATH=src"
        )


def pytest_report_header(config: pytest.Config) -> str:
    return f"longlink {copy_name()}, from {PACKAGE}"


# -- event loops ----------------------------------------------------------------------------------

BOTH_LOOPS = {"engine", "api", "line"}


def loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]] = {
        "asyncio": asyncio.new_event_loop
    }
    if importlib.util.find_spec("uvloop"):
        import uvloop

        factories["uvloop"] = uvloop.new_event_loop
    return factories


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Tests of the engine and the API run on asyncio and on uvloop, the others on asyncio.

    A test or a module chooses for itself with `@pytest.mark.asyncio(loop_factories=["uvloop"])`.
    """
    factories = loop_factories()
    marker = item.get_closest_marker("asyncio")
    chosen = marker is not None and "loop_factories" in marker.kwargs
    if chosen or BOTH_LOOPS & set(item.path.relative_to(ROOT).parts):
        return factories
    return {"asyncio": factories["asyncio"]}


# -- parts that may be missing --------------------------------------------------------------------


PROGRAMS = {
    "chromium": ["chromium", "chromium-browser", "google-chrome"],
    "nc": ["nc"],
    "nginx": ["nginx"],
    "node": ["node"],
}
# Where Debian puts servers, which is not on everybody's path.
SEARCHED = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])


def first_program(names: Iterable[str]) -> str | None:
    return next((path for name in names if (path := shutil.which(name, path=SEARCHED))), None)


def find(part: str) -> str | None:
    if part in PROGRAMS:
        return first_program(PROGRAMS[part])
    if part == "ws":
        return str(NODE) if find("node") and (NODE / "node_modules" / "ws").is_dir() else None
    return "" if importlib.util.find_spec(part) else None


@pytest.fixture(scope="session")
def require() -> Callable[[str], str]:
    """A function: `require("chromium")` gives the path of a part, or skips; with CI set it fails.

    Parts: `chromium`, `nc`, `nginx`, `node`, `ws` (the folder whose node_modules has npm's
    ws), or the name of a Python module.
    """

    def require(part: str) -> str:
        found = find(part)
        if found is None:
            reason = f"{part} is not installed (scripts/test installs it)"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        return found

    return require


@pytest.fixture(scope="session")
def chromium(require: Callable[[str], str]) -> str:
    """Path of the browser."""
    return require("chromium")


@pytest.fixture(scope="session")
def node_modules(require: Callable[[str], str]) -> Path:
    """Folder to run `node` in, where npm's ws can be imported."""
    return Path(require("ws"))


@pytest.fixture
def python_environment() -> dict[str, str]:
    """Environment in which a child Python imports the same copy of longlink."""
    paths = [str(PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
