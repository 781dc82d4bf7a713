"""What is wrong on the wire: each rule of RFC 6455 §5, and the octet that shows it is broken."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from longlink.wire.reader import UNLIMITED
from tests.wire.instrument import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    KEY,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    binary,
    converse,
    frame,
    header,
    noticed_at,
    ping,
    text,
)

OPCODES = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)


def fails(stream: bytes, code: int, section: str, at: int, **options: Any) -> str:
    """Checks how `stream` fails, at which octet, and that nothing after it counts.

    Returns the reason that was given.
    """
    outcome = converse(stream + ping(b"after") + text("after"), **options)
    ((found, where, reason),) = outcome.of("violation")
    assert (found, where) == (code, section)
    assert "after" not in outcome.messages
    assert outcome.sent[-1][0] == FIN | CLOSE
    assert outcome.sent[-1][1][:2] == code.to_bytes(2, "big")  # §7.1.7
    assert outcome.close_rcvd is None
    assert noticed_at(stream, **options) == at
    return str(reason)


# -- single octets and headers --------------------------------------------------------------------

started = frame(TEXT, b"ab")  # a fragmented message has begun


class Rule(NamedTuple):
    name: str
    stream: bytes
    section: str
    at: int
    code: int = 1002


SERVER_RULES = [
    Rule("unmasked text", text("x", key=None), "5.1", 1),
    Rule("unmasked empty text", text("", key=None), "5.1", 1),
    Rule("unmasked binary", binary(b"x", key=None), "5.1", 1),
    Rule("unmasked fragment", frame(TEXT, b"x", key=None), "5.1", 1),
    Rule("unmasked continuation", started + frame(FIN, b"x", key=None), "5.1", 9),
    Rule("unmasked ping", ping(b"x", key=None), "5.1", 1),
    Rule("unmasked empty ping", ping(key=None), "5.1", 1),
    Rule("unmasked pong", frame(FIN | PONG, key=None), "5.1", 1),
    Rule("unmasked close", frame(FIN | CLOSE, b"\x03\xe8", key=None), "5.1", 1),
    Rule("unmasked empty close", frame(FIN | CLOSE, key=None), "5.1", 1),
    Rule("unmasked long text", text("x" * 126, key=None), "5.1", 1),
    Rule("continuation of nothing", frame(FIN, b"x"), "5.4", 0),
    Rule("fragment of nothing", frame(CONTINUATION, b"x"), "5.4", 0),
    Rule("continuation after a whole message", text("x") + frame(FIN, b"x"), "5.4", 7),
    Rule("continuation after the last", started + frame(FIN) + frame(FIN), "5.4", 14),
    Rule("continuation after a ping", ping() + frame(FIN), "5.4", 6),
    Rule("text inside a text", started + text("x"), "5.4", 8),
    Rule("binary inside a text", started + binary(b"x"), "5.4", 8),
    Rule("fragment inside a text", started + frame(TEXT, b"x"), "5.4", 8),
    Rule("text inside a binary", frame(BINARY, b"ab") + text("x"), "5.4", 8),
    Rule("text after an empty fragment", frame(TEXT) + text("x"), "5.4", 6),
    Rule("text inside a text, after a ping", started + ping() + text("x"), "5.4", 14),
    Rule("ping of 126 octets", header(FIN | PING, 126), "5.5", 1),
    Rule("pong of 126 octets", header(FIN | PONG, 126), "5.5", 1),
    Rule("close of 126 octets", header(FIN | CLOSE, 126), "5.5", 1),
    Rule("ping of 65536 octets", header(FIN | PING, 65536), "5.5", 1),
    Rule("ping of 5 octets in 16 bits", header(FIN | PING, 5, form=16), "5.5", 1),
    Rule("ping of 5 octets in 64 bits", header(FIN | PING, 5, form=64), "5.5", 1),
    Rule("long ping inside a text", started + header(FIN | PING, 126), "5.5", 9),
    Rule("fragmented ping", frame(PING, b"x"), "5.5", 0),
    Rule("fragmented pong", frame(PONG, b"x"), "5.5", 0),
    Rule("fragmented close", frame(CLOSE), "5.5", 0),
    Rule("fragmented ping inside a text", started + frame(PING), "5.5", 8),
    Rule("0 octets in 16 bits", header(FIN | TEXT, 0, form=16), "5.2", 3),
    Rule("125 octets in 16 bits", header(FIN | TEXT, 125, form=16), "5.2", 3),
    Rule("0 octets in 64 bits", header(FIN | TEXT, 0, form=64), "5.2", 7),
    Rule("126 octets in 64 bits", header(FIN | TEXT, 126, form=64), "5.2", 7),
    Rule("65535 octets in 64 bits", header(FIN | TEXT, 65535, form=64), "5.2", 7),
    Rule("5 octets in 16 bits, to continue", started + header(FIN, 5, form=16), "5.2", 11),
    Rule("2**63 octets", header(FIN | BINARY, 2**63), "5.2", 2),
    Rule("2**64 - 1 octets", header(FIN | BINARY, 2**64 - 1), "5.2", 2),
    Rule("2**63 octets, to continue", started + header(FIN, 2**63), "5.2", 10),
]


@pytest.mark.parametrize("rule", SERVER_RULES, ids=[rule.name for rule in SERVER_RULES])
def test_a_server_fails_what_breaks_a_rule(rule: Rule) -> None:
    fails(rule.stream, rule.code, rule.section, rule.at)


CLIENT_RULES = [
    Rule("masked text", text("x"), "5.1", 1),
    Rule("masked empty text", text(""), "5.1", 1),
    Rule("masked with zeros", text("x", key=0), "5.1", 1),
    Rule("masked binary", binary(b"x"), "5.1", 1),
    Rule("masked fragment", frame(BINARY, b"x"), "5.1", 1),
    Rule("masked ping", ping(b"x"), "5.1", 1),
    Rule("masked pong", frame(FIN | PONG), "5.1", 1),
    Rule("masked close", frame(FIN | CLOSE, b"\x03\xe8"), "5.1", 1),
    Rule("continuation of nothing", frame(FIN, b"x", key=None), "5.4", 0),
    Rule("text inside a text", frame(TEXT, key=None) + text("x", key=None), "5.4", 2),
    Rule("ping of 126 octets", header(FIN | PING, 126, key=None), "5.5", 1),
    Rule("125 octets in 16 bits", header(FIN | TEXT, 125, key=None, form=16), "5.2", 3),
    Rule("65535 octets in 64 bits", header(FIN | TEXT, 65535, key=None, form=64), "5.2", 7),
    Rule("2**63 octets", header(FIN | BINARY, 2**63, key=None), "5.2", 2),
]


@pytest.mark.parametrize("rule", CLIENT_RULES, ids=[rule.name for rule in CLIENT_RULES])
def test_a_client_fails_what_breaks_a_rule(rule: Rule) -> None:
    fails(rule.stream, rule.code, rule.section, rule.at, client=True)


def judge_first(first: int, inside: bool) -> str | None:
    """The section that an octet breaks, in RFC 6455's words: §5.2, §5.4, §5.5."""
    opcode = first & 0x0F
    if first & (RSV1 | RSV2 | RSV3) or opcode not in OPCODES:
        return "5.2"
    if opcode >= CLOSE:
        return None if first & FIN else "5.5"
    return None if inside == (opcode == CONTINUATION) else "5.4"


