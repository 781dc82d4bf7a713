"""Octets and codes by themselves: first octets, lengths, close payloads, prepared messages."""

from __future__ import annotations

from typing import Any

import pytest

from longlink.errors import CLOSE_CODES, Close, LocalProtocolError
from longlink.wire import frame
from longlink.wire.frame import CloseCode, Opcode, Prepared
from longlink.wire.reader import HEADROOM
from tests.wire.instrument import frames


def may_travel(code: int) -> bool:
    """RFC 6455 §7.4.1, §7.4.2 and the IANA registry, in words of its own."""
    if code < 1000 or code in (1004, 1005, 1006, 1015):
        return False
    return code < 1015 or 3000 <= code < 5000


# -- first octets ---------------------------------------------------------------------------------


@pytest.mark.parametrize("opcode", range(16))
@pytest.mark.parametrize("bits", range(16))
def test_first_octets(bits: int, opcode: int) -> None:
    first = bits << 4 | opcode
    if bits & 0b0111:  # §5.2: RSV1-3 without an extension
        expected = ("5.2", f"reserved bits 0x{first & 0x70:02x} set without an extension")
    elif opcode not in (0, 1, 2, 8, 9, 10):  # §5.2
        expected = ("5.2", f"reserved opcode 0x{opcode:x}")
    elif opcode >= 8 and not bits:  # §5.5
        expected = ("5.5", f"fragmented control frame 0x{opcode:x}")
    else:
        assert frame.FIRST_OCTET[first] is None
        return
    assert frame.FIRST_OCTET[first] == expected


def test_opcodes_have_the_numbers_of_the_registry() -> None:
    assert [(each.name, int(each)) for each in Opcode] == [
        ("CONTINUATION", 0x0),
        ("TEXT", 0x1),
        ("BINARY", 0x2),
        ("CLOSE", 0x8),
        ("PING", 0x9),
        ("PONG", 0xA),
    ]


def test_what_is_held_fits_into_the_headroom() -> None:
    assert frame.MAX_HELD == 2 + 4 + 125  # a masked control frame, the longest there is
    assert max(frame.MAX_HEADER, frame.MAX_HELD) <= HEADROOM


# -- headers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("length", "expected"),
    [
        (0, "82 00"),
        (1, "82 01"),
        (125, "82 7d"),
        (126, "82 7e 00 7e"),
        (127, "82 7e 00 7f"),
        (65535, "82 7e ff ff"),
        (65536, "82 7f 00 00 00 00 00 01 00 00"),
        (2**31 - 1, "82 7f 00 00 00 00 7f ff ff ff"),
        (2**31, "82 7f 00 00 00 00 80 00 00 00"),
        (2**32 - 1, "82 7f 00 00 00 00 ff ff ff ff"),
        (2**32, "82 7f 00 00 00 01 00 00 00 00"),
        (2**63 - 1, "82 7f 7f ff ff ff ff ff ff ff"),
    ],
)
def test_a_length_takes_the_fewest_octets(length: int, expected: str) -> None:  # §5.2
    assert frame.header(0x82, length) == bytes.fromhex(expected)


@pytest.mark.parametrize("size", [0, 1, 125, 126, 65535, 65536])
@pytest.mark.parametrize("letter", ["x", b"x"])
def test_a_prepared_message_is_one_unmasked_frame(letter: str | bytes, size: int) -> None:
    prepared = Prepared(letter * size)
    (found,) = frames(prepared.wire)
    assert found.key is None
    assert found.first == (0x81 if isinstance(letter, str) else 0x82)
    assert found.payload == b"x" * size
    assert prepared.message == letter * size


def test_a_prepared_text_is_utf8() -> None:
    assert Prepared("\ufeffκ😀").wire == b"\x81\x09\xef\xbb\xbf\xce\xba\xf0\x9f\x98\x80"


@pytest.mark.parametrize("message", [None, 5, bytearray(b"x"), memoryview(b"x"), ["x"]])
def test_nothing_else_can_be_prepared(message: Any) -> None:
    with pytest.raises(TypeError, match="is str or bytes, not"):
        Prepared(message)


