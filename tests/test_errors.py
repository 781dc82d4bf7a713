"""The tree of exceptions: what each says, who inherits from whom, what OK means."""

from __future__ import annotations

import copy
import inspect
import pickle

import pytest

from longlink import errors
from longlink.errors import (
    Close,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    DatagramTooLong,
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderFormat,
    InvalidHeaderName,
    InvalidHeaderValue,
    InvalidHost,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidProtocol,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    LineClosed,
    LineFailed,
    LineTimeout,
    LineTooLong,
    LocalProtocolError,
    LonglinkError,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    RemoteProtocolError,
    RequestLineTooLong,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
    UnknownLimit,
    connection_closed,
    shorten,
)
from longlink.wire.response import Response

NORMAL, AWAY, EMPTY, FAULT = Close(1000), Close(1001), Close(1005), Close(1002, "bad opcode")
MINE, OTHER = Close(4001, "done"), Close(4002)

TEXTS = [
    (RemoteProtocolError("reserved opcode 3", 1002, "5.2"), "reserved opcode 3"),
    (LocalProtocolError("close code 1006 may not be sent"), "close code 1006 may not be sent"),
    (PayloadTooBig("message over 5 octets"), "message over 5 octets"),
    (InvalidMessage("no request line"), "no request line"),
    (InvalidStatus(Response(404, "Not Found")), "server answered 404 'Not Found' instead of 101"),
    (
        InvalidStatus(Response(403, "No", body=b" not\n\nfrom \x1b[31mthere\n")),
        r"server answered 403 'No' instead of 101: 'not from \x1b[31mthere'",
    ),
    (
        InvalidStatus(Response(403, "No such door", body=b"No such\ndoor\n")),
        "server answered 403 'No such door' instead of 101",
    ),
    (
        InvalidStatus(Response(403, "No", body=b"x" * 1000)),
        f"server answered 403 'No' instead of 101: '{'x' * 80}'…",
    ),
    (
        InvalidStatus(Response(403, "No", body=b"<!DOCTYPE html>")),
        "server answered 403 'No' instead of 101",
    ),
    (
        InvalidStatus(Response(403, "No", body=b"\x1f\x8b\x08\x00")),
        "server answered 403 'No' instead of 101",
    ),
    (InvalidMethod("POST"), "method is 'POST', expected GET"),
    (InvalidProtocol("HTTP/2.0"), "protocol is 'HTTP/2.0', expected HTTP/1.1"),
    (SecurityError("head is too long"), "head is too long"),
    (RequestLineTooLong(9), "request line is over the limit of 9 octets"),
    (StatusLineTooLong(9), "status line is over the limit of 9 octets"),
    (HeaderLineTooLong(9), "header line is over the limit of 9 octets"),
    (TooManyHeaders(9), "more than the limit of 9 headers"),
    (InvalidHeader("Host"), "missing header 'Host'"),
    (InvalidHeader("Host", ""), "invalid header 'Host': ''"),
    (InvalidHeaderValue("Host", "a b", "a host"), "invalid header 'Host': 'a b', expected a host"),
    (InvalidHeaderName("a b", ""), "invalid header 'a b': ''"),
    (
        InvalidHeaderFormat("Upgrade", "token", "a, @", 3),
        "invalid header 'Upgrade': token expected at 3, found '@'",
    ),
    (
        InvalidHeaderFormat("Upgrade", "token", "", 0),
        "invalid header 'Upgrade': token expected at 0, found the end",
    ),
    (InvalidUpgrade("Upgrade", "h2c"), "invalid header 'Upgrade': 'h2c'"),
    (InvalidHost("Host", "evil"), "invalid header 'Host': 'evil'"),
    (InvalidOrigin("null"), "invalid header 'Origin': 'null'"),
    (InvalidOrigin(None, "a page"), "missing header 'Origin', expected a page"),
    (
        InvalidHeaderValue("Authorization", "Bearer hunter2\n", "one line"),
        "invalid header 'Authorization': …, expected one line",
    ),
    (
        InvalidHeaderFormat("X-Api-Key", "token", "hunter2", 0),
        "invalid header 'X-Api-Key': token expected at 0, found …",
    ),
    (
        InvalidHeaderFormat("X-Api-Key", "token", "", 0),
        "invalid header 'X-Api-Key': token expected at 0, found the end",
    ),
    (InvalidHeader("Sec-WebSocket-Key", "short"), "invalid header 'Sec-WebSocket-Key': 'short'"),
    (NegotiationError("no common subprotocol"), "no common subprotocol"),
    (InvalidURI("http://h", "wrong scheme"), "invalid URI 'http://h': wrong scheme"),
    (InvalidURI("ws://u:hunter2@h#", "fragment"), "invalid URI 'ws://…@h#': fragment"),
    (InvalidURI("ws://u:hun/t@er2@h", "host"), "invalid URI 'ws://…@h': host"),
    (InvalidURI("u:hunter2@h", "no scheme"), "invalid URI '…@h': no scheme"),
    (InvalidProxy("ftp://u:hun://ter2@h", "scheme"), "invalid proxy 'ftp://…@h': scheme"),
    (InvalidProxyMessage("no status line"), "no status line"),
    (InvalidProxyStatus(Response(407, "Who")), "proxy answered 407 'Who' instead of 2xx"),
    (
        InvalidProxyStatus(Response(407, "Who", body="wer\u202e?".encode())),
        r"proxy answered 407 'Who' instead of 2xx: 'wer\u202e?'",
    ),
    (ConnectionClosed(None, None), "connection lost: no close frame in either direction"),
    (ConnectionClosed(None, NORMAL), "closed by us with 1000 (OK), never answered"),
    (
        ConnectionClosed(FAULT, None),
        "closed by the peer with 1002 (protocol error) bad opcode, not answered by us",
    ),
    (
        ConnectionClosed(AWAY, AWAY, True),
        "closed by the peer with 1001 (going away), answered with 1001 (going away)",
    ),
    (
        ConnectionClosed(NORMAL, MINE, False),
        "closed by us with 4001 (private use) done, answered with 1000 (OK)",
    ),
    (LineTooLong("line longer than 80 bytes"), "line longer than 80 bytes"),
    (LineTimeout("no line came for 5 s"), "no line came for 5 s"),
    (DatagramTooLong("datagram of 70000 bytes"), "datagram of 70000 bytes"),
    (UnknownLimit("unknown limit 'max_sise'"), "unknown limit 'max_sise'"),
]


