"""Docstrings of this house as reStructuredText: sections become lists, drawings stay drawings."""

from __future__ import annotations

import re
from textwrap import dedent
from typing import Any, Final

SECTIONS: Final = {
    "Args:": "Arguments",
    "Attributes:": "Attributes",
    "Raises:": "Raises",
    "Returns:": "Returns",
}
# What is said in one line stands on its own.
SAID: Final = re.compile(r"(?:Source|Cost|Raises|Returns)\b.*\S")
# `host, port: where to listen` begins an item, at the start of a line or after another item's end.
ITEM: Final = re.compile(r"(?:(?<=^)|(?<=\. ))(?=[\w*]+(?:, [\w*]+)*: )")


def process(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Rewrite `lines`; what Sphinx calls for each docstring."""
    lines[:] = readable(lines)


def readable(lines: list[str]) -> list[str]:
    """The lines as Sphinx reads them."""
    if "Limits:" in lines:  # the table has a page of its own
        lines = [*lines[: lines.index("Limits:")], "See :doc:`/reference/limits`."]
    blocks = "\n".join(_spaced(lines)).split("\n\n")
    return "\n\n".join(map(_readable, blocks)).split("\n")


def _readable(block: str) -> str:
    if _is_kept(block):
        return "::\n\n" + "\n".join(f"    {line}" for line in block.split("\n"))
    # Outside of backticks a backslash would vanish.
    parts = block.split("`")
    parts[::2] = [part.replace("\\", r"\\") for part in parts[::2]]
    return _listed("`".join(parts))


def _spaced(lines: list[str]) -> list[str]:
    """An empty line around sections, and before what is said in one line."""
    spaced: list[str] = []
    for line in lines:
        before = spaced[-1] if spaced else ""
        ends = before.startswith(" ") and line and not line.startswith(" ")
        if before and (ends or line in SECTIONS or SAID.match(line)):
            spaced.append("")
        spaced.append(line)
    return spaced


def _is_kept(block: str) -> bool:
    """Whether it stays as it stands: a tree, or an indented paragraph, which is a program."""
    indented = all(line.startswith("    ") for line in block.split("\n"))
    return indented or any(mark in block for mark in "├─│")


def _listed(block: str) -> str:
    """A section as a list."""
    heading, _, rest = block.partition("\n")
    if heading not in SECTIONS:
        return block
    items = [f"- {_item(each)}" for each in _items(dedent(rest).split("\n"))]
    return "\n".join([f"**{SECTIONS[heading]}**", "", *items])


def _items(lines: list[str]) -> list[str]:
    """What stands in a section, item by item, each as one line."""
    whole: list[str] = []
    for line in lines:
        if whole and (line.startswith(" ") or whole[-1].endswith(",")):
            whole[-1] += f" {line.strip()}"
        else:
            whole.append(line)
    return [part.strip() for line in whole for part in ITEM.split(line) if part.strip()]


def _item(text: str) -> str:
    names, colon, meaning = text.partition(": ")
    return f"``{names}``: {meaning}" if colon and re.fullmatch(r"[\w*, ]+", names) else text
