"""A Sphinx extension: a line `% made: NAME` of a page becomes what NAME makes, at build time.

`%` begins a comment in MyST, so a page reads as Markdown everywhere else, too.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from sphinx.application import Sphinx
from sphinx.errors import ExtensionError

from . import docstring, frame, phase, tables, talk

MADE: Final[dict[str, Callable[[], str]]] = {
    "close-codes": tables.close_codes,
    "closing": talk.closing,
    "commands": tables.commands,
    "exceptions": tables.exceptions,
    "first-octets": frame.first_octets,
    "frames": frame.frame_forms,
    "handshake": talk.handshake,
    "limits": tables.limits,
    "opcodes": frame.opcodes,
    "phases": phase.phases,
    "transitions": phase.transitions,
}
MARK: Final = re.compile(r"^% made: (.+)$", re.MULTILINE)


def make(text: str) -> str:
    """`text` with everything made that it asks for."""

    def made(found: re.Match[str]) -> str:
        if found[1] not in MADE:
            raise ExtensionError(f"% made: {found[1]!r} is none of {', '.join(MADE)}")
        result = MADE[found[1]]()
        is_drawing = result.startswith("<")
        return f"```{{raw}} html\n{result}\n```" if is_drawing else result

    return MARK.sub(made, text)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    source[0] = make(source[0])


def _show(app: Sphinx, name: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """A link to the same page in the other language, and the language for those who read aloud."""
    chinese = name.startswith("zh/")
    if chinese:
        context["language"] = "zh-CN"
    other = name.removeprefix("zh/") if chinese else f"zh/{name}"
    if "body" in context and other in app.env.found_docs:
        words = "English" if chinese else "中文"
        link = f'<p class="other-language"><a href="{context["pathto"](other)}">{words}</a></p>'
        context["body"] = link + context["body"]


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.connect("source-read", _read)
    app.connect("autodoc-process-docstring", docstring.process)
    app.connect("html-page-context", _show)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
