"""The few figures that the READMEs show: a table in each, between two marks, in its language."""

from __future__ import annotations

from pathlib import Path

from bench.places import ROOT
from bench.results import Results
from bench.table import grid, number
from bench.works import ROW, Row

BEGIN, END = "<!-- figures, written by ./scripts/bench -->\n", "<!-- end of figures -->\n"

PEERS = ["longlink", "longlink-async", "bun", "picows", "aiohttp", "websockets", "uvicorn-sansio"]

# Row -> its title in each README.
TITLES = {
    "echo-32x100": ("echo 32 B, 100 connections, µs", "回显 32 B，100 个连接，µs"),
    "echo-32x100x16": ("the same, 16 in flight each, µs", "同上，每连接 16 条在途，µs"),
    "echo-64kx10": ("echo 64 KiB, 10 connections, µs", "回显 64 KiB，10 个连接，µs"),
    "fanout-1000x8": ("fan-out to 1,000, per delivery, µs", "广播给 1,000 人，每次送达，µs"),
    "tls-1k": ("TLS echo 1 KiB, 100 connections, µs", "TLS 回显 1 KiB，100 个连接，µs"),
    "handshake": ("opening handshakes a second", "每秒握手次数"),
    "idle": ("memory of an idle connection, KiB", "空闲连接内存，KiB"),
}
READMES = ("README.md", "README.zh-CN.md")  # in the order of the titles


def excerpt(results: Results, language: int) -> str:
    def text(row: Row, peer: str) -> str:
        value = results.value(row, peer)
        return "" if value is None else number(value)

    lines = grid([ROW[name] for name in TITLES], PEERS, text, "")
    titles = {ROW[name].title: words[language] for name, words in TITLES.items()}
    translated = "\n".join(lines)
    for title, words in titles.items():
        translated = translated.replace(f"| {title} |", f"| {words} |")
    return translated + "\n"


def replaced(page: str, table: str) -> str:
    """The page with the table between its marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"no {BEGIN.strip()} and {END.strip()} in the page")
    return f"{before}{begin}{table}{end}{after}"


def write(results: Results, folder: Path = ROOT) -> None:
    for language, name in enumerate(READMES):
        page = folder / name
        page.write_text(replaced(page.read_text("utf-8"), excerpt(results, language)), "utf-8")
