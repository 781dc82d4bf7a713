"""The regression check: our ratios to the floor and two peers, against those written down.

Ratios and not times, because machines differ and a machine differs from day to day. A line that
fails is measured once more, in more rounds, before it counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import Effort
from bench.peers import BY_NAME as PEER
from bench.places import RATIOS
from bench.results import Results
from bench.rounds import Plan
from bench.works import BY_NAME as WORK
from bench.works import ROWS

LOSS = 1.25  # times worse than written down: a failure
EFFORT = Effort(rounds=3, seconds=0.35, warm_up=0.15, spare=20)
AGAIN = replace(EFFORT, rounds=5)

PEERS = ("floor", "picows", "websockets")
CHECKED: dict[str, tuple[str, ...]] = {  # work -> those of ours that do it
    "echo-32x100": ("longlink", "longlink-async"),
    "echo-32x100x16": ("longlink", "longlink-async"),
    "echo-64kx10": ("longlink",),
    "fanout-1000": ("longlink",),
    "fanout-1000x8": ("longlink",),
    "handshake": ("longlink",),
}

Runner = Callable[[Plan, Effort], Results]


@dataclass(frozen=True, slots=True)
class Line:
    """How many times worse one of ours is than a peer, now and as written down."""

    work: str
    pair: str
    found: float | None
    written: float | None

    @property
    def name(self) -> str:
        return f"{self.work} {self.pair}"

    @property
    def passed(self) -> bool:
        """What was never written down cannot be lost; what cannot be measured is."""
        if self.found is None:
            return False
        return self.written is None or self.found <= self.written * LOSS

    def __str__(self) -> str:
        found = "not measured" if self.found is None else f"{self.found:.3f}"
        written = "-" if self.written is None else f"{self.written:.3f}"
        return f"{'ok  ' if self.passed else 'LOSS'}  {self.name:44}{found:>13}, was {written:>7}"


def plan(works: Mapping[str, Sequence[str]]) -> Plan:
    return [(WORK[work], [PEER[peer] for peer in (*ours, *PEERS)]) for work, ours in works.items()]


def lines(
    results: Results, works: Mapping[str, Sequence[str]], known: Mapping[str, float]
) -> list[Line]:
    return [
        Line(
            work,
            f"{ours}/{peer}",
            worse(results, work, ours, peer),
            known.get(f"{work} {ours}/{peer}"),
        )
        for work, ourselves in works.items()
        for ours in ourselves
        for peer in PEERS
    ]


def worse(results: Results, work: str, ours: str, peer: str) -> float | None:
    """More is worse, also where more of the figure itself is better."""
    row = next(row for row in ROWS if row.work.name == work)
    pair = (peer, ours) if row.figure.more_is_better else (ours, peer)
    return results.ratio(row, *pair)


def check(
    runner: Runner, known: Mapping[str, float], works: Mapping[str, Sequence[str]]
) -> list[Line]:
    """Every line, those that failed as they were found the second time."""
    found = lines(runner(plan(works), EFFORT), works, known)
    lost = {line.work: works[line.work] for line in found if not line.passed}
    if not lost:
        return found
    print("measuring again:", *(line.name for line in found if not line.passed), sep="\n  ")
    again = {line.name: line for line in lines(runner(plan(lost), AGAIN), lost, known)}
    return [line if line.passed else again[line.name] for line in found]


# What is written down.


def written(path: Path = RATIOS) -> dict[str, float]:
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def write(found: Sequence[Line], path: Path = RATIOS) -> None:
    ratios = {line.name: round(line.found, 4) for line in found if line.found is not None}
    path.write_text(json.dumps(ratios, indent=2) + "\n", "utf-8")
