"""Conversations with two other implementations of RFC 7692, whatever parameters are agreed on.

Each side offers and answers by its own code; then both talk, and each must get what was said.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from typing import Any, Protocol

import pytest
from websockets import frames as their_frames
from websockets.exceptions import NegotiationError
from websockets.extensions import permessage_deflate as theirs
from websockets.protocol import CLIENT, SERVER
from websockets.protocol import Protocol as TheirProtocol
from websockets.protocol import State as TheirState
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, TextMessage
from wsproto.extensions import PerMessageDeflate

from longlink.wire.deflate import Agreement, Deflate, judge, negotiate, offer
from longlink.wire.header import parse_extensions
from tests.wire.instrument import CONTINUATION, FIN, TEXT, Recorder, feed, opened

NAME = "permessage-deflate"
Parameters = tuple[bool, bool, int | None, int | None]

# server_no_context_takeover, client_no_context_takeover, server_ and client_max_window_bits
THEIRS: list[Parameters] = list(
    itertools.product([False, True], [False, True], [None, 9, 12, 15], [None, 9, 12, 15])
)
OURS = [
    Deflate(context_takeover=takeover, window_bits=bits, threshold=threshold)
    for takeover, bits, threshold in itertools.product([False, True], [9, 11, 15], [0, 100])
]


class Peer(Protocol):
    """Another implementation, open."""

    def say(self, message: str | bytes, parts: int) -> bytes:
        """Its octets for a message in so many fragments."""

    def hear(self, octets: bytes) -> list[str | bytes]:
        """What it makes of ours."""


class Websockets:
    """The protocol of `websockets` with its extension."""

    def __init__(self, client: bool, extension: theirs.PerMessageDeflate) -> None:
        self.protocol = TheirProtocol(
            CLIENT if client else SERVER, state=TheirState.OPEN, max_size=None
        )
        self.protocol.extensions = [extension]

    def say(self, message: str | bytes, parts: int) -> bytes:
        data = message.encode() if isinstance(message, str) else message
        send = self.protocol.send_text if isinstance(message, str) else self.protocol.send_binary
        pieces = split(data, parts)
        for i, piece in enumerate(pieces):
            fin = i == len(pieces) - 1
            if i:
                self.protocol.send_continuation(piece, fin=fin)
            else:
                send(piece, fin=fin)
        return b"".join(self.protocol.data_to_send())

    def hear(self, octets: bytes) -> list[str | bytes]:
        self.protocol.receive_data(octets)
        assert self.protocol.parser_exc is None
        messages: list[str | bytes] = []
        data, is_text = b"", False
        for event in self.protocol.events_received():
            assert isinstance(event, their_frames.Frame)
            if event.opcode is not their_frames.CONT:
                data, is_text = b"", event.opcode is their_frames.TEXT
            data += event.data
            if event.fin:
                messages.append(data.decode() if is_text else data)
        return messages


class Wsproto:
    """The connection of `wsproto` with its extension."""

    def __init__(self, client: bool, extension: PerMessageDeflate) -> None:
        side = ConnectionType.CLIENT if client else ConnectionType.SERVER
        self.connection = Connection(side, extensions=[extension])

    def say(self, message: str | bytes, parts: int) -> bytes:
        kind: Any = TextMessage if isinstance(message, str) else BytesMessage
        pieces = split(message, parts)
        return b"".join(
            self.connection.send(kind(data=piece, message_finished=i == len(pieces) - 1))
            for i, piece in enumerate(pieces)
        )

    def hear(self, octets: bytes) -> list[str | bytes]:
        self.connection.receive_data(octets)
        messages: list[str | bytes] = []
        data: list[Any] = []
        for event in self.connection.events():
            assert isinstance(event, (TextMessage, BytesMessage)), event
            data.append(event.data)
            if event.message_finished:
                messages.append(("" if isinstance(event, TextMessage) else b"").join(data))
                data.clear()
        return messages


def split(data: Any, parts: int) -> list[Any]:
    size = -(-len(data) // parts) or 1
    return [data[i : i + size] for i in range(0, len(data), size)] or [data]


def written(parameters: Any) -> str:
    words = [name if value is None else f"{name}={value}" for name, value in parameters]
    return "; ".join([NAME, *words])


# -- agreeing -------------------------------------------------------------------------------------


def with_websockets_client(given: Parameters, ours: Deflate) -> tuple[Agreement, Peer]:
    factory = theirs.ClientPerMessageDeflateFactory(*given[:3], given[3] or True)
    found = negotiate(parse_extensions(written(factory.get_request_params())), ours)
    assert found is not None
    ((_, answer),) = parse_extensions(found[0])
    return found[1], Websockets(True, factory.process_response_params(answer, []))


def with_websockets_server(given: Parameters, ours: Deflate) -> tuple[Agreement, Peer]:
    factory = theirs.ServerPerMessageDeflateFactory(*given)
    ((_, offered),) = parse_extensions(offer(ours))
    answer, extension = factory.process_request_params(offered, [])
    return judge(parse_extensions(written(answer)), ours), Websockets(False, extension)


def with_wsproto_client(given: Parameters, ours: Deflate) -> tuple[Agreement, Peer]:
    extension = PerMessageDeflate(given[1], given[3], given[0], given[2])
    found = negotiate(parse_extensions(f"{NAME}; {extension.offer()}"), ours)
    assert found is not None
    extension.finalize(found[0])
    return found[1], Wsproto(True, extension)


def with_wsproto_server(given: Parameters, ours: Deflate) -> tuple[Agreement, Peer]:
    extension = PerMessageDeflate(given[1], given[3], given[0], given[2])
    answer = extension.accept(offer(ours))
    assert isinstance(answer, str)
    return judge(parse_extensions(f"{NAME}; {answer}"), ours), Wsproto(False, extension)


# -- talking --------------------------------------------------------------------------------------

WORDS = ["price", "symbol", "time", "bid", "ask", "EUR", "USD", "1.0837", "né", "日本", "🦄"]


def some_messages(dice: random.Random) -> Iterator[str | bytes]:
    for size in (0, 1, 20, 200, 20, 2000, 1, 0, 200):
        message = " ".join(dice.choices(WORDS, k=size))
        yield message if dice.random() < 0.6 else message.encode()
    yield dice.randbytes(3000)
    yield bytes(100_000)


def talk(dice: random.Random, us: Recorder, peer: Peer) -> None:
    for message in some_messages(dice):
        parts = dice.choice([1, 1, 2, 5])
        say(us, message, parts if message else 1)
        assert peer.hear(us.output()) == [message]
        for piece in split(peer.say(message, parts if message else 1), dice.choice([1, 1, 3])):
            feed(us, piece)
        assert us.of("violation") == []
        assert us.messages[-1] == message


def say(us: Recorder, message: str | bytes, parts: int) -> None:
    if parts == 1:
        us.send(message)
        return
    flow = us.begin_fragments(None)
    pieces = split(message.encode() if isinstance(message, str) else message, parts)
    for i, piece in enumerate(pieces):
        kind = TEXT if isinstance(message, str) else 2
        first = (FIN if i == len(pieces) - 1 else 0) | (CONTINUATION if i else kind)
        us.send_fragment(first, piece, flow)


@pytest.mark.parametrize("ours", OURS, ids=str)
@pytest.mark.parametrize(
    ("meet", "client"),
    [
        (with_websockets_client, False),
        (with_websockets_server, True),
        (with_wsproto_client, False),
        (with_wsproto_server, True),
    ],
)
def test_each_hears_what_the_other_said(meet: Any, client: bool, ours: Deflate) -> None:
    # A share of the combinations each time, all of them among our twelve.
    dice = random.Random(f"{meet.__name__} {ours}")
    talked = 0
    for given in dice.sample(THEIRS, 12):
        try:
            agreement, peer = meet(given, ours)
        except NegotiationError:
            continue  # they insist on what we do not grant
        us = opened(client=client)
        us.agree(agreement)
        talk(dice, us, peer)
        talked += 1
    assert talked >= 3
