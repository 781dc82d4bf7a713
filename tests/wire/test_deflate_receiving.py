"""Compressed messages in: RFC 7692 §6.2, §7.2.2 and the examples of §7.2.3."""

from __future__ import annotations

import itertools
import random
import zlib

import pytest

from longlink.wire.deflate import Agreement
from tests.wire.compression import (
    BINARY,
    PLAIN,
    TAKEOVER,
    TEXT,
    agreeing,
    agreement,
    compressed,
    cut,
    deflated,
    heard,
)
from tests.wire.instrument import (
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    Recorder,
    close,
    converse,
    feed,
    fragments,
    frame,
    noticed_at,
    opened,
    ping,
    text,
)

HELLO = bytes.fromhex("f248cdc9c90700")
FINAL = bytes.fromhex("f348cdc9c9070000")
AGAIN = bytes.fromhex("f200110000")  # refers to a Hello before it
LONG = "".join(random.Random(7).choices("abcdefgh ", k=3000)).encode()


def flagged(opcode: int, parts: list[bytes], key: int | None = 0x37FA213D) -> list[bytes]:
    """The frames of a fragmented message whose first one says that it is compressed."""
    return fragments(RSV1 | opcode, parts, key=key)


# -- payloads -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        "f248cdc9c90700",  # §7.2.3.1
        "000500faff48656c6c6f00",  # §7.2.3.3: without compression
        "f348cdc9c9070000",  # §7.2.3.4: a final block
        "f248050000 00ffff cac9c90700",  # §7.2.3.5: two blocks
        "f248050000 00ffff 0000 00ffff 0000 00ffff cac9c90700",  # blocks that say nothing
        "010500faff48656c6c6f00",  # final and without compression
        "f248cdc9c9070000 00ffff00",  # an empty block at the end
    ],
)
@pytest.mark.parametrize("what", [PLAIN, TAKEOVER], ids=["none", "takeover"])
@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_each_of_these_is_hello(payload: str, what: Agreement, client: bool) -> None:
    octets = bytes.fromhex(payload)
    stream = compressed(octets, key=None if client else 0x37FA213D)
    outcome = heard(stream, what=what, client=client)
    assert outcome.messages == ["Hello"]
    assert outcome.failed_with is None


def test_the_window_reaches_over_messages() -> None:
    outcome = heard(compressed(HELLO), compressed(AGAIN), compressed(AGAIN), what=TAKEOVER)
    assert outcome.messages == ["Hello", "Hello", "Hello"]


def test_the_window_reaches_over_a_final_block() -> None:
    frames = [compressed(FINAL), compressed(AGAIN), compressed(FINAL), compressed(HELLO)]
    assert heard(*frames, what=TAKEOVER).messages == ["Hello"] * 4


def test_messages_that_are_not_compressed_leave_the_window_alone() -> None:
    frames = [
        compressed(HELLO),
        text("World"),
        ping(b"p"),
        *fragments(TEXT, [b"W", b"orld"]),
        compressed(AGAIN),
    ]
    assert heard(*frames, what=TAKEOVER).messages == ["Hello", "World", "World", "Hello"]


def test_an_empty_message_leaves_the_window_alone() -> None:
    frames = [compressed(HELLO), compressed(b"\x00"), compressed(b"\x00", BINARY)]
    outcome = heard(*frames, compressed(AGAIN), what=TAKEOVER)
    assert outcome.messages == ["Hello", "", b"", "Hello"]


def test_without_takeover_nothing_reaches_over_messages() -> None:
    outcome = heard(compressed(HELLO), compressed(AGAIN))
    assert outcome.messages == ["Hello"]
    assert outcome.failed_with == 1007


def test_the_window_that_is_kept_is_as_large_as_agreed() -> None:
    what = agreement("; client_max_window_bits=9", context_takeover=True)
    sender = zlib.compressobj(9, zlib.DEFLATED, -15)
    first, second = (
        compressed(cut(sender.compress(data) + sender.flush(zlib.Z_SYNC_FLUSH)), BINARY)
        for data in (LONG[:2000], LONG[:200])
    )
    assert heard(first, second, what=TAKEOVER).messages == [LONG[:2000], LONG[:200]]
    outcome = heard(first, second, what=what)
    assert outcome.messages == [LONG[:2000]]
    assert outcome.failed_with == 1007


