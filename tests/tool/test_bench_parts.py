"""What the load generator is made of: the histogram, the messages, the pace, words and charts."""

from __future__ import annotations

import os
import re
import socket
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from longlink.tool.bench import processor
from longlink.tool.bench.bucket import buckets, octets, said
from longlink.tool.bench.curve import linear, logarithmic
from longlink.tool.bench.histogram import CELLS, Histogram, filled, quantile
from longlink.tool.bench.live import Picture
from longlink.tool.bench.pace import Pace
from longlink.tool.bench.page import page
from longlink.tool.bench.plan import Plan
from longlink.tool.bench.report import show
from longlink.tool.bench.result import Generator, Moment, Result, Server
from longlink.tool.bench.run import public
from longlink.tool.bench.script import Script
from longlink.tool.bench.verdict import judge

VALUES = st.lists(st.integers(0, 2**40), min_size=1, max_size=50)


# -- the histogram --------------------------------------------------------------------------------


def histogram_of(values: list[int]) -> Histogram:
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    return histogram


@given(VALUES, st.floats(0.01, 1.0))
def test_a_quantile_is_within_a_sixty_fourth_of_the_truth(values: list[int], share: float) -> None:
    histogram = histogram_of(values)
    right = sorted(values)[max(1, round(share * len(values))) - 1]
    assert quantile(histogram.cells, share, histogram.most) == pytest.approx(
        right, rel=1 / 64, abs=1
    )
    assert histogram.most == max(values)
    assert histogram.count == len(values)


@given(VALUES)
def test_every_value_lies_in_the_cell_that_counts_it(values: list[int]) -> None:
    cells = list(filled(histogram_of(values).cells))
    assert sum(count for *_, count in cells) == len(values)
    for value in values:
        assert sum(low <= value < high for low, high, _ in cells) == 1


@pytest.mark.parametrize("value", [-5, 0, 127, 128, 32767, 32768, 2**48 - 1, 2**62])
def test_no_value_needs_more_memory(value: int) -> None:
    histogram = histogram_of([value])
    assert len(histogram.cells) == CELLS
    assert sum(histogram.cells) == 1


def test_a_cleared_histogram_is_empty() -> None:
    histogram = histogram_of([1, 2, 3])
    kept = histogram.snapshot()
    histogram.clear()
    assert (sum(histogram.cells), histogram.count, histogram.most, sum(kept)) == (0, 0, 0, 3)


# -- buckets and words ----------------------------------------------------------------------------


@given(VALUES, st.integers(15, 40))
def test_buckets_are_few_and_hold_everything(values: list[int], most: int) -> None:
    rows = buckets(histogram_of(values).cells, most)
    assert sum(row.count for row in rows) == len(values)
    assert len(rows) <= most
    assert rows[0].count
    assert rows[-1].count
    assert all(one.high == other.low for one, other in pairwise(rows))


def test_no_latency_gives_no_buckets() -> None:
    assert buckets([0] * CELLS, 20) == []


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "0 ns"),
        (7, "7 ns"),
        (999.6, "1 µs"),
        (1_500, "1.5 µs"),
        (99_960, "100 µs"),
        (684_000, "684 µs"),
        (3_063_800, "3.06 ms"),
        (20_000_000, "20 ms"),
        (61_000_000_000, "61 s"),
    ],
)
def test_times_have_three_digits(nanoseconds: float, text: str) -> None:
    assert said(nanoseconds) == text


def test_sizes() -> None:
    assert [octets(n) for n in (0, 999, 1000, 2.5e6, 3e9)] == [
        "0 bytes",
        "999 bytes",
        "1 kB",
        "2.5 MB",
        "3 GB",
    ]


# -- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", [True, False])
@pytest.mark.parametrize("size", [0, 1, 3, 4, 8, 9, 32, 1000])
def test_messages_have_the_size_and_kind(size: int, text: bool) -> None:
    script = Script(size, text)
    message: Any = script.numbers[65535] + script.rest(7)  # type: ignore[operator]
    assert len(message) == size
    assert isinstance(message, str if text else bytes)


