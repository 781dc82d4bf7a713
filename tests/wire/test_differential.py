"""The same octets, good and bad, to us and to two other implementations of the protocol.

Messages, pings, pongs, close and the code of a failure must be the same, compressed or not. Where
they differ, a `Difference` says why we are right, with an example.
LONGLINK_STREAMS is how many streams are compared in all.
"""

from __future__ import annotations

import codecs
import os
import random
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets import frames as their_frames
from websockets.extensions import permessage_deflate as their_deflate
from websockets.protocol import CLIENT, SERVER, Protocol
from websockets.protocol import State as TheirState
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

from tests.wire.compression import agreement
from tests.wire.instrument import (
    BINARY,
    FIN,
    PONG,
    RSV1,
    RSV2,
    TEXT,
    close,
    feed,
    frame,
    header,
    opened,
    ping,
)
from tests.wire.streams import TAIL, Sender

STREAMS = int(os.environ.get("LONGLINK_STREAMS", "24000"))
FRESH = agreement()
KEEPING = agreement(context_takeover=True)


@dataclass
class Story:
    """What an implementation made of a stream."""

    messages: list[str | bytes] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: tuple[int, str] | None = None  # the peer's
    failure: int | None = None
    why: str = field(default="", compare=False)

    @property
    def outcome(self) -> str:
        """The failure and its reason, or the peer's Close, in words; "" for neither."""
        if self.failure is not None:
            return f"{self.failure}: {self.why}"
        return "" if self.close is None else f"close {self.close[0]}"

    def begins_as(self, other: Story) -> bool:
        """Whether the other one is the same story, told further."""
        return (
            self.messages == other.messages[: len(self.messages)]
            and self.pings == other.pings[: len(self.pings)]
            and self.pongs == other.pongs[: len(self.pongs)]
        )


@dataclass(frozen=True)
class Difference:
    """Where somebody else answers otherwise, and why we are right.

    Attributes:
        example: octets of a server that show it.
        ours, theirs: the failure on each side, as `code: words of the reason`; both may be parts,
            and "" is none. What came before is always the same.
    """

    section: str
    reason: str
    example: bytes
    ours: str
    theirs: str | None = None  # None is whatever

    def explains(self, ours: Story, theirs: Story) -> bool:
        return (
            ours.begins_as(theirs)
            and _fits(self.ours, ours.outcome)
            and (self.theirs is None or _fits(self.theirs, theirs.outcome))
        )


def _fits(part: str, outcome: str) -> bool:
    return part in outcome if part else not outcome


HELLO = bytes.fromhex("f248cdc9c90700")  # RFC 7692 §7.2.3.1
SURROGATE = Difference(
    "RFC 3629 §3",
    "a surrogate is wrong at its second octet; Python's decoder waits for the third",
    frame(TEXT, b"\xed\xa0", key=None) + ping(b"x", key=None),
    "1007: text",
)
WITH_WSPROTO = [
    SURROGATE,
    Difference(
        "RFC 6455 §10.4",
        "over 2**62 octets are too many even without a limit; they wait for them",
        header(FIN | BINARY, 2**62 + 1, key=None),
        "1009: ",
    ),
    Difference(
        "RFC 6455 §11.7",
        "1014 (bad gateway) is in the registry; they do not know it",
        close(1014, key=None),
        "close 1014",
        "1002:",
    ),
    Difference(
        "RFC 6455 §11.7",
        "the same, in a Close whose reason is wrong, too",
        close(1014, b"\xff", key=None),
        "1007: close reason",
        "1002:",
    ),
    Difference(
        "RFC 7692 §7.2.2",
        "data that is cut short, or goes on after its end, is no message; they deliver it",
        frame(FIN | RSV1 | BINARY, HELLO[:4], key=None),
        "1007: compressed data",
    ),
    Difference(
        "RFC 6455 §5.4",
        "a frame that may not be there is not inflated; they do that first",
        frame(RSV1 | TEXT, key=None) + frame(FIN | BINARY, b"\xff" * 9, key=None),
        "1002: new message inside",
        "1007:",
    ),
    Difference(
        "RFC 6455 §5.2",
        "a reserved bit is wrong in the first octet of a header; they wait for the second",
        bytes((FIN | RSV2 | TEXT,)),
        "1002: ",
        "",
    ),
]
WITH_WEBSOCKETS = [
    SURROGATE,
    Difference(
        "RFC 6455 §5.2",
        "a length is encoded in the fewest octets; they read any",
        header(FIN | BINARY, 1, key=None, form=16) + b"x",
        "1002: length that is not minimally",
    ),
    Difference(
        "RFC 6455 §5.5",
        "the same in a control frame, which has 7 bits for its length and no more",
        header(0x89, 1, key=None, form=16) + b"x",
        "1002: control frame with more",
    ),
    Difference(
        "RFC 6455 §7.1.7",
        "a connection is failed at the first octet that is wrong; they wait for the whole frame",
        frame(FIN | TEXT, b"\xff and more", key=None)[:-1],
        "100",
        "",
    ),
    Difference(
        "RFC 6455 §5.4",
        "a Close may lie between fragments, as every control frame may; they fail",
        frame(TEXT, b"begun", key=None) + close(1000, key=None),
        "close ",
        "1002: incomplete fragmented message",
    ),
    Difference(
        "RFC 6455 §7.4",
        "of two mistakes in one Close the first counts; they look at the reason before the code",
        close(999, b"\xff", key=None),
        "1002: close code",
        "1007: 'utf-8' codec",
    ),
    Difference(
        "RFC 6455 §7.4.1",
        "data inconsistent with the type of the message is 1007; they say 1002",
        frame(FIN | RSV1 | BINARY, b"\xff" * 9, key=None),
        "1007: ",
        "1002: decompression failed",
    ),
    Difference(
        "RFC 7692 §7.2.2",
        "data that is cut short, or goes on after its end, is no message; they deliver it",
        frame(FIN | RSV1 | BINARY, HELLO[:4], key=None),
        "1007: compressed data",
    ),
]


