"""Interleaved rounds: each round measures every peer once, and each begins with another one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import replace

from bench.measure import Effort, Measured, measure, quietest
from bench.peers import Peer
from bench.process import Failed
from bench.results import Results
from bench.works import Row, Work

Plan = Sequence[tuple[Work, Sequence[Peer]]]
Try = Callable[[Work, Peer, Effort], Measured]


def measured(work: Work, peer: Peer, effort: Effort) -> Measured:
    return quietest(lambda: measure(work, peer, effort), effort)


def run(plan: Plan, effort: Effort, attempt: Try = measured) -> Results:
    results = Results(effort.foreign)
    for work, peers in plan:
        for number in range(min(effort.rounds, work.rounds or effort.rounds)):
            for peer in rotated(peers, number):
                _once(results, work, peer, effort, attempt)
        tell(results, work, peers)
    return results


def rotated(peers: Sequence[Peer], by: int) -> list[Peer]:
    """What is done first or last in a round is not always the same."""
    by %= len(peers) or 1
    return [*peers[by:], *peers[:by]]


def _once(results: Results, work: Work, peer: Peer, effort: Effort, attempt: Try) -> None:
    """A peer that has failed is not tried again."""
    key = (work.name, peer.name)
    if key in results.failures:
        return
    if results.thrown_away >= effort.spare:
        effort = replace(effort, repeats=0)
    try:
        found = attempt(work, peer, effort)
    except Failed as error:
        results.failures[key] = str(error)
        return
    results.thrown_away += found.thrown_away
    results.add(*key, found.sample)


def tell(results: Results, work: Work, peers: Sequence[Peer]) -> None:
    """What a work came to, for who waits."""
    for row in [Row(work, figure) for figure in work.figures]:
        print(f"{row.title} ({row.figure.unit})", file=sys.stderr)
        for peer in peers:
            found = results.summary(row, peer.name)
            if found:
                ratio = results.ratio(row, peer.name, "floor")
                times = f"  {ratio:.2f} x floor" if ratio else ""
                marks = (
                    " generator-bound" * found.generator_was_limit + " disturbed" * found.disturbed
                )
                spread = f"({found.low:.4g} to {found.high:.4g})"
                print(
                    f"  {peer.name:24}{found.median:10.4g}  {spread:22}{times}{marks}",
                    file=sys.stderr,
                )
            elif why := results.failures.get((work.name, peer.name)):
                print(f"  {peer.name:24}failed: {why}", file=sys.stderr)