@pytest.mark.parametrize("bits", range(9, 16))
def test_a_sender_that_takes_over_context_is_followed(bits: int) -> None:
    what = agreement(f"; client_max_window_bits={bits}", context_takeover=True)
    sender = zlib.compressobj(6, zlib.DEFLATED, -bits)
    dice = random.Random(bits)
    endpoint = opened()
    endpoint.agree(what)
    said = []
    for _ in range(60):
        size = dice.choice([0, 1, 5, 100, 1000, 5000, 40_000])
        start = dice.randrange(len(LONG))
        data = (LONG[start:] + LONG * 14)[:size]
        payload = sender.compress(data) + sender.flush(zlib.Z_SYNC_FLUSH)
        # zlib does not flush what is flushed.
        payload = cut(payload) if payload else b"\x00"
        feed(endpoint, compressed(payload, BINARY))
        if dice.random() < 0.3:
            feed(endpoint, text("in between"))
        said.append(data)
    assert [message for message in endpoint.messages if message != "in between"] == said


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536, 200_000])
def test_any_size_comes_out_as_it_went_in(size: int) -> None:
    data = random.Random(size).randbytes(size // 2) + bytes(size - size // 2)
    assert heard(compressed(deflated(data), BINARY)).messages == [data]


# -- frames ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_a_compressed_message_may_be_fragmented_anywhere(parts: int) -> None:
    message = "né 日本 🦄" * 3
    payload = deflated(message.encode())
    marks = [len(payload) * i // parts for i in range(parts + 1)]
    pieces = [payload[a:b] for a, b in itertools.pairwise(marks)]
    frames = flagged(TEXT, [b"", *pieces, b""])
    frames.insert(1, ping(b"between"))
    outcome = heard(*frames)
    assert outcome.messages == [message]
    assert outcome.sent == [(FIN | PONG, b"between")]


@pytest.mark.parametrize(
    "first",
    [
        RSV1 | FIN | CONTINUATION,
        RSV1 | CONTINUATION,
    ],
)
def test_a_continuation_has_no_compressed_bit(first: int) -> None:
    for start in (frame(RSV1 | TEXT, HELLO[:3]), frame(TEXT, b"Hel")):
        outcome = heard(start, frame(first, HELLO[3:]))
        assert (outcome.messages, outcome.failed_with) == ([], 1002)


@pytest.mark.parametrize("opcode", [0x8, 0x9, 0xA])
def test_a_control_frame_has_no_compressed_bit(opcode: int) -> None:
    outcome = heard(frame(FIN | RSV1 | opcode, deflated(b"")))
    assert (outcome.failed_with, outcome.of("pong")) == (1002, [])
    middle = heard(frame(RSV1 | TEXT, HELLO[:3]), frame(FIN | RSV1 | opcode, b""))
    assert middle.failed_with == 1002


@pytest.mark.parametrize("first", [b | FIN | o for b in (RSV2, RSV3, 0x70) for o in (1, 2, 0, 9)])
def test_other_reserved_bits_stay_reserved(first: int) -> None:
    assert heard(frame(first, HELLO)).failed_with == 1002


@pytest.mark.parametrize("opcode", [3, 7, 0xB, 0xF])
def test_reserved_opcodes_stay_reserved(opcode: int) -> None:
    assert heard(frame(FIN | RSV1 | opcode, HELLO)).failed_with == 1002


@pytest.mark.parametrize("opcode", [CONTINUATION, TEXT, BINARY, PING, PONG])
def test_without_an_agreement_the_bit_is_reserved(opcode: int) -> None:
    assert noticed_at(frame(FIN | RSV1 | opcode, HELLO)) == 0


def test_a_new_message_inside_a_compressed_one_is_refused() -> None:
    outcome = heard(frame(RSV1 | TEXT, HELLO), compressed(HELLO))
    assert outcome.failed_with == 1002


# -- data that is not right -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        "",  # §7.2.3.6: an empty message is one octet
        "ffffff",  # no such block
        "07",  # no such block
        "000500ffff48656c6c6f00",  # the length of a block and its check
        "f248cdc9c907",  # cut short
        "f248cdc9",
        "000500faff48",  # exactly as much missing as the receiver adds
        "000500faff4865",
        "00",
        "f348cdc9c90700",  # final, and nothing behind it
        "f348cdc9c90700 0000",  # final, and more behind it
        "f348cdc9c90700 01",
        "f348cdc9c90700 f248cdc9c90700",
        "f348cdc9c90700 00 00000000000000000000",
        "f200110000",  # refers to what was never said
    ],
)
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
def test_corrupt_data_fails_with_1007(payload: str, opcode: int) -> None:
    octets = bytes.fromhex(payload)
    for what in (PLAIN, TAKEOVER):
        outcome = heard(compressed(octets, opcode), text("after"), what=what)
        if payload == "00":
            assert outcome.messages[0] in ("", b"")
        else:
            assert (outcome.messages, outcome.failed_with) == ([], 1007)


def test_data_behind_the_end_is_noticed_when_it_comes() -> None:
    endpoint = opened()
    endpoint.agree(PLAIN)
    feed(endpoint, frame(RSV1 | TEXT, FINAL))
    assert endpoint.of("violation") == []
    feed(endpoint, frame(CONTINUATION, b"\x00"))
    assert endpoint.of("violation")[0][0] == 1007


def test_cut_short_anywhere_it_is_never_delivered() -> None:
    # In one block, so that no part of it is a message of its own.
    payload = deflated(LONG)
    assert heard(compressed(payload, BINARY)).messages == [LONG]
    for end in range(len(payload)):
        endpoint = opened()
        endpoint.agree(PLAIN)
        feed(endpoint, compressed(payload[:end], BINARY))
        assert endpoint.messages == [], end
        assert [code for code, _, _ in endpoint.of("violation")] == [1007], end


