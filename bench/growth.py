"""How costs grow: with connections, with what is queued, with subscribers, with octets.

Each curve should be flat, or bend where the floor's bends: there it is the machine's caches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from bench.figure import CPU, Figure, Sample
from bench.measure import Effort
from bench.peers import BY_NAME, Peer
from bench.plot import Curve, Plot, page
from bench.results import Results
from bench.rounds import Plan
from bench.table import number
from bench.works import Row, Work

EFFORT = Effort(rounds=3, seconds=0.4, warm_up=0.2)
PEERS = ("floor", "longlink", "longlink-async")
KINDS = dict(zip(PEERS, ("floor", "ours", "second"), strict=True))
KIB, MIB = 1024, 1024 * 1024


def _ns_per_kib(sample: Sample) -> float:
    return float(sample["cpu_us"]) * 1e3 * KIB / float(sample["size"])


PER_KIB = Figure("ns of CPU per KiB", _ns_per_kib)


@dataclass(frozen=True, slots=True)
class Axis:
    name: str
    title: str
    steps: tuple[int, ...]
    options: Callable[[int], str]
    figure: Figure = CPU

    def work(self, step: int) -> Work:
        options = self.options(step)
        return Work(
            f"{self.name}-{step}",
            f"{self.title}: {step:,}",
            options,
            PEERS,
            (self.figure,),
            serve="fanout" if options.startswith("fanout") else "echo",
        )


AXES = [
    Axis(
        "connections",
        "per message of 32 B, by connections",
        (100, 300, 1000, 3000, 10_000, 15_000),
        lambda n: f"echo --size 32 --connections {n}",
    ),
    Axis(
        "queued",
        "per message of 32 B, by messages in flight",
        (10, 100, 1000, 10_000),
        lambda n: f"echo --size 32 --connections 1 --in-flight {n}",
    ),
    Axis(
        "subscribers",
        "per delivery of 32 B, by subscribers",
        (10, 100, 1000, 5000, 15_000),
        lambda n: f"fanout --size 32 --window 1 --connections {n}",
    ),
    Axis(
        "octets",
        "by octets of a message",
        (KIB, 4 * KIB, 16 * KIB, 64 * KIB, 256 * KIB, MIB, 4 * MIB, 16 * MIB),
        lambda n: f"echo --size {n} --connections 1",
        PER_KIB,
    ),
]


def peer(name: str, axis: Axis) -> Peer:
    found = BY_NAME[name]
    if axis.name != "octets":
        return found
    more = ("--max-size", str(16 * MIB)) if found.copy else ("--whole",)
    return replace(found, options=(*found.options, *more))


def plan() -> Plan:
    return [
        (axis.work(step), [peer(name, axis) for name in PEERS])
        for axis in AXES
        for step in axis.steps
    ]


def row(axis: Axis, step: int) -> Row:
    return Row(axis.work(step), axis.figure)


def short(step: int) -> str:
    """1000 as 1 k, 65536 as 64 Ki."""
    for size, unit in ((MIB, "Mi"), (KIB, "Ki"), (1000, "k")):
        if step >= size and step % size == 0:
            return f"{step // size} {unit}"
    return str(step)


def plot(results: Results, axis: Axis) -> Plot | None:
    curves = []
    for name, kind in KINDS.items():
        values = [(step, results.value(row(axis, step), name)) for step in axis.steps]
        points = tuple((float(step), value) for step, value in values if value)
        if points:
            curves.append(Curve(kind, points))
    ticks = tuple((float(step), short(step)) for step in axis.steps)
    return Plot(f"{axis.figure.unit} {axis.title}", tuple(curves), ticks) if curves else None


def drawing(results: Results) -> str:
    plots = [found for axis in AXES if (found := plot(results, axis))]
    names = [(kind, BY_NAME[name].title.replace("`", "")) for name, kind in KINDS.items()]
    return page("How costs grow", plots, names)


def tables(results: Results) -> str:
    return "\n".join(line for axis in AXES for line in table(results, axis))


def table(results: Results, axis: Axis) -> list[str]:
    lines = [
        f"### {axis.figure.unit} {axis.title}",
        "",
        "| | C floor | longlink | × floor | longlink `async for` | × floor |",
        "|--:|--:|--:|--:|--:|--:|",
    ]
    for step in axis.steps:
        values = [results.value(row(axis, step), name) for name in PEERS]
        floor = values[0]
        cells = [_cell(floor)]
        for value in values[1:]:
            cells += [_cell(value), f"{value / floor:.2f}" if value and floor else ""]
        lines.append(f"| {step:,} | {' | '.join(cells)} |")
    return [*lines, ""]


def _cell(value: float | None) -> str:
    return "" if value is None else number(value)
