from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from bench import growth
from bench.chart import chart
from bench.report import write_growth, write_results
from bench.results import Results, Summary
from bench.table import cell, number, tables, targets
from tests.bench.samples import NOTES, results, sample

MADE = results(
    {
        ("echo-32x100", "floor"): [4.0, 5.0, 5.5],
        ("echo-32x100", "longlink"): [5.0, 5.25, 6.0],
        ("echo-32x100", "websockets"): [20.0, 21.0, 22.0],
        ("handshake", "floor"): [40.0],
        ("handshake", "longlink"): [50.0],
    }
)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.381, "0.38"), (4.567, "4.57"), (45.67, "45.7"), (456.7, "457"), (4567, "4,570")],
)
def test_numbers_have_the_digits_that_count(value: float, shown: str) -> None:
    assert number(value) == shown


def test_cells_carry_their_marks() -> None:
    assert cell(None) == ""
    assert cell(Summary(5.0, 4.0, 6.0)) == "5.00"
    assert cell(Summary(5.0, 4.0, 6.0, generator_was_limit=True, disturbed=True)) == "5.00ᵍ~"


def test_a_table_has_medians_ratios_and_the_spread() -> None:
    text = tables(MADE)
    assert "|  | C floor | longlink | websockets |" in text
    assert "| echo 32 B, 100 connections | 5.00 | 5.25 | 21.0 |" in text
    assert "| echo 32 B, 100 connections | 1.05 | 4.20 |" in text
    assert "| echo 32 B, 100 connections | 4.00–5.50 | 5.00–6.00 | 20.0–22.0 |" in text
    assert "Memory" not in text


def test_targets_say_reached_or_by_how_much_not() -> None:
    text = targets(MADE)
    assert "| longlink | ≤ 1.08 × C floor | 1.05 | reached |" in text
    assert "| longlink | ≥ 20,000 per second | 20,000 | reached |" in text
    assert "| longlink | ≤ 0.32 × websockets | 0.25 | reached |" in text
    assert "| longlink `async for` | ≤ 1.2 × C floor |  | not measured |" in text


def test_the_chart_is_a_drawing_for_light_and_dark() -> None:
    drawn = chart(MADE)
    root = ElementTree.fromstring(drawn)
    assert root.tag.endswith("svg")
    assert "prefers-color-scheme: dark" in drawn
    words = {element.text for element in root.iter() if element.tag.endswith("text")}
    assert {"echo 32 B, 100 connections", "longlink", "1.05 ×", "4.20 ×", "1.25 ×"} <= words


def test_the_pages_are_written(tmp_path: Path) -> None:
    MADE.failures["echo-32x100", "socketify"] = "the server did not start"
    write_results(MADE, tmp_path)
    page = (tmp_path / "RESULTS.md").read_text("utf-8")
    assert "(ratios.svg)" in page
    assert "socketify has no figure for echo 32 B, 100 connections: the server" in page
    assert "longlink 1, picows 2" in page


def grown() -> Results:
    made = Results(0.06, notes=dict(NOTES))
    for axis in growth.AXES:
        for step in axis.steps:
            for peer, cost in zip(growth.PEERS, (4.0, 5.0, 6.0), strict=True):
                made.add(axis.work(step).name, peer, sample(cost, size=step))
    return made


def test_growth_is_a_table_and_a_drawing(tmp_path: Path) -> None:
    write_growth(grown(), tmp_path)
    page = (tmp_path / "GROWTH.md").read_text("utf-8")
    assert "| 15,000 | 4.00 | 5.00 | 1.25 | 6.00 | 1.50 |" in page
    drawn = (tmp_path / "growth.svg").read_text("utf-8")
    ElementTree.fromstring(drawn)
    assert drawn.count('<polyline class="curve ours"') == 5  # and the legend