@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
@pytest.mark.parametrize("inside", [False, True], ids=["between messages", "inside a message"])
@pytest.mark.parametrize("first", range(256))
def test_each_first_octet(first: int, inside: bool, client: bool) -> None:
    key = None if client else KEY
    before = frame(TEXT, b"ab", key=key) if inside else b""
    section = judge_first(first, inside)
    if section is not None:  # at once: nothing of the rest is awaited
        fails(before + bytes((first,)), 1002, section, len(before), client=client)
        return
    outcome = converse(before + frame(first, key=key), client=client)
    assert outcome.failed_with is None
    whole = first & FIN and first & 0x0F < CLOSE
    assert len(outcome.messages) == (1 if whole else 0)


@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_the_first_broken_rule_counts(client: bool) -> None:
    wrong = None if not client else KEY
    assert fails(frame(0xF3, key=wrong), 1002, "5.2", 0, client=client).startswith("reserved bits")
    assert fails(frame(0x83, key=wrong), 1002, "5.2", 0, client=client) == "reserved opcode 0x3"
    assert fails(frame(FIN, key=wrong), 1002, "5.4", 0, client=client).startswith("continuation")
    fails(header(FIN | PING, 126, key=wrong), 1002, "5.1", 1, client=client)
    fails(header(FIN | TEXT, 2**63, key=wrong), 1002, "5.1", 1, client=client)


# -- lengths --------------------------------------------------------------------------------------

LENGTHS = [
    *(0, 1, 124, 125, 126, 127, 128, 255, 256, 257),
    *(65534, 65535, 65536, 65537, 2**24 - 1, 2**24, 2**31 - 1, 2**31, 2**31 + 1),
    *(2**32 - 1, 2**32, 2**32 + 1, 2**62 - 1, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64 - 1),
]
FORMS = [
    (form, length)
    for form, bits in ((7, 0), (16, 16), (64, 64))
    for length in LENGTHS
    if (length < 126 if form == 7 else length < 1 << bits)
]


def first_proof(octets: bytes, room: int) -> tuple[int, int] | None:
    """Code, and how many of these octets of an extended length are needed to see it is wrong.

    Asks of each prefix whether any continuation of it would be right.
    """
    least_allowed = 126 if len(octets) == 2 else 65536
    for came in range(1, len(octets) + 1):
        least = int.from_bytes(octets[:came].ljust(len(octets), b"\x00"), "big")
        most = int.from_bytes(octets[:came].ljust(len(octets), b"\xff"), "big")
        if least >= 2**63 or most < least_allowed:
            return 1002, came
        if least > room:
            return 1009, came
    return None


