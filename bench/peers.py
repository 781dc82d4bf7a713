"""Who is measured: how each server and client is started, and what it can."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from bench.places import (
    BENCH,
    CERTIFICATE,
    FLOOR,
    NODE_MODULES,
    OUR_PYTHON,
    PEERS_PYTHON,
)
from bench.works import Work

# A copy of longlink: as installed in .venv, or the folder that PYTHONPATH names.
Copy = Literal["compiled", "leaf", "plain"]


@dataclass(frozen=True, slots=True)
class Peer:
    name: str
    title: str
    program: str  # a file in servers/ and clients/, "floor" for the floor
    options: tuple[str, ...] = ()
    package: str = ""  # whose version is told
    copy: Copy | None = None  # of longlink
    folder: Path | None = None  # where that copy is, when it is not the installed one


PEERS = [
    Peer("floor", "C floor", "floor"),
    Peer("floor-whole", "C floor, whole messages", "floor", ("--whole",)),
    Peer("longlink", "longlink", "ours.py", copy="compiled"),
    Peer("longlink-async", "longlink `async for`", "ours.py", ("--api", "async"), copy="compiled"),
    Peer("longlink-uvloop", "longlink, uvloop", "ours.py", ("--loop", "uvloop"), copy="compiled"),
    Peer(
        "longlink-async-uvloop",
        "longlink `async for`, uvloop",
        "ours.py",
        ("--api", "async", "--loop", "uvloop"),
        copy="compiled",
    ),
    Peer("longlink-leaf", "longlink uncompiled, C leaf", "ours.py", copy="leaf"),
    Peer("longlink-plain", "longlink uncompiled, no C", "ours.py", copy="plain"),
    Peer("bun", "Bun", "bun.js", package="bun"),
    Peer("socketify", "socketify", "socketify.py", package="socketify"),
    Peer("picows", "picows", "picows.py", package="picows"),
    Peer("aiohttp", "aiohttp", "aiohttp.py", package="aiohttp"),
    Peer("websockets", "websockets", "websockets.py", package="websockets"),
    Peer(
        "uvicorn-sansio",
        "uvicorn (websockets-sansio)",
        "uvicorn.py",
        ("--ws", "websockets-sansio"),
        "uvicorn",
    ),
    Peer(
        "uvicorn-websockets",
        "uvicorn (websockets)",
        "uvicorn.py",
        ("--ws", "websockets"),
        "uvicorn",
    ),
    Peer("uvicorn-wsproto", "uvicorn (wsproto)", "uvicorn.py", ("--ws", "wsproto"), "wsproto"),
    Peer("granian", "granian", "granian.py", package="granian"),
    Peer("ws", "ws (Node)", "ws.js", package="ws"),
    Peer("asyncio", "asyncio alone", ""),
]

BY_NAME = {peer.name: peer for peer in PEERS}

# What `import` means: all that the smallest server needs, not a package that loads the rest later.
IMPORTS = {
    "asyncio": "import asyncio",
    "ours.py": "from longlink import serve",
    "picows.py": "import picows",
    "aiohttp.py": "import aiohttp.web",
    "websockets.py": "import websockets.asyncio.server",
}


def elsewhere(peer: Peer, folder: Path, mark: str) -> Peer:
    """The same with the copy of longlink in that folder."""
    return replace(peer, name=f"{peer.name}{mark}", title=f"{peer.title}{mark}", folder=folder)


def python_of(peer: Peer) -> Path:
    return OUR_PYTHON if peer.copy or peer.name == "asyncio" else PEERS_PYTHON


def environment_of(peer: Peer) -> dict[str, str]:
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment["NODE_PATH"] = str(NODE_MODULES)
    environment["PYTHONWARNINGS"] = "ignore"
    if peer.folder:
        environment["PYTHONPATH"] = str(peer.folder)
    return environment


def server_command(peer: Peer, work: Work) -> list[str]:
    """What starts the server of `peer` for `work`, on a port that it picks."""
    if peer.program == "floor":
        return [str(FLOOR), work.serve, "--port", "0", *peer.options]
    more = ["--tls", str(CERTIFICATE)] if work.tls else []
    more += ["--deflate"] if work.deflate else []
    return [
        *_interpreter(peer, "servers"),
        "--port",
        "0",
        "--work",
        work.serve,
        *peer.options,
        *more,
    ]


def client_command(peer: Peer, port: int, seconds: float, work: Work) -> list[str]:
    words = ["--port", str(port), "--seconds", str(seconds), *work.options.split(), *peer.options]
    return [*_interpreter(peer, "clients"), *words]


def _interpreter(peer: Peer, folder: str) -> list[str]:
    program = str(BENCH / folder / peer.program)
    if peer.program == "bun.js":
        return [str(NODE_MODULES / ".bin" / "bun"), program]
    if peer.program == "ws.js":
        return [shutil.which("node") or "node", program]
    return [str(python_of(peer)), "-P", program]
