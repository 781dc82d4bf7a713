from __future__ import annotations

from pathlib import Path

import pytest

from bench.results import load, save, summarized
from bench.works import ROW
from tests.bench.samples import results, sample

ECHO = ROW["echo-32x100"]


def test_a_summary_is_the_median_with_least_and_most() -> None:
    found = summarized(ECHO, [sample(5.0), sample(4.0), sample(9.0)], 0.06)
    assert (found.median, found.low, found.high) == (5.0, 4.0, 9.0)
    assert not found.disturbed
    assert not found.generator_was_limit


def test_the_limit_is_what_most_rounds_say() -> None:
    bound = [sample(limit="generator"), sample(limit="generator"), sample()]
    assert summarized(ECHO, bound, 0.06).generator_was_limit
    assert not summarized(ECHO, bound[1:], 0.06).generator_was_limit


@pytest.mark.parametrize("fault", [{"foreign": 0.3}, {"near": False}])
def test_spoilt_rounds_count_only_where_there_are_no_others(fault: dict[str, object]) -> None:
    spoilt = [sample(9.0, **fault), sample(8.0, **fault)]
    found = summarized(ECHO, [*spoilt, sample(5.0)], 0.06)
    assert (found.median, found.high, found.disturbed) == (5.0, 5.0, False)
    found = summarized(ECHO, spoilt, 0.06)
    assert (found.median, found.disturbed) == (8.5, True)


def test_handshakes_count_what_one_core_can() -> None:
    assert summarized(ROW["handshake"], [sample(50.0)], 0.06).median == 20_000


def test_ratios_are_of_medians_and_none_without_both() -> None:
    made = results({("echo-32x100", "longlink"): [1, 6, 7], ("echo-32x100", "floor"): [4, 5, 99]})
    assert made.ratio(ECHO, "longlink", "floor") == pytest.approx(6 / 5)
    assert made.ratio(ECHO, "longlink", "picows") is None
    assert made.ratio(ROW["handshake"], "longlink", "floor") is None


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    made = results({("echo-32x100", "longlink"): [1, 2]})
    made.failures["idle", "ws"] = "it said nothing"
    made.thrown_away = 3
    save(made, tmp_path / "samples.json")
    assert load(tmp_path / "samples.json") == made
