"""What the machine is, and how much of it somebody else took."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path

JIFFIES = os.sysconf("SC_CLK_TCK")


def model() -> str:
    for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def description() -> str:
    system = f"{platform.system()} {platform.release()}"
    return f"{model()}, {os.cpu_count()} cores, {system}, Python {platform.python_version()}"


def busy_seconds(cores: tuple[int, int]) -> float:
    """Processor time that two cores have spent on anybody."""
    wanted = {f"cpu{core}" for core in cores}
    total = 0
    for line in Path("/proc/stat").read_text("utf-8").splitlines():
        name, *numbers = line.split()
        if name in wanted:
            user, nice, system, _idle, _wait, irq, softirq, steal, *_ = map(int, numbers)
            total += user + nice + system + irq + softirq + steal
    return total / JIFFIES


def process_seconds(pid: int) -> float:
    """Processor time of all threads of a process."""
    tasks = Path(f"/proc/{pid}/task")
    return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir()) / 1e9


def children_seconds() -> float:
    """Processor time of children that have ended."""
    times = os.times()
    return times.children_user + times.children_system


class Watch:
    """The share of two cores that others took since it began, besides ended children and `pid`."""

    def __init__(self, cores: tuple[int, int], pid: int | None = None) -> None:
        self.cores = cores
        self.pid = pid
        self.began = time.monotonic()
        self.busy = busy_seconds(cores) - self._known()

    def _known(self) -> float:
        served = process_seconds(self.pid) if self.pid is not None else 0.0
        return children_seconds() + served

    def told(self) -> dict[str, float]:
        """As the generator tells it."""
        others = busy_seconds(self.cores) - self._known() - self.busy
        seconds = time.monotonic() - self.began
        return {"foreign": max(0.0, others / (2 * seconds)), "seconds": seconds}
