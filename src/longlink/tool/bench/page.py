"""The report as one HTML page that needs no other file, no script and no network."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Final

from .bucket import Bucket, buckets, octets, said
from .curve import Curve, figure, linear, logarithmic
from .report import totals, what
from .result import QUANTILES, Result, Stretch
from .style import CSS

_MOST_ROWS: Final = 28
# Shares of the curve of percentiles, at equal distances: each step is a tenth of what is left.
_NINES: Final = (0.0, 0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999)
_BETWEEN: Final = 8
_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'"


def page(result: Result) -> str:
    """The whole document."""
    title = f"{result.rate:,.0f} {result.unit}/s: {result.uri}"
    return "\n".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
            f"<title>{escape(title)}</title><style>{CSS}</style></head><body>",
            *_parts(result),
            "</body></html>\n",
        )
    )


def _parts(result: Result) -> Iterator[str]:
    yield f"<h1>{escape(result.uri)}</h1><p>{escape(what(result))}</p>"
    yield f'<p class="soft">{escape(result.started)}, {escape(result.version)}</p>'
    yield from (f'<p class="bad">{escape(line)}</p>' for line in result.told)
    yield _cards(result)
    yield f"<p>{escape(result.verdict)}</p>"
    yield f'<div class="charts">{"".join(_charts(result))}</div>'
    yield _details(result)


def _cards(result: Result) -> str:
    cards = [(f"{result.rate:,.0f}", f"{result.unit} a second")]
    if result.measured:
        cards += [(said(result.quantile(share)), name) for share, name in QUANTILES]
        cards.append((said(result.most), "max"))
    rows = (
        f'<div><b>{escape(value)}</b><span class="soft">{escape(name)}</span></div>'
        for value, name in cards
    )
    return f'<div class="cards">{"".join(rows)}</div>'


def _charts(result: Result) -> Iterator[str]:
    stretches = result.stretches()
    if stretches:
        yield _rates(result, stretches)
    if result.measured:
        yield _over_time(result, stretches)
        yield _histogram(result)
        yield _percentiles(result)


def _rates(result: Result, stretches: list[Stretch]) -> str:
    end = stretches[-1].until_s
    points = [(100 * each.until_s / end, each.rate) for each in stretches]
    points.insert(0, (0.0, stretches[0].rate))
    up = linear(max(rate for _, rate in points))
    curve = Curve(result.unit, points)
    title = f"{result.unit.capitalize()} a second, over time"
    return figure(title, [curve], _seconds(end), up, lambda v: f"{v:,.6g}", area=True)


def _over_time(result: Result, stretches: list[Stretch]) -> str:
    end = stretches[-1].until_s if stretches else 1.0
    curves = [
        Curve(label, [(100 * each.until_s / end, getattr(each, name)) for each in stretches])
        for name, label in (("p50", "p50"), ("p99", "p99"), ("most", "max"))
    ]
    values = [value for curve in curves for _, value in curve.points if value is not None]
    up = logarithmic(min(values, default=1.0), max(values, default=1.0))
    return figure("Latency, over time", curves, _seconds(end), up, said)


def _percentiles(result: Result) -> str:
    """How slow the slow ones are."""
    shown = [share for share in _NINES if result.measured * (1 - share) >= 1 or share < 0.99]
    points: list[tuple[float, float | None]] = []
    steps = (len(shown) - 1) * _BETWEEN
    for step in range(steps + 1):
        index, part = divmod(step, _BETWEEN)
        left = 1 - shown[index]
        if part:
            left *= ((1 - shown[index + 1]) / left) ** (part / _BETWEEN)
        points.append((100 * step / steps, float(result.quantile(1 - left))))
    values = [value for _, value in points if value is not None]
    up = logarithmic(min(values), max(values))
    along = [(100 * i / (len(shown) - 1), f"{100 * share:.6g} %") for i, share in enumerate(shown)]
    return figure("Latency that so many did not exceed", [Curve("", points)], along, up, said)


def _histogram(result: Result) -> str:
    rows = buckets(result.cells, _MOST_ROWS)
    highest = max(row.count for row in rows)
    body = "".join(_row(row, highest) for row in rows)
    return f'<figure><h2>How many took how long</h2><table class="rows">{body}</table></figure>'


def _row(row: Bucket, highest: int) -> str:
    width = max(0.4, 100 * row.count / highest) if row.count else 0.0
    return (
        f'<tr title="{said(row.low)} to {said(row.high)}"><th scope="row">{said(row.low)}</th>'
        '<td class="bar"><svg viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{width:.4g}" height="1"/></svg></td><td>{row.count:,}</td></tr>'
    )


def _seconds(end: float) -> list[tuple[float, str]]:
    step = linear(end).ticks[1]
    ticks = [step * index for index in range(int(end / step + 1e-9) + 1)]
    return [(100 * tick / end, f"{tick:.4g} s") for tick in ticks]


def _details(result: Result) -> str:
    rows = "".join(
        f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in _facts(result)
    )
    notes = "".join(f'<p class="soft">{escape(note)}</p>' for note in result.notes)
    return f"<section><h2>How this was measured</h2>{notes}<dl>{rows}</dl></section>"


def _facts(result: Result) -> Iterator[tuple[str, str]]:
    yield "measured", f"{result.count:,} {result.unit} in {result.seconds:.3f} s"
    if result.mode in ("echo", "fan-out"):
        yield "payload", f"{octets(result.rate * result.settings['size'])} a second"
    yield "in all", totals(result).removeprefix("in all ")
    for name, value in result.settings.items():
        if value is not None:
            yield name.replace("_", " "), _setting(value)
    yield "processor", result.machine


def _setting(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,}" if isinstance(value, int) else f"{value}"
