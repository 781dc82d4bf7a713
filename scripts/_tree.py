"""Answers for the scripts beside it, from pyproject.toml and the sources. Needs no package.

_tree.py needs server|dev     requirements, one a line
_tree.py digest               changes whenever an installed longlink would be stale
"""

from __future__ import annotations

import hashlib
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def needs(kind: str) -> list[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = (
        project["build-system"]["requires"] + project["project"]["optional-dependencies"]["server"]
    )
    if kind == "dev":
        wanted += project["dependency-groups"]["dev"]
    return sorted(wanted)


def digest() -> str:
    """Covers the sources, how they are built, by which Python, and where they lie.

    Where: installed scripts name the folder of their interpreter.
    """
    files = [path for path in (ROOT / "src").rglob("*") if path.is_file()]
    files = [path for path in files if "__pycache__" not in path.parts]
    files += [ROOT / "setup.py", ROOT / "pyproject.toml"]
    total = hashlib.sha256(f"{sys.version}\0{ROOT}\0".encode())
    for path in sorted(files):
        total.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode())
        total.update(path.read_bytes())
    return total.hexdigest()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["needs", ("server" | "dev") as kind]:
            print("\n".join(needs(kind)))
        case ["digest"]:
            print(digest())
        case _:
            sys.exit(__doc__)
