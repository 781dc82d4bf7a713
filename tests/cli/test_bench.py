"""`longlink bench` as it is typed: what it prints, writes and returns."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from longlink.cli.group import main
from longlink.tool.bench.command import Code, warn
from longlink.tool.bench.command import run as run_here
from longlink.tool.bench.plan import Plan
from tests.conftest import ROOT
from tests.server.product import DEADLINE_S
from tests.server.terminal import Terminal
from tests.tool.conftest import launch, python_environment, run, terminal, tool
from tests.tool.target import Target, echo, room

__all__ = ["launch", "python_environment", "run", "terminal", "tool"]

SHORT = ("bench", "--duration", "0.2", "--warm-up", "0.05")


@asynccontextmanager
async def counting(environment: dict[str, str]) -> AsyncIterator[tuple[str, Callable[[], Any]]]:
    """A server in a process of its own: its address, and a function that ends it and gives what it
    has counted."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.tool.target"),
        env=environment,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    out = process.stdout

    async def counted() -> list[int]:
        process.send_signal(signal.SIGTERM)
        return [int(word) for word in (await out.read()).split()]

    try:
        async with asyncio.timeout(DEADLINE_S):
            yield (await out.readline()).decode().strip(), counted
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_the_figures_are_those_of_a_server_that_counts(
    tool: Any, python_environment: dict[str, str], tmp_path: Path
) -> None:
    """In another process; and every way to have the result, in one run."""
    page = tmp_path / "report.html"
    async with counting(python_environment) as (url, counted):
        started = await tool(*SHORT, url, "--json", "--html", str(page), "--connections", "7")
        done = await started.done()
        opened, heard = await counted()
    assert (done.code, done.err) == (0, "")
    result = json.loads(done.out)
    assert opened == result["opened"] == result["held"] == 7
    assert heard == result["total"]["sent"] == result["total"]["received"]
    # Before and behind what was measured are the warm-up and what was on its way in the end.
    assert 0 < result["count"] < heard
    assert result["rate"] == pytest.approx(result["count"] / result["seconds"], rel=1e-3)
    assert 0.2 <= result["seconds"] < 2
    assert sum(count for *_, count in result["latency_us"]["histogram"]) == result["count"]
    assert result["server"]["name"].startswith("python")
    assert 0 < result["generator"]["busy"] <= 1
    assert 0 < result["server"]["busy"] <= 1.1
    assert result["limit"] in ("server", "generator", "both", "neither", "machine")
    assert f"{result['rate']:,.0f}" in page.read_text("utf-8")


async def test_the_report_in_a_pipe_is_plain(tool: Any) -> None:
    async with Target(echo).serving() as target:
        started = await tool(*SHORT, target.url.removeprefix("ws://"), "-c", "3", "--text")
        done = await started.done()
    text = done.out.decode()
    assert (done.code, done.err) == (0, "")
    assert "\x1b" not in text
    assert "echo: 3 connections, 1 in flight each, 32 bytes text" in text
    assert " messages/s " in text
    assert "p99.9" in text
    assert "█" in text
    assert "coordinated omission" in text


async def test_on_a_terminal_it_shows_how_it_goes(
    python_environment: dict[str, str],
) -> None:
    async with Target(echo).serving() as target:
        arguments = ("bench", "--duration", "60", "--warm-up", "0", "-c", "3", target.url)
        shown = Terminal.start({**python_environment, "NO_COLOR": "1"}, *arguments)
        try:
            await shown.line(r"measuring")
            await shown.line(r"messages/s +p50")
            shown.process.send_signal(signal.SIGINT)
            assert await shown.end() == Code.INTERRUPTED
        finally:
            shown.close()
    text = shown.raw
    assert "Interrupted: this is what was measured by then." in text
    assert "\x1b[32m" not in text
    assert "p99.9" in text


async def test_ctrl_c_before_anything_was_measured(tool: Any) -> None:
    asked = asyncio.Event()

    async def never(connection: Any, request: Any) -> None:
        asked.set()
        await asyncio.Event().wait()

    async with Target(echo).serving(process_request=never) as target:
        started = await tool(*SHORT, target.url, "--timeout", "60")
        async with asyncio.timeout(DEADLINE_S):
            await asked.wait()
        started.process.send_signal(signal.SIGINT)
        done = await started.done()
    assert done == (Code.INTERRUPTED, b"", "")


