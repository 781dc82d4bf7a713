"""How near the two cores are to each other. A host that moves a virtual machine's cores apart makes
every message between them dearer, by a third when it is small and twofold when it is large, for
seconds at a time: such a run is no more worth than one in which somebody else was busy."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

from bench.places import DISTANCE
from bench.process import cores

ONE_CACHE_NS = 120.0  # there and back; further than that are cores that share no cache
FAR = 1.5  # times the nearest that was ever seen, on a machine where they never share one
PAUSE_S = 0.25


def measured_ns() -> float:
    """Nanoseconds in which a cache line goes there and back."""
    here, there = cores()
    command = [str(DISTANCE), str(here), str(there)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=True)
    return float(done.stdout)


class Distance:
    """Knows the nearest they have been, and waits until they are near again."""

    def __init__(
        self,
        measure: Callable[[], float] = measured_ns,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.measure = measure
        self.sleep = sleep
        self.least = float("inf")
        self.waited = 0.0

    def is_near(self) -> bool:
        found = self.measure()
        self.least = min(self.least, found)
        return found <= max(ONE_CACHE_NS, FAR * self.least)

    def wait(self, patience: float, in_all: float) -> bool:
        """Whether they are near, after at most `patience` seconds; `in_all` for all waits."""
        until = min(self.waited + patience, in_all)
        while not (near := self.is_near()) and self.waited < until:
            self.sleep(PAUSE_S)
            self.waited += PAUSE_S
        return near
