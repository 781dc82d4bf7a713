"""Runs what ./scripts/bench was asked for. The plan is in works.py, the peers in peers.py."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from bench import against, check, excerpt, growth, report
from bench.certificate import make_certificate
from bench.copies import at_its_copy, of_revision
from bench.machine import description
from bench.measure import Effort
from bench.options import Options, named, options
from bench.peers import BY_NAME as PEER
from bench.places import RATIOS, SAMPLES
from bench.results import Results, save
from bench.rounds import Plan, run
from bench.table import tables
from bench.versions import versions
from bench.works import BY_NAME as WORK

SUBJECTS = ("longlink", "longlink-async")  # of --against


def placed(plan: Plan, ours: Path | None) -> Plan:
    """Every peer of longlink with the copy that it runs, built where there was none."""
    found = {peer.name: peer for _, peers in plan for peer in peers}
    found = {name: at_its_copy(peer, ours) for name, peer in found.items()}
    return [(work, [found[peer.name] for peer in peers]) for work, peers in plan]


def measure(asked: Options) -> int:
    plan = placed([(work, asked.peers_of(work)) for work in asked.works], asked.ours)
    results = run(plan, asked.effort)
    results.notes = notes(plan, asked.effort, "full" if asked.full else "short")
    save(results, SAMPLES)
    if asked.is_whole:
        report.write_results(results)
        excerpt.write(results)
        print("written: bench/RESULTS.md, bench/ratios.svg, the tables in README*.md")
    else:
        print(tables(results))
    return 0


def grow(asked: Options) -> int:
    effort = asked.at_least(growth.EFFORT)
    plan = placed(growth.plan(), asked.ours)
    results = run(plan, effort)
    results.notes = notes(plan, effort, "growth")
    report.write_growth(results)
    print("written: bench/GROWTH.md, bench/growth.svg")
    return 0


def notes(plan: Plan, effort: Effort, name: str) -> dict[str, object]:
    """What a reader has to know about a run."""
    peers = {peer.name: peer for _, peers in plan for peer in peers}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "set": name,
        "machine": description(),
        "versions": versions(list(peers.values())),
        "rounds": effort.rounds,
        "seconds": effort.seconds,
    }


def compare(asked: Options, revision: str) -> int:
    other = of_revision(revision)
    works = asked.works if asked.only else [WORK[name] for name in against.USUAL]
    names = named(asked.peers, PEER, "peer") if asked.peers else SUBJECTS
    subjects = [at_its_copy(PEER[name], asked.ours) for name in names]
    results = run(against.plan(works, subjects, other), asked.effort)
    print(against.report(results, works, subjects))
    return 0


def check_ratios(asked: Options, works: Mapping[str, Sequence[str]] = check.CHECKED) -> int:
    def runner(plan: Plan, effort: Effort) -> Results:
        return run(placed(plan, asked.ours), asked.at_least(effort))

    known = {} if asked.record else check.written()
    if not known and not asked.record:
        raise SystemExit(f"nothing to compare with in {RATIOS}: ./scripts/bench --record")
    lines = check.check(runner, known, works)
    print(*lines, sep="\n")
    if asked.record:
        check.write(lines)
        print(f"written to {RATIOS}")
        return 0
    lost = sum(not line.passed for line in lines)
    print(f"{lost} of {len(lines)} works were lost: worse by more than {check.LOSS - 1:.0%}")
    return 1 if lost else 0


def main(words: Sequence[str] | None = None) -> int:
    asked = options(words)
    # Ended from outside, servers are ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    make_certificate()
    try:
        if asked.growth:
            return grow(asked)
        if asked.against:
            return compare(asked, asked.against)
        if asked.check or asked.record:
            return check_ratios(asked)
        return measure(asked)
    except KeyboardInterrupt:
        return 130


if __name__ == "__main__":
    sys.exit(main())
