"""Latencies in a few log-spaced buckets with bounds that people can read; how they are said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from .histogram import filled

# Bounds within each power of ten, the finest first: the finest is taken that gives few enough.
_BOUNDS: Final = (
    (1.0, 1.2, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 8.0),
    (1.0, 1.5, 2.0, 3.0, 5.0, 7.0),
    (1.0, 2.0, 5.0),
    (1.0,),
)
_DECADES: Final = 15  # 10**15 nanoseconds are eleven days
_UNITS: Final = ((1e9, "s"), (1e6, "ms"), (1e3, "µs"), (1.0, "ns"))


@dataclass(frozen=True, slots=True)
class Bucket:
    """So many values from `low` up to `high`, in nanoseconds."""

    low: float
    high: float
    count: int


def buckets(cells: Sequence[int], most: int) -> list[Bucket]:
    """At most `most` buckets that hold everything, the empty ones between included."""
    rows: list[Bucket] = []
    for bounds in _BOUNDS:
        rows = _trimmed(_sorted_into(cells, bounds))
        if len(rows) <= most:
            break
    return rows


def _sorted_into(cells: Sequence[int], bounds: Sequence[float]) -> list[Bucket]:
    edges = [0.0, *(bound * 10.0**power for power in range(_DECADES) for bound in bounds)]
    counts = [0] * len(edges)
    at = 0
    for low, high, count in filled(cells):
        middle = (low + high) / 2
        while at + 1 < len(edges) and edges[at + 1] <= middle:
            at += 1
        counts[at] += count
    return [Bucket(*row) for row in zip(edges, edges[1:], counts, strict=False)]


def _trimmed(rows: list[Bucket]) -> list[Bucket]:
    """Without the empty ones at both ends."""
    used = [index for index, row in enumerate(rows) if row.count]
    return rows[used[0] : used[-1] + 1] if used else []


def said(nanoseconds: float) -> str:
    """A time with three digits and its unit."""
    for size, unit in _UNITS:
        value = nanoseconds / size
        if value >= 0.9995 or size == 1.0:
            digits = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
            text = f"{value:.{digits}f}"
            return f"{text.rstrip('0').rstrip('.') if '.' in text else text} {unit}"
    return "0 ns"


def octets(count: float) -> str:
    """A number of octets with its unit."""
    for size, unit in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if count >= size:
            return f"{count / size:.3g} {unit}"
    return f"{count:.0f} bytes"
