"""The same octets, good and bad, to us and to two other implementations of the protocol.

`wsproto` is as strict as we are and judges the whole of RFC 6455; `websockets` leaves UTF-8 to its
upper layers and reads lengths that are not minimal, so it is asked about what we accept. Where the
answers differ on purpose, the reason stands here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import pytest
from websockets import frames as their_frames
from websockets.protocol import CLIENT, SERVER, Protocol
from websockets.protocol import State as TheirState
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage

from longlink.wire.frame import CloseCode
from tests.wire.instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    PONG,
    TEXT,
    close,
    feed,
    frame,
    header,
    opened,
    ping,
    pong,
)

STREAMS = 1000  # for each seed and role
# Long enough to complete whatever header or control frame a stream ends in: they judge whole
# frames, we judge octets.
TAIL = b"\xff" * 160


@dataclass
class Story:
    """What an implementation made of a stream."""

    messages: list[str | bytes] = field(default_factory=list)
    pings: list[bytes] = field(default_factory=list)
    pongs: list[bytes] = field(default_factory=list)
    close: tuple[int, str] | None = None  # the peer's
    failure: int | None = None


# -- streams --------------------------------------------------------------------------------------

TEXTS = ["", "a", "né", "日本", "🦄🦄", "x" * 125, "y" * 126, "\ufeff\x00", "é" * 200]
CODES = [1000, 1001, 1007, 1011, 3000, 4999, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000]


def some_octets(dice: random.Random) -> bytes:
    return dice.randbytes(dice.choice([0, 1, 2, 3, 4, 5, 8, 60, 125, 126, 300]))


def some_message(dice: random.Random, key: int | None) -> list[bytes]:
    is_text = dice.random() < 0.6
    payload = dice.choice(TEXTS).encode() if is_text else some_octets(dice)
    marks = sorted(dice.randint(0, len(payload)) for _ in range(dice.choice([0, 0, 1, 2, 4])))
    octets = []
    for i, (start, stop) in enumerate(zip([0, *marks], [*marks, len(payload)], strict=True)):
        if dice.random() < 0.2:
            octets.append(ping(dice.randbytes(dice.randint(0, 9)), key=key))
        opcode = CONTINUATION if i else TEXT if is_text else BINARY
        fin = FIN if i == len(marks) else 0
        octets.append(frame(fin | opcode, payload[start:stop], key=key))
    return octets


def some_frames(dice: random.Random, key: int | None) -> list[bytes]:
    octets: list[bytes] = []
    for _ in range(dice.randint(1, 5)):
        octets += some_message(dice, key)
        if dice.random() < 0.3:
            octets.append(dice.choice([ping, pong])(dice.randbytes(dice.randint(0, 125)), key=key))
    if dice.random() < 0.4:
        reason = dice.choice([b"", b"bye", "é".encode(), b"\xff", b"cut\xc3"])
        octets.append(close(dice.choice(CODES), reason, key=key))
    elif dice.random() < 0.3:
        octets.append(frame(0x88, dice.choice([b"", b"\x03"]), key=key))
    return octets


def some_stream(dice: random.Random, key: int | None) -> bytes:
    """Frames, most of the time with something wrong about them."""
    octets = some_frames(dice, key)
    for _ in range(dice.choice([0, 1, 1, 2])):
        wrong = dice.randrange(5)
        at = dice.randrange(len(octets))
        if wrong == 0:  # a bit of a header
            damaged = bytearray(octets[at])
            damaged[dice.randrange(2)] ^= 1 << dice.randrange(8)
            octets[at] = bytes(damaged)
        elif wrong == 1:  # any bit
            damaged = bytearray(octets[at])
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
            octets[at] = bytes(damaged)
        elif wrong == 2:
            octets.insert(at, octets[dice.randrange(len(octets))])
        elif wrong == 3 and len(octets) > 1:
            del octets[at]
        else:  # a length in any form
            form = dice.choice([16, 64])
            size = dice.choice([0, 1, 125, 126, 200] if form == 16 else [0, 126, 65535, 65536])
            octets.insert(at, header(dice.choice([0x82, 0x02, 0x89]), size, key=key, form=form))
    stream = b"".join(octets)
    if dice.random() < 0.2:
        stream = stream[: dice.randrange(len(stream))]
    return stream + TAIL


# -- three readings -------------------------------------------------------------------------------


def our_story(stream: bytes, client: bool, dice: random.Random) -> Story:
    endpoint = opened(client=client, max_size=None, max_fragments=None)
    while stream:
        size = dice.choice([1, 2, 7, 100, len(stream)])
        feed(endpoint, stream[:size])
        stream = stream[size:]
    story = Story(endpoint.messages)
    story.pings = [payload for first, payload in endpoint.sent() if first == FIN | PONG]
    story.pongs = endpoint.of("pong")
    if endpoint.close_rcvd is not None:
        story.close = (endpoint.close_rcvd.code, endpoint.close_rcvd.reason)
    for code, _, _ in endpoint.of("violation"):
        story.failure = code
    return story


def wsproto_story(stream: bytes, client: bool) -> Story:
    connection = Connection(ConnectionType.CLIENT if client else ConnectionType.SERVER)
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


def websockets_story(stream: bytes, client: bool) -> Story:
    protocol = Protocol(CLIENT if client else SERVER, state=TheirState.OPEN, max_size=None)
    protocol.receive_data(stream)
    story = Story()
    parts: list[bytes] = []
    is_text = False
    for event in protocol.events_received():
        assert isinstance(event, their_frames.Frame)
        if event.opcode in (their_frames.TEXT, their_frames.BINARY, their_frames.CONT):
            if event.opcode is not their_frames.CONT:
                is_text = event.opcode is their_frames.TEXT
            parts.append(bytes(event.data))
            if event.fin:
                whole = b"".join(parts)
                story.messages.append(whole.decode() if is_text else whole)
                parts.clear()
        elif event.opcode is their_frames.PING:
            story.pings.append(bytes(event.data))
        elif event.opcode is their_frames.PONG:
            story.pongs.append(bytes(event.data))
    if protocol.parser_exc is not None and protocol.close_sent is not None:
        story.failure = int(protocol.close_sent.code)
    elif protocol.close_rcvd is not None:
        story.close = (int(protocol.close_rcvd.code), protocol.close_rcvd.reason)
    return story


SEEDS = pytest.mark.parametrize("seed", range(4))
ROLES = pytest.mark.parametrize("client", [False, True], ids=["server", "client"])


@ROLES
@SEEDS
def test_wsproto_agrees(seed: int, client: bool) -> None:
    dice = random.Random(f"wsproto {seed} {client}")
    failures = set()
    for _ in range(STREAMS):
        stream = some_stream(dice, None if client else dice.getrandbits(32))
        ours, theirs = our_story(stream, client, dice), wsproto_story(stream, client)
        failures.add(ours.failure)
        if ours.failure == CloseCode.MESSAGE_TOO_BIG:
            continue  # over 2**62 octets are too many even without a limit; they wait for them
        if ours.close is not None and ours.close[0] == CloseCode.BAD_GATEWAY:
            continue  # they know the registry without 1014
        assert ours == theirs, stream.hex()
    assert failures >= {None, 1002, 1007}


@ROLES
@SEEDS
def test_websockets_reads_what_we_accept(seed: int, client: bool) -> None:
    dice = random.Random(f"websockets {seed} {client}")
    compared = 0
    for _ in range(STREAMS):
        stream = some_stream(dice, None if client else dice.getrandbits(32))[: -len(TAIL)]
        ours = our_story(stream, client, dice)
        if ours.failure is not None:
            continue
        theirs = websockets_story(stream, client)
        if ours.close is not None and theirs.failure == CloseCode.PROTOCOL_ERROR:
            continue  # to them a Close inside a fragmented message is wrong; §5.4 allows it
        compared += 1
        assert ours == theirs, stream.hex()
    assert compared > STREAMS // 10
