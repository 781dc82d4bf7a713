from __future__ import annotations

from bench.measure import Effort, is_quiet, quietest
from tests.bench.samples import sample

EFFORT = Effort(foreign=0.06, repeats=2)


class Takes:
    """Measurements in which others take these shares, one after the other."""

    def __init__(self, *shares: float) -> None:
        self.shares = list(shares)

    def __call__(self) -> dict[str, float]:
        return sample(foreign=self.shares.pop(0))


def test_a_quiet_run_is_taken_at_once() -> None:
    takes = Takes(0.05, 0.0)
    found = quietest(takes, EFFORT)
    assert (found.sample["foreign"], found.thrown_away, takes.shares) == (0.05, 0, [0.0])


def test_disturbed_runs_are_thrown_away_and_repeated() -> None:
    found = quietest(Takes(0.5, 0.2, 0.01), EFFORT)
    assert (found.sample["foreign"], found.thrown_away) == (0.01, 2)


def test_repeating_has_an_end_and_the_quietest_is_kept() -> None:
    takes = Takes(0.5, 0.2, 0.3, 0.0)
    found = quietest(takes, EFFORT)
    assert (found.sample["foreign"], found.thrown_away, takes.shares) == (0.2, 2, [0.0])


def test_two_ticks_of_a_short_run_prove_nothing() -> None:
    assert is_quiet(sample(foreign=0.1, seconds=0.1), 0.06)
    assert not is_quiet(sample(foreign=0.1, seconds=1.0), 0.06)
