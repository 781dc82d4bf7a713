from __future__ import annotations

from pathlib import Path

import pytest

from bench import check
from bench.measure import Effort
from bench.results import Results
from bench.rounds import Plan
from tests.bench.samples import results

WORKS = {"echo-32x100": ("longlink",), "handshake": ("longlink",)}
GOOD = {"echo-32x100": 1.0, "handshake": 1.0}


class Machine:
    """Every peer costs 10; ours costs that times what each measurement in turn says."""

    def __init__(self, *measurements: dict[str, float]) -> None:
        self.measurements = list(measurements)
        self.asked: list[tuple[list[str], Effort]] = []

    def __call__(self, plan: Plan, effort: Effort) -> Results:
        self.asked.append(([work.name for work, _ in plan], effort))
        costs = self.measurements.pop(0)
        return results(
            {
                (work.name, peer.name): [10.0 * (costs[work.name] if peer.copy else 1.0)]
                for work, peers in plan
                for peer in peers
            }
        )


def known(times: float) -> dict[str, float]:
    return {f"{work} longlink/{peer}": times for work in WORKS for peer in check.PEERS}


def test_what_holds_is_measured_once() -> None:
    machine = Machine(GOOD)
    lines = check.check(machine, known(0.81), WORKS)
    assert all(line.passed for line in lines)
    assert len(lines) == 2
    assert len(machine.asked) == 1


def test_a_loss_of_more_than_a_quarter_fails_after_a_second_look() -> None:
    worse = {"echo-32x100": 1.3, "handshake": 1.0}
    machine = Machine(worse, worse)
    lines = check.check(machine, known(1.0), WORKS)
    assert [line.work for line in lines if not line.passed] == ["echo-32x100"]
    assert machine.asked[1] == (["echo-32x100"], check.AGAIN)
    assert all(str(line).startswith("LOSS") for line in lines if not line.passed)


def test_a_slip_that_is_not_seen_again_passes() -> None:
    lines = check.check(Machine({"echo-32x100": 2.0, "handshake": 1.0}, GOOD), known(1.0), WORKS)
    assert all(line.passed for line in lines)


def test_a_peer_that_met_a_bad_moment_is_outvoted() -> None:
    moody = {**known(1.0), "echo-32x100 longlink/floor": 0.1}
    assert all(line.passed for line in check.check(Machine(GOOD), moody, WORKS))


def test_fewer_handshakes_are_a_loss_too() -> None:
    worse = {"echo-32x100": 1.0, "handshake": 1.3}
    lines = check.check(Machine(worse, worse), known(1.0), WORKS)
    assert [line.work for line in lines if not line.passed] == ["handshake"]


def test_what_cannot_be_measured_fails() -> None:
    lines = check.check(lambda plan, effort: Results(0.06), known(1.0), WORKS)
    assert not any(line.passed for line in lines)
    assert "not measured" in str(lines[0])


def test_what_was_never_written_down_passes() -> None:
    assert all(line.passed for line in check.check(Machine(GOOD), {}, WORKS))


def test_what_is_written_down_is_read(tmp_path: Path) -> None:
    path = tmp_path / "ratios.json"
    assert check.written(path) == {}
    lines = check.check(Machine({"echo-32x100": 1.1, "handshake": 0.5}), {}, WORKS)
    check.write(lines, path)
    assert check.written(path)["echo-32x100 longlink/floor"] == pytest.approx(1.1)
    assert check.written(path)["handshake longlink/picows"] == pytest.approx(0.5)


def test_the_check_measures_what_is_written_down() -> None:
    names = {
        check.key(work, ours, peer)
        for work, ourselves in check.CHECKED.items()
        for ours in ourselves
        for peer in check.PEERS
    }
    assert set(check.written()) == names
