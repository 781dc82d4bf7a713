"""Drawings of frames: as `wire/frame.py` writes them, and its table of first octets."""

from __future__ import annotations

from longlink.native.kernel import Outbox
from longlink.wire import frame
from longlink.wire.frame import FIN, LENGTH_16, LENGTH_64, Opcode

from .svg import box, drawing, text

KEY = 0x37FA213D  # that of the examples in RFC 6455 §5.7
CELL, ROW = 34, 78
GRID = 22
# What a frame of these many octets looks like: the last of each form and the first of the next.
LENGTHS = (5, LENGTH_16 - 1, LENGTH_16, 2**16 - 1, 2**16)


def frame_forms() -> str:
    """The headers of frames of growing length, octet by octet."""
    parts: list[str] = []
    for row, length in enumerate(LENGTHS):
        parts += _header(10, row * ROW + 24, frame.header(FIN | Opcode.TEXT, length), length)
    parts += _masked(len(LENGTHS) * ROW + 24)
    label = "headers of frames with 7, 16 and 64 bits of length, and a masked frame"
    return drawing(480, (len(LENGTHS) + 1) * ROW + 4, label, parts)


def _header(x: float, y: float, octets: bytes, length: int) -> list[str]:
    parts = [text(x, y - 8, f"{length:,} octets of text, from a server", "head-line")]
    for index, octet in enumerate(octets):
        parts += _octet(x + index * CELL, y, octet, "given")
    end = x + len(octets) * CELL
    parts.append(box(end, y, 120, 26, "payload"))
    parts.append(text(end + 60, y + 17, "payload", "middle faint"))
    parts.append(text(x, y + 40, _meaning(octets), "faint small"))
    return parts


def _meaning(octets: bytes) -> str:
    marker = octets[1]
    first = f"FIN, opcode {octets[0] & 0x0F}; "
    if marker < LENGTH_16:
        return first + f"length {marker}"
    name = {LENGTH_16: "16 bits", LENGTH_64: "64 bits"}[marker]
    return first + f"{marker} says {name} follow: {int.from_bytes(octets[2:], 'big'):,}"


def _masked(y: float) -> list[str]:
    message = "Hello"
    outbox = Outbox()
    outbox.frame(FIN | Opcode.TEXT, message, True, KEY)
    octets = outbox.take()
    key_at = len(octets) - len(message) - 4
    parts = [text(10, y - 8, f'"{message}" from a browser: masked', "head-line")]
    for index, octet in enumerate(octets):
        kind = "given" if index < key_at else "key" if index < key_at + 4 else "payload"
        parts += _octet(10 + index * CELL, y, octet, kind)
    parts.append(text(10 + key_at * CELL, y + 40, "masking key", "faint small"))
    parts.append(
        text(10 + (key_at + 4) * CELL, y + 40, "each octet ^ one of the key's", "faint small")
    )
    return parts


def _octet(x: float, y: float, octet: int, kind: str) -> list[str]:
    return [box(x, y, CELL, 26, kind), text(x + CELL / 2, y + 17, f"{octet:02x}", "middle mono")]


def first_octets() -> str:
    """All 256 first octets: which may begin a frame, and what is wrong with the others."""
    parts = [text(70 + low * GRID + GRID / 2, 22, f"{low:x}", "middle mono") for low in range(16)]
    for high in range(16):
        y = 30 + high * GRID
        parts.append(text(62, y + 16, f"{high:04b}", "end mono"))
        for low in range(16):
            verdict = frame.FIRST_OCTET[high << 4 | low]
            kind = "good" if verdict is None else f"bad s{verdict[0].replace('.', '-')}"
            why = "may begin a frame" if verdict is None else f"§{verdict[0]}: {verdict[1]}"
            square = box(70 + low * GRID + 1, y + 1, GRID - 2, GRID - 2, kind)
            title = f"<title>0x{high << 4 | low:02x} {why}</title>"
            parts.append(square.replace("/>", f">{title}</rect>"))
    parts += _legend(30 + 16 * GRID + 18)
    good = sum(verdict is None for verdict in frame.FIRST_OCTET)
    parts.append(text(62, 22, "FIN RSV", "end faint small"))
    label = f"of 256 first octets {good} may begin a frame without an extension"
    return drawing(70 + 16 * GRID + 10, 30 + 16 * GRID + 66, label, parts)


def _legend(y: float) -> list[str]:
    parts: list[str] = []
    rows = [("good", "may begin a frame"), *_rules()]
    for row, (kind, words) in enumerate(rows):
        parts.append(box(70, y + row * 18 - 10, 12, 12, kind))
        parts.append(text(88, y + row * 18, words, "faint small"))
    return parts


def _rules() -> list[tuple[str, str]]:
    """Each section that refuses something, with the kinds of reasons it gives."""
    found: dict[str, dict[str, None]] = {}
    for verdict in frame.FIRST_OCTET:
        if verdict is not None:
            found.setdefault(verdict[0], {})[verdict[1].partition(" 0x")[0]] = None
    return [
        (f"bad s{section.replace('.', '-')}", f"§{section}: {', '.join(reasons)}")
        for section, reasons in sorted(found.items())
    ]


def opcodes() -> str:
    """The opcodes as a table of Markdown."""
    rows = [
        f"| `0x{code:x}` | {code.name.lower()} | {'control' if code & frame.CONTROL else 'data'} |"
        for code in Opcode
    ]
    return "\n".join(["| opcode | frame | kind |", "|---|---|---|", *rows])
