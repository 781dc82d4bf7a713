"""The client's half of the opening handshake: a request written, an answer judged."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from longlink.errors import (
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeaderFormat,
    InvalidHeaderName,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidProtocol,
    InvalidStatus,
    InvalidUpgrade,
    NegotiationError,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
)
from longlink.wire import uri
from longlink.wire.handshake import (
    Body,
    Headers,
    Refusal,
    Response,
    accept,
    accept_key,
    check_response,
    make_request,
    new_key,
    parse_request,
    parse_response,
)

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
LIMITS = {"max_head": 16_384, "max_line": 8192, "max_headers": 100}


def test_key_is_base64_of_the_entropy() -> None:  # RFC 6455 4.1
    assert new_key(b"the sample nonce") == KEY
    assert new_key(bytes(16)) == "AAAAAAAAAAAAAAAAAAAAAA=="


@pytest.mark.parametrize("size", [0, 15, 17])
def test_key_takes_16_octets(size: int) -> None:
    with pytest.raises(ValueError, match="expected 16"):
        new_key(bytes(size))


def test_accept_key() -> None:
    assert accept_key(KEY) == ACCEPT


class TestMakeRequest:
    def test_what_goes_out(self) -> None:  # RFC 6455 4.1
        assert make_request(uri.parse("ws://h"), KEY).serialize() == (
            b"GET / HTTP/1.1\r\n"
            b"Host: h\r\n"
            b"Upgrade: websocket\r\n"
            b"Connection: Upgrade\r\n"
            b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Version: 13\r\n"
            b"\r\n"
        )

    def test_with_everything(self) -> None:
        request = make_request(
            uri.parse("wss://u:p%40@[::1]:8008/a?b"),
            KEY,
            origin="http://page",
            subprotocols=["chat", "superchat"],
            extensions="permessage-deflate",
            additional_headers={"Cookie": "a=b", "X-Token": "1"},
            user_agent_header="longlink",
        )
        assert request.serialize().startswith(b"GET /a?b HTTP/1.1\r\nHost: [::1]:8008\r\n")
        assert list(request.headers.raw_items())[5:] == [
            ("Sec-WebSocket-Protocol", "chat, superchat"),
            ("Origin", "http://page"),
            ("Sec-WebSocket-Extensions", "permessage-deflate"),
            ("Authorization", "Basic dTpwQA=="),
            ("Cookie", "a=b"),
            ("X-Token", "1"),
            ("User-Agent", "longlink"),
        ]

    @pytest.mark.parametrize(
        ("text", "credentials"),
        [("ws://u@h", "dTo="), ("ws://%C3%A9:x@h", "w6k6eA=="), ("ws://:x@h", "Ong=")],
    )
    def test_credentials_of_the_uri(self, text: str, credentials: str) -> None:  # RFC 7617 2
        request = make_request(uri.parse(text), KEY)
        assert request.headers["Authorization"] == f"Basic {credentials}"
        assert "@" not in request.serialize().decode()

    def test_user_agent_of_the_caller_wins(self) -> None:
        request = make_request(
            uri.parse("ws://h"),
            KEY,
            additional_headers=[("user-agent", "mine")],
            user_agent_header="longlink",
        )
        assert request.headers.get_all("User-Agent") == ["mine"]

    def test_several_values_of_the_caller(self) -> None:
        more = Headers([("X", "1"), ("X", "2")])
        request = make_request(uri.parse("ws://h"), KEY, additional_headers=more, subprotocols=[])
        assert request.headers.get_all("X") == ["1", "2"]
        assert "Sec-WebSocket-Protocol" not in request.headers

    @pytest.mark.parametrize(
        ("options", "error"),
        [
            pytest.param({"origin": "http://a\r\nX: y"}, InvalidHeaderValue, id="origin-crlf"),
            pytest.param({"user_agent_header": "a\nb"}, InvalidHeaderValue, id="user-agent-lf"),
            pytest.param({"subprotocols": ["a\r\nb"]}, InvalidHeaderValue, id="subprotocol-crlf"),
            pytest.param({"subprotocols": ["a b"]}, InvalidHeaderValue, id="subprotocol-no-token"),
            pytest.param({"subprotocols": ["a", "a"]}, InvalidHeaderValue, id="subprotocol-twice"),
            pytest.param({"subprotocols": "chat"}, TypeError, id="subprotocols-string"),
            pytest.param({"extensions": "a\r\n"}, InvalidHeaderValue, id="extensions-crlf"),
            *(
                pytest.param({"additional_headers": {name: value}}, error, id=f"{name!r}-{value!r}")
                for name, value, error in [
                    ("X", "a\r\nY: b", InvalidHeaderValue),
                    ("X", "a\x00", InvalidHeaderValue),
                    ("X", "日本", InvalidHeaderValue),
                    ("X Y", "a", InvalidHeaderName),
                    ("", "a", InvalidHeaderName),
                    ("X:", "a", InvalidHeaderName),
                    ("Host", "evil", InvalidHeaderValue),
                    ("upgrade", "h2c", InvalidHeaderValue),
                    ("Connection", "close", InvalidHeaderValue),
                    ("Sec-WebSocket-Key", KEY, InvalidHeaderValue),
                    ("SEC-WEBSOCKET-VERSION", "8", InvalidHeaderValue),
                    ("Sec-WebSocket-Protocol", "chat", InvalidHeaderValue),
                    ("Sec-WebSocket-Extensions", "x", InvalidHeaderValue),
                    ("Sec-WebSocket-Accept", "x", InvalidHeaderValue),
                    ("Content-Length", "0", InvalidHeaderValue),
                    ("Transfer-Encoding", "chunked", InvalidHeaderValue),
                ]
            ),
            pytest.param(
                {"origin": "http://a", "additional_headers": {"Origin": "http://b"}},
                InvalidHeaderValue,
                id="origin-twice",
            ),
        ],
    )
    def test_refused(self, options: dict[str, Any], error: type[Exception]) -> None:
        with pytest.raises(error):
            make_request(uri.parse("ws://h"), KEY, **options)

    def test_caller_may_not_repeat_the_credentials(self) -> None:
        with pytest.raises(InvalidHeaderValue):
            make_request(uri.parse("ws://u:p@h"), KEY, additional_headers={"authorization": "x"})

    def test_our_server_takes_it(self) -> None:
        request = make_request(uri.parse("ws://h:8008/a?b"), KEY, subprotocols=["a", "b"])
        read = parse_request(request.serialize(), **LIMITS)
        assert read == request
        response = accept(read, subprotocols=["b"])
        written = parse_response(response.serialize(), **LIMITS)
        assert check_response(written, KEY, ["a", "b"]) == "b"


GOOD = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Accept": ACCEPT}


def answered(status: int = 101, **changes: str | list[str] | None) -> Response:
    """A good answer, changed: None leaves a header out, a list repeats it."""
    fields: dict[str, str | list[str] | None] = {
        **GOOD,
        **{name.replace("_", "-"): value for name, value in changes.items()},
    }
    headers = Headers()
    for name, value in fields.items():
        for one in [value] if isinstance(value, str) else value or []:
            headers.add_trusted(name, one)
    return Response(status, "Switching Protocols", headers)


class TestCheckResponse:
    @pytest.mark.parametrize(
        "changes",
        [
            pytest.param({}, id="plain"),
            pytest.param({"Upgrade": "WebSocket"}, id="upgrade-in-any-case"),
            pytest.param({"Connection": "upgrade"}, id="connection-in-any-case"),
            pytest.param({"Connection": "keep-alive, Upgrade"}, id="connection-list"),
            pytest.param({"Connection": ["keep-alive", "upgrade"]}, id="connection-on-two-lines"),
            pytest.param({"Content_Length": "0"}, id="length-of-nothing"),  # RFC 9112 6.3
            pytest.param({"Server": "x", "Date": "y"}, id="other-headers"),
        ],
    )
    def test_good(self, changes: dict[str, Any]) -> None:
        assert check_response(answered(**changes), KEY) is None
        assert check_response(answered(**changes), KEY, ["chat"]) is None

    @pytest.mark.parametrize(
        ("changes", "error"),
        [
            *(
                pytest.param({"status": status}, InvalidStatus, id=f"status-{status}")
                for status in (100, 102, 103, 200, 204, 301, 401, 404, 426, 503)
            ),
            # RFC 6455 4.1: Upgrade is one value, Connection a list
            pytest.param({"Upgrade": None}, InvalidUpgrade, id="upgrade-missing"),
            *(
                pytest.param({"Upgrade": value}, InvalidUpgrade, id=f"upgrade-{value!r}")
                for value in ("", "websockets", "h2c", "websocket, h2c", "websocket/13")
            ),
            pytest.param({"Upgrade": ["websocket"] * 2}, InvalidUpgrade, id="upgrade-twice"),
            pytest.param({"Connection": None}, InvalidUpgrade, id="connection-missing"),
            *(
                pytest.param({"Connection": value}, InvalidUpgrade, id=f"connection-{value!r}")
                for value in ("", "close", "keep-alive", "upgraded", "up grade")
            ),
            # RFC 6455 4.1, 11.3.3
            pytest.param({"Sec_WebSocket_Accept": None}, InvalidHeaderValue, id="accept-missing"),
            *(
                pytest.param(
                    {"Sec_WebSocket_Accept": value}, InvalidHeaderValue, id=f"accept-{word}"
                )
                for value, word in [
                    ("", "empty"),
                    (accept_key("AAAAAAAAAAAAAAAAAAAAAA=="), "of-another-key"),
                    (KEY, "is-the-key"),
                    (ACCEPT.lower(), "in-lower-case"),
                    (ACCEPT.upper(), "in-upper-case"),
                    (ACCEPT.rstrip("="), "without-padding"),
                    (f'"{ACCEPT}"', "quoted"),
                    ([ACCEPT, ACCEPT], "twice"),
                ]
            ),
            # RFC 6455 4.1, 11.3.4
            *(
                pytest.param(
                    {"Sec_WebSocket_Protocol": value}, NegotiationError, id=f"protocol-{value!r}"
                )
                for value in ("", "other", "Chat", "chat, superchat")
            ),
            pytest.param(
                {"Sec_WebSocket_Protocol": ["chat", "chat"]},
                InvalidHeaderValue,
                id="protocol-twice",
            ),
            # RFC 6455 9.1
            pytest.param({"Sec_WebSocket_Extensions": "x"}, NegotiationError, id="extension"),
            pytest.param(
                {"Sec_WebSocket_Extensions": "x, x"}, NegotiationError, id="extension-twice"
            ),
            pytest.param({"Sec_WebSocket_Extensions": ";"}, InvalidHeaderFormat, id="no-extension"),
            pytest.param(
                {"Sec_WebSocket_Extensions": ""}, InvalidHeaderFormat, id="extension-empty"
            ),
        ],
    )
    def test_bad(self, changes: dict[str, Any], error: type[InvalidHandshake]) -> None:
        response = answered(**changes)
        with pytest.raises(error) as caught:
            check_response(response, KEY, ["chat", "superchat"])
        assert caught.value.response is response
        assert caught.value.headers is response.headers
        assert str(caught.value).isprintable()

    def test_subprotocol(self) -> None:
        response = answered(Sec_WebSocket_Protocol="superchat")
        assert check_response(response, KEY, ["chat", "superchat"]) == "superchat"
        with pytest.raises(NegotiationError):
            check_response(response, KEY)

    def test_extensions_are_judged_by_who_offered_them(self) -> None:
        agreed: list[Any] = []
        response = answered(Sec_WebSocket_Extensions="a; b=1")
        check_response(response, KEY, extensions=agreed.append)
        assert agreed == [[("a", [("b", "1")])]]
        check_response(answered(), KEY, extensions=agreed.append)
        assert len(agreed) == 1


class TestParseResponse:
    def test_read(self) -> None:
        head = b"HTTP/1.1 101 Switching Protocols\r\nA: b\r\n\r\n"
        expected = Response(101, "Switching Protocols", Headers(A="b"))
        assert parse_response(head, **LIMITS) == expected
        assert parse_response(bytearray(head)) == expected

    @pytest.mark.parametrize(
        ("line", "status", "reason"),
        [
            (b"HTTP/1.1 404 Not Found", 404, "Not Found"),
            (b"HTTP/1.1 404 ", 404, ""),
            (b"HTTP/1.1 404 a\t b ", 404, "a\t b "),
            (b"HTTP/1.1 404 \xe9", 404, "é"),
            (b"HTTP/1.0 503 Busy", 503, "Busy"),
            (b"HTTP/1.2 101 Yes", 101, "Yes"),  # RFC 9110 2.5
            (b"HTTP/1.1 599 x", 599, "x"),
        ],
    )
    def test_status_line(self, line: bytes, status: int, reason: str) -> None:
        response = parse_response(line + b"\r\n\r\n", **LIMITS)
        assert (response.status_code, response.reason_phrase) == (status, reason)

    @pytest.mark.parametrize(
        "line",
        [
            *(b"", b"HTTP/1.1", b"HTTP/1.1 101", b"HTTP/1.1  101 x", b"HTTP/1.1 101\tx", b"101 x"),
            *(b"HTTP/1.1 10 x", b"HTTP/1.1 1010 x", b"HTTP/1.1 +10 x", b"HTTP/1.1 1_1 x"),
            *(b"HTTP/1.1 600 x", b"HTTP/1.1 099 x", b"HTTP/1.1 \xb9\xb2\xb3 x", b"http/1.1 101 x"),
            *(
                b"HTTP/11 101 x",
                b"HTTP/1.1x 101 x",
                b"ICY 200 OK",
                b"GET / HTTP/1.1",
                b"HTTP/1.1 101 \x00",
            ),
            *(b"SSH-2.0-OpenSSH_9.2", b"\x15\x03\x01\x00\x02\x02\x46", b"HTTP/1.1 101 a\rb"),
        ],
    )
    def test_malformed_status_line(self, line: bytes) -> None:  # RFC 9112 4
        with pytest.raises(InvalidMessage):
            parse_response(line + b"\r\n\r\n", **LIMITS)

    @pytest.mark.parametrize("line", [b"HTTP/2.0 101 x", b"HTTP/0.9 200 x", b"HTTP/1.0 101 x"])
    def test_other_versions(self, line: bytes) -> None:
        with pytest.raises(InvalidProtocol):
            parse_response(line + b"\r\n\r\n", **LIMITS)

    @pytest.mark.parametrize(
        ("head", "error"),
        [
            (b"HTTP/1.1 101 " + b"a" * 9000 + b"\r\n\r\n", StatusLineTooLong),
            (b"a" * 9000, StatusLineTooLong),
            (b"HTTP/1.1 101 x\r\nA: " + b"a" * 9000 + b"\r\n\r\n", HeaderLineTooLong),
            (b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 101 + b"\r\n", TooManyHeaders),
            (b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 10_000, SecurityError),
            (b"HTTP/1.1 101 x\r\nA : b\r\n\r\n", InvalidMessage),
            (b"HTTP/1.1 101 x\nA: b\n\n", InvalidMessage),
            (b"", InvalidMessage),
        ],
    )
    def test_limits_and_lines(self, head: bytes, error: type[InvalidHandshake]) -> None:
        with pytest.raises(error):
            parse_response(head, **LIMITS)

    @pytest.mark.parametrize(
        ("status", "interim"), [(100, True), (101, False), (103, True), (200, False), (503, False)]
    )
    def test_interim(self, status: int, interim: bool) -> None:  # RFC 9110 15.2
        assert Response(status, "").interim is interim

    def test_every_truncated_head_is_refused(self) -> None:
        head = accept(parse_request(make_request(uri.parse("ws://h"), KEY).serialize())).serialize()
        for size in range(len(head)):
            with pytest.raises(InvalidHandshake):
                parse_response(head[:size], **LIMITS)


CHUNKED = {"Transfer-Encoding": "chunked"}


class TestBody:
    @pytest.mark.parametrize("step", [1, 2, 3, 7, 1000])
    @pytest.mark.parametrize(
        ("headers", "octets", "content", "done"),
        [
            pytest.param({"Content-Length": "5"}, b"hello", b"hello", True, id="length"),
            pytest.param(
                {"Content-Length": "5"}, b"hello more", b"hello", True, id="length-and-more"
            ),
            pytest.param({"Content-Length": "9"}, b"hello", b"hello", False, id="cut"),
            pytest.param(
                {"Content-Length": "999"}, b"a" * 99, b"a" * 20, True, id="over-the-limit"
            ),
            pytest.param({"Content-Length": "0"}, b"x", b"", True, id="empty"),
            pytest.param({"Content-Length": "+5"}, b"hello", b"", True, id="no-length"),
            pytest.param({}, b"hello", b"hello", False, id="until-the-end"),
            pytest.param({}, b"a" * 99, b"a" * 20, True, id="until-the-limit"),
            pytest.param(
                {"Transfer-Encoding": "gzip"}, b"hello", b"hello", False, id="other-coding"
            ),
            pytest.param(CHUNKED, b"5\r\nhello\r\n0\r\n\r\n", b"hello", True, id="chunk"),
            pytest.param(
                CHUNKED, b"2\r\nhe\r\n03;x=y\r\nllo\r\n0\r\n", b"hello", True, id="chunks"
            ),
            pytest.param(CHUNKED, b"A\r\n0123456789\r\n", b"0123456789", False, id="chunk-by-hex"),
            pytest.param(
                CHUNKED, b"63\r\n" + b"a" * 99, b"a" * 20, True, id="chunk-over-the-limit"
            ),
            pytest.param(CHUNKED, b"2\r\nhe\r\n2\r\nl", b"hel", False, id="chunk-cut"),
            pytest.param(CHUNKED, b"0\r\n\r\n", b"", True, id="no-chunk"),
            pytest.param(CHUNKED, b"x\r\nhello", b"", True, id="chunk-without-size"),
            pytest.param(CHUNKED, b"+5\r\nhello", b"", True, id="chunk-signed"),
            pytest.param(CHUNKED, b"0x5\r\nhello", b"", True, id="chunk-prefixed"),
            pytest.param(CHUNKED, b"5\r\nhelloXX5\r\n", b"hello", True, id="chunk-without-end"),
            pytest.param(CHUNKED, b"5" * 300, b"", True, id="chunk-size-endless"),
            pytest.param(CHUNKED, b"FFFFFFFFF\r\nhello", b"", True, id="chunk-size-huge"),
        ],
    )
    def test_collected(
        self, step: int, headers: dict[str, str], octets: bytes, content: bytes, done: bool
    ) -> None:
        body = Body(Response(404, "Not Found", Headers(headers)), 20)
        for at in range(0, len(octets), step):
            assert body.feed(octets[at : at + step]) is body.done
        assert (body.content, body.done) == (content, done)

    @pytest.mark.parametrize("status", [101, 103, 204, 304])
    def test_none_by_status(self, status: int) -> None:  # RFC 9112 6.3
        body = Body(Response(status, "", Headers({"Content-Length": "5"})), 20)
        assert body.done
        assert body.feed(b"hello")
        assert body.content == b""

    def test_length_beside_chunks_is_ignored(self) -> None:  # RFC 9112 6.3
        body = Body(Response(200, "OK", Headers(CHUNKED | {"Content-Length": "1"})), 20)
        assert body.feed(b"2\r\nhe\r\n0\r\n")
        assert body.content == b"he"

    def test_none_wanted(self) -> None:
        assert Body(Response(200, "OK"), 0).done

    @given(st.lists(st.binary(max_size=20)), st.booleans())
    def test_bounded_whatever_comes(self, pieces: list[bytes], chunked: bool) -> None:
        body = Body(Response(200, "OK", Headers(CHUNKED if chunked else {})), 20)
        for piece in pieces:
            body.feed(piece)
        assert len(body.content) <= 20


ANSWER = accept(parse_request(make_request(uri.parse("ws://h"), KEY).serialize())).serialize()


def mutated(changes: list[tuple[int, int, bytes]]) -> bytes:
    octets = ANSWER
    for at, size, new in changes:
        octets = octets[:at] + new + octets[at + size :]
    return octets


MUTATIONS = st.lists(
    st.tuples(st.integers(0, len(ANSWER)), st.integers(0, 8), st.binary(max_size=4)), max_size=4
)


@given(st.binary() | MUTATIONS.map(mutated))
@example(ANSWER[:-2] + b"Sec-WebSocket-Extensions: " + b'a;b="' + b"\\" * 8000 + b"\r\n\r\n")
@example(ANSWER[:-2] + b"Sec-WebSocket-Protocol:" + b" " * 8000 + b"x\r\n\r\n")
def test_any_octets_are_believed_or_refused(octets: bytes) -> None:
    try:
        response = parse_response(octets, **LIMITS)
        assert check_response(response, KEY, ["chat"]) in (None, "chat")
    except Refusal:
        pytest.fail("a refusal is for servers")
    except InvalidHandshake:
        pass
