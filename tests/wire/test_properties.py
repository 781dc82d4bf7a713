"""What holds for any messages, any cuts and any octets at all."""

from __future__ import annotations

from itertools import count, pairwise
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from longlink.errors import connection_closed
from longlink.native.kernel import mask
from longlink.wire.endpoint import Endpoint
from longlink.wire.frame import MAX_HELD, WIRE_CODES
from longlink.wire.phase import State
from tests.wire.instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    PONG,
    TEXT,
    close,
    feed,
    frame,
    frames,
    header,
    opened,
    ping,
    xor,
)

keys = st.integers(0, 2**32 - 1)
# Up to the boundaries of lengths, without drawing each octet.
sizes = st.one_of(st.integers(0, 20), st.sampled_from([124, 125, 126, 127, 1000, 65535, 65536]))
large = st.builds(lambda size, octet: bytes((octet,)) * size, sizes, st.integers(0, 255))
messages = st.one_of(
    st.text(max_size=40),
    st.binary(max_size=40),
    large,
    st.builds(lambda size: "é" * size, sizes),
)
pings = st.binary(max_size=125)


class Plan(NamedTuple):
    """How a message travels: where it is cut into fragments, and the ping before each of them."""

    message: str | bytes
    cuts: list[int]
    pings: list[bytes | None]


plans = st.builds(
    Plan,
    messages,
    st.lists(st.integers(0, 2**17), max_size=5),
    st.lists(st.one_of(st.none(), pings), min_size=6, max_size=6),
)


def cut(octets: bytes, places: list[int]) -> list[bytes]:
    """Octets in pieces, cut at `places` modulo their number."""
    marks = [0, *sorted(place % (len(octets) + 1) for place in places), len(octets)]
    return [octets[start:stop] for start, stop in pairwise(marks)]


def encode(plan: Plan, key: int | None) -> bytes:
    payload = plan.message.encode() if isinstance(plan.message, str) else plan.message
    parts = cut(payload, plan.cuts)
    octets = b""
    for i, part in enumerate(parts):
        opcode = CONTINUATION if i else TEXT if isinstance(plan.message, str) else BINARY
        before = plan.pings[i]
        octets += b"" if before is None else ping(before, key=key)
        octets += header(opcode | (FIN if i == len(parts) - 1 else 0), len(part), key=key)
        octets += part if key is None else mask(part, key)
    return octets


@given(st.lists(plans, max_size=4), st.one_of(st.none(), keys), st.lists(st.integers(0, 2**20)))
def test_what_is_encoded_is_decoded(plans: list[Plan], key: int | None, places: list[int]) -> None:
    """Any messages, in any fragments, with any pings between, under any key, cut anywhere."""
    endpoint = opened(client=key is None)
    for piece in cut(b"".join(encode(plan, key) for plan in plans), places):
        feed(endpoint, piece)
    assert endpoint.of("violation") == []
    assert endpoint.messages == [plan.message for plan in plans]
    asked = [
        each for plan in plans for each in plan.pings[: len(plan.cuts) + 1] if each is not None
    ]
    assert endpoint.sent() == [(FIN | PONG, each) for each in asked]


@given(st.binary(max_size=300), keys)
def test_masking_twice_changes_nothing(payload: bytes, key: int) -> None:  # §5.3
    assert mask(payload, key) == xor(payload, key)
    assert mask(mask(payload, key), key) == payload


# Octets that are nearly frames: whatever is drawn, some of it gets past the first header.
pieces = st.one_of(
    st.binary(max_size=30),
    st.builds(
        frame,
        st.sampled_from([0x00, 0x01, 0x02, 0x80, 0x81, 0x82, 0x88, 0x89, 0x8A, 0x83, 0x09, 0xC1]),
        st.one_of(st.binary(max_size=130), st.text(max_size=30).map(str.encode)),
        key=st.one_of(st.none(), keys),
    ),
    st.builds(
        header,
        st.integers(0, 255),
        st.integers(0, 2**64 - 1),
        key=st.one_of(st.none(), keys),
        form=st.just(64),
    ),
    st.builds(close, st.integers(0, 65535), st.binary(max_size=20)),
)
nonsense = st.lists(pieces, max_size=12).map(b"".join)


