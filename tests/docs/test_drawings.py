"""The drawings and tables of the manual come from the real ones: change those, and they change."""

from __future__ import annotations

import re
from dataclasses import fields

import click
import pytest

import docs._ext.frame
import longlink
import longlink.line
from docs._ext import made, phase, tables, talk
from docs._ext.docstring import readable
from longlink import Limits
from longlink.cli.group import COMMANDS, make_group
from longlink.wire.answer import accept_key
from longlink.wire.frame import FIRST_OCTET, Opcode, header
from longlink.wire.phase import TRANSITIONS, Action, Event, Phase
from tests.wire.instrument import CLOSE, FIN, TEXT, close, frame


def words(drawing: str) -> list[str]:
    return re.findall(r">([^<]+)</text>", drawing)


def test_the_phases_are_those_of_the_table() -> None:
    drawn = phase.phases()
    assert {each.name for each in Phase} <= set(words(drawn))
    changing = {(was, then) for (was, _), (then, _) in TRANSITIONS.items() if was is not then}
    assert drawn.count("<path") == len(changing)


def test_another_table_is_another_drawing() -> None:
    table = dict(TRANSITIONS)
    table[Phase.FAILED, Event.OPENED] = (Phase.OPEN, Action.SAY_CLOSE)
    del table[Phase.CLOSE_SENT, Event.FAILURE]
    before, after = phase.phases(), phase.phases(table)
    assert "opened / say close" not in words(before)
    assert "opened / say close" in words(after)
    assert words(before).count("failure") == words(after).count("failure") + 1
    assert phase.transitions() != phase.transitions(table)
    assert "OPEN, say close" in phase.transitions(table)


def test_every_cell_of_the_table_is_there() -> None:
    rows = phase.transitions().splitlines()[2:]
    assert [row.count("|") for row in rows] == [len(Event) + 2] * len(Phase)
    filled = [cell for row in rows for cell in row.split("|")[2:-1] if cell.strip()]
    assert len(filled) == len(TRANSITIONS)


def test_first_octets_are_those_the_reader_looks_up(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = docs._ext.frame.first_octets()
    assert drawn.count('class="good"><title>') == FIRST_OCTET.count(None) == 9
    changed = list(FIRST_OCTET)
    changed[0x83] = None
    monkeypatch.setattr("longlink.wire.frame.FIRST_OCTET", tuple(changed))
    assert docs._ext.frame.first_octets().count('class="good"><title>') == 10


def test_frames_are_as_they_are_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = docs._ext.frame.frame_forms()
    for length in docs._ext.frame.LENGTHS:
        octets = header(FIN | TEXT, length).hex(" ").split()
        assert " ".join(octets) in " ".join(words(drawn))
    masked = frame(FIN | TEXT, b"Hello", key=docs._ext.frame.KEY).hex(" ")
    assert masked in " ".join(words(drawn))
    monkeypatch.setattr("longlink.wire.frame.header", lambda first, length: b"\x99\x05")
    assert "99" in words(docs._ext.frame.frame_forms())


def test_the_conversation_is_one_that_was_held() -> None:
    said = [each.octets for each in talk.conversation()]
    assert said == [
        frame(FIN | TEXT, b"hello", key=talk.MASK),
        frame(FIN | TEXT, b"hello", key=None),
        close(1000, b"bye", key=talk.MASK),
        close(1000, b"bye", key=None),
    ]
    drawn = words(talk.closing())
    assert all(octets.hex(" ") in drawn for octets in said)
    assert said[-1][0] & 0x0F == CLOSE == Opcode.CLOSE


def test_the_handshake_is_one_that_was_made() -> None:
    drawn = words(talk.handshake())
    assert f"Sec-WebSocket-Accept: {accept_key(talk.SAMPLE_KEY)}" in drawn
    assert drawn.index("GET /chat HTTP/1.1") < drawn.index("HTTP/1.1 101 Switching Protocols")


def test_every_limit_is_in_the_table() -> None:
    table = tables.limits().replace("\\", "")
    for entry in fields(Limits):
        assert f"`{entry.name}`\n: " in table
        assert entry.metadata["help"][1:] in table
    assert "Default: 1,048,576 bytes." in table
    assert "Default: 10 seconds." in table


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_its_options(name: str) -> None:
    text = tables.commands()
    group = make_group()
    command = group.get_command(click.Context(group), name)
    assert f"## longlink {name}\n" in text
    inner = command.commands.values() if isinstance(command, click.Group) else [command]
    for each in inner:
        assert each is not None
        for option in each.params:
            if isinstance(option, click.Option) and not option.hidden:
                assert max(option.opts, key=len) in text


def test_a_name_that_nobody_makes_is_an_error() -> None:
    assert made.make("% made: limits") == tables.limits()
    with pytest.raises(Exception, match="'nothing' is none of"):
        made.make("text\n% made: nothing\n")


def test_every_exception_is_in_the_reference() -> None:
    text = tables.exceptions()
    for module in (longlink, longlink.line):
        for name in module.__all__:
            thing = getattr(module, name)
            if isinstance(thing, type) and issubclass(thing, Exception):
                assert f".. autoexception:: {thing.__name__}\n" in text


def test_docstrings_become_lists() -> None:
    lines = ["Do it.", "", "Args:", "    a, b: both.", "        More. c: not.", "Cost: one."]
    assert readable(lines) == [
        *("Do it.", "", "**Arguments**", ""),
        *("- ``a, b``: both. More.", "- ``c``: not.", "", "Cost: one."),
    ]
    assert readable(["ends with \\n, `\\n` here"]) == ["ends with \\\\n, `\\n` here"]
    tree = ["Errors.", "", "One", "├── Two", "", "    code()"]
    assert readable(tree) == [
        "Errors.",
        "",
        "::",
        "",
        "    One",
        "    ├── Two",
        "",
        "::",
        "",
        "        code()",
    ]
