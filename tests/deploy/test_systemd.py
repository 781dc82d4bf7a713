"""The unit and the socket of deploy/: systemd accepts them, and they fit the product."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import pytest

from longlink.cli.group import main
from longlink.server import service
from longlink.server.config import Config
from tests.deploy.conftest import DEPLOY, ROOT, replaced

INSTALLED = "/opt/longlink/bin/longlink"
SAFE = 5  # tenths, of what `systemd-analyze security` says; 0 is best, 100 the worst
UNITS = ("longlink.service", "longlink.socket")


def lines_of(name: str, key: str) -> list[str]:
    """What a unit says about one setting; a setting may be there several times."""
    lines = (DEPLOY / name).read_text("utf-8").splitlines()
    return [line.partition("=")[2] for line in lines if line.startswith(f"{key}=")]


@pytest.fixture
def units(tmp_path: Path) -> Path:
    """Both, where the program they start is one that is there."""
    for name in UNITS:
        text = (DEPLOY / name).read_text("utf-8")
        changes = {INSTALLED: "/bin/true"} if name.endswith("service") else {}
        (tmp_path / name).write_text(replaced(text, changes), "utf-8")
    return tmp_path


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not here")
    return subprocess.run(
        [program, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


@pytest.mark.parametrize("name", UNITS)
def test_systemd_has_nothing_to_say(units: Path, name: str) -> None:
    judged = analyze("verify", "--man=no", str(units / name))
    assert (judged.returncode, judged.stdout, judged.stderr) == (0, "", "")


def test_it_may_do_next_to_nothing(units: Path) -> None:
    threshold = ("--offline=true", f"--threshold={SAFE}", "--no-pager")
    judged = analyze("security", *threshold, str(units / "longlink.service"))
    assert judged.returncode == 0, judged.stdout


def test_the_command_is_one_of_the_product(ran: list[Config]) -> None:
    (command,) = lines_of("longlink.service", "ExecStart")
    program, *arguments = shlex.split(command)
    assert program == INSTALLED
    assert main(arguments) == 0
    (timeout,) = lines_of("longlink.service", "TimeoutStopSec")
    assert ran[0].shutdown_timeout < int(timeout)
    assert lines_of("longlink.service", "RestartPreventExitStatus") == [str(service.CANNOT_RUN)]


def test_the_socket_is_where_the_proxies_look_for_it() -> None:
    (place,) = lines_of("longlink.socket", "ListenStream")
    assert place == f"{Config().host}:{Config().port}"
    for name in ("nginx.conf", "Caddyfile"):
        assert place in (DEPLOY / name).read_text("utf-8")


def test_the_kernel_settings_are_well_formed() -> None:
    settings = ConfigParser(delimiters="=", default_section="")
    settings.read_string("[all]\n" + (DEPLOY / "sysctl.conf").read_text("utf-8"))
    for name, value in settings["all"].items():
        assert all(number.isdecimal() for number in value.split()), name
        if sys.platform == "linux":
            there = Path("/proc/sys", *name.split("."))
            assert there.exists() or not there.parent.exists(), name
    backlog = int(lines_of("longlink.socket", "Backlog")[0])
    assert backlog == Config().backlog <= int(settings["all"]["net.core.somaxconn"])


def test_the_manual_shows_every_file_of_deploy() -> None:
    pages = "".join(path.read_text("utf-8") for path in (ROOT / "docs" / "how-to").glob("*.md"))
    for path in DEPLOY.iterdir():
        assert f"deploy/{path.name}" in pages
