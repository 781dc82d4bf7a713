"""What is right on the wire arrives as it was sent: lengths, fragments, text, pings in between."""

from __future__ import annotations

import itertools

import pytest

from tests.wire.instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    KEY,
    PONG,
    TEXT,
    binary,
    converse,
    feed,
    fragments,
    frame,
    noticed_at,
    opened,
    ping,
    pong,
    text,
)

ROLES = pytest.mark.parametrize("key", [KEY, None], ids=["server", "client"])


def delivered(stream: bytes, key: int | None = KEY) -> list[str | bytes]:
    outcome = converse(stream, client=key is None)
    assert outcome.failed_with is None
    return outcome.messages


# -- lengths --------------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 124, 125, 126, 127, 255, 256, 1000])
def test_a_message_of_each_length(size: int, key: int | None) -> None:  # §5.2
    letters = ("abcdefg" * (size // 7 + 1))[:size]
    assert delivered(text(letters, key=key), key) == [letters]
    assert delivered(binary(letters.encode(), key=key), key) == [letters.encode()]


@ROLES
@pytest.mark.parametrize("size", [65535, 65536, 65537])
def test_a_message_of_each_long_length(size: int, key: int | None) -> None:  # §5.2
    payload = bytes(i * 7 & 0x7F for i in range(size))
    assert delivered(binary(payload, key=key), key) == [payload]
    assert delivered(text(payload.decode(), key=key), key) == [payload.decode()]
    parts = fragments(BINARY, [payload[:9], payload[9:]], key=key)
    assert delivered(b"".join(parts), key) == [payload]


@pytest.mark.parametrize("key", [0, 1, 0xFF000000, 0xFFFFFFFF, 0x80808080, KEY])
def test_any_masking_key(key: int) -> None:  # §5.3
    for message in (b"", b"a", b"ab", b"abc", b"abcd", b"abcdefghi"):
        assert delivered(binary(message, key=key)) == [message]


@ROLES
def test_many_frames_in_one_segment(key: int | None) -> None:
    messages = [str(i) if i % 3 else str(i).encode() for i in range(1000)]
    octets = b"".join(
        text(each, key=key) if isinstance(each, str) else binary(each, key=key) for each in messages
    )
    assert delivered(octets, key) == messages


# -- fragments ------------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize(
    "parts",
    [
        [b"", b""],
        [b"a", b""],
        [b"", b"a"],
        [b"", b"", b"a", b"", b"b", b""],
        [b"abc", b"d", b"efghijklm"],
        [b"x"] * 30,
        [b"x" * 125, b"y" * 126, b"z"],
    ],
)
def test_fragments_make_one_message(parts: list[bytes], key: int | None) -> None:  # §5.4
    whole = b"".join(parts)
    octets = b"".join(fragments(BINARY, parts, key=key))
    assert delivered(octets + binary(b"next", key=key), key) == [whole, b"next"]
    octets = b"".join(fragments(TEXT, parts, key=key))
    assert delivered(octets + text("next", key=key), key) == [whole.decode(), "next"]


@ROLES
def test_control_frames_between_fragments(key: int | None) -> None:  # §5.4, §5.5
    first, second, third = fragments(TEXT, ["né".encode()[:2], "né".encode()[2:], b"!"], key=key)
    stream = [first, ping(b"1", key=key), second, pong(b"2", key=key), ping(b"", key=key), third]
    outcome = converse(stream, client=key is None)
    assert outcome.messages == ["né!"]
    assert outcome.of("pong") == [b"2"]
    assert outcome.sent == [(FIN | PONG, b"1"), (FIN | PONG, b"")]


def test_a_ping_between_fragments_is_answered_before_the_message_ends() -> None:  # §5.5.2
    endpoint = opened()
    feed(endpoint, frame(TEXT, b"Hel") + ping(b"now"))
    assert endpoint.sent() == [(FIN | PONG, b"now")]
    assert endpoint.messages == []
    feed(endpoint, frame(FIN, b"lo"))
    assert endpoint.messages == ["Hello"]


def test_a_fragment_has_its_own_key() -> None:  # §5.3
    parts = [frame(0 if i else BINARY, b"abc", key=KEY * i % 2**32) for i in range(9)]
    assert delivered(b"".join(parts) + frame(FIN, key=7)) == [b"abc" * 9]


# -- text -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        "\x00",
        "\ufeffBOM stays",
        "\ufffd\ufffe\uffff",
        "\U0010ffff",
        "\x7f\x80\u07ff\u0800\ud7ff\ue000\uffff\U00010000",
        "κόσμε",
        "日本語, العربية, 🦄",
        "\r\n\t",
    ],
)
def test_text_arrives_unchanged(message: str) -> None:  # §5.6, §8.1
    assert delivered(text(message)) == [message]
    octets = [bytes((octet,)) for octet in message.encode()]
    assert delivered(b"".join(fragments(TEXT, octets))) == [message]


