"""What may stand in src/, how long it may be, and what `import longlink` promises."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import longlink

SOURCE = Path(__file__).resolve().parent.parent / "src"
BUILT = {".so", ".c", ".cpp", ".pyd", ".o", ".html"}
MOST_LINES = 450

# Longer than MOST_LINES, and why that is better than cutting.
LONGER = {
    "errors.py": "one flat tree, a docstring at each leaf",
    "native/kernel.pyx": "the one leaf: its types must see each other's C fields",
    "native/kernel.py": "the twin of the leaf, in the same order",
}


def sources(*suffixes: str) -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*") if path.suffix in suffixes)


def shown(path: Path) -> str:
    return path.relative_to(SOURCE / "longlink").as_posix()


def test_nothing_built_stands_among_the_sources() -> None:
    page = SOURCE / "longlink" / "server" / "page"
    found = [path for path in sources(*BUILT) if page not in path.parents]
    assert [shown(path) for path in found] == []


def test_no_file_is_too_long_to_read_at_once() -> None:
    lengths = {
        shown(path): path.read_text("utf-8").count("\n")
        for path in sources(".py", ".pyx", ".pxd", ".h")
    }
    assert {name: n for name, n in lengths.items() if n > MOST_LINES and name not in LONGER} == {}


def test_every_pxd_opens_by_saying_who_cimports_it() -> None:
    openings = {shown(path): path.read_text("utf-8").lstrip()[:2] for path in sources(".pxd")}
    assert [name for name, opening in openings.items() if opening != "# "] == []


def test_no_python_file_needs_cython_at_run_time() -> None:
    found = [
        shown(path)
        for path in sources(".py")
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.Import) and any(alias.name == "cython" for alias in node.names)
    ]
    assert found == []


def test_every_folder_with_modules_is_a_package() -> None:
    folders = {path.parent for path in sources(".py", ".pyx") if path.parent != SOURCE}
    assert [
        shown(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()
    ] == []


def kind_then_name(name: str) -> tuple[int, str]:
    """CONSTANTS, then Classes, then functions: the order that the linter writes."""
    if name.isupper() and len(name) > 1:
        return 0, name
    return (1, name) if name[:1].isupper() else (2, name)


def test_the_vocabulary_is_sorted_and_says_nothing_twice() -> None:
    names = longlink.__all__
    assert list(names) == sorted(set(names), key=kind_then_name)


@pytest.mark.parametrize("name", longlink.__all__)
def test_every_name_of_the_vocabulary_can_be_imported(name: str) -> None:
    assert getattr(longlink, name) is not None
