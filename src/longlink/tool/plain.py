r"""What a peer said, made safe to look at in a terminal.

A peer's text may hold characters that move the cursor, recolour the terminal, answer for the
user, reverse the reading direction or start a line that looks like ours. Every tool shows such
text through `plain`; which characters those are is said once, where log lines are made.
"""

from __future__ import annotations

from ..server.log import UNSAFE


def plain(text: str | bytes, keep: str = "") -> str:
    r"""The text with every character that could disturb a terminal written as \x1b, \u202e …

    Args:
        text: octets are read as UTF-8, and written as \xff where they are none.
        keep: characters to leave as they are, for example "\t\n" where lines may be many.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="backslashreplace")
    return UNSAFE.sub(lambda found: found[0] if found[0] in keep else repr(found[0])[1:-1], text)