async def test_a_room_is_no_echo(tool: Any) -> None:
    async with Target(room).serving() as target:
        done = await (await tool("bench", target.url)).done()
    assert done.code == Code.WRONG
    assert "is it a room? try --mode fan-out" in done.out.decode()


async def test_too_few_descriptors_are_told_before_anything_is_opened(tool: Any) -> None:
    low = "import os, resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100));"
    low += "os.execv(sys.executable, [sys.executable, '-m', 'longlink', *sys.argv[1:]])"
    async with Target(echo).serving() as target:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", low, "bench", "-c", "90", target.url),
            stderr=asyncio.subprocess.PIPE,
        )
        _, said = await process.communicate()
    assert process.returncode == Code.USAGE
    assert said.decode() == (
        "longlink: 90 connections need 122 descriptors, and the limit is 100: ulimit -Hn 122,"
        " or fewer connections\n"
    )
    assert target.opened == 0


def here(url: str, capsys: pytest.CaptureFixture[str], **options: Any) -> tuple[int, str]:
    """Exit code and stderr of a run in this process, in a thread: it has a loop of its own."""
    code = run_here(url, Plan(**{"duration": 0.05, "warm_up": 0.0, "connections": 2, **options}))
    return code, capsys.readouterr().err


async def test_a_server_that_refuses(capsys: pytest.CaptureFixture[str]) -> None:
    def refuse(connection: Any, request: Any) -> Any:
        return connection.respond(401, "who are you?\n")

    async with Target(echo).serving(process_request=refuse) as target:
        code, said = await asyncio.to_thread(here, target.url, capsys)
    assert code == Code.REFUSED
    assert "401" in said
    assert said.count("\n") == 1


def test_nobody_there(capsys: pytest.CaptureFixture[str]) -> None:
    code, said = here("ws://127.0.0.1:1/", capsys)
    assert (code, said) == (
        Code.UNREACHED,
        "longlink: cannot connect to 127.0.0.1:1: Connection refused\n",
    )


async def test_a_server_that_never_answers(capsys: pytest.CaptureFixture[str]) -> None:
    async def never(connection: Any, request: Any) -> None:
        await asyncio.Event().wait()

    async with Target(echo).serving(process_request=never) as target:
        code, said = await asyncio.to_thread(here, target.url, capsys, timeout=0.05)
    assert code == Code.UNREACHED
    assert "no answer within 0.05 s" in said


@pytest.mark.parametrize(
    ("host", "is_told"),
    [
        ("8.8.8.8", True),
        ("[2001:4860:4860::8888]", True),
        ("127.0.0.1", False),
        ("[::1]", False),
        ("10.1.2.3", False),
        ("[fe80::1]", False),
    ],
)
def test_a_public_address_is_told(
    host: str, is_told: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    warn(f"ws://{host}/")
    said = capsys.readouterr().err
    assert ("only test servers that are yours" in said) == is_told
    assert said.count("\n") == is_told


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--size", "-1", "h"), "size must be from 0 to 67108864, not -1"),
        (("--mode", "x", "h"), "'x' is not one of"),
        (("ftp://h/",), "scheme is 'ftp'"),
        (("--rate", "5", "--mode", "idle", "h"), "--rate is for messages"),
        (("--server-pid", str(2**31 - 1), "h"), "there is no process 2147483647"),
        (("-k", "ws://h/"), "--insecure is for wss://"),
        (("-H", "x", "ws://h/"), "must look like 'Name: value'"),
        (("--html", "/nowhere/x.html", "ws://127.0.0.1:1/"), "cannot write /nowhere/x.html"),
    ],
)
def test_mistakes(
    arguments: tuple[str, ...], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["bench", *arguments]) == Code.USAGE
    said = capsys.readouterr().err
    assert words in said
    assert said.startswith("longlink: ")
    assert said.count("\n") == 1


def test_help_explains_exit_codes_and_shows_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "longlink bench ws://127.0.0.1:8008/ws" in text
    assert "130 Ctrl-C" in text
    assert "LONGLINK_" not in text
