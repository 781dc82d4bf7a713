"""What was measured: samples of every work on every peer, and what they come to."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.figure import Sample
from bench.measure import is_quiet
from bench.works import Row


@dataclass(frozen=True, slots=True)
class Summary:
    """Median, least and most of several rounds: of the quiet ones, if there are any."""

    median: float
    low: float
    high: float
    generator_was_limit: bool = False  # in most rounds: the server could have done more
    disturbed: bool = False  # in all rounds, however often it was tried


def summarized(row: Row, samples: Sequence[Sample], foreign: float) -> Summary:
    quiet = [sample for sample in samples if is_quiet(sample, foreign)]
    counted = quiet or samples
    values = [row.figure.of(sample) for sample in counted]
    return Summary(
        statistics.median(values),
        min(values),
        max(values),
        sum(sample.get("limit") == "generator" for sample in counted) > len(counted) / 2,
        not quiet,
    )


@dataclass(slots=True)
class Results:
    foreign: float  # the share of the cores above which others have spoilt a run
    samples: dict[tuple[str, str], list[Sample]] = field(default_factory=dict)  # (work, peer)
    failures: dict[tuple[str, str], str] = field(default_factory=dict)
    thrown_away: int = 0
    notes: dict[str, Any] = field(default_factory=dict)  # when, where, which versions

    def add(self, work: str, peer: str, sample: Sample) -> None:
        self.samples.setdefault((work, peer), []).append(sample)

    def summary(self, row: Row, peer: str) -> Summary | None:
        """None for what was not measured."""
        samples = self.samples.get((row.work.name, peer))
        return summarized(row, samples, self.foreign) if samples else None

    def value(self, row: Row, peer: str) -> float | None:
        found = self.summary(row, peer)
        return None if found is None else found.median

    def ratio(self, row: Row, peer: str, to: str) -> float | None:
        """Of medians."""
        ours, theirs = self.value(row, peer), self.value(row, to)
        return None if ours is None or not theirs else ours / theirs

    def measured(self, rows: Sequence[Row], peers: Sequence[str]) -> tuple[list[Row], list[str]]:
        """Those of them that have anything to show."""
        pairs = [(row, peer) for row in rows for peer in peers if self.summary(row, peer)]
        return (
            [row for row in rows if any(row == each for each, _ in pairs)],
            [peer for peer in peers if any(peer == each for _, each in pairs)],
        )


def save(results: Results, path: Path) -> None:
    content = {
        "notes": results.notes,
        "foreign": results.foreign,
        "thrown_away": results.thrown_away,
        "samples": [_flat(key, samples=kept) for key, kept in results.samples.items()],
        "failures": [_flat(key, why=why) for key, why in results.failures.items()],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=1), "utf-8")


def _flat(key: tuple[str, str], **more: object) -> Mapping[str, object]:
    return {"work": key[0], "peer": key[1], **more}


def load(path: Path) -> Results:
    content = json.loads(path.read_text("utf-8"))
    return Results(
        content["foreign"],
        {(each["work"], each["peer"]): each["samples"] for each in content["samples"]},
        {(each["work"], each["peer"]): each["why"] for each in content["failures"]},
        content["thrown_away"],
        content["notes"],
    )
