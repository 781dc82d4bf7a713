"""The few shapes of the manual's drawings. Colours are the page's own: see _static/manual.css."""

from __future__ import annotations

import math
from collections.abc import Iterable
from html import escape

Point = tuple[float, float]

WIDE = 500  # above, it is scrolled on a telephone and not made smaller


def drawing(width: float, height: float, label: str, parts: Iterable[str]) -> str:
    """The whole drawing; `label` is for those who don't see it."""
    size = f'viewBox="0 0 {width:g} {height:g}" style="max-width: {width:g}px"'
    shapes = "\n".join(parts)
    kind = "drawing wide" if width > WIDE else "drawing"
    return (
        f'<div class="{kind}"><svg xmlns="http://www.w3.org/2000/svg" {size} role="img"'
        f' aria-label="{escape(label)}">\n{shapes}\n</svg></div>'
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    """A line of text; `kind` is a class, or several."""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{escape(words)}</text>'


def box(x: float, y: float, width: float, height: float, kind: str = "") -> str:
    """A rectangle."""
    place = f'x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"'
    return f'<rect {place} rx="3" class="{kind}"/>'


def line(start: Point, end: Point, kind: str = "") -> str:
    """A straight line."""
    (x1, y1), (x2, y2) = start, end
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" class="{kind}"/>'


def curve(start: Point, bend: Point, end: Point) -> str:
    """An arrow that is drawn towards `bend` on its way."""
    (x1, y1), (bx, by), (x2, y2) = start, bend, end
    path = f"M{x1:.1f},{y1:.1f} Q{bx:.1f},{by:.1f} {x2:.1f},{y2:.1f}"
    return f'<path d="{path}" class="arrow"/>{head(bend, end)}'


def head(start: Point, end: Point) -> str:
    """The head of an arrow that comes from `start`."""
    angle = math.atan2(end[1] - start[1], end[0] - start[0])
    corners = [end]
    for side in (0.4, -0.4):
        back = angle + math.pi + side
        corners.append((end[0] + 9 * math.cos(back), end[1] + 9 * math.sin(back)))
    points = " ".join(f"{x:.1f},{y:.1f}" for x, y in corners)
    return f'<polygon points="{points}" class="head"/>'
