"""`longlink doctor`, told of many environments."""

from __future__ import annotations

import datetime
import json
import os
import resource
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from longlink.__main__ import EXTRA
from longlink.api.version import FLAVOUR
from longlink.cli.group import main
from longlink.tool.doctor import capacity
from longlink.tool.doctor.capacity import judge_descriptors
from longlink.tool.doctor.finding import Level

Examine = Callable[[], dict[str, list[dict[str, str]]]]


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment that says nothing, and a port that nobody uses."""
    for name in [name for name in os.environ if name.startswith("LONGLINK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("LONGLINK_PORT", "0")


@pytest.fixture
def examine(capsys: pytest.CaptureFixture[str]) -> Examine:
    """A function that gives all findings by name; the exit code must fit them."""

    def examine() -> dict[str, list[dict[str, str]]]:
        code = main(["doctor", "--json"])
        captured = capsys.readouterr()
        assert captured.err == ""
        report = json.loads(captured.out)
        assert report["ok"] == (code == 0)
        assert report["ok"] == all(each["level"] != "fail" for each in report["findings"])
        found: dict[str, list[dict[str, str]]] = {}
        for each in report["findings"]:
            assert each["level"] in ("ok", "warn", "fail")
            assert each["advice"] or each["level"] == "ok"
            found.setdefault(each["name"], []).append(each)
        return found

    return examine


@pytest.fixture
def soft_limit() -> Iterator[Callable[[int], None]]:
    """A function that sets how many descriptors we may have."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield lambda count: resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def levels(findings: list[dict[str, str]]) -> list[str]:
    return [each["level"] for each in findings]


def test_what_is_installed(examine: Examine) -> None:
    found = examine()
    (form,) = found["longlink"]
    assert FLAVOUR in form["text"]
    assert form["level"] == ("ok" if FLAVOUR == "compiled" else "warn")
    assert sys.version.split()[0] in found["python"][0]["text"]
    assert "OpenSSL" in found["tls"][0]["text"]
    assert found["tls"][0]["text"].endswith(": TLS 1.2 and 1.3")
    assert levels(found["libraries"]) == ["ok"]