@pytest.mark.parametrize(("error", "text"), TEXTS, ids=lambda value: type(value).__name__)
def test_message_is_one_clause_with_value_and_limit(error: LonglinkError, text: str) -> None:
    assert str(error) == text


@pytest.mark.parametrize("error", [row[0] for row in TEXTS], ids=lambda value: type(value).__name__)
def test_copies_say_the_same(error: LonglinkError) -> None:
    for twin in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert type(twin) is type(error)
        assert str(twin) == str(error)


@pytest.mark.parametrize("error", [row[0] for row in TEXTS], ids=lambda value: type(value).__name__)
def test_neither_message_nor_repr_tells_a_password(error: LonglinkError) -> None:
    assert "ter2" not in f"{error} {error!r}"


def classes() -> list[type[LonglinkError]]:
    found = [kind for _, kind in inspect.getmembers(errors, inspect.isclass)]
    return [
        kind
        for kind in found
        if issubclass(kind, LonglinkError) and not kind.__name__.startswith("_")
    ]


def test_tree_in_the_docstring_names_every_class() -> None:
    assert errors.__doc__ is not None
    assert {kind.__name__ for kind in classes() if kind.__name__ not in errors.__doc__} == set()


def test_every_leaf_has_a_row_in_the_table() -> None:
    leaves = {kind for kind in classes() if not kind.__subclasses__()}
    said = {type(error) for error, _ in TEXTS}
    assert leaves - said == {ConnectionClosedOK, ConnectionClosedError, errors.ConcurrencyError}


@pytest.mark.parametrize(
    ("kind", "parents"),
    [
        (RemoteProtocolError, (ProtocolError,)),
        (PayloadTooBig, (RemoteProtocolError, ProtocolError)),
        (LocalProtocolError, (ProtocolError,)),
        (RequestLineTooLong, (SecurityError, InvalidHandshake)),
        (InvalidHeaderValue, (InvalidHeader, InvalidHandshake, ValueError)),
        (InvalidHeaderName, (InvalidHeader, InvalidHandshake, ValueError)),
        (InvalidOrigin, (InvalidHeader, InvalidHandshake)),
        (ConnectionClosedOK, (ConnectionClosed,)),
        (ConnectionClosedError, (ConnectionClosed,)),
        (LineTooLong, (LineFailed, LineClosed)),
        (LineTimeout, (LineFailed, LineClosed, TimeoutError)),
        (UnknownLimit, (TypeError,)),
    ],
)
def test_parents(kind: type[Exception], parents: tuple[type[Exception], ...]) -> None:
    assert issubclass(kind, (LonglinkError, *parents))
    assert all(issubclass(kind, parent) for parent in parents)


