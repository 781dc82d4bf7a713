"""Curves of growth as a drawing. Both scales are logarithmic: what is flat does not grow."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench import svg

WIDTH, MARGIN, GAP = 920, 20, 40
PANEL, TALL = (WIDTH - 2 * MARGIN - GAP) // 2, 210
LEFT, HEAD, FOOT = 46, 26, 26
TOP = 74
DECADE = 10


@dataclass(frozen=True, slots=True)
class Curve:
    kind: str
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class Plot:
    title: str
    curves: tuple[Curve, ...]
    ticks: tuple[tuple[float, str], ...]  # of the horizontal axis


Scale = Callable[[float], float]


def logarithmic(low: float, high: float, start: float, end: float) -> Scale:
    width = math.log(high / low) or 1.0
    return lambda value: start + (end - start) * math.log(value / low) / width


def steps(low: float, high: float) -> list[float]:
    """1, 2, 5, 10, 20 ... from the last below `low` to the first above `high`."""
    every = [n * 10.0**power for power in range(-4, 8) for n in (1, 2, 5)]
    first = max(step for step in every if step <= low)
    last = min(step for step in every if step >= high)
    return [step for step in every if first <= step <= last]


def drawn(plot: Plot, x: float, y: float) -> list[str]:
    points = [point for curve in plot.curves for point in curve.points]
    low, high = min(v for _, v in points), max(v for _, v in points)
    marks = steps(min(low, high / DECADE), high)  # what hardly grows shall look like it
    left, right, top, bottom = x + LEFT, x + PANEL - 8, y + HEAD, y + TALL - FOOT
    across = logarithmic(plot.ticks[0][0], plot.ticks[-1][0], left, right)
    up = logarithmic(marks[0], marks[-1], bottom, top)
    parts = [svg.text(x, y + 14, plot.title, "head")]
    for mark in marks:
        parts += [
            svg.line(left, up(mark), right, up(mark)),
            svg.text(left - 6, up(mark) + 4, f"{mark:g}", "faint end"),
        ]
    parts += [svg.text(across(at), bottom + 16, word, "faint middle") for at, word in plot.ticks]
    for curve in plot.curves:
        parts.append(svg.curve([(across(at), up(v)) for at, v in curve.points], curve.kind))
    return parts


def legend(names: Sequence[tuple[str, str]]) -> list[str]:
    parts, x = [], MARGIN
    for kind, name in names:
        parts += [svg.curve([(x, 48), (x + 24, 48)], kind), svg.text(x + 30, 52, name)]
        x += 50 + 7 * len(name)
    return parts


def page(label: str, plots: Sequence[Plot], names: Sequence[tuple[str, str]]) -> str:
    parts = [svg.text(MARGIN, 28, label, "title"), *legend(names)]
    for number, plot in enumerate(plots):
        x = MARGIN + (number % 2) * (PANEL + GAP)
        parts += drawn(plot, x, TOP + (number // 2) * TALL)
    return svg.drawing(WIDTH, TOP + (len(plots) + 1) // 2 * TALL, label, parts)
