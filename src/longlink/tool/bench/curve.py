"""A chart as HTML: curves in an SVG that stretches, and around it labels that do not."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

_LEVELS: Final = 5  # lines across, about
_NICE: Final = (1, 2, 2.5, 5, 10)


@dataclass(frozen=True, slots=True)
class Curve:
    """A name and points; a point without a value is a gap."""

    name: str
    points: Sequence[tuple[float, float | None]]


@dataclass(frozen=True, slots=True)
class Scale:
    """From values to places between 0 and 100, with the values that get a label."""

    low: float
    high: float
    ticks: tuple[float, ...]
    logarithmic: bool = False

    def place(self, value: float) -> float:
        """Where a value is."""
        low, high = self.low, self.high
        if self.logarithmic:
            low, high, value = math.log(low), math.log(high), math.log(max(value, low))
        share = (value - low) / (high - low) if high > low else 0.5
        return round(100 * min(max(share, 0.0), 1.0), 2)


def linear(high: float) -> Scale:
    """From 0 to a round number that is not below `high`."""
    step = _step((high or 1.0) / (_LEVELS - 1))
    count = max(1, math.ceil((high or 1.0) / step - 1e-9))
    return Scale(0.0, count * step, tuple(step * index for index in range(count + 1)))


def logarithmic(low: float, high: float) -> Scale:
    """From a round number to a round number around what lies between `low` and `high`."""
    bottom = math.floor(math.log10(max(low, 1.0)))
    top = max(bottom + 1, math.ceil(math.log10(max(high, 1.0)) - 1e-9))
    inner = (1, 2, 5) if top - bottom <= 2 else (1,)
    ticks = [m * 10.0**power for power in range(bottom, top) for m in inner] + [10.0**top]
    fitting = _around(ticks, low, high)
    return Scale(fitting[0], fitting[-1], tuple(fitting), logarithmic=True)


def _around(ticks: list[float], low: float, high: float) -> list[float]:
    """Without those that are further out than needed."""
    while len(ticks) > 2 and ticks[1] <= low:
        ticks = ticks[1:]
    while len(ticks) > 2 and ticks[-2] >= high:
        ticks = ticks[:-1]
    return ticks


def _step(least: float) -> float:
    power = 10.0 ** math.floor(math.log10(least))
    return next(nice * power for nice in _NICE if nice * power >= least * (1 - 1e-9))


def figure(
    title: str,
    curves: Sequence[Curve],
    along: Sequence[tuple[float, str]],
    up: Scale,
    say: Callable[[float], str],
    *,
    area: bool = False,
) -> str:
    """A chart.

    Args:
        curves: their points' places lie between 0 and 100, their values on `up`.
        along: places and labels below. say: makes a label of a value.
        area: the first curve is filled.
    """
    labels = "".join(
        f'<span style="bottom:{up.place(tick)}%">{escape(say(tick))}</span>' for tick in up.ticks
    )
    below = "".join(f'<span style="left:{at:.4g}%">{escape(text)}</span>' for at, text in along)
    lines = "".join(
        f'<line x1="0" x2="100" y1="{100 - up.place(tick):.4g}" y2="{100 - up.place(tick):.4g}"/>'
        for tick in up.ticks
    )
    drawn = "".join(_drawn(curve, up, index) for index, curve in enumerate(curves))
    filled = _area(curves[0], up) if area else ""
    return (
        f"<figure><h2>{escape(title)}</h2>{_key(curves)}"
        f'<div class="plot"><div class="up">{labels}</div>'
        f'<svg viewBox="0 0 100 100" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}">{lines}{filled}{drawn}</svg>'
        f'<div class="along">{below}</div></div></figure>'
    )


def _drawn(curve: Curve, up: Scale, index: int) -> str:
    steps = []
    pen = "M"
    for x, value in curve.points:
        if value is None:
            pen = "M"
            continue
        steps.append(f"{pen}{x:.4g} {100 - up.place(value):.4g}")
        pen = "L"
    return f'<path class="c{index}" d="{"".join(steps)}"/>' if steps else ""


def _area(curve: Curve, up: Scale) -> str:
    points = [(x, value) for x, value in curve.points if value is not None]
    if len(points) < 2:
        return ""
    edge = "".join(f"L{x:.4g} {100 - up.place(value):.4g}" for x, value in points)
    return f'<path class="area" d="M{points[0][0]:.4g} 100{edge}L{points[-1][0]:.4g} 100Z"/>'


def _key(curves: Sequence[Curve]) -> str:
    if len(curves) < 2:
        return ""
    rows = "".join(
        f'<span><svg viewBox="0 0 18 8" aria-hidden="true"><path class="c{index}" d="M0 4H18"/>'
        f"</svg>{escape(curve.name)}</span>"
        for index, curve in enumerate(curves)
    )
    return f'<div class="key">{rows}</div>'
