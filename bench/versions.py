"""Which versions were measured, asked from what was installed."""

from __future__ import annotations

import json
import platform
import re
import subprocess
from collections.abc import Sequence

from bench.peers import Peer
from bench.places import NODE_MODULES, OUR_PYTHON, PEERS_PYTHON, ROOT

# What a package runs on matters as much as the package.
BESIDE = {"picows": ["aiofastnet", "uvloop"], "wsproto": ["uvicorn"], "ws": ["node"]}


def told(command: Sequence[str]) -> str:
    """What a program says, or nothing."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, cwd=ROOT)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


def of_python() -> dict[str, str]:
    listed = told([str(PEERS_PYTHON), "-m", "pip", "list", "--format", "json"])
    return {each["name"]: each["version"] for each in json.loads(listed or "[]")}


def of_node() -> dict[str, str]:
    files = [NODE_MODULES / name / "package.json" for name in ("bun", "ws")]
    found = {
        file.parent.name: json.loads(file.read_text())["version"] for file in files if file.exists()
    }
    return {**found, "node": told(["node", "--version"]).removeprefix("v")}


def of_longlink() -> str:
    version = told([str(OUR_PYTHON), "-P", "-c", "import longlink; print(longlink.__version__)"])
    revision = told(["git", "describe", "--always", "--dirty"])
    return f"{version} ({revision})" if revision else version


def versions(peers: Sequence[Peer]) -> dict[str, str]:
    """Package and version of everything that takes part."""
    known = {**of_python(), **of_node()}
    packages = [peer.package for peer in peers if peer.package]
    names = [name for package in packages for name in (package, *BESIDE.get(package, []))]
    found = {"longlink": of_longlink(), "Python": platform.python_version()}
    found |= {name: known[name] for name in names if known.get(name)}
    compiler = told(["gcc", "--version"]).splitlines()
    if compiler and (number := re.search(r"\d+\.\d+\.\d+", compiler[0])):
        found["gcc"] = number[0]
    return found
