"""The pages that are written: RESULTS.md and GROWTH.md, each with its chart."""

from __future__ import annotations

from pathlib import Path

from bench import growth
from bench.chart import chart
from bench.places import BENCH
from bench.results import Results
from bench.table import tables, targets
from bench.works import BY_NAME as WORK

HOW = """\
Servers have one core, the load generator (`bench/native`, C) the other, over loopback. A figure
is the median of {rounds} interleaved rounds of {seconds:g} s. The **C floor** does nothing but
epoll, one receive, unmask and one send: the limit of this kernel. From 64 KiB up it passes
octets on before a message is whole, which no API with messages can do; “whole messages” waits.
Servers are the smallest idiomatic ones (`bench/servers`), one process each, without compression
unless that is measured. Machines differ, and one machine differs by 10 % from day to day;
ratios hardly do. Nothing under 5 % means anything. The host of a virtual machine may move its
cores apart for seconds, so that every message costs a third more when it is small and twice as
much when it is large: that is looked for before and after each run (`bench/native/distance.c`).

The floor sleeps when nothing is there, and to be woken takes 15 µs. Who looks for a moment longer,
as longlink does where that pays, answers a lone peer in less time than the floor.

ᵍ the generator was the limit: the server had time to spare, and smaller batches than under full
load. ~ something else took processor time, or the cores were apart, in all rounds, however often
they were repeated.
"""


def results_page(results: Results) -> str:
    return "\n".join(
        [
            "# The benchmark",
            "",
            "Written by `./scripts/bench`; nobody edits it.",
            "",
            "![Cost as a multiple of the C floor](ratios.svg)",
            "",
            HOW.format(**results.notes),
            "## Figures",
            "",
            tables(results),
            "## What was to be reached",
            "",
            targets(results),
            "",
            *growth_link(),
            "## What was measured",
            "",
            *facts(results),
            "",
        ]
    )


def growth_link() -> list[str]:
    if not (BENCH / "growth.svg").exists():
        return []
    return [
        "## Growth",
        "",
        "![How costs grow](growth.svg)",
        "",
        "Its numbers are in [GROWTH.md](GROWTH.md).",
        "",
    ]


def growth_page(results: Results) -> str:
    return "\n".join(
        [
            "# How costs grow",
            "",
            "Written by `./scripts/bench --growth`; nobody edits it. How it is measured is said in",
            "[RESULTS.md](RESULTS.md).",
            "",
            "![How costs grow](growth.svg)",
            "",
            growth.tables(results),
            *facts(results),
            "",
        ]
    )


def facts(results: Results) -> list[str]:
    """Where, when and which versions; what was thrown away, and who could not be measured."""
    notes = results.notes
    versions = ", ".join(f"{name} {version}" for name, version in notes["versions"].items())
    lines = [
        f"- {notes['date']}, the {notes['set']} set: {notes['machine']}",
        f"- {versions}",
        f"- {results.thrown_away} disturbed runs were thrown away and repeated",
    ]
    whys: dict[tuple[str, str], list[str]] = {}
    for (work, peer), why in results.failures.items():
        whys.setdefault((peer, why), []).append(WORK[work].title if work in WORK else work)
    for (peer, why), works in whys.items():
        lines.append(f"- {peer} has no figure for {'; '.join(works)}: {why}")
    return lines


def write_results(results: Results, folder: Path = BENCH) -> None:
    (folder / "ratios.svg").write_text(chart(results), "utf-8")
    (folder / "RESULTS.md").write_text(results_page(results), "utf-8")


def write_growth(results: Results, folder: Path = BENCH) -> None:
    (folder / "growth.svg").write_text(growth.drawing(results), "utf-8")
    (folder / "GROWTH.md").write_text(growth_page(results), "utf-8")