def test_a_lone_surrogate_cannot_be_prepared() -> None:
    with pytest.raises(UnicodeEncodeError):
        Prepared("\ud800")


# -- close codes and payloads ---------------------------------------------------------------------


def test_every_close_code_that_two_octets_can_say() -> None:  # §7.4
    for code in range(65536):
        parsed = frame.parse_close(code.to_bytes(2, "big"))
        if may_travel(code):
            assert parsed == Close(code, "")
        else:
            assert parsed == f"close code {code} may not be sent"


def test_every_close_code_that_a_caller_can_ask_for() -> None:  # §7.4
    for code in (*range(-3, 65540), -(2**40), 2**31, 2**32 + 1000, 2**64 + 1000):
        if may_travel(code):
            assert frame.close_payload(code, "") == code.to_bytes(2, "big")
        else:
            with pytest.raises(LocalProtocolError) as caught:
                frame.close_payload(code, "")
            assert caught.value.close_code == 1011
            assert caught.value.section == "7.4"


def test_close_codes_have_the_numbers_of_the_registry() -> None:
    assert {int(each) for each in CloseCode} == {code for code in CLOSE_CODES if code < 3000}
    assert all(may_travel(code) == (code in frame.WIRE_CODES) for code in CloseCode)


def test_an_empty_close_is_reported_as_1005() -> None:  # §7.1.5
    assert frame.parse_close(b"") == Close(1005, "")


@pytest.mark.parametrize("octet", [b"\x00", b"\x03", b"\xff"])
def test_half_a_close_code_is_none(octet: bytes) -> None:  # §5.5.1
    assert frame.parse_close(octet) == "close frame with a payload of 1 octet"


@pytest.mark.parametrize("reason", ["", "bye", "ü", "x" * 123, "é" * 61, "😀" * 30])
def test_a_close_payload_comes_back(reason: str) -> None:
    assert frame.parse_close(frame.close_payload(4000, reason)) == Close(4000, reason)


@pytest.mark.parametrize("reason", [b"\xff", b"\xc3", b"ok\xed\xa0\x80", b"\xf4\x90\x80\x80"])
def test_a_close_reason_is_utf8(reason: bytes) -> None:  # §5.5.1
    with pytest.raises(UnicodeDecodeError):
        frame.parse_close(b"\x03\xe8" + reason)


def test_a_close_code_is_judged_before_the_reason() -> None:
    assert frame.parse_close(b"\x03\xed\xff") == "close code 1005 may not be sent"


@pytest.mark.parametrize("reason", ["x" * 124, "é" * 62, "😀" * 31])
def test_a_reason_over_123_octets_is_refused(reason: str) -> None:  # §5.5
    size = len(reason.encode())
    with pytest.raises(LocalProtocolError, match=f"{size} octets is over the limit of 123") as told:
        frame.close_payload(1000, reason)
    assert told.value.section == "5.5"


@pytest.mark.parametrize(
    ("code", "reason", "message"),
    [
        ("1000", "", "a close code is an int, not str"),
        (1000.0, "", "a close code is an int, not float"),
        (None, "", "a close code is an int, not NoneType"),
        (1000, b"bye", "a close reason is a str, not bytes"),
        (1000, None, "a close reason is a str, not NoneType"),
    ],
)
def test_a_close_of_wrong_types(code: Any, reason: Any, message: str) -> None:
    with pytest.raises(TypeError, match=message):
        frame.close_payload(code, reason)


def test_a_reason_with_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        frame.close_payload(1000, "\ud800")


@pytest.mark.parametrize(
    ("reason", "expected"),
    [
        ("", ""),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("é" * 61 + "x", "é" * 61 + "x"),
        ("é" * 62, "é" * 61),  # 124 octets: the last character would be split
        ("x" + "😀" * 31, "x" + "😀" * 30),
        ("a\ud800b", "a?b"),
    ],
)
def test_a_reason_is_cut_between_characters(reason: str, expected: str) -> None:
    assert frame.cut_reason(reason) == expected
    assert len(frame.close_payload(1011, expected)) <= 125
