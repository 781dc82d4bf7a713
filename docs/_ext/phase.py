"""The drawing and the table of `wire/phase.py`: what can happen to a connection."""

from __future__ import annotations

import math
from collections.abc import Mapping

from longlink.wire.phase import TRANSITIONS, Action, Event, Phase

from .svg import Point, box, curve, drawing, text

Table = Mapping[tuple[Phase, Event], tuple[Phase, Action]]

# Where each phase stands, and which way the long arrows go around the others.
PLACES: dict[Phase, Point] = {
    Phase.CONNECTING: (64, 200),
    Phase.OPEN: (240, 200),
    Phase.CLOSE_DONE: (500, 90),
    Phase.CLOSE_SENT: (500, 200),
    Phase.FAILED: (500, 310),
    Phase.ENDED: (700, 200),
}
AROUND: dict[tuple[Phase, Phase], Point] = {
    (Phase.OPEN, Phase.ENDED): (430, -130),
    (Phase.CONNECTING, Phase.ENDED): (390, 590),
}
WIDTH, HEIGHT = 112, 34


def phases(table: Table = TRANSITIONS) -> str:
    """Every transition that changes the phase, as an arrow; those between the same two as one."""
    arrows: dict[tuple[Phase, Phase], list[str]] = {}
    for (phase, event), (then, action) in table.items():
        if then is not phase:
            arrows.setdefault((phase, then), []).append(_label(event, action))
    parts: list[str] = []
    for phase, (x, y) in PLACES.items():
        parts.append(box(x - WIDTH / 2, y - HEIGHT / 2, WIDTH, HEIGHT, "state"))
        parts.append(text(x, y + 4, phase.name, "middle mono"))
    parts += [part for ends, labels in arrows.items() for part in _arrow(*ends, labels)]
    return drawing(764, 420, "phases of a connection, and what leads from one to the next", parts)


def _label(event: Event, action: Action) -> str:
    words = event.name.lower().replace("_", " ")
    if action in (Action.NOTHING, Action.REPORT_END):  # every end is reported
        return words
    return f"{words} / {action.name.lower().replace('_', ' ')}"


def _arrow(start: Phase, end: Phase, labels: list[str]) -> list[str]:
    middle = [(a + b) / 2 for a, b in zip(PLACES[start], PLACES[end], strict=True)]
    bend = AROUND.get((start, end), (middle[0], middle[1]))
    origin, target = _edge(PLACES[start], bend), _edge(PLACES[end], bend)
    # The middle of a quadratic curve.
    x = (origin[0] + 2 * bend[0] + target[0]) / 4
    y = (origin[1] + 2 * bend[1] + target[1]) / 4
    top = y - 6 - 7 * (len(labels) - 1)
    words = [text(x, top + 14 * row, label, "middle label") for row, label in enumerate(labels)]
    return [curve(origin, bend, target), *words]


def _edge(center: Point, towards: Point) -> Point:
    """Where the line from a box's center leaves it."""
    dx, dy = towards[0] - center[0], towards[1] - center[1]
    across = WIDTH / 2 / abs(dx) if dx else math.inf
    down = HEIGHT / 2 / abs(dy) if dy else math.inf
    part = min(across, down)
    return center[0] + dx * part, center[1] + dy * part


def transitions(table: Table = TRANSITIONS) -> str:
    """The whole table, as Markdown: a row for each phase, a column for each event."""
    lines = ["| | " + " | ".join(event.name.lower().replace("_", " ") for event in Event) + " |"]
    lines.append("|---" * (len(Event) + 1) + "|")
    for phase in Phase:
        cells = [_cell(phase, table.get((phase, event))) for event in Event]
        lines.append(f"| **{phase.name}** | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _cell(phase: Phase, found: tuple[Phase, Action] | None) -> str:
    if found is None:
        return ""
    then, action = found
    does = "" if action is Action.NOTHING else f", {action.name.lower().replace('_', ' ')}"
    return f"{'stays' if then is phase else then.name}{does}"
