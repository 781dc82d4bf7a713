"""What a run has found, in numbers; `as_json` is what --json prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final

from .histogram import filled, quantile

# Shares of all answers, and what each is called.
QUANTILES: Final = (
    (0.5, "p50"),
    (0.9, "p90"),
    (0.99, "p99"),
    (0.999, "p99.9"),
)
_NS: Final = 1e9
_US: Final = 1e3


@dataclass(frozen=True, slots=True)
class Moment:
    """How far a run was at a time: nanoseconds, count, cells and largest value of the latencies."""

    at: int
    count: int
    cells: Sequence[int]


@dataclass(frozen=True, slots=True)
class Stretch:
    """What happened between two moments; latencies in nanoseconds, None where there was none."""

    until_s: float
    rate: float
    p50: int | None
    p99: int | None
    most: int | None


@dataclass(frozen=True, slots=True)
class Generator:
    """We: share of a processor that was work, share of the time that we waited for a processor
    because somebody else had it, and whether we spun."""

    busy: float
    waited: float
    spinning: bool
    compiled: bool


@dataclass(frozen=True, slots=True)
class Server:
    """The server's processes on this machine: shares as the generator's (2.0 is two whole
    processors), and KiB for each connection that was opened."""

    pids: tuple[int, ...]
    name: str
    busy: float | None
    waited: float | None
    kib_each: float | None


@dataclass(slots=True)
class Result:
    """One run."""

    uri: str
    mode: str
    unit: str
    settings: dict[str, Any]
    started: str
    machine: str
    version: str
    opened: int = 0
    opening_s: float = 0.0
    seconds: float = 0.0
    count: int = 0
    cells: Sequence[int] = ()
    most: int = 0
    moments: list[Moment] = field(default_factory=list)
    sent: int = 0
    received: int = 0
    held: int = 0
    greetings: int = 0
    behind: int = 0
    generator: Generator | None = None
    server: Server | None = None
    errors: dict[str, int] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    limit: str = ""
    verdict: str = ""
    interrupted: bool = False

    @property
    def rate(self) -> float:
        """Of `unit` a second."""
        return self.count / self.seconds if self.seconds else 0.0

    @property
    def measured(self) -> int:
        """How many latencies."""
        return sum(self.cells)

    def quantile(self, share: float) -> int:
        """Nanoseconds that this share of the answers did not exceed."""
        return quantile(self.cells, share, self.most)

    def stretches(self) -> list[Stretch]:
        """What happened from one moment to the next."""
        return [stretch(a, b, self.moments[0].at) for a, b in pairwise(self.moments)]

    def as_json(self) -> dict[str, Any]:
        """Everything; latencies in microseconds."""
        latency: dict[str, Any] = {"count": self.measured}
        if self.measured:
            latency |= {name: self.quantile(share) / _US for share, name in QUANTILES}
            latency["max"] = self.most / _US
            cells = [[low / _US, high / _US, count] for low, high, count in filled(self.cells)]
            latency["histogram"] = cells
        return {
            "version": self.version,
            "started": self.started,
            "machine": self.machine,
            "uri": self.uri,
            "mode": self.mode,
            "settings": self.settings,
            "opened": self.opened,
            "opening_seconds": round(self.opening_s, 4),
            "seconds": round(self.seconds, 6),
            "unit": self.unit,
            "count": self.count,
            "rate": round(self.rate, 3),
            "latency_us": latency,
            "series": [_point(each) for each in self.stretches()],
            "total": {"sent": self.sent, "received": self.received},
            "held": self.held,
            "greetings": self.greetings,
            "behind": self.behind,
            "generator": _fields(self.generator),
            "server": _fields(self.server),
            "limit": self.limit,
            "verdict": self.verdict,
            "errors": self.errors,
            "told": self.told,
            "notes": self.notes,
            "interrupted": self.interrupted,
        }


def stretch(before: Moment, after: Moment, begin: int) -> Stretch:
    """What happened between two moments."""
    cells = [b - a for a, b in zip(before.cells, after.cells, strict=True)]
    rate = (after.count - before.count) / ((after.at - before.at) / _NS)
    last = max((high for _, high, _ in filled(cells)), default=None)
    until_s = (after.at - begin) / _NS
    if last is None:
        return Stretch(until_s, rate, None, None, None)
    return Stretch(until_s, rate, quantile(cells, 0.5, last), quantile(cells, 0.99, last), last)


def _point(each: Stretch) -> dict[str, Any]:
    point: dict[str, Any] = {"until": round(each.until_s, 3), "rate": round(each.rate, 3)}
    for name in ("p50", "p99", "most"):
        value = getattr(each, name)
        point[name.replace("most", "max")] = None if value is None else value / _US
    return point


def _fields(part: Any) -> dict[str, Any] | None:
    if part is None:
        return None
    values = {name: getattr(part, name) for name in part.__slots__}
    return {name: round(v, 4) if isinstance(v, float) else v for name, v in values.items()}