# -- three readings -------------------------------------------------------------------------------


def our_story(stream: bytes, client: bool, keeps: bool | None, dice: random.Random) -> Story:
    """`keeps` is None where no compression was agreed on."""
    endpoint = opened(client=client, max_size=None, max_fragments=None)
    if keeps is not None:
        endpoint.agree(KEEPING if keeps else FRESH)
    while stream:
        size = dice.choice([1, 2, 7, 100, len(stream)])
        feed(endpoint, stream[:size])
        stream = stream[size:]
    story = Story(endpoint.messages)
    story.pings = [payload for first, payload in endpoint.sent() if first == FIN | PONG]
    story.pongs = endpoint.of("pong")
    if endpoint.close_rcvd is not None:
        story.close = (endpoint.close_rcvd.code, endpoint.close_rcvd.reason)
    for code, _, why in endpoint.of("violation"):
        story.failure, story.why = code, why
    return story


class Mended(PerMessageDeflate):
    """Theirs, without two mistakes that would hide everything behind them: it forgets at each
    control frame whether the message around it is compressed (RFC 6455 §5.4), and falls silent
    after a final block (RFC 7692 §7.2.3.4)."""

    said = b""

    def frame_inbound_header(self, proto: Any, opcode: Any, rsv: Any, length: int) -> Any:
        before = self._inbound_compressed
        found = super().frame_inbound_header(proto, opcode, rsv, length)
        if opcode.iscontrol():
            self._inbound_compressed = before
        return found

    def frame_inbound_payload_data(self, proto: Any, data: bytes) -> Any:
        found = super().frame_inbound_payload_data(proto, data)
        if self._inbound_compressed and self._inbound_is_compressible:
            self.said += found if isinstance(found, bytes) else b""
        return found

    def frame_inbound_complete(self, proto: Any, fin: bool) -> Any:
        if not self._inbound_is_compressible:
            return None
        found = super().frame_inbound_complete(proto, fin)
        self.said += found if isinstance(found, bytes) else b""
        if fin:
            self._decompressor = revived(self._decompressor, self.said)
        return found


class MendedToo(their_deflate.PerMessageDeflate):
    """Theirs, without its silence after a final block (RFC 7692 §7.2.3.4)."""

    said = b""

    def decode(self, frame: their_frames.Frame, *, max_size: int | None = None) -> Any:
        inside = self.decode_cont_data
        found = super().decode(frame, max_size=max_size)
        if frame.rsv1 or (inside and frame.opcode is their_frames.CONT):
            self.said += bytes(found.data)
        if frame.fin and hasattr(self, "decoder"):
            self.decoder = revived(self.decoder, self.said)
        return found


def revived(decompressor: Any, said: bytes) -> Any:
    """A decompressor that goes on where one has stopped; the same if it has not."""
    if decompressor is None or not decompressor.eof:
        return decompressor
    return zlib.decompressobj(-15, zdict=said[-32768:]) if said else zlib.decompressobj(-15)


