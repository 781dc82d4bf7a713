"""What is read off one measurement: a name, a unit, and whether less of it is better."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Sample = Mapping[str, Any]  # what one measurement found


@dataclass(frozen=True, slots=True)
class Figure:
    unit: str
    of: Callable[[Sample], float]
    name: str = ""  # beside the work's name, where a work has several figures
    more_is_better: bool = False


def _field(name: str) -> Callable[[Sample], float]:
    return lambda sample: float(sample[name])


CPU = Figure("µs of CPU", _field("cpu_us"))
P50 = Figure("µs", _field("p50_us"), "p50")
P99 = Figure("µs", _field("p99_us"), "p99")
MEMORY = Figure("KiB", _field("rss_per_connection_kib"))
LAST = Figure("ms", lambda sample: float(sample["max_us"]) / 1e3, "until the last")
START = Figure("ms", _field("ms"))
# What one core can do: how long it took counts, not how long the generator let it wait.
PER_SECOND = Figure("per second", lambda sample: 1e6 / float(sample["cpu_us"]), "", True)
