"""Imports go down the floors of the house, never up and never sideways.

Read from the text of .py, .pyx, .pxd and .pyi: cimports count, and so do imports inside functions.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "longlink"

# From the ground up. Within one entry, each name is a floor's room with no door to its neighbours.
FLOORS: list[set[str]] = [
    {"errors"},
    {"limits"},
    {"native"},
    {"wire"},
    {"engine"},
    {"api"},
    {"line", "hub", "brokers", "sync"},
    {""},  # longlink/__init__.py, which re-exports
    {"server"},
    {"tool"},
    {"cli"},
    {"__main__"},
]
HEIGHT = {room: height for height, floor in enumerate(FLOORS) for room in floor}

# What wire is given, it must not fetch: bytes, a time and entropy come in as arguments.
WIRE_NEVER = {"asyncio", "socket", "ssl", "time", "random", "secrets", "os", "logging"}

IMPORT = re.compile(r"^\s*(?:from\s+(?P<base>[.\w]+)\s+)?c?import\s+(?P<names>[^#]+)")
OPENED = re.compile(r"\(([^()]*)\)", re.DOTALL)


def module_of(path: Path, source: Path) -> tuple[str, bool]:
    """Dotted name, and whether it is a package."""
    parts = path.relative_to(source).with_suffix("").parts
    is_package = parts[-1] == "__init__"
    return ".".join(parts[:-1] if is_package else parts), is_package


def absolute(base: str, module: str, is_package: bool) -> str:
    """`..native` seen from longlink.wire.reader is longlink.native."""
    dots = len(base) - len(base.lstrip("."))
    if not dots:
        return base
    parents = module.split(".")[: len(module.split(".")) - dots + is_package]
    return ".".join([*parents, *filter(None, [base[dots:]])])


def of_python(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """Line, base, imported names; base is empty for a plain `import`."""
    for node in ast.walk(ast.parse(text)):
        match node:
            case ast.Import(names=names):
                yield node.lineno, "", [alias.name for alias in names]
            case ast.ImportFrom(module=module, names=names, level=level):
                yield node.lineno, "." * level + (module or ""), [alias.name for alias in names]
            case ast.Call(
                func=ast.Name(id="__import__" | "import_module")
                | ast.Attribute(attr="import_module"),
                args=[ast.Constant(value=str(name)), *_],
            ):
                yield node.lineno, "", [name]


def of_cython(text: str) -> Iterator[tuple[int, str, list[str]]]:
    """The same for what `ast` cannot read."""
    joined = OPENED.sub(lambda found: re.sub(r"#[^\n]*|\n", " ", found[1]), text)
    for number, line in enumerate(joined.replace("\\\n", " ").splitlines(), 1):
        if found := IMPORT.match(line):
            names = [part.split()[0] for part in found["names"].split(",") if part.strip()]
            yield number, found["base"] or "", names


def imports(path: Path, source: Path) -> Iterator[tuple[int, str]]:
    """Line and full dotted name of everything a file imports."""
    module, is_package = module_of(path, source)
    text = path.read_text("utf-8")
    read = of_python if path.suffix in {".py", ".pyi"} else of_cython
    for line, base, names in read(text):
        start = absolute(base, module, is_package)
        for name in names:
            yield line, f"{start}.{name}".strip(".") if base else name


def room_of(name: str) -> str:
    """The room that a dotted name is in; re-exported names are in that of __init__."""
    second = name.split(".")[1:2]
    return second[0] if second and second[0] in HEIGHT else ""


def complaint(module: str, imported: str) -> str | None:
    here, top = room_of(module), imported.split(".")[0]
    if top != PACKAGE:
        return "wire must be given this" if here == "wire" and top in WIRE_NEVER else None
    there = room_of(imported)
    if here == there:
        return None
    if HEIGHT[there] > HEIGHT[here]:
        return "goes up"
    return "goes sideways" if HEIGHT[there] == HEIGHT[here] else None


def violations(source: Path) -> list[str]:
    """Every import below `source` that breaks a rule, as `file:line: what`."""
    found = []
    paths = (path for suffix in ("py", "pyx", "pxd", "pyi") for path in source.rglob(f"*.{suffix}"))
    for path in sorted(paths):
        module, _ = module_of(path, source)
        room = module.split(".")[1:2]
        if room and room[0] not in HEIGHT:
            found.append(f"{path.relative_to(source)}: {room[0]} is on no floor")
            continue
        for line, imported in imports(path, source):
            if why := complaint(module, imported):
                found.append(f"{path.relative_to(source)}:{line}: imports {imported}: {why}")
    return found


def test_imports_go_down() -> None:
    assert violations(ROOT / "src") == []


def test_init_files_only_reexport() -> None:
    logic = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.While, ast.With)
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / "src").rglob("__init__.py"))
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, logic)
    ]
    assert found == []


# -- the checker itself ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("wire/frame.py", "from ..engine import reactor\n", "goes up"),
        ("wire/frame.py", "from ..engine.reactor import Reactor\n", "goes up"),
        ("wire/frame.py", "from .. import api\n", "goes up"),
        ("wire/frame.py", "from .. import serve\n", "goes up"),
        ("wire/frame.py", "def f():\n    import longlink.api.server\n", "goes up"),
        ("wire/frame.py", "import importlib\nimportlib.import_module('longlink.api')\n", "goes up"),
        ("wire/frame.py", "import os.path\n", "wire must be given this"),
        ("wire/frame.py", "def f():\n    from time import monotonic\n", "wire must be given this"),
        ("wire/frame.pxd", "from longlink.engine.link cimport Link\n", "goes up"),
        ("wire/frame.pxd", "from ..engine.link cimport (\n    A,  # a\n    B,\n)\n", "goes up"),
        ("wire/frame.pyi", "import asyncio\n", "wire must be given this"),
        ("native/kernel.pyx", "cdef f():\n    from longlink.wire import frame\n", "goes up"),
        ("native/kernel.pyx", "cimport longlink.wire.frame as frame\n", "goes up"),
        ("hub/channel.py", "from ..line import tcp\n", "goes sideways"),
        ("errors.py", "from .limits import Limits\n", "goes up"),
        ("api/server.py", "from longlink import __version__\n", "goes up"),
        ("cellar/rat.py", "", "on no floor"),
    ],
)
def test_a_planted_violation_is_found(tmp_path: Path, file: str, text: str, expected: str) -> None:
    planted = tmp_path / PACKAGE / file
    planted.parent.mkdir(parents=True)
    planted.write_text(text)
    found = violations(tmp_path)
    assert found
    assert all(expected in each for each in found)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("wire/reader.py", "from __future__ import annotations\nfrom .frame import Frame\n"),
        ("wire/reader.py", "from ..errors import ProtocolError\nfrom ..native import kernel\n"),
        ("wire/reader.pxd", "cimport cython\nfrom longlink.native.kernel cimport Buffer\n"),
        ("native/kernel.pyx", 'cdef extern from "bits.h":\n    int x\nimport os, time\n'),
        ("engine/reactor.py", "import asyncio\nfrom ..wire.reader import Reader\n"),
        ("server/app.py", "import longlink\nfrom longlink import serve, __version__\n"),
        ("__main__.py", "from .cli.group import main\n"),
        ("__init__.py", "from .api.server import serve\nfrom .errors import Close\n"),
    ],
)
def test_what_is_allowed_is_not_reported(tmp_path: Path, file: str, text: str) -> None:
    planted = tmp_path / PACKAGE / file
    planted.parent.mkdir(parents=True, exist_ok=True)
    planted.write_text(text)
    assert violations(tmp_path) == []
