"""One measurement of one work on one peer, and how often it is tried."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass

from bench.distance import Distance
from bench.figure import Sample
from bench.machine import Watch
from bench.peers import (
    BY_NAME,
    IMPORTS,
    Peer,
    client_command,
    environment_of,
    python_of,
    server_command,
)
from bench.places import LOAD
from bench.process import Failed, answer_of, cores, pinned, serving
from bench.works import Work

PATIENCE = 30.0  # seconds beyond what was asked for that a measurement may take
TICKS = 0.025  # seconds that may be an error of counting
STARTS = 5  # of Python in one sample


@dataclass(frozen=True, slots=True)
class Effort:
    """How long and how often."""

    rounds: int = 3
    seconds: float = 0.5
    warm_up: float = 0.2
    foreign: float = 0.06  # of both cores: more than that taken by others spoils a run
    patience: float = 6.0  # seconds until the cores are near each other, before each run
    waiting: float = 90.0  # the same before all runs
    repeats: int = 2  # of a spoilt run
    spare: int = 40  # repeats in all, so that the whole ends in time on a busy machine, too


@dataclass(frozen=True, slots=True)
class Measured:
    sample: Sample
    thrown_away: int


def is_quiet(sample: Sample, most: float) -> bool:
    """Whether others took no more than that share, and the cores were near each other all the
    time. The kernel tells the share in ticks of 10 ms."""
    if not sample.get("near", True):
        return False
    share = float(sample["foreign"])
    return share <= most or share * 2 * float(sample["seconds"]) <= TICKS


def quietest(measure: Callable[[], Sample], effort: Effort) -> Measured:
    """The first run that nobody disturbed, or the least disturbed of all tries."""
    tries: list[Sample] = []
    while len(tries) <= effort.repeats:
        tries.append(measure())
        if is_quiet(tries[-1], effort.foreign):
            return Measured(tries[-1], len(tries) - 1)
    return Measured(min(tries, key=lambda sample: float(sample["foreign"])), effort.repeats)


DISTANCE = Distance()


def measure(work: Work, peer: Peer, effort: Effort) -> Sample:
    before = DISTANCE.wait(effort.patience, effort.waiting)
    sample = MEASURES[work.kind](work, peer, effort)
    return {**sample, "near": before and DISTANCE.is_near()}


def of_load(work: Work, peer: Peer, effort: Effort) -> Sample:
    core, other = cores()
    with serving(server_command(peer, work), environment_of(peer), core) as server:
        where = ["--port", str(server.port), "--server-pid", str(server.pid)]
        how = ["--seconds", str(effort.seconds), "--warm-up", str(effort.warm_up)]
        answer = answer_of(
            [str(LOAD), *work.options.split(), *where, *how], other, effort.seconds + PATIENCE
        )
    if not answer["count"]:
        raise Failed("the server answered nothing in the time that was measured")
    return {**answer, "cpu_us": answer["server_cpu_us"]}


def of_client(work: Work, peer: Peer, effort: Effort) -> Sample:
    core, other = cores()
    floor = BY_NAME["floor"]
    with serving(server_command(floor, work), environment_of(floor), other) as server:
        watch = Watch((core, other), server.pid)
        command = client_command(peer, server.port, effort.seconds, work)
        answer = answer_of(command, core, effort.seconds + PATIENCE, environment_of(peer))
        return {**answer, **watch.told()}


def of_start(work: Work, peer: Peer, effort: Effort) -> Sample:
    """How much longer a Python takes that imports."""
    watch = Watch(cores())
    statement = IMPORTS[peer.program or peer.name]
    started_ms(peer, statement)  # compiles, and reads from the disk
    pairs = [(started_ms(peer, statement), started_ms(peer, "")) for _ in range(STARTS)]
    # The quickest: whatever is longer was held up by something else.
    importing, bare = (min(times) for times in zip(*pairs, strict=True))
    return {"ms": importing - bare, **watch.told()}


def started_ms(peer: Peer, statement: str) -> float:
    command = [str(python_of(peer)), "-P", "-c", statement]
    began = time.perf_counter()
    with subprocess.Popen(pinned(cores()[0], command), env=environment_of(peer)) as process:
        # Popen.wait() with a timeout would look every 50 ms only.
        ended = os.pidfd_open(process.pid)
        select.select([ended], [], [], PATIENCE)
        elapsed = time.perf_counter() - began
        os.close(ended)
        process.kill()
    return elapsed * 1e3


MEASURES: dict[str, Callable[[Work, Peer, Effort], Sample]] = {
    "load": of_load,
    "client": of_client,
    "start": of_start,
}
