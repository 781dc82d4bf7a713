from __future__ import annotations

from bench.measure import Effort, Measured
from bench.peers import BY_NAME as PEER
from bench.peers import Peer
from bench.process import Failed
from bench.rounds import rotated, run
from bench.works import BY_NAME as WORK
from bench.works import Work
from tests.bench.samples import sample

PEERS = [PEER["floor"], PEER["longlink"], PEER["picows"]]


class Attempts:
    """Keeps in which order who was measured; some always fail."""

    def __init__(self, failing: str = "") -> None:
        self.failing = failing
        self.order: list[str] = []
        self.repeats: list[int] = []

    def __call__(self, work: Work, peer: Peer, effort: Effort) -> Measured:
        self.order.append(peer.name)
        self.repeats.append(effort.repeats)
        if peer.name == self.failing:
            raise Failed("it does not start")
        return Measured(sample(), 1)


def test_rounds_are_interleaved_and_begin_with_another_one_each() -> None:
    attempts = Attempts()
    results = run([(WORK["echo-32x100"], PEERS)], Effort(rounds=3), attempts)
    assert attempts.order[:3] == ["floor", "longlink", "picows"]
    assert attempts.order[3:6] == ["longlink", "picows", "floor"]
    assert len(results.samples["echo-32x100", "picows"]) == 3
    assert results.thrown_away == 9


def test_who_failed_is_not_tried_again() -> None:
    attempts = Attempts("picows")
    results = run([(WORK["echo-32x100"], PEERS)], Effort(rounds=3), attempts)
    assert attempts.order.count("picows") == 1
    assert results.failures == {("echo-32x100", "picows"): "it does not start"}
    assert len(results.samples["echo-32x100", "longlink"]) == 3


def test_on_a_busy_machine_repeating_ends() -> None:
    attempts = Attempts()
    results = run([(WORK["echo-32x100"], PEERS)], Effort(rounds=2, repeats=2, spare=4), attempts)
    assert attempts.repeats == [2, 2, 2, 2, 0, 0]
    assert results.thrown_away == 6


def test_memory_is_measured_in_one_round() -> None:
    attempts = Attempts("floor")
    run([(WORK["idle"], PEERS[:1])], Effort(rounds=3), attempts)
    assert len(attempts.order) == 1


def test_nobody_is_nobody_rotated() -> None:
    assert rotated([], 2) == []
