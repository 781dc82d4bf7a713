"""Header fields: the multi-map, heads cut into lines, numbers, and list grammars."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from websockets.exceptions import InvalidHeaderFormat as TheirInvalidHeaderFormat
from websockets.headers import parse_extension

from longlink.errors import (
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeaderFormat,
    InvalidHeaderName,
    InvalidHeaderValue,
    InvalidMessage,
    SecurityError,
    TooManyHeaders,
)
from longlink.wire.header import (
    Headers,
    MultipleValuesError,
    content_length,
    head_end,
    parse_extensions,
    parse_tokens,
    parse_upgrade,
    split_head,
)

TCHAR = "!#$%&'*+-.^_`|~09AZaz"


class TestHeaders:
    def test_names_compare_without_case(self) -> None:
        headers = Headers([("Content-Type", "text/plain")])
        assert headers["content-TYPE"] == "text/plain"
        assert "CONTENT-type" in headers
        assert "Accept" not in headers
        assert not headers.__contains__(3)
        assert list(headers) == ["content-type"]
        assert len(headers) == 1

    def test_assignment_adds(self) -> None:
        headers = Headers()
        headers["X"] = "1"
        headers["x"] = "2"
        assert headers.get_all("X") == ["1", "2"]
        assert list(headers.raw_items()) == [("X", "1"), ("x", "2")]
        assert headers.joined("X") == "1, 2"

    def test_one_of_several_values_is_not_guessed(self) -> None:
        headers = Headers([("X", "1"), ("X", "2")])
        with pytest.raises(MultipleValuesError, match=r"^several values for header X$"):
            headers["X"]
        with pytest.raises(MultipleValuesError):
            headers.get("X")
        with pytest.raises(InvalidHeaderValue, match="expected a single line"):
            headers.only("x")

    def test_missing(self) -> None:
        headers = Headers()
        with pytest.raises(KeyError):
            headers["X"]
        with pytest.raises(KeyError):
            del headers["X"]
        assert headers.get_all("X") == []
        assert (headers.get("X"), headers.only("X"), headers.joined("X")) == (None, None, None)

    def test_deletion_drops_all(self) -> None:
        headers = Headers([("X", "1"), ("Y", "2"), ("x", "3")])
        del headers["X"]
        assert list(headers.raw_items()) == [("Y", "2")]
        headers.clear()
        assert (len(headers), list(headers.raw_items())) == (0, [])

    @pytest.mark.parametrize(
        "fields",
        [{"X": "1", "Y": "2"}, [("X", "1"), ("Y", "2")], Headers({"X": "1", "Y": "2"})],
        ids=["mapping", "pairs", "headers"],
    )
    def test_made_of(self, fields: dict[str, str]) -> None:
        assert Headers(fields) == Headers(X="1", Y="2")

    def test_update_adds_every_value(self) -> None:
        headers = Headers(X="1")
        headers.update(Headers([("X", "2"), ("X", "3")]), Y="4")
        assert headers.get_all("X") == ["1", "2", "3"]
        assert headers["Y"] == "4"

    def test_copy_is_another_map(self) -> None:
        headers = Headers([("X", "1"), ("X", "2")])
        twin = headers.copy()
        assert twin == headers
        twin["X"] = "3"
        assert twin != headers
        assert headers != {"x": "1"}

    def test_put_replaces(self) -> None:
        headers = Headers([("X", "1"), ("x", "2")])
        headers.put("X", "3")
        headers.put("Y", "4")
        assert list(headers.raw_items()) == [("X", "3"), ("Y", "4")]

    def test_refused_put_changes_nothing(self) -> None:
        headers = Headers(X="1")
        with pytest.raises(InvalidHeaderValue):
            headers.put("X", "a\nb")
        assert headers["X"] == "1"

    def test_written(self) -> None:
        headers = Headers([("X", "1"), ("Y", "é")])
        assert headers.serialize() == b"X: 1\r\nY: \xe9\r\n\r\n"
        assert str(headers) == "X: 1\r\nY: é\r\n\r\n"
        assert repr(headers) == "Headers([('X', '1'), ('Y', 'é')])"

    @pytest.mark.parametrize(
        "name",
        ["", " ", "a b", " a", "a ", "a:", "a\r\nb", "a\x00", "a(", 'a"', "é", "a\x7f", "a/", "ａ"],
    )
    def test_name_must_be_a_token(self, name: str) -> None:  # RFC 9110 5.1
        headers = Headers()
        with pytest.raises(InvalidHeaderName):
            headers[name] = "1"
        with pytest.raises(ValueError, match="invalid header"):
            headers.put(name, "1")
        assert len(headers) == 0

    @pytest.mark.parametrize(
        "value",
        [
            *(f"a{chr(octet)}b" for octet in [*range(9), *range(10, 32), 127, 0x85]),
            " a",
            "a ",
            "\ta",
            "a\t",
            " ",
            "a\r\nSet-Cookie: b",
            "日本",
            "a\u2028b",
            "\ud800",
        ],
    )
    def test_value_must_stand_on_a_line(self, value: str) -> None:  # RFC 9110 5.5
        headers = Headers()
        with pytest.raises(InvalidHeaderValue):
            headers["X"] = value
        assert len(headers) == 0

    @pytest.mark.parametrize(
        "value", ["", "a b", "a\tb", "é\xff\x80", "公".encode().decode("latin-1")]
    )
    def test_value_may_be(self, value: str) -> None:
        assert Headers(X=value).serialize() == f"X: {value}\r\n\r\n".encode("latin-1")


class TestHeadEnd:
    HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"

    def test_complete(self) -> None:
        assert head_end(self.HEAD, 0) == len(self.HEAD)
        assert head_end(bytearray(self.HEAD + b"\x81\x80\n\n"), 0) == len(self.HEAD)

    @pytest.mark.parametrize("step", [1, 2, 3, 5, 26])
    def test_drips_in(self, step: int) -> None:
        data = bytearray()
        found = []
        for at in range(0, len(self.HEAD), step):
            start = len(data)
            data += self.HEAD[at : at + step]
            found.append(head_end(data, start, max_head=27, max_line=14))
        assert found == [0] * (len(found) - 1) + [len(self.HEAD)]

    @pytest.mark.parametrize("start", range(len(HEAD)))
    def test_cut_anywhere(self, start: int) -> None:
        assert head_end(self.HEAD[:start], 0) == 0
        assert head_end(self.HEAD + b"\n", start) == len(self.HEAD)

    def test_limit_of_the_head(self) -> None:
        size = len(self.HEAD)
        assert head_end(self.HEAD + b"more", 0, max_head=size) == size
        with pytest.raises(SecurityError):
            head_end(self.HEAD, 0, max_head=size - 1)

    def test_endless_head(self) -> None:
        assert head_end(b"a" * 100, 0, max_head=100) == 0
        with pytest.raises(SecurityError):
            head_end(b"a" * 101, 100, max_head=100)

    def test_endless_line(self) -> None:
        assert head_end(b"a" * 10 + b"\r", 0, max_line=10) == 0
        assert head_end(b"a" * 10 + b"\r\n", 11, max_line=10) == 0
        with pytest.raises(SecurityError, match="first line"):
            head_end(b"a" * 12, 11, max_line=10)

    @pytest.mark.parametrize("octet", [b"\x16", b"\x00", b" ", b"\n", b":", b"\x80", b"\xff"])
    def test_garbage_at_the_first_octet(self, octet: bytes) -> None:
        with pytest.raises(InvalidMessage):
            head_end(octet, 0)

    @pytest.mark.parametrize(
        ("before", "now"),
        [
            *((b"GET / HTTP/1.1", b"\nHost: h"), (b"", b"a\n"), (b"a\r\n", b"\n")),
            *((b"GET / HTTP/1.1", b"\rHost: h"), (b"a\r", b"b"), (b"a\r\n", b"\ra")),
            *((b"a\r", b"\n\n"), (b"a", b"\r\r\n")),
        ],
    )
    def test_a_cr_or_lf_alone_at_once(self, before: bytes, now: bytes) -> None:  # RFC 9112 2.2
        with pytest.raises(InvalidMessage, match="bare CR or LF"):
            head_end(before + now, len(before))

    def test_nothing_yet(self) -> None:
        assert head_end(b"", 0) == 0

    def test_cost_is_linear(self) -> None:
        """Octets looked at, not time: each call must start where the last one ended."""

        class Counting(bytearray):
            looked = 0

            def find(self, part: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
                stop = len(self) if end is None else min(end, len(self))
                Counting.looked += stop - start
                return super().find(part, start, stop)

            def count(self, part: bytes, start: int = 0, end: int | None = None) -> int:  # type: ignore[override]
                stop = len(self) if end is None else min(end, len(self))
                Counting.looked += stop - start
                return super().count(part, start, stop)

        data = Counting()
        head = b"GET / HTTP/1.1\r\nA: " + b"a" * 4000
        for octet in head:
            data.append(octet)
            assert head_end(data, len(data) - 1, max_line=100) == 0
        assert Counting.looked < 12 * len(head)


def head_of(*lines: bytes) -> bytes:
    return b"".join(line + b"\r\n" for line in (b"FIRST", *lines, b""))


class TestSplitHead:
    def test_lines(self) -> None:
        first, headers = split_head(head_of(b"A:1", b"B: \t2 3\t ", b"a:", b"C:d:e"))
        assert first == "FIRST"
        assert list(headers.raw_items()) == [("A", "1"), ("B", "2 3"), ("a", ""), ("C", "d:e")]

    def test_every_octet_that_names_allow(self) -> None:  # RFC 9110 5.6.2
        line = f"{TCHAR}: x".encode()
        assert list(split_head(head_of(line))[1].raw_items()) == [(TCHAR, "x")]

    def test_every_octet_of_values(self) -> None:  # RFC 9110 5.5
        allowed = {9, *range(0x20, 0x7F), *range(0x80, 0x100)} - {0x85}
        for octet in range(256):
            value = b"a" + bytes([octet]) + b"b"
            try:
                _, headers = split_head(head_of(b"X: " + value))
            except InvalidMessage:
                assert octet not in allowed
            else:
                assert octet in allowed
                assert headers["X"].encode("latin-1") == value

    @pytest.mark.parametrize(
        ("value", "good"),
        [
            (b"\x85", False),
            (b"a\xe9\x85", False),
            (b"\xc2\x85", False),  # U+0085 itself
            ("全国".encode(), True),  # E5 85 A8
            ("Å".encode(), True),  # C3 85
            ("Å\x85".encode(), False),
        ],
    )
    def test_nel_only_inside_utf8(self, value: bytes, good: bool) -> None:
        head = head_of(b"Latin: \xe9", b"X: " + value)
        if good:
            assert split_head(head)[1]["X"].encode("latin-1") == value
        else:
            with pytest.raises(InvalidMessage, match="0x85"):
                split_head(head)

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"", id="empty-line-inside"),
            pytest.param(b"A", id="no-colon"),
            pytest.param(b": x", id="empty-name"),
            pytest.param(b":", id="only-a-colon"),
            pytest.param(b"A : x", id="blank-before-colon"),  # RFC 9112 5.1
            pytest.param(b"A\t: x", id="tab-before-colon"),
            pytest.param(b" A: x", id="blank-before-name"),  # RFC 9112 2.2, 5.2
            pytest.param(b"\tfolded", id="folded-by-tab"),  # RFC 9112 5.2
            pytest.param(b" folded", id="folded-by-blank"),
            pytest.param(b" ", id="blank-line"),
            pytest.param(b"A(: x", id="parenthesis-in-name"),
            pytest.param(b'A": x', id="quote-in-name"),
            pytest.param(b"A/: x", id="slash-in-name"),
            pytest.param(b"A\x00: x", id="nul-in-name"),
            pytest.param(b"A\x7f: x", id="delete-in-name"),
            pytest.param(b"A\xc3\xa9: x", id="utf8-in-name"),
            pytest.param(b"A: x\x00", id="nul-in-value"),
            pytest.param(b"A: x\ry", id="bare-cr"),
            pytest.param(b"A: x\ny", id="bare-lf"),
            pytest.param(b"A: x\nB: y", id="bare-lf-as-line-end"),
            pytest.param(b"A: x\r\r", id="two-crs"),
            pytest.param(b"A: x\r", id="cr-before-the-end"),
            pytest.param(b"A: x\n", id="lf-before-the-end"),
            pytest.param(b"A: x\n\rB: y", id="lf-cr"),
        ],
    )
    def test_malformed_line(self, line: bytes) -> None:
        for lines in ([line], [b"Good: 1", line], [line, b"Good: 1"]):
            with pytest.raises(InvalidMessage):
                split_head(head_of(*lines))

    @pytest.mark.parametrize("octet", [0x0B, 0x0C, 0x1C, 0x1D, 0x1E, 0x85])
    def test_what_splitlines_would_split(self, octet: int) -> None:  # CVE-2026-44546
        with pytest.raises(InvalidMessage, match=f"0x{octet:02x}"):
            split_head(head_of(b"A: x" + bytes([octet]) + b"Injected: y"))

    @pytest.mark.parametrize("head", [b"", b"\r\n", b"FIRST\r\n", b"FIRST\n\n", b"FIRST"])
    def test_incomplete(self, head: bytes) -> None:
        with pytest.raises(InvalidMessage):
            split_head(head)

    def test_limits_are_inclusive(self) -> None:
        head = head_of(b"A: " + b"x" * 7, b"B: y")
        assert len(split_head(head, max_head=len(head), max_line=10, max_headers=2)[1]) == 2
        with pytest.raises(SecurityError, match=f"of {len(head)} octets is over the limit"):
            split_head(head, max_head=len(head) - 1)
        with pytest.raises(HeaderLineTooLong):
            split_head(head, max_line=9)
        with pytest.raises(TooManyHeaders):
            split_head(head, max_headers=1)

    @pytest.mark.parametrize("count", [101, 1000, 2000, 10_000])  # CVE-2024-37890
    def test_many_headers(self, count: int) -> None:
        with pytest.raises(TooManyHeaders):
            split_head(head_of(*[b"A: x"] * count), max_headers=100)

    @pytest.mark.parametrize("size", [255, 256, 257, 65_535, 65_536, 65_537])  # CVE-2021-40346
    def test_name_of_any_length_is_itself(self, size: int) -> None:
        name = "n" * size
        assert list(split_head(head_of(f"{name}: x".encode()))[1].raw_items()) == [(name, "x")]

    @pytest.mark.parametrize("name", ["__class__", "__proto__", "constructor", "__init__"])
    def test_names_of_attributes_are_names(self, name: str) -> None:  # GHSA-5v72-xg48-5rpm
        assert split_head(head_of(f"{name}: x".encode()))[1][name] == "x"

    def test_maps_are_not_shared(self) -> None:  # CVE-2020-35681
        heads = [split_head(head_of(f"A: {number}".encode()))[1] for number in range(1000)]
        assert [headers["A"] for headers in heads] == [str(number) for number in range(1000)]


@pytest.mark.parametrize(
    "text",
    [
        *("", "+1", "-0", "-1", "1_0", "0x10", "1.0", "1e3", "1,", "1, 1", "5, 5", "5 5", "a", "½"),
        *("1 1", "٣", "²", "1\u0660", "0b1", "0o7", "inf", "nan", "1L", "1;", "'1'", "--1", "+"),
        "9" * 19,
        "1" * 5000,
    ],
)
def test_content_length_is_digits(text: str) -> None:  # CVE-2025-69225, RFC 9110 8.6
    headers = Headers()
    headers.add_trusted("Content-Length", text)
    with pytest.raises(InvalidHeaderValue):
        content_length(headers)


def test_content_length() -> None:
    assert content_length(Headers()) is None
    assert content_length(Headers({"Content-Length": "0"})) == 0
    assert content_length(Headers({"Content-Length": "007"})) == 7
    assert content_length(Headers({"Content-Length": "9" * 18})) == 10**18 - 1


@pytest.mark.parametrize("values", [("5", "5"), ("5", "6"), ("", "5")])
def test_content_length_only_once(values: tuple[str, str]) -> None:  # RFC 9112 6.3
    with pytest.raises(InvalidHeaderValue):
        content_length(Headers([("Content-Length", value) for value in values]))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", ["a"]),
        ("a,b", ["a", "b"]),
        ("a , b\t,\tc", ["a", "b", "c"]),
        (",a,,b,", ["a", "b"]),  # RFC 9110 5.6.1.2
        (" , ,a", ["a"]),
        ("a, a", ["a", "a"]),
        (TCHAR, [TCHAR]),
    ],
)
def test_tokens(text: str, expected: list[str]) -> None:
    assert parse_tokens("Connection", text) == expected


@pytest.mark.parametrize(
    ("text", "pos"),
    [
        ("", 0),
        (",", 1),
        (" , ", 3),
        ("a b", 2),
        ("a;b", 1),
        ('"a"', 0),
        ("a,(", 2),
        ("a/1", 1),
        ("é", 0),
        ("a\x0b", 1),
        ("a, \u2003", 3),
    ],
)
def test_not_tokens(text: str, pos: int) -> None:
    with pytest.raises(InvalidHeaderFormat) as caught:
        parse_tokens("Connection", text)
    assert (caught.value.name, caught.value.pos) == ("Connection", pos)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("websocket", ["websocket"]),
        ("HTTP/2.0, SHTTP/1.3, IRC/6.9, RTA/x11", ["HTTP/2.0", "SHTTP/1.3", "IRC/6.9", "RTA/x11"]),
        ("h2c,,websocket", ["h2c", "websocket"]),
    ],
)
def test_upgrade(text: str, expected: list[str]) -> None:  # RFC 9110 7.8
    assert parse_upgrade(text) == expected


@pytest.mark.parametrize("text", ["", "web socket", "websocket/", "/13", "a/b/c", "websocket /13"])
def test_not_upgrade(text: str) -> None:
    with pytest.raises(InvalidHeaderFormat):
        parse_upgrade(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("foo", [("foo", [])]),
        ("foo, bar", [("foo", []), ("bar", [])]),
        (",foo,,bar,", [("foo", []), ("bar", [])]),
        ("foo; a", [("foo", [("a", None)])]),
        ("foo;a=1;b", [("foo", [("a", "1"), ("b", None)])]),
        ("foo ; a = 1 , bar", [("foo", [("a", "1")]), ("bar", [])]),
        ('foo; a="10"', [("foo", [("a", "10")])]),
        ('foo; a="\\1\\0"; b', [("foo", [("a", "10"), ("b", None)])]),
        ("foo; a; a", [("foo", [("a", None), ("a", None)])]),
        ("__class__; __proto__=constructor", [("__class__", [("__proto__", "constructor")])]),
        (
            "permessage-deflate; client_max_window_bits; server_max_window_bits=10",
            [
                (
                    "permessage-deflate",
                    [("client_max_window_bits", None), ("server_max_window_bits", "10")],
                )
            ],
        ),
    ],
)
def test_extensions(text: str, expected: list[object]) -> None:  # RFC 6455 9.1
    assert parse_extensions(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        *("", ",", ";", "=x", "a b", "a;", "a; ;b", "a;b;", "a;=1", "a;b=", "a;b=,c", "a=1"),
        *('"a"', 'a;"b"', '"unterminated', 'a;b="unterminated', 'a;b=""', 'a;b="c d"', 'a;b="c"d'),
        *(
            'a;b="c\\',
            'a;b="\\"',
            'a;b="\\\\"',
            'a;b="c,d"',
            "a;b=c d",
            "a;b c",
            "a/b",
            "é",
            "a;b=é",
        ),
    ],
)
def test_not_extensions(text: str) -> None:  # RFC 6455 9.1
    with pytest.raises(InvalidHeaderFormat) as caught:
        parse_extensions(text)
    assert caught.value.name == "Sec-WebSocket-Extensions"
    assert str(caught.value).isprintable()


# Each would take minutes in a grammar that backtracks (CVE-2021-32640, CVE-2020-7662).
SLOW = [
    " " * 32_000 + "@",
    "a" + " " * 32_000 + "@",
    "a," * 16_000 + "@",
    "a" * 50_000 + "@",
    "," * 50_000,
    'a;b="' + "\\" * 50_000,
    'a;b="' + "\\a" * 50_000,
    'a;b="' + "a" * 50_000,
    "a;" * 50_000,
    "a;b=" * 50_000,
    "a" + ";b=c" * 50_000 + ";",
]


@pytest.mark.parametrize(
    "parse", [parse_extensions, parse_upgrade, lambda text: parse_tokens("X", text)]
)
@pytest.mark.parametrize("text", SLOW, ids=range(len(SLOW)))
def test_hostile_lists_end_soon(parse: Callable[[str], object], text: str) -> None:
    with pytest.raises(InvalidHeaderFormat):
        parse(text)


@given(st.text(st.sampled_from('ab;=,"\\ \t@é'), max_size=20))
def test_extensions_as_websockets_reads_them(text: str) -> None:
    text = text.strip(" \t")  # as the values of headers are
    try:
        theirs: object = [(name, list(parameters)) for name, parameters in parse_extension(text)]
    except TheirInvalidHeaderFormat:
        theirs = None
    try:
        ours: object = parse_extensions(text)
    except InvalidHeaderFormat:
        ours = None
    assert ours == theirs


LINES = st.lists(st.binary(max_size=30) | st.sampled_from([b"A: x", b"B:", b" c", b"\r", b"\n"]))


@given(st.binary() | LINES.map(lambda lines: head_of(*lines)))
@example(b"FIRST" + b" " * 50_000 + b"\r\n\r\n")
@example(head_of(b"A:" + b" \t" * 50_000 + b"x" + b" \t" * 50_000))
def test_any_octets_are_split_or_refused(head: bytes) -> None:
    try:
        first, headers = split_head(head, max_head=1_000_000)
    except InvalidHandshake:
        return
    assert not {"\r", "\n", "\x00"} & set(first + "".join(map("".join, headers.raw_items())))
    # What was read can be written, and reads the same again.
    again = split_head(first.encode("latin-1") + b"\r\n" + headers.serialize())
    assert again == (first, headers)
