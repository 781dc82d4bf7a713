"""The plan: every work that is measured, and on whom.

A work is what the generator does to a server (`load`), what a client does to the floor
(`client`), or the start of a Python (`start`). Figures are the server's CPU per message, or per
delivery in fan-out, unless a work says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.figure import CPU, LAST, MEMORY, P50, P99, PER_SECOND, START, Figure

Kind = Literal["load", "client", "start"]

# Who is measured: groups of names in peers.py, the order is that of the columns.
OURS = ("longlink", "longlink-async")
OUR_LOOPS = ("longlink-uvloop", "longlink-async-uvloop")
OUR_UNCOMPILED = ("longlink-leaf", "longlink-plain")
NATIVE = ("bun", "socketify")
PYTHON = ("picows", "aiohttp", "websockets")
ASGI = ("uvicorn-sansio", "uvicorn-websockets", "uvicorn-wsproto", "granian")
OTHERS = (*NATIVE, *PYTHON, *ASGI, "ws")
EVERYBODY = ("floor", *OURS, *OUR_LOOPS, *OUR_UNCOMPILED, *OTHERS)
WHOLE = ("floor", "floor-whole", *EVERYBODY[1:])

# The short set measures those in its own columns only.
SHORT = {"floor", "floor-whole", *OURS, *NATIVE, *PYTHON, "uvicorn-sansio"}
SERVERS_OF_TLS = ("longlink-uvloop", "longlink", "bun", *PYTHON, "uvicorn-sansio")
SERVERS_OF_DEFLATE = ("longlink", "bun", "aiohttp", "websockets", "uvicorn-sansio")
CLIENTS = (*OURS, *OUR_LOOPS, *PYTHON)


@dataclass(frozen=True, slots=True)
class Work:
    name: str
    title: str
    options: str  # of the generator or the client
    peers: tuple[str, ...] = EVERYBODY
    figures: tuple[Figure, ...] = (CPU,)
    kind: Kind = "load"
    serve: Literal["echo", "fanout"] = "echo"
    is_short: bool = True
    also_short: tuple[str, ...] = ()  # measured in the short set beside SHORT
    rounds: int | None = None  # at most: memory does not vary

    @property
    def tls(self) -> bool:
        return "--tls" in self.options.split()

    @property
    def deflate(self) -> bool:
        return "--deflate" in self.options.split()

    def peers_of(self, short: bool) -> list[str]:
        wanted = SHORT | set(self.also_short)
        return [peer for peer in self.peers if not short or peer in wanted]


ECHO = [
    Work(
        "echo-32x100",
        "echo 32 B, 100 connections",
        "echo --connections 100 --size 32",
        also_short=OUR_UNCOMPILED,
    ),
    Work(
        "echo-32x100x16",
        "echo 32 B, 100 connections, 16 in flight each",
        "echo --connections 100 --size 32 --in-flight 16",
    ),
    Work(
        "echo-32x1000",
        "echo 32 B, 1,000 connections",
        "echo --connections 1000 --size 32",
    ),
    Work(
        "echo-1kx100",
        "echo 1 KiB, 100 connections",
        "echo --connections 100 --size 1024",
    ),
    Work(
        "echo-64kx10",
        "echo 64 KiB, 10 connections",
        "echo --connections 10 --size 65536",
        peers=WHOLE,
    ),
    Work(
        "echo-1mx1",
        "echo 1 MiB, 1 connection",
        "echo --connections 1 --size 1048576",
        peers=WHOLE,
    ),
    Work(
        "ping-pong",
        "ping-pong 32 B, 1 connection",
        "echo --connections 1 --size 32",
        figures=(P50, P99),
        also_short=OUR_LOOPS,
    ),
]

FANOUT = [
    Work(
        "fanout-1000",
        "fan-out to 1,000, one in flight, per delivery",
        "fanout --connections 1000 --size 32 --window 1",
        serve="fanout",
    ),
    Work(
        "fanout-1000x8",
        "fan-out to 1,000, eight in flight, per delivery",
        "fanout --connections 1000 --size 32 --window 8",
        serve="fanout",
    ),
    Work(
        "fanout-1kx1000",
        "fan-out 1 KiB JSON to 1,000, one in flight",
        "fanout --connections 1000 --size 1024 --window 1 --json",
        peers=("floor", "longlink", "bun", "picows", "websockets"),
        serve="fanout",
    ),
    Work(
        "fanout-deflate",
        "fan-out 1 KiB JSON to 1,000, compressed",
        "fanout --connections 1000 --size 1024 --window 1 --json --deflate",
        peers=SERVERS_OF_DEFLATE,
        serve="fanout",
    ),
    Work(
        "broadcast-10000",
        "10,000 idle, then one broadcast",
        "idle --connections 10000 --hold 0.5 --then-broadcast",
        peers=("floor", "longlink", *OTHERS),
        figures=(CPU, LAST),
        serve="fanout",
        is_short=False,
    ),
]

OPENING = [
    Work(
        "handshake",
        "opening handshakes, one core",
        "handshake --in-flight 32",
        figures=(PER_SECOND,),
    ),
    Work(
        "handshake-tls",
        "TLS and opening handshakes, one core",
        "handshake --in-flight 32 --tls",
        peers=SERVERS_OF_TLS,
        figures=(PER_SECOND,),
        is_short=False,
    ),
    Work(
        "storm",
        "1,000 dropped at once, and back",
        "storm --connections 1000",
        peers=("floor", *OURS, *OTHERS),
        figures=(LAST,),
        is_short=False,
    ),
]

TLS = [
    Work(
        "tls-1k",
        "TLS echo 1 KiB, 100 connections",
        "echo --connections 100 --size 1024 --tls",
        peers=SERVERS_OF_TLS,
        also_short=("longlink-uvloop",),
    ),
    Work(
        "tls-64k",
        "TLS echo 64 KiB, 10 connections",
        "echo --connections 10 --size 65536 --tls",
        peers=SERVERS_OF_TLS,
        is_short=False,
    ),
]

IDLE = [
    Work(
        "idle",
        "memory of an idle connection",
        "idle --connections 2000 --hold 0.5",
        figures=(MEMORY,),
        rounds=1,
    ),
    Work(
        "idle-half-open",
        "memory of half an opening handshake",
        "idle --connections 2000 --hold 0.5 --half-open",
        peers=("floor", "longlink", *OTHERS),
        figures=(MEMORY,),
        rounds=1,
    ),
    Work(
        "idle-deflate",
        "memory of an idle connection, compressed",
        "idle --connections 2000 --hold 0.5 --deflate",
        peers=SERVERS_OF_DEFLATE,
        figures=(MEMORY,),
        rounds=1,
        is_short=False,
    ),
    Work(
        "idle-tls",
        "memory of an idle connection, TLS",
        "idle --connections 2000 --hold 0.5 --tls",
        peers=SERVERS_OF_TLS,
        figures=(MEMORY,),
        rounds=1,
        is_short=False,
    ),
]

CLIENT = [
    Work(
        "client-32x100",
        "client with 100 connections, 32 B back and forth",
        "--connections 100 --size 32",
        peers=CLIENTS,
        kind="client",
        also_short=OUR_LOOPS,
    ),
    Work(
        "client-32x1",
        "client with one connection, 32 B back and forth",
        "--connections 1 --size 32",
        peers=CLIENTS,
        kind="client",
        also_short=OUR_LOOPS,
    ),
    Work(
        "client-64kx10",
        "client with 10 connections, 64 KiB back and forth",
        "--connections 10 --size 65536",
        peers=CLIENTS,
        kind="client",
        is_short=False,
    ),
]

START_UP = [
    Work(
        "import",
        "import over bare Python",
        "",
        peers=("asyncio", "longlink", "picows", "aiohttp", "websockets"),
        figures=(START,),
        kind="start",
        also_short=("asyncio",),
    ),
]

WORKS = [*ECHO, *FANOUT, *OPENING, *TLS, *IDLE, *CLIENT, *START_UP]
BY_NAME = {work.name: work for work in WORKS}


@dataclass(frozen=True, slots=True)
class Row:
    """One figure of one work."""

    work: Work
    figure: Figure

    @property
    def name(self) -> str:
        return f"{self.work.name}-{self.figure.name}" if self.figure.name else self.work.name

    @property
    def title(self) -> str:
        more = f", {self.figure.name}" if self.figure.name else ""
        return f"{self.work.title}{more}"


ROWS = [Row(work, figure) for work in WORKS for figure in work.figures]
ROW = {row.name: row for row in ROWS}


def chosen(names: list[str]) -> list[Work]:
    """The works of these names, in the plan's order; raises KeyError for a name that is none."""
    wanted = {BY_NAME[name].name for name in names}
    return [work for work in WORKS if work.name in wanted]
