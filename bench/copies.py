"""Copies of longlink besides the installed one: over the C leaf, plain, and of another revision."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from bench.peers import Peer
from bench.places import BUILD, OUR_PYTHON, ROOT
from bench.versions import told

COPIES = BUILD / "copies"
LOG = BUILD / "copies.log"
PATIENCE = 600.0  # seconds for compiling


def at_its_copy(peer: Peer, ours: Path | None) -> Peer:
    """The peer with the folder of the copy that it runs; `ours` instead of the installed one."""
    match peer.copy:
        case "compiled":
            return replace(peer, folder=ours)
        case "leaf":
            return replace(peer, folder=leaf())
        case "plain":
            return replace(peer, folder=ROOT / "src")
    return peer


def leaf() -> Path:
    """Plain Python over the compiled leaf."""
    digest = told([sys.executable, str(ROOT / "scripts" / "_tree.py"), "digest"])
    return installed(ROOT, COPIES / f"leaf-{digest[:16]}", "leaf")


def of_revision(revision: str) -> Path:
    """Another revision, compiled; or a folder that has a copy of longlink in it, as it is."""
    folder = Path(revision)
    if (folder / "longlink" / "__init__.py").exists():
        return folder.resolve()
    commit = told(["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"])
    if not commit:
        raise SystemExit(f"{revision} is neither a revision nor a folder with longlink in it")
    target = COPIES / commit[:16]
    if not target.exists():
        source = exported(commit)
        installed(source, target, "all")
        shutil.rmtree(source)
    return target


def exported(commit: str) -> Path:
    """The files of a commit, in a folder of their own."""
    folder = COPIES / f"source-{commit[:16]}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = ["git", "-C", str(ROOT), "archive", "--format=tar", commit]
    with subprocess.Popen(archive, stdout=subprocess.PIPE) as files:
        subprocess.run(["tar", "-x", "-C", str(folder)], stdin=files.stdout, check=True, timeout=60)
    return folder


def installed(source: Path, target: Path, how: str) -> Path:
    """What installing `source` gives; LONGLINK_COMPILE says how."""
    if target.exists():
        return target
    print(f"compiling longlink into {target.relative_to(ROOT)} ...", file=sys.stderr)
    target.parent.mkdir(parents=True, exist_ok=True)
    fresh = target.with_name(f"{target.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    pip = [str(OUR_PYTHON), "-m", "pip", "install", "-v", "--no-build-isolation", "--no-deps"]
    with LOG.open("w") as log:
        done = subprocess.run(
            [*pip, "--target", str(fresh), str(source)],
            env={**os.environ, "LONGLINK_COMPILE": how},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            timeout=PATIENCE,
        )
    if done.returncode:
        raise SystemExit(f"cannot compile {source}: see {LOG.relative_to(ROOT)}")
    return fresh.rename(target)
