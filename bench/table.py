"""Results as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.figure import CPU, LAST, MEMORY, P50, P99, PER_SECOND
from bench.peers import BY_NAME, PEERS
from bench.results import Results, Summary
from bench.targets import TARGETS, Verdict, judge, wanted
from bench.works import ROW, ROWS, Row

COLUMNS = [peer.name for peer in PEERS]

SECTIONS: list[tuple[str, Callable[[Row], bool]]] = [
    (
        "Servers: µs of CPU per message, per delivery in fan-out",
        lambda row: row.work.kind == "load" and row.figure is CPU,
    ),
    ("One connection, one message at a time: latency in µs", lambda row: row.figure in (P50, P99)),
    ("Opening handshakes per second of one core", lambda row: row.figure is PER_SECOND),
    ("Memory of a connection, KiB", lambda row: row.figure is MEMORY),
    ("All at once, ms", lambda row: row.figure is LAST),
    (
        "Clients, against the floor as server: µs of CPU per message",
        lambda row: row.work.kind == "client",
    ),
    ("Start, ms", lambda row: row.work.kind == "start"),
]


def number(value: float) -> str:
    """Three digits that count."""
    if value >= 1000:
        return f"{round(value, -1 if value < 10_000 else -2):,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(summary: Summary | None) -> str:
    if summary is None:
        return ""
    marks = "ᵍ" * summary.generator_was_limit + "~" * summary.disturbed
    return f"{number(summary.median)}{marks}"


def spread(summary: Summary | None) -> str:
    return "" if summary is None else f"{number(summary.low)}–{number(summary.high)}"


def grid(
    rows: Sequence[Row], peers: Sequence[str], text: Callable[[Row, str], str], corner: str
) -> list[str]:
    titles = [BY_NAME[peer].title for peer in peers]
    lines = [f"| {corner} | {' | '.join(titles)} |", f"|---|{'--:|' * len(peers)}"]
    for row in rows:
        cells = [text(row, peer) for peer in peers]
        lines.append(f"| {row.title} | {' | '.join(cells)} |")
    return lines


def section(results: Results, title: str, belongs: Callable[[Row], bool]) -> list[str]:
    rows, peers = results.measured([row for row in ROWS if belongs(row)], COLUMNS)
    if not rows:
        return []
    return [
        f"### {title}",
        "",
        *grid(rows, peers, lambda row, peer: cell(results.summary(row, peer)), ""),
        "",
        *_ratios(results, rows, peers),
        "<details><summary>Least and most of the rounds</summary>",
        "",
        *grid(rows, peers, lambda row, peer: spread(results.summary(row, peer)), ""),
        "",
        "</details>",
        "",
    ]


def _ratios(results: Results, rows: Sequence[Row], peers: Sequence[str]) -> list[str]:
    """The same as multiples of the floor."""
    rows = [row for row in rows if results.summary(row, "floor")]
    others = [peer for peer in peers if peer != "floor"]
    if not rows or rows[0].figure is MEMORY:
        return []

    def text(row: Row, peer: str) -> str:
        ratio = results.ratio(row, peer, "floor")
        return "" if ratio is None else f"{ratio:.2f}"

    return [*grid(rows, others, text, "as multiples of the floor"), ""]


def tables(results: Results) -> str:
    found = [line for title, belongs in SECTIONS for line in section(results, title, belongs)]
    return "\n".join(found)


# What was to be reached.


def verdict_words(verdict: Verdict) -> str:
    if verdict.found is None:
        return "not measured"
    return "reached" if verdict.reached else f"**missed by {verdict.missed_by:.1%}**"


def targets(results: Results) -> str:
    verdicts = [judge(results, target) for target in TARGETS]
    known = [verdict for verdict in verdicts if verdict.found is not None]
    lines = [
        f"{sum(verdict.reached for verdict in known)} of {len(known)} measured are reached.",
        "",
        "| work | who | to reach | found | |",
        "|---|---|--:|--:|---|",
    ]
    for verdict in verdicts:
        target = verdict.target
        found = "" if verdict.found is None else number(verdict.found)
        lines.append(
            f"| {ROW[target.row].title} | {BY_NAME[target.subject].title} | {wanted(target)} "
            f"| {found} | {verdict_words(verdict)} |"
        )
    return "\n".join(lines)
