"""The regression check: our ratios to the floor and two peers, against those written down.

Ratios and not times, because machines differ and a machine differs from day to day. If we have
become slower, every peer shows it; if one peer met a bad moment, it alone does: so the median of
the peers is judged. What fails is measured once more, in more rounds, before it counts.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median

from bench.measure import Effort
from bench.peers import BY_NAME as PEER
from bench.places import RATIOS
from bench.results import Results
from bench.rounds import Plan
from bench.works import BY_NAME as WORK
from bench.works import ROWS

LOSS = 1.25  # times worse than written down: a failure
EFFORT = Effort(rounds=3, seconds=0.35, warm_up=0.15, spare=20, waiting=30.0)
AGAIN = replace(EFFORT, rounds=5, waiting=60.0)

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
    """How many times worse one of ours is than each peer, now and as written down."""

    work: str
    ours: str
    found: Mapping[str, float]  # by peer, as far as it could be measured
    written: Mapping[str, float]

    @property
    def loss(self) -> float:
        """How many times worse than it was. What was never written down cannot be lost."""
        losses = [
            self.found[peer] / was for peer, was in self.written.items() if peer in self.found
        ]
        return median(losses) if losses else 1.0

    @property
    def passed(self) -> bool:
        """What cannot be measured is lost."""
        return bool(self.found) and self.loss <= LOSS

    def __str__(self) -> str:
        if not self.found:
            return f"LOSS  {self.work} {self.ours}: not measured"
        ratios = ", ".join(
            f"{found:.3g} x {peer} (was {self.written[peer]:.3g})"
            if peer in self.written
            else f"{found:.3g} x {peer}"
            for peer, found in self.found.items()
        )
        word = "ok  " if self.passed else "LOSS"
        return f"{word}  {self.work:16}{self.ours:16}{self.loss:5.2f} times: {ratios}"


def plan(works: Mapping[str, Sequence[str]]) -> Plan:
    return [(WORK[work], [PEER[peer] for peer in (*ours, *PEERS)]) for work, ours in works.items()]


def lines(
    results: Results, works: Mapping[str, Sequence[str]], known: Mapping[str, float]
) -> list[Line]:
    return [
        Line(work, ours, _found(results, work, ours), _written(known, work, ours))
        for work, ourselves in works.items()
        for ours in ourselves
    ]


def _found(results: Results, work: str, ours: str) -> dict[str, float]:
    ratios = {peer: worse(results, work, ours, peer) for peer in PEERS}
    return {peer: ratio for peer, ratio in ratios.items() if ratio is not None}


def _written(known: Mapping[str, float], work: str, ours: str) -> dict[str, float]:
    keys = {peer: key(work, ours, peer) for peer in PEERS}
    return {peer: known[name] for peer, name in keys.items() if name in known}


def key(work: str, ours: str, peer: str) -> str:
    """The name of a ratio in ratios.json."""
    return f"{work} {ours}/{peer}"


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
    print("measuring again:", *(line for line in found if not line.passed), sep="\n  ")
    again = {(line.work, line.ours): line for line in lines(runner(plan(lost), AGAIN), lost, known)}
    return [line if line.passed else again[line.work, line.ours] for line in found]


# What is written down.


def written(path: Path = RATIOS) -> dict[str, float]:
    return dict(json.loads(path.read_text("utf-8"))) if path.exists() else {}


def write(found: Sequence[Line], path: Path = RATIOS) -> None:
    ratios = {
        key(line.work, line.ours, peer): round(ratio, 4)
        for line in found
        for peer, ratio in line.found.items()
    }
    path.write_text(json.dumps(ratios, indent=2) + "\n", "utf-8")
