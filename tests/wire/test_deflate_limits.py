"""What a compressed message may cost: bombs, messages at the limit, blocks that say nothing."""

from __future__ import annotations

import gc
import tracemalloc
import zlib
from collections.abc import Callable

import pytest

from longlink.native.kernel import Buffer
from longlink.wire.assembly import INFLATED_PER_FRAME
from longlink.wire.deflate import Agreement
from longlink.wire.reader import HEADROOM, SLACK
from tests.wire.compression import BINARY, PLAIN, TAKEOVER, TEXT, compressed, deflated, heard
from tests.wire.instrument import (
    CONTINUATION,
    FIN,
    KEY,
    RSV1,
    Recorder,
    feed,
    fragments,
    frame,
    header,
    noticed_at,
    opened,
    xor,
)

MIB = 2**20
NOTHING = b"\x00\x00\x00\xff\xff"  # a block that says nothing


def bomb(size: int) -> bytes:
    """The payload of a message of `size` octets: about a thousandth of it."""
    sender = zlib.compressobj(9, zlib.DEFLATED, -15)
    part = sender.compress(bytes(MIB)) + sender.flush(zlib.Z_FULL_FLUSH)
    return (part * (size // MIB))[:-4]


@pytest.fixture(scope="module")
def gibibyte() -> bytes:
    return bomb(1024 * MIB)


def in_one_frame(payload: bytes, key: int | None) -> bytes:
    return compressed(payload, BINARY, key=key)


def in_fragments(payload: bytes, key: int | None) -> bytes:
    parts = [payload[i : i + 4000] for i in range(0, len(payload), 4000)]
    return b"".join(fragments(RSV1 | BINARY, parts, key=key))


@pytest.mark.parametrize("shape", [in_one_frame, in_fragments])
@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_a_bomb_costs_what_a_message_at_the_limit_costs(
    gibibyte: bytes, shape: Callable[[bytes, int | None], bytes], client: bool
) -> None:
    stream = shape(gibibyte, None if client else KEY)
    endpoint = opened(client=client, max_size=MIB, max_fragments=None)
    endpoint.agree(PLAIN)
    buffer = Buffer(HEADROOM + 65536)
    fed = 0
    gc.collect()
    tracemalloc.start()
    try:
        while fed < len(stream) and not endpoint.deaf:
            piece = stream[fed : fed + 65536]
            buffer.put(HEADROOM, piece)
            endpoint.budget = 10**9
            endpoint.feed(buffer, HEADROOM, HEADROOM + len(piece))
            fed += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert [code for code, _, _ in endpoint.of("violation")] == [1009]
    assert endpoint.messages == []
    assert fed <= 65536  # at the first piece that shows it
    assert peak < 2 * MIB


def test_the_header_of_a_bomb_may_say_so_already() -> None:
    room = 1000 + 1000 // 8 + SLACK
    for first in (FIN | RSV1 | BINARY, RSV1 | BINARY):
        fits = header(first, room)
        assert noticed_at(fits, max_size=1000) is not None  # without an agreement
        for length, failed in ((room, []), (room + 1, [1009]), (2**63 - 1, [1009])):
            endpoint = opened(max_size=1000)
            endpoint.agree(PLAIN)
            feed(endpoint, header(first, length))
            assert [code for code, _, _ in endpoint.of("violation")] == failed


@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("limit", [1, 50, 70_000, 200_000])
def test_the_limit_is_of_the_message_and_not_of_what_it_takes(opcode: int, limit: int) -> None:
    for size, fits in ((limit, True), (limit + 1, False), (limit * 2, False)):
        outcome = heard(compressed(deflated(b"a" * size), opcode), max_size=limit)
        assert outcome.failed_with == (None if fits else 1009)
        assert len(outcome.messages) == fits


def test_what_does_not_compress_is_not_punished_for_it() -> None:
    data = zlib.compress(b"".join(i.to_bytes(3, "big") for i in range(60_000)))[:100_000]
    for level in (0, 1, 9):
        payload = deflated(data, level=level)
        outcome = heard(compressed(payload, BINARY), max_size=len(data))
        assert outcome.messages == [data]
    # Every octet in nine bits: the worst that a sender can do without meaning harm.
    high = bytes(range(144, 256)) * 500
    sender = zlib.compressobj(9, zlib.DEFLATED, -15, 8, zlib.Z_FIXED)
    payload = (sender.compress(high) + sender.flush(zlib.Z_SYNC_FLUSH))[:-4]
    assert heard(compressed(payload, BINARY), max_size=len(high)).messages == [high]


def test_blocks_that_say_nothing_do_not_go_on_for_ever() -> None:
    endpoint = opened(max_size=1000, max_fragments=None)
    endpoint.agree(PLAIN)
    piece = NOTHING * 100
    feed(endpoint, frame(RSV1 | BINARY, piece))
    taken = len(piece)
    while not endpoint.of("violation"):
        feed(endpoint, frame(CONTINUATION, piece))
        taken += len(piece)
    assert [code for code, _, _ in endpoint.of("violation")] == [1009]
    assert taken <= 1000 + 1000 // 8 + SLACK + len(piece)


def test_without_a_limit_there_is_none() -> None:
    data = bytes(5 * MIB)
    endpoint = opened(max_size=None)
    endpoint.agree(PLAIN)
    feed(endpoint, compressed(deflated(data), BINARY))
    assert endpoint.messages == [data]


@pytest.mark.parametrize("what", [PLAIN, TAKEOVER], ids=["none", "takeover"])
def test_the_limit_is_of_each_message(what: Agreement) -> None:
    endpoint = opened(max_size=1000)
    endpoint.agree(what)
    for _ in range(50):
        feed(endpoint, compressed(deflated(b"b" * 1000), BINARY))
        feed(endpoint, b"".join(fragments(RSV1 | BINARY, [deflated(b"c" * 1000), b""])))
    assert len(endpoint.messages) == 100
    assert endpoint.of("violation") == []


def test_inflating_counts_against_the_share_of_a_turn() -> None:
    one = compressed(deflated(bytes(16 * INFLATED_PER_FRAME)), BINARY)
    stream = one * 100
    endpoint = opened()
    endpoint.agree(PLAIN)
    consumed = feed(endpoint, stream, budget=256)
    assert len(endpoint.messages) == 256 // 17
    while consumed < len(stream):
        consumed += feed(endpoint, stream[consumed:], budget=256)
    assert len(endpoint.messages) == 100


def test_a_masked_message_may_be_cut_within_the_key() -> None:
    payload = deflated(bytes(range(256)) * 3)
    stream = frame(FIN | RSV1 | BINARY, payload, key=0x01020304)
    assert stream.endswith(xor(payload, 0x01020304))
    for size in range(1, 9):
        endpoint = opened()
        endpoint.agree(PLAIN)
        for i in range(0, len(stream), size):
            feed(endpoint, stream[i : i + size])
        assert endpoint.messages == [bytes(range(256)) * 3]


def test_idle_connections_hold_nothing_but_what_they_must() -> None:
    def grown_by(prepare: Callable[[Recorder], object]) -> float:
        endpoints = [opened() for _ in range(300)]
        gc.collect()
        tracemalloc.start()
        for endpoint in endpoints:
            prepare(endpoint)
            endpoint.output()
            endpoint.told.clear()
        gc.collect()
        held = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        return held / len(endpoints)

    def talk(endpoint: Recorder) -> None:
        endpoint.send("hello " * 100)
        feed(endpoint, frame(FIN | BINARY, b"x" * 600))

    def talk_compressed(endpoint: Recorder) -> None:
        endpoint.agree(PLAIN)
        endpoint.send("hello " * 100)
        feed(endpoint, compressed(deflated(b"hello " * 100)))
        feed(endpoint, b"".join(fragments(RSV1 | BINARY, [deflated(b"c" * 1000), b""])))

    assert grown_by(talk_compressed) - grown_by(talk) < 2048


def test_a_bomb_keeps_to_its_share_within_one_frame() -> None:
    stream = compressed(deflated(bytes(64 * 2**20)), BINARY)
    endpoint = opened(max_size=None)
    endpoint.agree(PLAIN)
    consumed = turns = 0
    while consumed < len(stream):
        consumed += feed(endpoint, stream[consumed:], budget=256)
        turns += 1
        body = endpoint.body
        assert body is None or body.size <= turns * 6 * 2**20
    assert turns > 10
    assert [len(message) for message in endpoint.messages] == [64 * 2**20]
