"""What pages promise: names and options that are there, and the same in both languages."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

import longlink
import longlink.line
import longlink.sync
from docs._ext import made
from longlink.cli.group import make_group
from tests.sample import ROOT, blocks

DOCS = ROOT / "docs"
CHINESE = sorted((DOCS / "zh").rglob("*.md"))
ENGLISH = sorted(path for path in DOCS.rglob("*.md") if path not in CHINESE)
# What must be the same whatever the language: programs, drawings, and what is typed.
SAME = re.compile(r"^% made: .+|^```\{literalinclude\} .+|^:caption: .+\.py", re.MULTILINE)
PLACE = re.compile(r"^(?:\$ )?(?:\.venv/bin/|/opt/longlink/bin/)?")  # where a command is installed


def documented(page: str) -> set[str]:
    text = made.make((DOCS / "reference" / page).read_text("utf-8"))
    return set(re.findall(r"^(?:\.\. (?:auto)?[a-z]+::|         ) (\w+)", text, re.M))


def test_every_name_of_the_vocabulary_is_in_the_reference() -> None:
    exceptions = documented("exceptions.md") | {"WebSocketException"}  # the same as LonglinkError
    pages = ("server.md", "client.md", "connection.md", "limits.md", "codes.md")
    found = exceptions.union(*map(documented, pages))
    assert set(longlink.__all__) - found == set()
    for page, module in (("sync.md", longlink.sync), ("line.md", longlink.line)):
        assert set(module.__all__) - documented(page) - exceptions == set()


def commands_of(page: Path) -> list[list[str]]:
    """What a page says to type that begins with `longlink`, in words."""
    text = "\n".join(blocks(page, "sh") + blocks(page, "console")).replace("\\\n", " ")
    found = []
    for line in text.splitlines():
        for part in re.split(r" \| |; |&& ", re.sub(r"  +#.*", "", PLACE.sub("", line))):
            words = shlex.split(part.partition(" < ")[0].partition(" > ")[0].rstrip(" &"))
            while words and "=" in words[0]:
                del words[0]
            if words[:1] == ["longlink"] and words[1:] and words[1] != str(longlink.__version__):
                found.append(words[1:])
    return found


@pytest.mark.parametrize("page", ENGLISH + CHINESE, ids=lambda page: str(page.relative_to(DOCS)))
def test_every_command_that_a_page_shows_is_accepted(page: Path) -> None:
    for words in commands_of(page):
        command: click.Command | None = make_group()
        while isinstance(command, click.Group):
            command = command.get_command(click.Context(command), words.pop(0))
        assert command is not None, page
        command.make_context(command.name, words)  # raises for an option that there is not


def test_there_are_commands_in_pages() -> None:
    assert len([words for page in ENGLISH for words in commands_of(page)]) > 10


def shown(text: str) -> list[str]:
    """From wherever a page looks at them."""
    return [each.replace("../", "") for each in SAME.findall(text)]


@pytest.mark.parametrize("page", CHINESE, ids=lambda page: str(page.relative_to(DOCS)))
def test_both_languages_show_the_same(page: Path) -> None:
    other = (DOCS / page.relative_to(DOCS / "zh")).read_text("utf-8")
    text = page.read_text("utf-8")
    assert shown(text) == shown(other)
    for language in ("python", "js", "php", "ini"):
        assert blocks(page, language) == blocks(DOCS / page.relative_to(DOCS / "zh"), language)
    assert re.search(r"[\u4e00-\u9fff]", text)