def test_stored_and_cut_short_anywhere_it_is_never_delivered() -> None:
    payload = deflated(LONG[:300], level=0)
    assert heard(compressed(payload, BINARY)).messages == [LONG[:300]]
    for end in range(2, len(payload)):  # its first octet alone is an empty message
        endpoint = opened()
        endpoint.agree(PLAIN)
        feed(endpoint, compressed(payload[:end], BINARY))
        assert endpoint.messages == [], end
        assert [code for code, _, _ in endpoint.of("violation")] == [1007], end


def test_damaged_at_any_octet_it_is_delivered_as_zlib_reads_it_or_refused() -> None:
    message = LONG[:400]
    for level in (1, 6, 0):
        payload = deflated(message, level=level)
        for at in range(len(payload)):
            for damage in (0x01, 0x80, 0xFF):
                octets = bytearray(payload)
                octets[at] ^= damage
                endpoint = opened()
                endpoint.agree(PLAIN)
                feed(endpoint, compressed(bytes(octets), BINARY))
                failed = [code for code, _, _ in endpoint.of("violation")]
                assert failed in ([], [1007], [1009])
                assert bool(endpoint.messages) != bool(failed)
                if endpoint.messages:  # DEFLATE has no checksum
                    reader = zlib.decompressobj(-15)
                    whole = reader.decompress(bytes(octets) + b"\x00\x00\xff\xff\x03\x00")
                    assert endpoint.messages == [whole]


def test_any_octets_are_a_message_or_a_violation() -> None:
    dice = random.Random(11)
    for what in (PLAIN, TAKEOVER):
        for _ in range(3000):
            endpoint = opened(max_size=10_000)
            endpoint.agree(what)
            for _ in range(3):
                octets = dice.choice([b"", b"\x00", b"\x01", b"\x02", b"\x03", b"\x04\xc0"])
                octets += dice.randbytes(dice.choice([0, 1, 3, 10, 40]))
                feed(endpoint, compressed(octets, BINARY))
            failed = [code for code, _, _ in endpoint.of("violation")]
            assert failed in ([], [1007], [1009])


# -- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets", [b"\xff", b"abc\xc3", b"\xed\xa0\x80", b"ok" * 300 + b"\xe2\x82"]
)
def test_text_must_be_utf8_once_inflated(octets: bytes) -> None:
    assert heard(compressed(deflated(octets))).failed_with == 1007
    assert heard(compressed(deflated(octets), BINARY)).messages == [octets]


def test_a_character_may_lie_across_blocks_and_fragments() -> None:
    sender = zlib.compressobj(6, zlib.DEFLATED, -15)
    message = "a日本🦄"
    parts = [
        sender.compress(bytes([octet])) + sender.flush(zlib.Z_SYNC_FLUSH)
        for octet in message.encode()
    ]
    assert heard(*flagged(TEXT, [*parts[:-1], cut(parts[-1])])).messages == [message]
    assert heard(*flagged(TEXT, [*parts[:-2], cut(parts[-2])])).failed_with == 1007


def test_wrong_text_is_noticed_in_an_early_fragment() -> None:
    sender = zlib.compressobj(6, zlib.DEFLATED, -15)
    early = sender.compress(b"\xff") + sender.flush(zlib.Z_SYNC_FLUSH)
    stream = frame(RSV1 | TEXT, early)
    endpoint = opened()
    endpoint.agree(PLAIN)
    feed(endpoint, stream)
    assert endpoint.of("violation")[0][0] == 1007


# -- once nothing is delivered --------------------------------------------------------------------


def closing(endpoint: Recorder) -> None:
    agreeing()(endpoint)
    endpoint.send_close()


def test_after_our_close_nothing_is_inflated() -> None:
    stream = [compressed(HELLO), compressed(b"\xff\xff"), compressed(b""), close(1000)]
    outcome = converse(stream, before=closing)
    assert outcome.messages == []
    assert outcome.failed_with is None
    assert outcome.close_rcvd is not None


def test_a_close_in_the_middle_of_a_compressed_message_is_no_trouble() -> None:
    payload = deflated("日本".encode() * 50)
    for at in range(len(payload)):
        endpoint = opened()
        endpoint.agree(TAKEOVER)
        feed(endpoint, frame(RSV1 | TEXT, payload[:at]))
        endpoint.send_close()
        feed(endpoint, frame(FIN | CONTINUATION, payload[at:]) + compressed(HELLO) + close(1000))
        assert endpoint.messages == []
        assert endpoint.of("violation") == []
        assert endpoint.close_rcvd is not None


def test_nothing_is_inflated_after_a_violation() -> None:
    outcome = heard(frame(RSV1 | TEXT, HELLO[:3]), frame(0x83), frame(FIN, HELLO[3:]))
    assert (outcome.messages, outcome.failed_with) == ([], 1002)
