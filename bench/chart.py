"""The chart of the results: bars for each work, as multiples of the floor."""

from __future__ import annotations

from dataclasses import dataclass

from bench import svg
from bench.figure import MEMORY
from bench.peers import BY_NAME, PEERS
from bench.results import Results
from bench.works import ROW, Row

CHARTED = (
    "echo-32x100",
    "echo-32x100x16",
    "echo-32x1000",
    "echo-1kx100",
    "echo-64kx10",
    "echo-1mx1",
    "fanout-1000",
    "fanout-1000x8",
    "handshake",
    "idle",
)

WIDTH, MARGIN, GAP = 920, 20, 40
PANEL = (WIDTH - 2 * MARGIN - GAP) // 2
LABEL, NUMBER = 182, 62  # room for the name of a peer, for the number behind its bar
HEAD, STEP, THICK = 26, 18, 12
TOP = 64


@dataclass(frozen=True, slots=True)
class Bar:
    label: str
    value: float
    shown: str
    kind: str


@dataclass(frozen=True, slots=True)
class Panel:
    title: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        return HEAD + STEP * len(self.bars) + 14


def cost(results: Results, row: Row, peer: str) -> float | None:
    """How many times the floor's cost; less is better, also for handshakes in a second."""
    if row.figure.more_is_better:
        return results.ratio(row, "floor", peer)
    return results.ratio(row, peer, "floor")


def kind_of(peer: str) -> str:
    if peer == "longlink":
        return "ours"
    if peer.startswith("longlink-"):
        return "second"
    return "floor" if peer.startswith("floor") else "peer"


def bar_of(results: Results, row: Row, peer: str) -> Bar | None:
    kind, title = kind_of(peer), BY_NAME[peer].title.replace("`", "")
    if row.figure is MEMORY:
        value = results.value(row, peer)
        return None if value is None else Bar(title, value, f"{value:.3g} KiB", kind)
    times = cost(results, row, peer)
    return None if times is None else Bar(title, times, f"{times:.2f} ×", kind)


def panels(results: Results) -> list[Panel]:
    found = []
    for row in map(ROW.__getitem__, CHARTED):
        known = [bar_of(results, row, peer.name) for peer in PEERS]
        bars = [bar for bar in known if bar]
        if bars:
            found.append(Panel(row.title, tuple(sorted(bars, key=lambda bar: bar.value))))
    return found


def drawn(panel: Panel, x: float, y: float) -> list[str]:
    parts = [svg.text(x, y + 14, panel.title, "head")]
    room = PANEL - LABEL - NUMBER
    most = max(bar.value for bar in panel.bars)
    for number, bar in enumerate(panel.bars):
        at = y + HEAD + STEP * number
        long = room * bar.value / most
        parts += [
            svg.text(x + LABEL - 8, at + 10, bar.label, "end"),
            svg.bar(x + LABEL, at, long, THICK, bar.kind),
            svg.text(x + LABEL + long + 6, at + 10, bar.shown, "faint"),
        ]
    return parts


def chart(results: Results) -> str:
    """Panels in two columns, each put where there is more room."""
    label = "Cost as a multiple of the C floor"
    parts = [
        svg.text(MARGIN, 30, label, "title"),
        svg.text(MARGIN, 48, "CPU of the server for the same work; shorter is better", "faint"),
    ]
    bottoms = [TOP, TOP]
    for panel in panels(results):
        column = 0 if bottoms[0] <= bottoms[1] else 1
        parts += drawn(panel, MARGIN + column * (PANEL + GAP), bottoms[column])
        bottoms[column] += panel.height
    return svg.drawing(WIDTH, max(bottoms) + 8, label, parts)