@pytest.mark.parametrize(
    ("hidden", "name", "level", "advice"),
    [
        ("uvloop", "loop", "ok", "longlink[uvloop]"),
        ("isal", "isal", "ok", "longlink[fast]"),
        ("python_socks", "python_socks", "ok", "longlink[socks]"),
        ("werkzeug", "werkzeug", "ok", "longlink[router]"),
        ("starlette", "libraries", "fail", "longlink[server]"),
        ("prompt_toolkit", "libraries", "fail", "longlink[server]"),
    ],
)
def test_a_missing_library_is_named(
    hidden: str,
    name: str,
    level: str,
    advice: str,
    examine: Examine,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip(hidden)
    assert levels(examine()[name]) == ["ok"]
    monkeypatch.setitem(sys.modules, hidden, None)
    (finding,) = examine()[name]
    assert (finding["level"], advice in finding["advice"]) == (level, True)
    assert hidden == "uvloop" or "not installed" in finding["text"]


def test_a_library_that_was_asked_for(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("uvloop", "isal"):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setenv("LONGLINK_LOOP", "uvloop")
    monkeypatch.setenv("LONGLINK_COMPRESSION", "deflate")
    found = examine()
    assert (levels(found["loop"]), levels(found["isal"])) == (["fail"], ["warn"])
    monkeypatch.setenv("LONGLINK_LOOP", "asyncio")
    (loop,) = examine()["loop"]
    assert (loop["level"], loop["text"].partition(",")[0]) == ("ok", "asyncio")


def test_descriptors_as_they_are(
    examine: Examine, soft_limit: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    soft_limit(1000)
    (finding,) = examine()["descriptors"]
    assert finding["level"] == "warn"
    assert "1000 (hard limit " in finding["text"]
    assert "at most 936 connections" in finding["text"]
    assert "LimitNOFILE=65536" in finding["advice"]
    monkeypatch.setenv("LONGLINK_MAX_CONNECTIONS", "100000")
    (finding,) = examine()["descriptors"]
    assert finding["level"] == "fail"
    assert "LONGLINK_MAX_CONNECTIONS is 100000" in finding["text"]
    assert "100064" in finding["advice"]


@pytest.mark.parametrize(
    ("soft", "hard", "wanted", "level", "advice"),
    [
        (-1, -1, None, Level.OK, ""),
        (65536, 65536, None, Level.OK, ""),
        (1024, 524288, 900, Level.WARN, "ulimit -n 65536 in the shell"),
        (1024, 4096, None, Level.WARN, "as root: ulimit -Hn 65536"),
        (1024, 524288, 1000, Level.FAIL, "ulimit -n 65536 in the shell"),
        (100_000, -1, 200_000, Level.FAIL, "ulimit -n 200064 in the shell"),
        (100, 524288, None, Level.FAIL, "ulimit -n 65536"),
    ],
)
def test_what_a_limit_of_descriptors_means(
    soft: int, hard: int, wanted: int | None, level: Level, advice: str
) -> None:
    finding = judge_descriptors(soft, hard, wanted)
    assert finding.level is level
    assert advice in finding.advice


def test_the_backlog_against_the_systems(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    most = int(Path("/proc/sys/net/core/somaxconn").read_text())
    for wanted, level in ((most, "ok"), (most + 1, "warn")):
        monkeypatch.setenv("LONGLINK_BACKLOG", str(wanted))
        (finding,) = examine()["backlog"]
        assert finding["level"] == level
        assert str(most) in finding["text"]
    assert finding["advice"] == f"sysctl -w net.core.somaxconn={most + 1}"


def test_ports_of_this_machine(examine: Examine) -> None:
    low, high = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    (finding,) = examine()["ports"]
    assert f"{int(high) - int(low) + 1} ({low} to {high})" in finding["text"]


def test_what_a_machine_says_or_does_not(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(capacity, "NET", tmp_path)
    assert not {"backlog", "ports", "memory", "conntrack"} & set(examine())
    for name, text in {
        "ipv4/ip_local_port_range": "50000 50099",
        "ipv4/tcp_mem": "1 256 512",
        "netfilter/nf_conntrack_max": "4096",
        "core/somaxconn": "nonsense",
    }.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    found = examine()
    assert "backlog" not in found
    assert found["ports"][0]["level"] == found["conntrack"][0]["level"] == "warn"
    assert found["ports"][0]["text"].startswith("100 (50000 to 50099)")
    page = os.sysconf("SC_PAGE_SIZE")
    assert f"{256 * page // 2**20} MiB" in found["memory"][0]["text"]


def test_every_bad_value_is_named(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "LONGLINK_PORT": "http",
        "LONGLINK_MAX_SIZE": "-1",
        "LONGLINK_ORIGIN": "example.com",
        "LONGLINK_PROT": "1",
        "LONGLINK_XYZZY": "1",
        "LONGLINK_SSL_KEYFILE_PASSWORD": "hidden",
    }
    for name, value in said.items():
        monkeypatch.setenv(name, value)
    found = examine()
    texts = {each["text"]: each["level"] for each in found["environment"]}
    assert texts == {
        "invalid value for LONGLINK_PORT: 'http' is not a whole number": "fail",
        "invalid value for LONGLINK_MAX_SIZE: max_size must be greater than 0 and at most 2**62,"
        " not -1": "fail",
        "invalid value for LONGLINK_ORIGIN: origin must look like https://example.com, not"
        " 'example.com'": "fail",
        "LONGLINK_PROT is no variable of longlink serve, and is ignored": "warn",
        "LONGLINK_XYZZY is no variable of longlink serve, and is ignored": "warn",
        "LONGLINK_SSL_KEYFILE_PASSWORD": "ok",
    }
    advice = [each["advice"] for each in found["environment"]]
    assert "did you mean LONGLINK_PORT?" in advice
    assert "hidden" not in str(found)
    # The others are as if nothing had been said.
    assert "pages of the same host only" in found["origins"][0]["text"]


@pytest.mark.parametrize(
    ("host", "level", "words"),
    [
        ("127.0.0.1", "ok", "this machine only"),
        ("localhost", "ok", "this machine only"),
        ("0.0.0.0", "warn", "whoever reaches this machine may talk"),
        ("name.invalid", "fail", "LONGLINK_HOST=name.invalid is no host that is known here"),
    ],
)
def test_where_it_would_listen(
    host: str, level: str, words: str, examine: Examine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGLINK_HOST", host)
    found = examine()
    (finding,) = found["address"]
    assert finding["level"] == level
    assert words in finding["text"]
    assert levels(found.get("certificate", [])) == (["warn"] if level == "warn" else [])


def test_a_port_that_is_taken(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "port" not in examine()
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LONGLINK_PORT", str(taken.getsockname()[1]))
        (finding,) = examine()["port"]
    assert finding["level"] == "warn"
    assert "is taken" in finding["text"]
    monkeypatch.setenv("LONGLINK_HOST", "192.0.2.1")  # for documentation, nobody's (RFC 5737)
    (finding,) = examine()["port"]
    assert finding["level"] == "fail"
    assert "Cannot assign requested address" in finding["text"]


def test_a_socket_that_is_no_port(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LONGLINK_UDS", str(tmp_path / "none" / "socket"))
    (finding,) = examine()["address"]
    assert (finding["level"], finding["text"]) == (
        "fail",
        f"no socket can be made in {tmp_path}/none",
    )
    monkeypatch.setenv("LONGLINK_UDS", str(tmp_path / "socket"))
    (finding,) = examine()["address"]
    assert finding["text"].startswith(f"the UNIX domain socket {tmp_path}/socket")
    monkeypatch.setenv("LONGLINK_FD", "7")
    (finding,) = examine()["address"]
    assert finding["text"] == "the socket inherited as descriptor 7"


def test_a_port_for_lines(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "lines" not in examine()
    monkeypatch.setenv("LONGLINK_LINE_PORT", "8009")
    for host, level in (("127.0.0.1", "ok"), ("0.0.0.0", "warn")):
        monkeypatch.setenv("LONGLINK_HOST", host)
        (finding,) = examine()["lines"]
        assert finding["level"] == level
        assert "port 8009" in finding["text"]


def test_lines_that_cannot_be_or_are_open_beside_a_socket(
    examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("LONGLINK_PORT", "8009")
    monkeypatch.setenv("LONGLINK_LINE_PORT", "8009")
    (finding,) = examine()["lines"]
    assert (finding["level"], finding["text"]) == ("fail", "port 8009 cannot be both")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        monkeypatch.setenv("LONGLINK_LINE_PORT", str(taken.getsockname()[1]))
        (finding,) = examine()["port"]
    assert finding["advice"] == "LONGLINK_LINE_PORT for another"
    monkeypatch.setenv("LONGLINK_UDS", str(tmp_path / "socket"))
    monkeypatch.setenv("LONGLINK_HOST", "0.0.0.0")
    assert "this machine only" in examine()["address"][0]["text"]
    assert examine()["lines"][0]["level"] == "warn"  # where lines are, is said by the host


def test_pages_and_names(examine: Examine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LONGLINK_ORIGIN", "https://a.example https://b.example")
    monkeypatch.setenv("LONGLINK_ALLOW_HOST", "a.example")
    found = examine()
    assert "https://a.example, https://b.example" in found["origins"][0]["text"]
    assert "answers to a.example and localhost" in found["names"][0]["text"]
    monkeypatch.setenv("LONGLINK_ORIGIN", "*")
    (finding,) = examine()["origins"]
    assert (finding["level"], "any origin" in finding["text"]) == ("warn", True)


def test_a_certificate(examine: Examine, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def issue(**options: Any) -> None:
        issued = trustme.CA().issue_cert("a.example", **options)
        issued.private_key_and_cert_chain_pem.write_to_path(tmp_path / "cert.pem")

    now = datetime.datetime.now(datetime.UTC)
    monkeypatch.setenv("LONGLINK_SSL_CERTFILE", str(tmp_path / "cert.pem"))
    (finding,) = examine()["certificate"]
    assert (finding["level"], "cannot read" in finding["text"]) == ("fail", True)
    for days, level, words in (
        (100, "ok", "is valid for 99 days"),
        (10, "warn", "is valid for 9 days"),
        (-1, "fail", "certificate has expired"),
    ):
        issue(not_before=now - datetime.timedelta(30), not_after=now + datetime.timedelta(days))
        (finding,) = examine()["certificate"]
        assert finding["level"] == level
        assert words in finding["text"]


def test_the_report_as_text(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LONGLINK_ORIGIN", "*")
    assert main(["doctor"]) == 0
    lines = capsys.readouterr().out.splitlines()
    at = next(number for number, line in enumerate(lines) if "any origin" in line)
    assert lines[at].startswith("warn  origins")
    assert lines[at + 1].strip().startswith("→ LONGLINK_ORIGIN names")
    assert "\x1b" not in "".join(lines)
    assert lines[-1].endswith(" warn")


def test_as_a_process_with_little_of_everything(python_environment: dict[str, str]) -> None:
    """Few descriptors, and none of the libraries but click."""
    hidden = sorted(EXTRA - {"click"})
    code = (
        f"import runpy, sys; sys.modules.update(dict.fromkeys({hidden!r}));"
        "sys.argv[1:] = ['doctor', '--json'];"
        "runpy.run_module('longlink', run_name='__main__', alter_sys=True)"
    )
    done = subprocess.run(
        ["sh", "-c", 'ulimit -n 100; exec "$@"', "sh", sys.executable, "-c", code],
        env=python_environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (1, "")
    found = {each["name"]: each for each in json.loads(done.stdout)["findings"]}
    assert found["descriptors"]["level"] == found["libraries"]["level"] == "fail"
    assert "100 (hard limit 100): at most 36 connections" in found["descriptors"]["text"]
    for name in ("uvicorn", "starlette", "prompt_toolkit", "rich", "regex"):
        assert name in found["libraries"]["text"]
