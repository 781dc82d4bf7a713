"""What is to be reached: ratios of medians within one run, and a few absolute figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bench.peers import BY_NAME
from bench.results import Results
from bench.works import ROW

BEST_PYTHON = ("picows", "aiohttp", "websockets", "uvicorn-sansio")


@dataclass(frozen=True, slots=True)
class Target:
    row: str
    relation: Literal["≤", "≥"]
    bound: float
    against: tuple[str, ...] = ()  # the best of them; nobody: the bound is a figure
    subject: str = "longlink"
    other_row: str | None = None  # in which those others are looked up


@dataclass(frozen=True, slots=True)
class Verdict:
    target: Target
    found: float | None  # None: not measured

    @property
    def reached(self) -> bool:
        if self.found is None:
            return False
        if self.target.relation == "≤":
            return self.found <= self.target.bound
        return self.found >= self.target.bound

    @property
    def missed_by(self) -> float:
        """The share of the bound that is lacking."""
        return (
            0.0 if self.found is None or self.reached else abs(self.found / self.target.bound - 1)
        )


def _echo(row: str) -> list[Target]:
    return [
        Target(row, "≤", 1.08, ("floor",)),
        Target(row, "≤", 1.20, ("floor",), "longlink-async"),
        Target(row, "≤", 1.0, ("bun",)),
        Target(row, "≤", 0.78, ("picows",)),
        Target(row, "≤", 0.32, ("websockets",)),
    ]


def _large(row: str) -> list[Target]:
    return [
        Target(row, "≤", 1.15, ("floor-whole",)),
        Target(row, "≤", 0.8, ("picows",)),
        Target(row, "≤", 0.9, ("socketify",)),
    ]


def _fanout(row: str, bound: float) -> list[Target]:
    return [
        Target(row, "≤", bound, ("floor",)),
        Target(row, "≤", 1.0, ("bun",)),
        Target(row, "≤", 1.0, ("socketify",)),
    ]


TARGETS = [
    *_echo("echo-32x100"),
    *_echo("echo-1kx100"),
    *_echo("echo-32x1000"),
    Target("echo-32x100x16", "≤", 1.15, ("floor",)),
    Target("echo-32x100x16", "≤", 1.5, ("floor",), "longlink-async"),
    Target("echo-32x100x16", "≤", 1.0, ("bun",)),
    Target("echo-32x100x16", "≤", 1 / 12, ("picows",)),
    *_large("echo-64kx10"),
    *_large("echo-1mx1"),
    *_fanout("fanout-1000", 1.05),
    *_fanout("fanout-1000x8", 1.15),
    Target("idle", "≤", 1.0),
    Target("idle", "≤", 3.0, subject="longlink-async"),
    Target("idle", "≤", 1.0, ("bun",)),
    Target("idle-half-open", "≤", 1.0),
    Target("handshake", "≥", 20_000),
    Target("handshake", "≥", 1.6, ("picows",)),
    Target("handshake", "≥", 1.0, ("socketify",)),
    Target("ping-pong-p99", "≤", 1.1, ("floor",)),
    Target("ping-pong-p50", "≤", 1.0, BEST_PYTHON),
    Target("ping-pong-p99", "≤", 1.0, BEST_PYTHON),
    Target("tls-1k", "≤", 1.0, BEST_PYTHON, "longlink-uvloop"),
    Target("fanout-deflate", "≤", 1.3, ("longlink",), other_row="fanout-1kx1000"),
    Target("fanout-deflate", "≤", 0.1, ("websockets",)),
    Target("client-32x100", "≤", 0.8, ("picows",)),
    Target("client-32x100", "≤", 0.35, ("websockets",)),
    Target("echo-32x100", "≤", 1.2, ("longlink",), "longlink-leaf"),
    Target("echo-32x100", "≤", 1.0, ("picows",), "longlink-leaf"),
    Target("import", "≤", 50),
    Target("import", "≤", 1.0, ("websockets", "picows")),
]


def judge(results: Results, target: Target) -> Verdict:
    row = ROW[target.row]
    ours = results.value(row, target.subject)
    if ours is None or not target.against:
        return Verdict(target, ours)
    where = ROW[target.other_row] if target.other_row else row
    values = [results.value(where, peer) for peer in target.against]
    known = [value for value in values if value]
    if not known:
        return Verdict(target, None)
    return Verdict(target, ours / (max(known) if row.figure.more_is_better else min(known)))


def wanted(target: Target) -> str:
    """In words: `≤ 1.08 × C floor`."""
    bound = f"{target.bound:,.0f}" if target.bound >= 100 else f"{target.bound:.3g}"
    if not target.against:
        return f"{target.relation} {bound} {ROW[target.row].figure.unit}"
    names = [BY_NAME[peer].title for peer in target.against]
    others = names[0] if len(names) == 1 else f"the best of {', '.join(names)}"
    where = f" at “{ROW[target.other_row].title}”" if target.other_row else ""
    return f"{target.relation} {bound} × {others}{where}"
