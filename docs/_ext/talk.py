"""Drawings of conversations. Nothing in them is written down: two real ends talk to each other."""

from __future__ import annotations

from dataclasses import dataclass

from longlink.native.kernel import Buffer
from longlink.wire import frame
from longlink.wire.endpoint import Endpoint
from longlink.wire.frame import CONTROL, CloseCode, Opcode, parse_close
from longlink.wire.handshake import accept, make_request
from longlink.wire.reader import HEADROOM
from longlink.wire.request import parse_request
from longlink.wire.uri import parse

from .svg import Point, box, drawing, head, line, text

SAMPLE_KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # of RFC 6455 §1.3
MASK = 0x37FA213D  # of RFC 6455 §5.7
LEFT, RIGHT, WIDTH = 50, 450, 500
LINE = 17


def handshake() -> str:
    """The opening handshake: what our client asks and what our server answers."""
    request = make_request(parse("ws://example.com/chat"), SAMPLE_KEY)
    asked = request.serialize()
    answered = accept(parse_request(asked)).serialize()
    parts: list[str] = []
    y = _say(parts, 60, (LEFT, RIGHT), asked.decode().rstrip().splitlines())
    y = _say(parts, y + 14, (RIGHT, LEFT), answered.decode().rstrip().splitlines())
    parts.append(
        text((LEFT + RIGHT) / 2, y + 24, "from here on: frames, both ways", "middle faint")
    )
    return _scene(parts, y + 44, "the opening handshake: a request of HTTP and its answer, 101")


@dataclass
class Said:
    """One frame that was sent: by whom, its octets, what they mean."""

    client: bool
    octets: bytes
    meaning: str


class End(Endpoint):
    """One end that answers each message with the same, and masks with a known key."""

    def __init__(self, *, client: bool) -> None:
        super().__init__(client, lambda: MASK)
        self.opened()

    def on_message(self, message: str | bytes) -> None:
        """Echo, as the server."""
        if not self.client:
            self.send(message)

    def take(self) -> bytes:
        """What it has to say."""
        return b"" if self.outbox is None else self.outbox.take()

    def hear(self, octets: bytes) -> None:
        """What the other end said."""
        buffer = Buffer(HEADROOM + len(octets))
        buffer.put(HEADROOM, octets)
        self.budget = 1
        self.feed(buffer, HEADROOM, HEADROOM + len(octets))


def conversation() -> list[Said]:
    """A client says hello, hears it back, and closes; every frame of it, in order."""
    client, server = End(client=True), End(client=False)
    said: list[Said] = []
    client.send("hello")
    _exchange(client, server, said)
    client.send_close(CloseCode.NORMAL_CLOSURE, "bye")
    _exchange(client, server, said)
    return said


def _exchange(client: End, server: End, said: list[Said]) -> None:
    """Bring each what the other says until both are silent."""
    while octets := client.take() or server.take():
        by_client = bool(octets[1] & frame.MASKED)  # clients mask, servers never do
        said.append(Said(by_client, octets, _meaning(octets)))
        (server if by_client else client).hear(octets)


def closing() -> str:
    """The conversation as arrows between two lifelines."""
    parts: list[str] = []
    y = 66.0
    for each in conversation():
        start, end = (LEFT, RIGHT) if each.client else (RIGHT, LEFT)
        parts.append(text((LEFT + RIGHT) / 2, y - 22, each.meaning, "middle head-line"))
        parts.append(text((LEFT + RIGHT) / 2, y - 6, each.octets.hex(" "), "middle mono faint"))
        parts += _arrow((start, y), (end, y))
        y += 62
    parts.append(text(RIGHT - 8, y - 22, "closes TCP first", "end faint"))
    return _scene(parts, y, "a message, its echo, and the closing handshake, octet by octet")


def _meaning(octets: bytes) -> str:
    opcode = Opcode(octets[0] & 0x0F)
    length, at = octets[1] & 0x7F, 2
    payload = octets[at:]
    if octets[1] & frame.MASKED:
        key, payload = octets[at : at + 4], octets[at + 4 :]
        payload = bytes(octet ^ key[i % 4] for i, octet in enumerate(payload))
    assert len(payload) == length
    if opcode & CONTROL:
        close = parse_close(payload)
        return f"{opcode.name.lower()} {close}"
    return f'{opcode.name.lower()} "{payload.decode()}"'


def _say(parts: list[str], y: float, ends: tuple[float, float], lines: list[str]) -> float:
    """A head of HTTP over its arrow; returns where it ended."""
    start, end = ends
    height = len(lines) * LINE + 12
    parts.append(box(LEFT + 16, y, RIGHT - LEFT - 32, height, "payload"))
    for row, words in enumerate(lines):
        kind = "mono strong" if row == 0 else "mono"
        parts.append(text(LEFT + 26, y + (row + 1) * LINE, words, kind))
    parts += _arrow((start, y + height + 12), (end, y + height + 12))
    return y + height + 12


def _arrow(start: Point, end: Point) -> list[str]:
    return [line(start, end, "arrow"), head(start, end)]


def _scene(parts: list[str], height: float, label: str) -> str:
    lives: list[str] = []
    for x, name in ((LEFT, "client"), (RIGHT, "server")):
        lives += [text(x, 22, name, "middle head-line"), line((x, 34), (x, height - 6), "life")]
    return drawing(WIDTH, height, label, [*lives, *parts])