def test_protocol_error_knows_code_and_section() -> None:
    error = RemoteProtocolError("bad text", close_code=1007, section="8.1")
    assert (error.close_code, error.section) == (1007, "8.1")
    assert (ProtocolError().close_code, ProtocolError().section) == (1002, "")
    big = errors.violation(1009, "7.4.1", "message over 5 octets")
    assert (type(big), big.close_code, big.section) == (PayloadTooBig, 1009, "7.4.1")
    assert type(errors.violation(1002, "5.2", "reserved opcode 3")) is RemoteProtocolError


def test_the_end_of_a_connection_names_its_cause() -> None:
    cause = RemoteProtocolError("reserved opcode 3", 1002, "5.2")
    closed = connection_closed(None, Close(1002, "reserved opcode 3", cause))
    assert closed.__cause__ is cause
    assert Close(1002, "x", cause) == Close(1002, "x")
    assert connection_closed(None, None).__cause__ is None
    assert connection_closed(None, Close(1011)).__cause__ is None


def test_invalid_handshake_shows_the_answer() -> None:
    response = Response(503, "Service Unavailable", body=b"later")
    error = InvalidStatus(response)
    assert (error.status, error.reason, error.body) == (503, "Service Unavailable", b"later")
    assert error.headers is response.headers


def test_invalid_handshake_without_an_answer() -> None:
    error = InvalidMessage("garbage")
    assert (error.response, error.status, error.reason) == (None, None, None)
    assert (error.headers, error.body) == (None, None)


@pytest.mark.parametrize(
    ("close", "text"),
    [
        (Close(1001, "bye"), "1001 (going away) bye"),
        (Close(1000), "1000 (OK)"),
        (Close(3000), "3000 (unauthorized)"),
        (Close(3999), "3999 (registered)"),
        (Close(4999), "4999 (private use)"),
        (Close(1016), "1016 (unassigned)"),
        (Close(5000), "5000 (unassigned)"),
    ],
)
def test_close_in_words(close: Close, text: str) -> None:
    assert str(close) == text


@pytest.mark.parametrize(
    ("rcvd", "sent", "rcvd_then_sent", "ok"),
    [
        pytest.param(NORMAL, NORMAL, True, True, id="normal"),
        pytest.param(AWAY, AWAY, False, True, id="going-away"),
        pytest.param(EMPTY, EMPTY, True, True, id="no-code-at-all"),
        pytest.param(MINE, MINE, False, True, id="our-application-code-echoed"),
        pytest.param(NORMAL, MINE, False, True, id="our-application-code-answered-1000"),
        pytest.param(MINE, MINE, True, False, id="their-application-code"),
        pytest.param(MINE, MINE, None, False, id="application-code-of-unknown-order"),
        pytest.param(OTHER, MINE, False, False, id="our-application-code-met-theirs"),
        pytest.param(FAULT, MINE, False, False, id="our-application-code-met-a-failure"),
        pytest.param(FAULT, FAULT, True, False, id="protocol-error"),
        pytest.param(NORMAL, FAULT, False, False, id="failed-by-us"),
        pytest.param(NORMAL, None, None, False, id="not-answered"),
        pytest.param(None, NORMAL, None, False, id="never-answered"),
        pytest.param(None, None, None, False, id="lost"),
    ],
)
def test_ok_is_peace_on_both_sides(
    rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None, ok: bool
) -> None:
    error = connection_closed(rcvd, sent, rcvd_then_sent)
    assert type(error) is (ConnectionClosedOK if ok else ConnectionClosedError)
    assert (error.rcvd, error.sent, error.rcvd_then_sent) == (rcvd, sent, rcvd_then_sent)


def test_code_and_reason_are_the_peers() -> None:
    error = ConnectionClosed(FAULT, NORMAL, True)
    assert (error.code, error.reason) == (1002, "bad opcode")


def test_without_a_close_frame_the_code_is_1006() -> None:  # RFC 6455 7.1.5
    error = ConnectionClosed(None, NORMAL)
    assert (error.code, error.reason) == (1006, "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("short", "'short'"),
        ("x" * 100, f"'{'x' * 80}'… (100 long)"),
        (b"x" * 100, f"b'{'x' * 80}'… (100 long)"),
        ("\x1b[2J\r\n\u202e", r"'\x1b[2J\r\n\u202e'"),
        (None, "None"),
    ],
)
def test_shorten(value: object, text: str) -> None:
    assert shorten(value) == text


@pytest.mark.parametrize("value", ["\x00" * 10**6, b"\xff" * 10**6, [0] * 10**5, "é" * 10**6])
def test_shorten_is_bounded(value: object) -> None:
    assert len(shorten(value)) < 500
