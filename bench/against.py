"""Two copies of longlink in one run, in turn: what a change did, as ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

from bench.peers import BY_NAME as PEER
from bench.peers import Peer, elsewhere
from bench.results import Results
from bench.rounds import Plan
from bench.works import ROWS, Row, Work

MARK = " before"
USUAL = (
    "echo-32x100",
    "echo-32x100x16",
    "echo-64kx10",
    "fanout-1000",
    "fanout-1000x8",
    "handshake",
)


def plan(works: Sequence[Work], subjects: Sequence[Peer], other: Path) -> Plan:
    """Each of ours beside itself in the other copy; and the floor, where there is one."""
    both = [peer for each in subjects for peer in (each, elsewhere(each, other, MARK))]
    everybody = [PEER["floor"], *both]
    return [
        (work, [peer for peer in everybody if peer.name.removesuffix(MARK) in work.peers])
        for work in works
    ]


def change(results: Results, row: Row, peer: str) -> float | None:
    """The median of what each round says: how many times as much the figure is now."""
    now = results.samples.get((row.work.name, peer), [])
    before = results.samples.get((row.work.name, peer + MARK), [])
    pairs = [row.figure.of(a) / row.figure.of(b) for a, b in zip(now, before, strict=False)]
    return statistics.median(pairs) if pairs else None


def report(results: Results, works: Sequence[Work], subjects: Sequence[Peer]) -> str:
    lines = [f"{'':54}{'before':>10}{'now':>10}{'change':>9}   of the floor: before, now"]
    for row in [row for row in ROWS if row.work in works]:
        for peer in subjects:
            lines.append(_line(results, row, peer.name))
    return "\n".join(lines)


def _line(results: Results, row: Row, peer: str) -> str:
    now, before = results.value(row, peer), results.value(row, peer + MARK)
    times = change(results, row, peer)
    if now is None or before is None or times is None:
        return f"{row.name} {peer}: not measured"
    floors = [results.ratio(row, each, "floor") for each in (peer + MARK, peer)]
    shown = ", ".join("-" if ratio is None else f"{ratio:.3f}" for ratio in floors)
    return f"{row.name + ' ' + peer:54}{before:10.4g}{now:10.4g}{times - 1:+9.1%}   {shown}"