@given(nonsense, st.booleans(), st.integers(0, 200), st.integers(1, 5), st.data())
def test_no_octets_raise_and_none_are_hoarded(
    octets: bytes, client: bool, max_size: int, max_fragments: int, data: st.DataObject
) -> None:
    endpoint = opened(client=client, max_size=max_size, max_fragments=max_fragments)
    while octets:
        size = data.draw(st.integers(1, 40))
        piece, octets = octets[:size], octets[size:]
        assert feed(endpoint, piece) == len(piece)
        held = 0 if endpoint.held is None else len(endpoint.held)
        assert held < MAX_HELD
        assert endpoint.body is None or endpoint.body.size <= max_size
        assert endpoint.body is None or endpoint.body.capacity <= 2 * max_size
        if endpoint.deaf:
            assert endpoint.body is None
            assert endpoint.held is None
    for message in endpoint.messages:
        assert len(message.encode() if isinstance(message, str) else message) <= max_size
    assert len(endpoint.of("violation")) <= 1
    frames(endpoint.output())


@given(nonsense, st.booleans(), st.lists(st.integers(0, 2**20), max_size=5), st.integers(1, 4))
def test_any_octets_cut_anywhere_are_the_same(
    octets: bytes, client: bool, places: list[int], budget: int
) -> None:
    outcomes = []
    for cuts, share in (([], 10**6), (places, 10**6), (places, budget)):
        endpoint = opened(client=client, max_size=150, max_fragments=3)
        for piece in cut(octets, cuts):
            while piece:
                piece = piece[feed(endpoint, piece, share) :]
        outcomes.append((endpoint.told, endpoint.output(), endpoint.state))
    assert outcomes[0] == outcomes[1] == outcomes[2]


# -- two endpoints, back to back ------------------------------------------------------------------

acts = st.one_of(
    st.tuples(st.just("send"), messages),
    st.tuples(st.just("ping"), pings),
    st.tuples(st.just("carry"), st.integers(1, 70000)),
    st.tuples(
        st.just("close"), st.tuples(st.sampled_from(sorted(WIRE_CODES)), st.text(max_size=30))
    ),
)


class Pair:
    """A client and a server, and the octets on their way between them."""

    def __init__(self) -> None:
        self.ends = [opened(client=True), opened(client=False)]
        self.under_way = [b"", b""]
        self.said: list[list[Any]] = [[], []]

    def act(self, who: int, verb: str, what: Any) -> None:
        end = self.ends[who]
        if verb == "carry":
            self.carry(who, what)
        elif verb == "close":
            end.send_close(*what)
        elif end.state is State.OPEN:
            if verb == "ping":
                end.send_ping(what)
            else:
                end.send(what)
                self.said[who].append(what)

    def carry(self, who: int, most: int) -> None:
        """Bring up to `most` octets from one end to the other."""
        octets = self.under_way[who] + self.ends[who].output()
        feed(self.ends[1 - who], octets[:most])
        self.under_way[who] = octets[most:]

    def settle(self) -> None:
        while any(self.under_way) or any(e.outbox is not None and e.outbox.size for e in self.ends):
            for who in (0, 1):
                self.carry(who, 2**30)


@given(st.lists(st.tuples(st.integers(0, 1), acts), max_size=12))
@settings(deadline=None)
def test_client_and_server_agree(script: list[tuple[int, tuple[str, Any]]]) -> None:
    pair = Pair()
    for who, (verb, what) in script:
        pair.act(who, verb, what)
    pair.settle()
    for who, end in enumerate(pair.ends):
        assert end.of("violation") == []
        heard = pair.ends[1 - who].messages
        assert heard == pair.said[who][: len(heard)]
        if end.state is State.OPEN:
            assert heard == pair.said[who]
            assert end.close_sent is end.close_rcvd is None
    client, server = pair.ends
    assert client.state is server.state
    if client.state is not State.OPEN:  # both know the same of the end
        assert client.close_sent == server.close_rcvd is not None
        assert server.close_sent == client.close_rcvd is not None
        for end in pair.ends:
            end.end()
            assert end.told[-1] == ("end",)
            told = end.closed()
            expected = connection_closed(end.close_rcvd, end.close_sent, told.rcvd_then_sent)
            assert type(told) is type(expected)


@given(st.lists(messages, max_size=5))
def test_what_one_end_writes_is_minimal_and_masked_as_it_should(sent: list[str | bytes]) -> None:
    for client in (False, True):
        numbers = count(1)
        endpoint = Endpoint(client, numbers.__next__)
        endpoint.opened()
        for message in sent:
            endpoint.send(message)
        found = frames(b"" if endpoint.outbox is None else endpoint.outbox.take())
        assert [each.first for each in found] == [
            FIN | (TEXT if isinstance(message, str) else BINARY) for message in sent
        ]
        expected = range(1, len(sent) + 1) if client else [None] * len(sent)
        assert [each.key for each in found] == list(expected)
