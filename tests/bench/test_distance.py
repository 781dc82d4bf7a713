from __future__ import annotations

import os

import pytest

from bench.distance import PAUSE_S, Distance, measured_ns


def far_for(*distances: float) -> Distance:
    """Cores that are so far apart each time somebody looks."""
    found = iter(distances)
    return Distance(lambda: next(found), lambda seconds: None)


def test_cores_beside_each_other_need_no_waiting() -> None:
    distance = far_for(50.0)
    assert distance.wait(10, 10)
    assert distance.waited == 0


def test_cores_that_were_moved_apart_are_waited_for() -> None:
    distance = far_for(50.0, 350.0, 340.0, 60.0)
    assert distance.wait(10, 10)
    assert distance.wait(10, 10)
    assert distance.waited == 2 * PAUSE_S


def test_waiting_has_an_end_for_each_and_for_all() -> None:
    distance = far_for(50.0, *[350.0] * 20)
    distance.is_near()
    assert not distance.wait(1.0, 1.5)
    assert distance.waited == 1.0
    assert not distance.wait(1.0, 1.5)
    assert distance.waited == 1.5
    assert not distance.wait(1.0, 1.5)


def test_cores_that_never_share_a_cache_are_as_near_as_they_get() -> None:
    distance = far_for(300.0, 320.0, 600.0)
    assert [distance.is_near(), distance.is_near(), distance.is_near()] == [True, True, False]


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there are no two cores")
@pytest.mark.usefixtures("programs")
def test_it_is_measured() -> None:
    assert measured_ns() > 1
