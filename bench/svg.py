"""Drawings by hand: the few elements of SVG that the charts need, readable in light and in dark."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

STYLE = """\
svg { --paper: #ffffff; --ink: #1f2328; --faint: #59636e; --line: #d8dee4;
      --ours: #0969da; --second: #54aeff; --floor: #8c959f; --peer: #c8d1da; }
@media (prefers-color-scheme: dark) {
  svg { --paper: #0d1117; --ink: #e6edf3; --faint: #9198a1; --line: #30363d;
        --ours: #4493f8; --second: #1f6feb; --floor: #9198a1; --peer: #3d444d; }
}
text { font: 12px system-ui, "Segoe UI", Helvetica, Arial, sans-serif; fill: var(--ink); }
.title { font-size: 16px; font-weight: 600; }
.head { font-weight: 600; }
.faint { fill: var(--faint); font-size: 11px; }
.end { text-anchor: end; }
.middle { text-anchor: middle; }
.paper { fill: var(--paper); }
.axis { stroke: var(--line); }
.bar.ours { fill: var(--ours); } .bar.second { fill: var(--second); }
.bar.floor { fill: var(--floor); } .bar.peer { fill: var(--peer); }
.curve { fill: none; stroke-width: 2; }
.curve.ours { stroke: var(--ours); } .curve.second { stroke: var(--second); stroke-dasharray: 5 3; }
.curve.floor { stroke: var(--floor); }
"""


def drawing(width: int, height: int, label: str, parts: Sequence[str]) -> str:
    size = f'viewBox="0 0 {width} {height}" width="{width}" height="{height}"'
    name = f'role="img" aria-label="{escape(label)}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} {name}>',
            f"<style>\n{STYLE}</style>",
            f'<rect class="paper" width="{width}" height="{height}" rx="6"/>',
            *parts,
            "</svg>",
            "",
        ]
    )


def text(x: float, y: float, words: str, kind: str = "") -> str:
    of_kind = f' class="{kind}"' if kind else ""
    return f'<text x="{x:g}" y="{y:g}"{of_kind}>{escape(words)}</text>'


def bar(x: float, y: float, width: float, height: float, kind: str) -> str:
    shape = f'x="{x:g}" y="{y:g}" width="{max(width, 1):.1f}" height="{height:g}"'
    return f'<rect class="bar {kind}" {shape} rx="2"/>'


def line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line class="axis" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}"/>'


def curve(points: Sequence[tuple[float, float]], kind: str) -> str:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    return f'<polyline class="curve {kind}" points="{path}"/>'
