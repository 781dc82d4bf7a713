"""The command line of ./scripts/bench, and what it means: which works, on whom, how long."""

from __future__ import annotations

import argparse
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.measure import Effort
from bench.peers import BY_NAME as PEER
from bench.peers import Peer
from bench.works import BY_NAME as WORK
from bench.works import Work, chosen

ABOUT = """\
The benchmark. Without options the short set, in under ten minutes, written to bench/RESULTS.md.

Servers run on one core, the load on another; rounds are interleaved, and runs that something else
disturbed are thrown away and repeated. Figures compare within one run on one machine, nowhere else.
"""
SHORT = Effort(rounds=3, seconds=0.35, warm_up=0.15)
FULL = Effort(rounds=5, seconds=1.0, warm_up=0.3, waiting=600.0)


@dataclass(frozen=True, slots=True)
class Options:
    full: bool
    growth: bool
    check: bool
    record: bool
    against: str | None
    only: str | None
    peers: str | None
    rounds: int | None
    seconds: float | None
    ours: Path | None

    @property
    def effort(self) -> Effort:
        return self.at_least(FULL if self.full else SHORT)

    def at_least(self, effort: Effort) -> Effort:
        """That effort, with the numbers that were given."""
        effort = replace(effort, rounds=self.rounds or effort.rounds)
        return replace(effort, seconds=self.seconds or effort.seconds)

    @property
    def is_whole(self) -> bool:
        """Whether a whole set is measured, and not some of it."""
        return not self.only and not self.peers

    @property
    def works(self) -> list[Work]:
        works = chosen(named(self.only, WORK, "work"))
        return [work for work in works if self.full or self.only or work.is_short]

    def peers_of(self, work: Work) -> list[Peer]:
        """Those of the set, or all those named that can do it."""
        can = work.peers_of(short=not self.full and not self.peers)
        wanted = named(self.peers, PEER, "peer")
        return [PEER[name] for name in can if name in wanted]


def named(text: str | None, known: Collection[str], kind: str) -> list[str]:
    """The names in a list with commas; all, when none was given."""
    names = text.split(",") if text else list(known)
    for name in names:
        if name not in known:
            raise SystemExit(f"no {kind} is called {name!r}; there are: {', '.join(known)}")
    return names


def options(words: Sequence[str] | None = None) -> Options:
    parser = argparse.ArgumentParser(
        prog="./scripts/bench",
        description=ABOUT,
        epilog=f"works: {' '.join(WORK)}\npeers: {' '.join(PEER)}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--full", action="store_true", help="every work on every peer, an hour")
    what.add_argument(
        "--growth", action="store_true", help="how costs grow; writes bench/GROWTH.md"
    )
    what.add_argument("--against", metavar="REV", help="compare with a revision (or a built copy)")
    what.add_argument("--check", action="store_true", help="fail when a ratio is 25%% worse")
    what.add_argument("--record", action="store_true", help="write the ratios for --check down")
    parser.add_argument("--only", metavar="WORK,...", help="print some works, write nothing")
    parser.add_argument("--peers", metavar="PEER,...", help="on some peers only")
    parser.add_argument("--rounds", type=int, metavar="N")
    parser.add_argument("--seconds", type=float, metavar="S", help="how long each run measures")
    parser.add_argument("--ours", type=Path, metavar="FOLDER", help="a built copy to measure")
    return Options(**vars(parser.parse_args(words)))
