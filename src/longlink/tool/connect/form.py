"""The forms in which a message is shown: for a terminal, as JSON, raw."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Final

from ...server.log import UNSAFE
from ..plain import plain

Message = str | bytes

MOST_TEXT: Final = 10_000  # characters shown on a terminal
ROWS: Final = 8  # of a hex dump
_ROW: Final = 16
_TAB: Final = "    "


def on_terminal(message: Message) -> str:
    """As a person reads it: whatever it holds, it is text that stays where it is put.

    Lines after the first are indented, so that none of them looks like another message.
    """
    if isinstance(message, bytes):
        return hex_of(message)
    more = f"… ({len(message)} characters)" if len(message) > MOST_TEXT else ""
    text = message[:MOST_TEXT].replace("\r\n", "\n").replace("\t", _TAB)
    return (plain(text, keep="\n") + more).replace("\n", "\n  ")


def hex_of(data: bytes) -> str:
    """Size and octets, the first 128 of them at most."""
    size = f"binary, {len(data)} byte{'s' * (len(data) != 1)}"
    rows = [data[start : start + _ROW] for start in range(0, len(data), _ROW)]
    if not rows:
        return size
    if len(rows) == 1:
        return f"{size}: {rows[0].hex(' ')}  |{_visible(rows[0])}|"
    dump = [
        f"  {number * _ROW:06x}  {row.hex(' '):<{3 * _ROW - 1}}  |{_visible(row)}|"
        for number, row in enumerate(rows[:ROWS])
    ]
    more = [f"  … {len(data) - ROWS * _ROW} more; --save writes them"] if len(rows) > ROWS else []
    return "\n".join([f"{size}:", *dump, *more])


def _visible(row: bytes) -> str:
    return "".join(chr(octet) if 0x20 <= octet < 0x7F else "." for octet in row)


def as_json(message: Message, time: float, file: str | None = None) -> str:
    """One object on one line.

    Args:
        file: where a binary message was saved; its octets are not repeated then.
    """
    known: dict[str, object] = {"time": round(time, 6)}
    if isinstance(message, str):
        known |= {"type": "text", "size": len(message.encode()), "text": message}
    else:
        content = ("base64", b64encode(message).decode()) if file is None else ("file", file)
        known |= {"type": "binary", "size": len(message), content[0]: content[1]}
    return _line(known)


def pong_as_json(trip: float, time: float) -> str:
    """The same for a round trip."""
    return _line({"time": round(time, 6), "type": "pong", "seconds": round(trip, 6)})


def _line(known: dict[str, object]) -> str:
    # Everybody's script stays readable; what could disturb a terminal is escaped as JSON does it.
    text = json.dumps(known, ensure_ascii=False)
    return UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def raw(message: Message) -> bytes:
    """As it came: text and a line end, binary and nothing else."""
    return message.encode() + b"\n" if isinstance(message, str) else message
