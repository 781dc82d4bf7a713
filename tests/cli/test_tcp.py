"""`longlink tcp` and `longlink udp`: what cannot be asked is said in one line."""

from __future__ import annotations

import dataclasses

import pytest

from longlink.cli.group import main
from longlink.line.rules import Rules
from longlink.tool.talk.ending import MEANINGS
from longlink.tool.talk.plan import Calling, Listening, Serving, Writing


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ("tcp serve --port 65536", "port must be from 0 to 65535, not 65536"),
        ("tcp serve --max-line 0", "max_line must be a whole number from 1 to 2**30, not 0"),
        ("tcp serve --timeout nan", "'nan' is not a finite number or none"),
        ("tcp serve --max-accepts 0", "max_accepts must be at least 1, not 0"),
        ("tcp serve --terminators 测", "not '测'"),
        ("tcp serve --greet \udce6", "greet must be UTF-8, but octet 0xe6 at 0 is not"),
        ("udp serve --max-accepts 5", "no such option '--max-accepts'"),
        ("tcp connect 127.0.0.1", "missing argument 'PORT'"),
        ("tcp connect 127.0.0.1 70000", "70000 is not in the range 1<=x<=65535"),
        ("udp connect --timeout 0 127.0.0.1 1", "timeout must be at least 0.001, not 0.0"),
        ("tcp talk", "no such command 'talk'"),
    ],
)
def test_what_cannot_be_asked(typed: str, words: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(typed.split()) == 2
    said = capsys.readouterr().err
    assert said.startswith("longlink: ")
    assert said.count("\n") == 1
    assert words in said


@pytest.mark.parametrize(
    ("typed", "plans"),
    [
        ("tcp serve", (Serving, Listening)),
        ("udp serve", (Serving,)),
        ("tcp connect", (Calling,)),
        ("udp connect", (Writing,)),
    ],
)
def test_help_names_every_option_and_shows_an_example(
    typed: str, plans: tuple[type, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*typed.split(), "--help"]) == 0
    text = capsys.readouterr().out
    names = [entry.name for plan in plans for entry in dataclasses.fields(plan)]
    assert [name for name in names if f"--{name.replace('_', '-')}" not in text] == []
    assert f"longlink {typed}" in text[text.index("Examples:") :]
    if "connect" in typed:
        shown = [line.split(maxsplit=1) for line in text[text.index("Exit codes:") :].splitlines()]
        assert shown[1:] == [[str(int(code)), words] for code, words in MEANINGS.items()]
    else:
        assert str(dataclasses.fields(Rules)[0].default) in text