@pytest.mark.parametrize("key", [KEY, None], ids=["server", "client"])
@pytest.mark.parametrize(("form", "length"), FORMS)
def test_each_length_in_each_form(form: int, length: int, key: int | None) -> None:
    """Judged by the header alone; §5.2: minimal, top bit clear; §10.4: within max_size."""
    octets = header(FIN | BINARY, length, key=key, form=form)
    for max_size in (0, 1, 125, 126, 65535, 65536, 2**31, 2**32, None):
        room = UNLIMITED if max_size is None else max_size
        if form == 7:
            expected = None if length <= room else (1009, 0)
        else:
            expected = first_proof(octets[2 : 4 if form == 16 else 10], room)
        code, came = expected or (None, 0)
        limits: dict[str, Any] = {"client": key is None, "max_size": max_size}
        assert noticed_at(octets, **limits) == (1 + came if code else None)
        assert converse(octets, **limits).failed_with == code


def test_no_memory_is_taken_for_what_a_header_announces() -> None:
    outcome = converse(header(FIN | BINARY, 2**62) + b"abc", max_size=None)
    assert outcome.told == (("phase", 5), ("end",))


# -- size and number of fragments -----------------------------------------------------------------

part = frame(CONTINUATION, b"abcd")


@pytest.mark.parametrize(
    "stream",
    [
        binary(b"abcdabcdab"),
        frame(BINARY, b"abcdabcdab") + frame(FIN),
        frame(BINARY) + frame(FIN, b"abcdabcdab"),
        frame(BINARY, b"abcd") + part + frame(FIN, b"ab"),
        frame(BINARY, b"abcd") + ping(b"x" * 50) + part + frame(FIN, b"ab"),
    ],
)
def test_a_message_exactly_at_max_size(stream: bytes) -> None:
    outcome = converse(stream + binary(b"abcdabcdab"), max_size=10)
    assert outcome.messages == [b"abcdabcdab"] * 2


@pytest.mark.parametrize(
    ("stream", "at"),
    [
        (header(FIN | BINARY, 11), 1),
        (header(BINARY, 11), 1),
        (header(FIN | BINARY, 126), 3),  # its least value is not minimal before that
        (header(FIN | BINARY, 256), 2),  # the upper octet tells enough
        (frame(BINARY, b"abcd") + header(FIN, 7), 11),
        (frame(BINARY, b"abcd") + part + header(FIN, 3), 21),
        (frame(BINARY, b"abcd") + part + header(CONTINUATION, 3), 21),
        (frame(BINARY, b"abcdabcdab") + frame(FIN, b"x"), 17),
        (frame(BINARY, b"abcdabcdab") + frame(CONTINUATION) + frame(FIN, b"x"), 23),
        (frame(BINARY, b"abcdabcdab") + ping() + frame(FIN, b"x"), 23),
        (binary(b"abcdabcdab") + binary(b"abcdabcdabc"), 17),
    ],
)
def test_a_message_over_max_size(stream: bytes, at: int) -> None:
    reason = fails(stream, 1009, "7.4.1", at, max_size=10)
    assert reason == "message over the limit of 10 bytes (max_size)"


def test_size_is_counted_in_octets_not_characters() -> None:
    assert converse(text("ééééé"), max_size=10).messages == ["ééééé"]
    fails(text("éééééé"), 1009, "7.4.1", 1, max_size=10)


@pytest.mark.parametrize(
    "fragments",
    [
        [binary(b"")],
        [frame(BINARY, b"a"), frame(FIN, b"b")],
        [frame(BINARY), frame(CONTINUATION), frame(FIN)],
        [frame(BINARY), ping(), ping(), frame(CONTINUATION), ping(), frame(FIN, b"abc")],
    ],
)
def test_a_message_exactly_at_max_fragments(fragments: list[bytes]) -> None:
    outcome = converse(fragments * 3, max_fragments=3)  # each message counts from zero
    assert len(outcome.messages) == 3


@pytest.mark.parametrize(
    ("stream", "limit", "at"),
    [
        (frame(BINARY) + frame(FIN), 1, 6),
        (frame(BINARY) + frame(CONTINUATION) + frame(FIN), 2, 12),
        (frame(BINARY) + frame(CONTINUATION) + frame(CONTINUATION), 2, 12),
        (frame(BINARY, b"a") + ping() + frame(FIN), 1, 13),
    ],
)
def test_a_message_over_max_fragments(stream: bytes, limit: int, at: int) -> None:
    reason = fails(stream, 1009, "7.4.1", at, max_fragments=limit)
    assert reason == f"message over the limit of {limit} fragments (max_fragments)"


def test_limits_that_nobody_named() -> None:
    """The defaults are those of `Limits`: 1 MiB in 1024 fragments."""
    assert noticed_at(header(FIN | BINARY, 2**20)) is None
    assert noticed_at(header(FIN | BINARY, 2**20 + 1)) == 9
    most = frame(BINARY) + frame(CONTINUATION) * 1023
    assert noticed_at(most) is None
    assert noticed_at(most + frame(FIN)) == len(most)


def test_no_limits_at_all() -> None:
    stream = frame(BINARY, b"x" * 5) + frame(CONTINUATION, b"x") * 50 + frame(FIN)
    assert converse(stream, max_size=None, max_fragments=None).messages == [b"x" * 55]
