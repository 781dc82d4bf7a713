"""The whole way, once: real servers, the real generator, a fifth of a second each."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bench import check, peers, run
from bench.measure import Effort, of_client, of_load, of_start
from bench.options import Options, options
from bench.peers import BY_NAME as PEER
from bench.places import ROOT
from bench.process import Failed, serving
from bench.works import BY_NAME as WORK
from tests.conftest import PACKAGE

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="the generator uses epoll"),
    pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="the benchmark needs two cores"),
]
# Others may take all they want: another copy's tests run beside these.
BRIEF = Effort(rounds=1, seconds=0.2, warm_up=0.05, foreign=1.0, patience=0, repeats=0)


@pytest.fixture(autouse=True)
def tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The generator and the floor; our own Python runs the peers, too."""
    if not (shutil.which("gcc") and shutil.which("taskset")):
        pytest.skip("gcc and taskset are needed")
    subprocess.run([ROOT / "bench" / "build.sh"], check=True, capture_output=True, timeout=120)
    monkeypatch.setattr(peers, "PEERS_PYTHON", Path(sys.executable))
    monkeypatch.setattr(peers, "OUR_PYTHON", Path(sys.executable))
    monkeypatch.setattr(run, "SAMPLES", tmp_path / "samples.json")
    monkeypatch.setattr("bench.options.SHORT", BRIEF)
    monkeypatch.setattr(check, "EFFORT", BRIEF)
    monkeypatch.setattr(check, "AGAIN", BRIEF)


def asked(*words: str) -> Options:
    return options(["--ours", str(PACKAGE.parent), *words])


def test_a_work_is_measured_on_three_servers(
    require: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    require("websockets")
    require("uvloop")
    only = ["--only", "echo-32x100", "--peers", "floor,longlink,websockets"]
    assert run.measure(asked(*only)) == 0
    said = capsys.readouterr()
    assert "|  | C floor | longlink | websockets |" in said.out
    assert "failed" not in said.err


def test_clients_and_starts_are_measured() -> None:
    effort = asked().effort
    ours = replace(PEER["longlink"], folder=PACKAGE.parent)
    talked = of_client(WORK["client-32x1"], ours, effort)
    assert talked["count"] > 10
    assert 0 < talked["cpu_us"] < 1e5
    assert 0 < of_start(WORK["import"], ours, effort)["ms"] < 1e4


def test_a_check_passes_and_a_failing_check_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    works = {"echo-32x100": ("longlink",)}
    monkeypatch.setattr(check, "PEERS", ("floor",))
    for written, status in ((1000.0, 0), (0.001, 1)):
        known = {"echo-32x100 longlink/floor": written}
        monkeypatch.setattr(check, "written", lambda known=known: known)
        assert run.check_ratios(asked("--check"), works) == status


def test_a_check_against_nothing_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "written", dict)
    with pytest.raises(SystemExit, match="--record"):
        run.check_ratios(asked("--check"))


def test_a_server_that_does_not_start_says_why() -> None:
    absent = replace(PEER["longlink"], options=("--loop", "none"), folder=PACKAGE.parent)
    with pytest.raises(Failed, match=r"did not start.*invalid choice"):
        of_load(WORK["echo-32x100"], absent, asked().effort)


def test_a_server_ends_with_its_block(tmp_path: Path) -> None:
    floor = PEER["floor"]
    command = peers.server_command(floor, WORK["echo-32x100"])
    with serving(command, peers.environment_of(floor), 0) as server:
        assert Path(f"/proc/{server.pid}").exists()
    assert not Path(f"/proc/{server.pid}").exists()


@pytest.mark.parametrize("words", [["--only", "tea"], ["--peers", "tea"]])
def test_unknown_names_are_refused(words: list[str]) -> None:
    with pytest.raises(SystemExit, match="tea"):
        run.measure(asked(*words))
