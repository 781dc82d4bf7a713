"""The result in a terminal, or in a file: as wide as there is room, in colour where wanted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from ..plain import plain
from .bucket import Bucket, buckets, octets, said
from .result import QUANTILES, Result

_BLOCKS: Final = " ▏▎▍▌▋▊▉█"
_INDENT: Final = 2
_WIDEST: Final = 100
_MOST_ROWS: Final = 22
_NARROWEST_BAR: Final = 8


def show(result: Result, console: Console) -> None:
    """Print everything."""
    for line in lines(result, min(console.width, _WIDEST) - _INDENT):
        if console.is_terminal:
            console.print(Padding(line, (0, 0, 0, _INDENT), expand=False))
        else:
            line.rstrip()
            console.print(line, soft_wrap=True)


def lines(result: Result, width: int) -> Iterator[Text]:
    """Everything, line by line."""
    yield Text(f"{plain(result.uri)}  {what(result)}", style="bold")
    yield Text()
    if result.seconds:
        yield _rate(result)
        yield Text(totals(result))
    if result.measured:
        yield Text()
        yield from _latencies(result)
        yield Text()
        yield from _bars(result, width)
    yield Text()
    for text in result.told:
        yield Text(f"WRONG: {text}", style="bold red")
    if result.verdict:
        yield Text(result.verdict)
    for note in result.notes:
        yield Text(note, style="dim")


def what(result: Result) -> str:
    """What was asked for, in a few words."""
    plan = result.settings
    kind = "text" if plan["text"] else "binary"
    words = {
        "echo": f"{plan['connections']:,} connections, {plan['in_flight']:,} in flight each",
        "fan-out": f"1 speaks, {plan['connections']:,} listen, {plan['in_flight']:,} in flight",
        "idle": f"{plan['connections']:,} connections held",
        "handshake": f"{plan['in_flight']:,} at once",
    }[result.mode]
    if result.mode in ("echo", "fan-out"):
        words += f", {plan['size']:,} bytes {kind}"
    if plan["compression"] != "off":
        words += ", compression offered"
    if plan["rate"] is not None:
        words += f", {plan['rate']:,.6g} a second wanted"
    return f"{result.mode}: {words}"


def totals(result: Result) -> str:
    """What was sent and came back in all."""
    if result.mode == "handshake":
        return f"in all {result.sent:,} begun, {result.received:,} opened and closed"
    if result.mode == "idle":
        held = f"{result.opened:,} opened, {result.held:,} held to the end"
        each = result.server.kib_each if result.server else None
        memory = f"; the server took {each:.1f} KiB for each" if each is not None else ""
        return f"{held}{memory}; in all {result.sent:,} pings, {result.received:,} answered"
    checked = f"in all {result.sent:,} sent, {result.received:,} received, each of them checked"
    opening = f"{result.opened:,} connections opened in {result.opening_s:.2f} s"
    return f"{checked}; {opening}"


def _rate(result: Result) -> Text:
    line = Text()
    line.append(f"{result.rate:,.0f} {result.unit}/s", style="bold green")
    line.append(f"   {result.count:,} in {result.seconds:.2f} s")
    size = result.settings["size"]
    if result.mode in ("echo", "fan-out") and size:
        line.append(f", {octets(result.rate * size)}/s of payload")
    return line


def _latencies(result: Result) -> Iterator[Text]:
    figures = [(name, said(result.quantile(share))) for share, name in QUANTILES]
    figures.append(("max", said(result.most)))
    yield Text("".join(f"{name:>10}" for name, _ in figures), style="dim")
    yield Text("".join(f"{value:>10}" for _, value in figures), style="bold")


def _bars(result: Result, width: int) -> Iterator[Text]:
    rows = buckets(result.cells, _MOST_ROWS)
    highest = max(row.count for row in rows)
    marks = [_marks(result, row) for row in rows]
    room = width - 10 - 1 - 9 - max(map(len, marks)) - 1
    for row, mark in zip(rows, marks, strict=True):
        yield _bar(row, mark, highest, result.measured, max(_NARROWEST_BAR, room))


def _bar(row: Bucket, mark: str, highest: int, total: int, room: int) -> Text:
    eighths = round(row.count / highest * room * 8)
    eighths = max(eighths, 1) if row.count else 0
    bar = "█" * (eighths // 8) + _BLOCKS[eighths % 8].strip()
    line = Text(f"{said(row.low):>10} ", style="dim")
    line.append(f"{bar:<{room}}", style="cyan")
    line.append(f"{_share(row.count, total):>9}", style="dim")
    line.append(f" {mark}" if mark else "", style="yellow")
    return line


def _marks(result: Result, row: Bucket) -> str:
    """Which percentiles lie in a bucket."""
    found = [name for share, name in QUANTILES if row.low <= result.quantile(share) < row.high]
    return " ".join(found)


def _share(count: int, total: int) -> str:
    if not count:
        return ""
    percent = 100 * count / total
    return f"{percent:.1f} %" if percent >= 0.05 else f"{count:,} x"