def test_binary_need_not_be_text() -> None:  # §5.6
    every = bytes(range(256))
    assert delivered(binary(every)) == [every]
    assert delivered(b"".join(fragments(BINARY, [every[:130], every[130:]]))) == [every]


# Each with the index of the first octet that no valid text has there (RFC 3629 §4).
INVALID = [
    (b"\x80", 0),
    (b"\xbf", 0),
    (b"ab\x80", 2),
    (b"\xc0\xaf", 0),  # overlong
    (b"\xc1\xbf", 0),
    (b"\xc3\x28", 1),
    (b"\xc3\xc3", 1),
    (b"\xe0\x80\xaf", 1),  # overlong
    (b"\xe0\x9f\xbf", 1),
    (b"\xe1\x28\xa1", 1),
    (b"\xe1\xa1\x28", 2),
    (b"\xed\xa0\x80", 1),  # U+D800
    (b"\xed\xbf\xbf", 1),  # U+DFFF
    (b"\xed\xad\xbf\xed\xb0\x80", 1),  # a pair of surrogates
    (b"\xf0\x80\x80\xaf", 1),  # overlong
    (b"\xf0\x8f\xbf\xbf", 1),
    (b"\xf0\x90\x28\xbc", 2),
    (b"\xf0\x90\x8c\x28", 3),
    (b"\xf4\x90\x80\x80", 1),  # U+110000
    (b"\xf5\x80\x80\x80", 0),
    (b"\xf8\x88\x80\x80\x80", 0),
    (b"\xfe", 0),
    (b"\xff", 0),
    ("κόσμε".encode() + b"\xed\xa0\x80edited", 11),
    (b"a" * 40 + b"\xff" + b"a" * 40, 40),
]


@ROLES
@pytest.mark.parametrize(("payload", "bad"), INVALID)
def test_text_fails_at_the_first_bad_octet(payload: bytes, bad: int, key: int | None) -> None:
    """§8.1; whether the frame is whole, FIN set, or the message cut into fragments or pieces."""
    client = key is None
    start = 2 if client else 6
    for first in (FIN | TEXT, TEXT):
        stream = frame(first, payload, key=key)
        assert noticed_at(stream, client=client) == start + bad
        outcome = converse(stream + text("after", key=key), client=client)
        assert outcome.of("violation") == [(1007, "8.1", "text that is not UTF-8")]
        assert outcome.messages == []
    for split in range(len(payload) + 1):
        middle = [ping(b"p", key=key), frame(CONTINUATION, key=key)]
        one, other = fragments(TEXT, [payload[:split], payload[split:]], key=key)
        stream = b"".join([one, *middle, other])
        index = start + bad
        if bad >= split:
            index += start + len(b"".join(middle))
        assert noticed_at(stream, client=client) == index
        assert converse(stream, client=client).failed_with == 1007


def test_a_whole_frame_with_invalid_text() -> None:
    endpoint = opened()
    feed(endpoint, text("before") + frame(FIN | TEXT, b"\xff" * 200) + text("after"))
    assert endpoint.messages == ["before"]
    assert endpoint.of("violation") == [(1007, "8.1", "text that is not UTF-8")]


@ROLES
@pytest.mark.parametrize("message", ["é", "€", "😀", "abcdefghé"])
def test_text_that_ends_inside_a_character(message: str, key: int | None) -> None:  # §8.1
    octets = message.encode()
    client = key is None
    for missing in range(1, len(message[-1].encode())):
        cut = octets[:-missing]
        endings = [
            frame(FIN | TEXT, cut, key=key),
            frame(TEXT, cut[:-1], key=key) + frame(FIN, cut[-1:], key=key),
            frame(TEXT, cut, key=key) + ping(b"p", key=key) + frame(FIN, key=key),
        ]
        for stream in endings:
            assert noticed_at(stream, client=client) == len(stream) - 1
            outcome = converse(stream + text("after", key=key), client=client)
            assert outcome.failed_with == 1007
            assert outcome.messages == []


def test_a_character_does_not_go_on_in_the_next_message() -> None:
    stream = text("é") + frame(FIN | TEXT, b"\xc3") + frame(FIN | TEXT, b"\xa9")
    outcome = converse(stream)
    assert outcome.messages == ["é"]
    assert outcome.failed_with == 1007


def test_whatever_follows_a_lead() -> None:
    """Octets are text exactly where Python's strict codec says so."""
    leads = [0x00, 0x41, 0x7F, 0x80, 0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4]
    more = [0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF, 0xC0, 0xF5, 0xFF]
    last = [0x41, 0x80, 0xBF]
    for octets in itertools.chain(
        itertools.product(range(256), more), itertools.product(leads, more, last, last)
    ):
        payload = bytes(octets)
        endpoint = opened(client=True)
        feed(endpoint, frame(TEXT, payload[:1], key=None) + frame(FIN, payload[1:], key=None))
        try:
            expected = [payload.decode()]
        except UnicodeDecodeError:
            expected = []
        assert endpoint.messages == expected, payload