def wsproto_story(stream: bytes, client: bool, keeps: bool | None) -> Story:
    extensions: list[Any] = []
    if keeps is not None:
        extensions.append(Mended())
        words = ["", "client_no_context_takeover", "server_no_context_takeover"]
        extensions[0].finalize(";".join(words[: 1 if keeps else 3]))
    connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER, extensions)
    connection.receive_data(stream)
    story = Story()
    parts: list[Any] = []
    for event in connection.events():
        if isinstance(event, (TextMessage, BytesMessage)):
            parts.append(event.data)
            if event.message_finished:
                story.messages.append(("" if isinstance(event, TextMessage) else b"").join(parts))
                parts.clear()
        elif isinstance(event, Ping):
            story.pings.append(bytes(event.payload))
        elif isinstance(event, Pong):
            story.pongs.append(bytes(event.payload))
        elif isinstance(event, CloseConnection):
            if connection.state.name == "REMOTE_CLOSING":
                story.close = (int(event.code), event.reason or "")
            else:
                story.failure = int(event.code)
    return story


def websockets_story(stream: bytes, client: bool, keeps: bool | None) -> Story:
    protocol = Protocol(CLIENT if client else SERVER, state=TheirState.OPEN, max_size=None)
    if keeps is not None:
        protocol.extensions = [MendedToo(not keeps, not keeps, 15, 15)]
    protocol.receive_data(stream)
    story = Story()
    parts: list[bytes] = []
    decoder: Any = None
    for event in protocol.events_received():
        assert isinstance(event, their_frames.Frame)
        if event.opcode in (their_frames.TEXT, their_frames.BINARY, their_frames.CONT):
            if event.opcode is not their_frames.CONT:
                decoder = _utf8() if event.opcode is their_frames.TEXT else None
            parts.append(bytes(event.data))
            if decoder is not None and not decoder(bytes(event.data), event.fin):
                story.failure = 1007  # as their connections do, one floor above
                return story
            if event.fin:
                whole = b"".join(parts)
                story.messages.append(whole if decoder is None else whole.decode())
                parts.clear()
        elif event.opcode is their_frames.PING:
            story.pings.append(bytes(event.data))
        elif event.opcode is their_frames.PONG:
            story.pongs.append(bytes(event.data))
    if protocol.parser_exc is not None and protocol.close_sent is not None:
        story.failure = int(protocol.close_sent.code)
        story.why = str(protocol.parser_exc)
    elif protocol.close_rcvd is not None:
        story.close = (int(protocol.close_rcvd.code), protocol.close_rcvd.reason)
    return story


def _utf8() -> Callable[[bytes, bool], bool]:
    """A function that is given the pieces of a text, and says whether it is one so far."""
    decode = codecs.getincrementaldecoder("utf-8")().decode

    def judge(piece: bytes, final: bool) -> bool:
        try:
            decode(piece, final)
        except UnicodeDecodeError:
            return False
        return True

    return judge


Reading = Callable[[bytes, bool, bool | None], Story]
OTHERS: dict[str, tuple[Reading, list[Difference], bytes]] = {
    "wsproto": (wsproto_story, WITH_WSPROTO, TAIL),
    "websockets": (websockets_story, WITH_WEBSOCKETS, b""),
}


@pytest.mark.parametrize("other", OTHERS)
@pytest.mark.parametrize("compresses", [False, True], ids=["plain", "compressed"])
def test_others_make_the_same_of_it(other: str, compresses: bool) -> None:
    read, differences, tail = OTHERS[other]
    count = max(1, STREAMS // len(OTHERS) // 2)
    failures: set[int | None] = set()
    for number in range(count):
        dice = random.Random(f"{other} {compresses} {number}")
        client, keeps = number % 2 == 0, dice.random() < 0.5 if compresses else None
        key = None if client else dice.getrandbits(32)
        stream = Sender(dice, key, compresses, bool(keeps)).stream() + tail
        ours, theirs = our_story(stream, client, keeps, dice), read(stream, client, keeps)
        failures.add(ours.failure)
        if ours != theirs:
            known = any(each.explains(ours, theirs) for each in differences)
            assert known, f"{number}\n{stream.hex()}\n{ours}\n{theirs}"
    assert failures >= {None, 1002, 1007}


@pytest.mark.parametrize(
    ("other", "difference"),
    [
        pytest.param(other, difference, id=f"{other}, {difference.section}: {difference.reason}")
        for other, (_, differences, _) in OTHERS.items()
        for difference in differences
    ],
)
def test_each_difference_is_one(other: str, difference: Difference) -> None:
    read = OTHERS[other][0]
    ours = our_story(difference.example, True, False, random.Random(0))
    theirs = read(difference.example, True, False)
    assert ours != theirs
    assert difference.explains(ours, theirs), (ours, theirs)