def test_messages_of_a_run_are_recognised_and_others_are_not() -> None:
    script, other = Script(32, False), Script(32, False)
    message: Any = script.numbers[500] + script.rest(70_000)  # type: ignore[operator]
    assert script.describe(message) == (500, 70_000)
    assert other.describe(message) is None
    assert script.describe(message.decode()) is None
    assert script.describe(message[:-1]) is None
    assert script.describe(b"zzzz" + message[4:]) is None
    assert script.describe(b"\xff" * 32) is None
    assert Script(8, False).describe(b"01f40000") is None


# -- open loop ------------------------------------------------------------------------------------


class Talker:
    """Takes note of when its messages were due."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.said: list[int] = []

    def has_room(self, in_flight: int) -> bool:
        return len(self.said) < self.room

    def say(self, now: int) -> None:
        self.said.append(now)


def test_what_is_due_is_sent_in_turn_and_counts_from_when_it_was_due() -> None:
    talkers = [Talker(99), Talker(99)]
    pace = Pace(1000.0, 99, talkers)
    pace(5_000_000)
    pace(5_900_000)
    pace(8_000_000)  # late for two of them
    assert talkers[0].said == [5_000_000, 7_000_000]
    assert talkers[1].said == [6_000_000, 8_000_000]
    assert pace.behind == 0


def test_who_has_no_room_is_passed_over_and_what_nobody_takes_is_told() -> None:
    full, free = Talker(0), Talker(2)
    pace = Pace(1000.0, 99, [full, free])
    pace(0)
    pace(10_000_000)
    assert full.said == []
    assert free.said == [0, 1_000_000]
    assert pace.behind == 9


# -- processors -----------------------------------------------------------------------------------


def test_whoever_listens_is_found() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert os.getpid() in processor.listeners(port)
    assert os.getpid() not in processor.listeners(port)


def test_whoever_listens_on_a_unix_socket_is_found(tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(path)
        server.listen()
        assert processor.listeners_at(path) == [os.getpid()]
    assert processor.listeners_at(path + "x") == []


def test_time_and_memory_of_processes() -> None:
    before, after = processor.cpu_of([os.getpid()]), processor.cpu_of([os.getpid()])
    assert before is not None
    assert after is not None
    assert 0 < before.ran <= after.ran
    assert (processor.memory_of([os.getpid()]) or 0) > 1000
    assert processor.name_of(os.getpid())
    gone = _process_that_is_gone()
    assert (processor.cpu_of([gone]), processor.memory_of([gone])) == (None, None)
    assert processor.name_of(gone) == ""


def _process_that_is_gone() -> int:
    pid = os.posix_spawn("/bin/true", ["true"], {})
    os.waitpid(pid, 0)
    return pid


@pytest.mark.parametrize(
    ("ours", "theirs", "limit"),
    [
        (0.99, 0.99, "both"),
        (0.99, 0.50, "generator"),
        (0.50, 0.99, "server"),
        (0.50, 2.70, "server"),
        (0.50, 0.50, "neither"),
        (0.50, None, "unknown"),
        (0.99, None, "generator"),
    ],
)
def test_who_was_the_limit(ours: float, theirs: float | None, limit: str) -> None:
    server = None if theirs is None else Server((1,), "x", theirs, 0.0, None)
    found, sentence = judge(Generator(ours, 0.0, True, True), server)
    assert found == limit
    assert f"{ours:.0%}" in sentence


def test_processors_that_others_had_are_told() -> None:
    server = Server((1,), "x", 0.3, 0.4, None)
    assert judge(Generator(0.3, 0.6, True, True), server)[0] == "machine"


# -- what is shown --------------------------------------------------------------------------------


def a_result(**more: Any) -> Result:
    histogram = histogram_of([1000 * n for n in range(100, 2000)] + [50_000_000])
    empty = [0] * CELLS
    result = Result(
        uri="ws://<b>.example/ws",
        mode="echo",
        unit="messages",
        settings={name: getattr(Plan(), name) for name in ("size", "text", "compression", "rate")}
        | {"connections": 100, "in_flight": 4},
        started="2026-01-01T00:00:00+00:00",
        machine="a processor",
        version="longlink",
        opened=100,
        seconds=2.0,
        count=1901,
        cells=histogram.snapshot(),
        most=histogram.most,
        sent=2000,
        received=2000,
        moments=[
            Moment(0, 0, empty),
            Moment(10**9, 900, histogram.snapshot()),
            Moment(2 * 10**9, 1901, histogram.snapshot()),
        ],
    )
    for name, value in more.items():
        setattr(result, name, value)
    return result


@pytest.mark.parametrize("width", [20, 40, 80, 250])
def test_the_report_is_as_wide_as_there_is_room(width: int) -> None:
    console = Console(width=width, force_terminal=True, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    show(a_result(), console)
    lines = console.export_text().splitlines()
    bars = [line for line in lines if "█" in line]
    assert len(bars) > 5
    if width >= 40:
        assert max(map(len, lines)) <= min(width, 100)
    console.file.close()


def test_percentiles_are_marked_where_they_lie() -> None:
    console = Console(width=90, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    show(a_result(told=["1 message was wrong: x"]), console)
    text = console.export_text()
    console.file.close()
    assert re.search(r" 1 ms █.* p50", text)
    assert "951 messages/s" in text or "950 messages/s" in text
    assert "WRONG: 1 message was wrong: x" in text


class Strict(HTMLParser):
    """Complains about elements that are not closed in order, and about anything from outside."""

    void = frozenset({"meta"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        assert not {"src", "href", "onload"} & {name for name, _ in attrs}
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in {"line", "path", "rect"}

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_needs_nothing_from_outside_and_trusts_nothing() -> None:
    text = page(a_result(told=["<script>alert(1)</script>"]))
    parser = Strict()
    parser.feed(text)
    assert parser.open == []
    assert not {"script", "img", "link"} & parser.seen
    assert "<script>" not in text
    assert "&lt;b&gt;.example" in text
    assert text.count("<figure>") == 4
    assert "prefers-color-scheme: dark" in text
    assert "://" not in text.replace("ws://", "")


@pytest.mark.parametrize("more", [{"cells": [], "most": 0, "moments": [], "count": 0}])
def test_a_page_of_nothing_is_a_page(more: dict[str, Any]) -> None:
    parser = Strict()
    parser.feed(page(a_result(**more)))
    assert parser.open == []


def test_what_is_seen_meanwhile() -> None:
    picture = Picture("messages")
    console = Console(width=100, record=True, file=open(os.devnull, "w"))  # noqa: SIM115
    first, second, _ = a_result().moments
    for moment in (first, second):
        picture.update("measuring", 0.5, moment.at, moment.count, moment.cells)
        console.print(picture.render())
    text = console.export_text()
    console.file.close()
    assert "measuring" in text
    assert re.search(r"900 messages/s +p50 1.0\d ms +p99 1.9\d ms +█", text)


@given(st.floats(1e-3, 1e9) | st.just(0.0))
def test_linear_scales_begin_at_zero_and_hold_everything(high: float) -> None:
    scale = linear(high)
    assert scale.ticks[0] == 0
    assert 2 <= len(scale.ticks) <= 7
    assert scale.ticks[-1] == scale.high >= high * 0.999999
    assert 0 <= scale.place(high) <= 100


@given(st.floats(1, 1e12), st.floats(1, 1e6))
def test_logarithmic_scales_hold_everything(low: float, times: float) -> None:
    scale = logarithmic(low, low * times)
    assert scale.low <= low * 1.000001
    assert scale.high >= low * times * 0.999999
    assert 2 <= len(scale.ticks) <= 12
    assert sorted(scale.ticks) == list(scale.ticks)


def test_a_report_has_no_password_and_no_token() -> None:
    assert public("ws://ann:secret@h:1/p?token=x") == "ws://h:1/p?..."


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"connections": 0}, "connections must be from 1 to 1048576, not 0"),
        ({"size": -1}, "size must be from 0 to"),
        ({"duration": 0.0}, "duration must be from 0.01 to 86400"),
        ({"in_flight": 99999}, "in_flight must be from 1 to 16384"),
    ],
)
def test_options_out_of_range(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan(**options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"rate": 1.0, "mode": "idle"}, "--rate is for messages"),
        ({"connections": 3, "mode": "handshake"}, "see --in-flight"),
        ({"ping_every": 1.0}, "--ping-every is for --mode idle"),
    ],
)
def test_options_that_contradict_each_other(options: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Plan(**options).check()
