from __future__ import annotations

import pytest

from bench.peers import BY_NAME as PEER
from bench.targets import TARGETS, Target, judge, wanted
from bench.works import ROW, WORKS
from tests.bench.samples import results

MADE = results(
    {
        ("echo-32x100", "floor"): [10.0],
        ("echo-32x100", "longlink"): [10.7],
        ("echo-32x100", "longlink-async"): [13.0],
        ("echo-32x100", "picows"): [14.0],
        ("echo-32x100", "aiohttp"): [12.0],
        ("echo-1kx100", "longlink"): [20.0],
        ("handshake", "longlink"): [40.0],
        ("handshake", "picows"): [60.0],
        ("handshake", "socketify"): [30.0],
    }
)


@pytest.mark.parametrize(
    ("target", "found", "reached"),
    [
        (Target("echo-32x100", "≤", 1.08, ("floor",)), 1.07, True),
        (Target("echo-32x100", "≤", 1.2, ("floor",), "longlink-async"), 1.3, False),
        (Target("echo-32x100", "≤", 11.0), 10.7, True),
        (Target("echo-32x100", "≤", 1.0, ("picows", "aiohttp")), 10.7 / 12, True),
        (Target("echo-1kx100", "≤", 1.5, ("floor",), other_row="echo-32x100"), 2.0, False),
        (Target("handshake", "≥", 20_000), 25_000, True),
        (Target("handshake", "≥", 1.6, ("picows",)), 1.5, False),
        (Target("handshake", "≥", 1.0, ("picows", "socketify")), 0.75, False),
    ],
)
def test_a_target_is_judged(target: Target, found: float, reached: bool) -> None:
    verdict = judge(MADE, target)
    assert verdict.found == pytest.approx(found)
    assert verdict.reached is reached


def test_what_is_lacking_is_told_as_a_share_of_the_bound() -> None:
    lacking = judge(MADE, Target("handshake", "≥", 50_000)).missed_by
    assert lacking == pytest.approx(0.5)
    assert judge(MADE, Target("handshake", "≥", 20_000)).missed_by == 0.0


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    verdict = judge(MADE, Target("echo-32x100", "≤", 1.0, ("bun",)))
    assert (verdict.found, verdict.reached, verdict.missed_by) == (None, False, 0.0)


def test_every_target_names_who_is_measured() -> None:
    for target in TARGETS:
        work = ROW[target.row].work
        assert target.subject in work.peers, target
        where = ROW[target.other_row].work if target.other_row else work
        assert set(target.against) <= set(where.peers), target
        assert wanted(target)


def test_the_short_set_has_what_every_target_needs() -> None:
    missing = []
    for target in TARGETS:
        work = ROW[target.row].work
        where = ROW[target.other_row].work if target.other_row else work
        known = {target.subject} <= set(work.peers_of(True))
        known = known and set(target.against) <= set(where.peers_of(True))
        if not (known and work.is_short and where.is_short):
            missing.append(target)
    assert missing == []


def test_every_work_names_known_peers() -> None:
    assert {peer for work in WORKS for peer in work.peers} <= set(PEER)
    assert {peer for work in WORKS for peer in work.also_short} <= set(PEER)
