from __future__ import annotations

import pytest

from longlink.server import command
from longlink.server.command import (
    COMMANDS,
    Action,
    BadCommand,
    Help,
    Kick,
    Quit,
    Reply,
    Say,
    SendFile,
    To,
    Who,
    parse,
)


@pytest.mark.parametrize(
    ("line", "action"),
    [
        ("", None),
        ("   ", None),
        ("hello", Say("hello")),
        ("  two words ", Say("two words")),
        ("//not a command", Say("/not a command")),
        ("/to 7 psst, you", To(7, "psst, you")),
        ("/to #7  psst", To(7, "psst")),
        ("/reply yes  indeed", Reply("yes  indeed")),
        ("/who", Who()),
        ("/kick 7", Kick(7, "removed by the operator")),
        ("/kick 7 too loud", Kick(7, "too loud")),
        ("/file cat.png", SendFile("cat.png", None)),
        ("/file cat.png 7", SendFile("cat.png", 7)),
        ("/file 7", SendFile("7", None)),
        ('/file "a cat.png" #7', SendFile("a cat.png", 7)),
        ("/file a\\ cat.png", SendFile("a cat.png", None)),
        ("/help", Help()),
        ("/quit", Quit()),
    ],
)
def test_a_line_becomes_an_action(line: str, action: Action | None) -> None:
    assert parse(line) == action


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("/bogus", "unknown command /bogus: /help lists them"),
        ("/", "unknown command /: /help lists them"),
        ("/to", "usage: /to ID text"),
        ("/to 7", "usage: /to ID text"),
        ("/to Ann hi", "ID must be a number as shown by /who, not 'Ann'"),
        ("/to -1 hi", "ID must be a number as shown by /who, not '-1'"),
        ("/to ² hi", "ID must be a number as shown by /who, not '²'"),
        (f"/to {'9' * 5000} hi", f"ID must be a number as shown by /who, not '{'9' * 5000}'"),
        ("/reply", "usage: /reply text"),
        ("/who 7", "usage: /who"),
        ("/kick", "usage: /kick ID [reason]"),
        ("/kick Ann", "ID must be a number as shown by /who, not 'Ann'"),
        (f"/kick 7 {'字' * 50}", "reason must be at most 123 bytes, not 150"),
        ("/file", "usage: /file PATH [ID]"),
        ("/file a b c", "usage: /file PATH [ID]"),
        ("/file a b", "ID must be a number as shown by /who, not 'b'"),
        ('/file "a', "cannot read the path: no closing quotation"),
        ("/quit now", "usage: /quit"),
        ("\udcff", "the line holds bytes that are not text in the terminal's encoding"),
    ],
)
def test_what_is_wrong_with_a_line_is_said(line: str, complaint: str) -> None:
    with pytest.raises(BadCommand) as caught:
        parse(line)
    assert str(caught.value) == complaint


def test_help_shows_each_row_of_the_table() -> None:
    lines = command.help_lines()
    assert len(lines) == len(COMMANDS) + 1
    for row in COMMANDS.values():
        assert any(line.startswith(row.usage) and line.endswith(row.help) for line in lines)
