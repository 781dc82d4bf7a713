"""`longlink` itself, and what every command owes its user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import click
import pytest

from longlink.__main__ import main as run_longlink
from longlink.cli.group import COMMANDS, main, make_group
from longlink.tool.connect.ending import MEANINGS


def every_command() -> Iterator[tuple[str, ...]]:
    """The words of every command: a name, or two where one is a group of others."""
    group = make_group()
    context = click.Context(group)
    for name in COMMANDS:
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from ((name, each) for each in command.list_commands(context))
        else:
            yield (name,)


EVERY = list(every_command())
named = pytest.mark.parametrize("words", EVERY, ids=" ".join)


@named
def test_help_shows_an_example(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--help"]) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"Usage: longlink {' '.join(words)} ")
    _, found, examples = re.split(r"\b(Examples?:)", text, maxsplit=1)
    assert found
    assert re.search(rf"\blonglink {' '.join(words)}\b", examples)
    assert max(len(line) for line in text.splitlines()) <= 100


@named
def test_a_mistake_is_one_line(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*words, "--no-such-option"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("longlink: no such option '--no-such-option'")
    assert captured.err.count("\n") == 1


@named
def test_documented_exit_codes_are_numbers_with_a_meaning(
    words: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*words, "--help"])
    _, found, table = capsys.readouterr().out.partition("Exit codes:\n")
    rows = re.findall(r"^ +(\d+)  \S.*$", table, re.MULTILINE)
    assert bool(rows) == bool(found)
    assert rows == sorted(set(rows), key=int)


def test_the_exit_codes_of_connect_are_all_documented(capsys: pytest.CaptureFixture[str]) -> None:
    main(["connect", "--help"])
    text = capsys.readouterr().out
    for code, meaning in MEANINGS.items():
        assert re.search(rf"^ +{code:d}  {re.escape(meaning)}$", text, re.MULTILINE)


@pytest.mark.parametrize(
    ("typed", "hint"),
    [("comect", "did you mean connect?"), ("xyzzy", "longlink --help lists them")],
)
def test_an_unknown_command(typed: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([typed], ["help", typed], [typed, "--help"]):
        assert main(arguments) == 2
        assert capsys.readouterr().err == f"longlink: no such command {typed!r}: {hint}\n"


def test_help_may_stand_before(capsys: pytest.CaptureFixture[str]) -> None:
    main(["serve", "--help"])
    text = capsys.readouterr().out
    assert main(["help", "serve"]) == 0
    assert capsys.readouterr().out == text
    main(["--help"])
    text = capsys.readouterr().out
    assert main(["help"]) == 0
    assert capsys.readouterr().out == text
    assert all(name in text for name in COMMANDS)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "missing argument URI, such as ws://127.0.0.1:8008/ws"),
        (["ftp://x"], "invalid URI 'ftp://x': scheme is 'ftp', expected ws or wss"),
        (["x", "y"], "unexpected extra argument"),
        (["--ping", "0", "x"], "'--ping': ping must be at least 0.001, not 0.0"),
        (["--max-size", "0", "x"], "max_size must be greater than 0 and at most 2**62, not 0"),
        (["-H", "x", "x"], "'-H' / '--header': a header must look like 'Name: value', not 'x'"),
        (["--binary", "--whole", "x"], "--binary and --whole exclude each other"),
    ],
)
def test_bad_usage_of_connect(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["connect", *arguments]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("longlink: ")
    assert said in captured.err
    assert captured.err.count("\n") == 1


def test_tools_read_no_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LONGLINK_MAX_SIZE", "nonsense")
    assert main(["connect", "ftp://x"]) == 2
    assert "scheme is 'ftp'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["doctor"], ["connect", "ws://127.0.0.1:1/"]])
def test_an_interrupt_is_no_fault(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(command: click.Command, context: click.Context) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Command, "invoke", interrupted)
    monkeypatch.setattr(sys, "argv", ["longlink", *arguments])
    assert run_longlink() == 130


@pytest.mark.parametrize("arguments", [["--help"], ["doctor"]])
def test_an_output_that_takes_nothing(
    arguments: list[str], python_environment: dict[str, str]
) -> None:
    def run(output: int) -> tuple[int, str]:
        command = [sys.executable, "-m", "longlink", *arguments]
        environment = {**python_environment, "PYTHONUNBUFFERED": "1"}
        done = subprocess.run(
            command, env=environment, stdout=output, stderr=subprocess.PIPE, text=True, timeout=60
        )
        return done.returncode, done.stderr

    reading, writing = os.pipe()
    os.close(reading)
    assert run(writing) == (1, "")
    os.close(writing)
    full = os.open("/dev/full", os.O_WRONLY)
    assert run(full) == (1, "longlink: cannot write the output: No space left on device\n")
    os.close(full)
