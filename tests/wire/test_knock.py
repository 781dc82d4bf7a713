"""The glance at ordinary handshakes says what the close look says, or nothing."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from longlink.wire.answer import common_answer, own_answer, whole_answer
from longlink.wire.handshake import Refusal, accept, add_server_headers, agree, prefer
from longlink.wire.knock import knock_of
from longlink.wire.request import knock_behind, late_request, parse_request

KEY = "dGhlIHNhbXBsZSBub25jZQ=="
LIMITS = {"max_head": 16_384, "max_line": 8192, "max_headers": 100}
NOW = 1_700_000_000

ORDINARY = {
    "Host": "localhost:54321",
    "Upgrade": "websocket",
    "Connection": "Upgrade",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Version": "13",
}
CHROME = {
    "Host": "127.0.0.1:8000",
    "Connection": "Upgrade",
    "Pragma": "no-cache",
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)",
    "Upgrade": "websocket",
    "Origin": "http://127.0.0.1:8000",
    "Sec-WebSocket-Version": "13",
    "Accept-Encoding": "gzip, deflate, br, zstd",
    "Sec-WebSocket-Key": KEY,
    "Sec-WebSocket-Protocol": "chat, superchat",
    "Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits",
}


def head_of(headers: dict[str, Any], line: str = "GET /a?b=c HTTP/1.1") -> bytes:
    lines = [line, *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode("latin-1") + b"\r\n"


def glance(head: bytes) -> bytes | None:
    """The answer to an ordinary handshake; None for any other."""
    knock = knock_of(head, **LIMITS)
    if knock is None:
        return None
    agreed = agree(
        knock,
        select_subprotocol=prefer(["superchat"]),
        connection=None,
        origins=None,
        hosts=None,
        extensions=lambda offers: offers[0][0],
    )
    return own_answer(common_answer(*agreed, "us", NOW), knock.key)


def close_look(head: bytes) -> bytes:
    request = parse_request(head, **LIMITS)
    response = accept(
        request,
        subprotocols=["superchat"],
        origins=None,
        extensions=lambda offers: offers[0][0],
    )
    add_server_headers(response, "us", NOW)
    return response.serialize()


@pytest.mark.parametrize(
    "headers",
    [
        ORDINARY,
        CHROME,
        ORDINARY | {"Connection": "keep-alive, Upgrade"},
        ORDINARY | {"Host": "example.com"},
        {name.lower(): value for name, value in CHROME.items()},
    ],
)
def test_what_browsers_and_libraries_send_is_ordinary(headers: dict[str, str]) -> None:
    head = head_of(headers)
    assert glance(head) == close_look(head)


@pytest.mark.parametrize(
    "changed",
    [
        {"Host": "[::1]:80"},
        {"Host": "h:65000"},
        {"Upgrade": "WebSocket"},
        {"Connection": "close, upgrade"},
        {"Sec-WebSocket-Version": "8"},
        {"Sec-WebSocket-Key": "short"},
        {"Expect": "100-continue"},
        {"Content-Length": "0"},
        {"Transfer-Encoding": "chunked"},
        {"X": "caf\xe9"},
        {"host": "h"},
        {"": "nameless"},
        {"Bad name": "x"},
    ],
)
def test_anything_else_is_looked_at_closely(changed: dict[str, str]) -> None:
    assert glance(head_of(ORDINARY | changed)) is None


@pytest.mark.parametrize("missing", ORDINARY)
def test_nothing_may_be_missing(missing: str) -> None:
    headers = {name: value for name, value in ORDINARY.items() if name != missing}
    assert glance(head_of(headers)) is None


@pytest.mark.parametrize(
    "line",
    [
        "POST / HTTP/1.1",
        "GET / HTTP/1.0",
        "GET * HTTP/1.1",
        "GET http://h/ HTTP/1.1",
        "GET /#a HTTP/1.1",
        "GET  / HTTP/1.1",
        "GET /\x7f HTTP/1.1",
    ],
)
def test_only_ordinary_lines(line: str) -> None:
    assert glance(head_of(ORDINARY, line)) is None


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_are_for_the_close_look(limit: str) -> None:
    head = head_of(ORDINARY)
    just = {"max_head": len(head), "max_line": len("Sec-WebSocket-Key: " + KEY), "max_headers": 5}
    assert knock_of(head, **LIMITS | {limit: just[limit]}) is not None
    assert knock_of(head, **LIMITS | {limit: just[limit] - 1}) is None


def test_a_cut_or_continued_head_is_not_ordinary() -> None:
    head = head_of(ORDINARY)
    assert all(knock_of(head[:end]) is None for end in range(len(head)))
    assert knock_of(head + b"\r\n") is None
    assert knock_of(head + b"X: y\r\n\r\n") is None


names = st.sampled_from([*CHROME, "Expect", "X", "x-", "Host ", "", "Content-Length", "Cookie"])
values = st.sampled_from(
    [*CHROME.values(), "", "a b", "x,y", "\tz ", "websocket, h2c", "8", "\x00"]
)
octets = st.binary(min_size=1, max_size=2)


@st.composite
def heads(draw: st.DrawFn) -> bytes:
    """Ordinary heads with something done to them."""
    headers = dict(draw(st.sampled_from([ORDINARY, CHROME])))
    headers |= draw(st.dictionaries(names, values, max_size=2))
    head = head_of(headers)
    if draw(st.booleans()):
        at = draw(st.integers(0, len(head)))
        head = head[:at] + draw(octets) + head[at + draw(st.integers(0, 2)) :]
    return head


@settings(deadline=None, max_examples=1000)
@given(head=heads())
def test_the_glance_agrees_with_the_close_look(head: bytes) -> None:
    refused = None
    try:
        seen = glance(head)
    except Refusal as refusal:
        refused = refusal.response
    if refused is not None:
        with pytest.raises(Refusal) as closely:
            close_look(head)
        assert closely.value.response == refused
    elif seen is not None:
        assert seen == close_look(head)


# -- requests and answers, made when somebody asks ------------------------------------------------


def late(head: bytes = head_of(CHROME)) -> Any:
    knock = knock_of(head)
    assert knock is not None
    return late_request(knock)


def test_a_late_request_is_the_same_as_any() -> None:
    assert late() == parse_request(head_of(CHROME))
    assert late().headers["Origin"] == CHROME["Origin"]
    assert repr(late()) == repr(parse_request(head_of(CHROME)))


def test_reading_a_late_request_changes_nothing() -> None:
    request = late()
    assert knock_behind(request) is not None
    request.headers["Origin"]
    assert knock_behind(request) is not None


def drop_origin(request: Any) -> None:
    del request.headers["Origin"]


@pytest.mark.parametrize(
    "change",
    [
        drop_origin,
        lambda request: request.headers.__setitem__("X", "y"),
        lambda request: request.headers.clear(),
        lambda request: request.headers.put("Host", "h"),
        lambda request: setattr(request, "headers", request.headers.copy()),
        lambda request: setattr(request, "path", "/other"),
        lambda request: setattr(request, "method", "POST"),
    ],
)
def test_changing_it_counts(change: Any) -> None:
    request = late()
    change(request)
    assert knock_behind(request) is None


def test_other_requests_have_nothing_behind_them() -> None:
    assert knock_behind(parse_request(head_of(CHROME))) is None


def test_what_is_kept_of_an_answer_makes_it_whole() -> None:
    head = head_of(CHROME)
    common = common_answer(None, None, "us", NOW)
    assert whole_answer(common, head) == own_answer(common, KEY)
    whole = own_answer(common, KEY)
    assert whole_answer(whole, head) == whole
    assert whole_answer(b"HTTP/1.1 403 No\r\n\r\n", head) == b"HTTP/1.1 403 No\r\n\r\n"


def test_a_subprotocol_that_looks_like_a_place_for_the_proof() -> None:
    strange = "-" * 28
    answer = own_answer(common_answer(strange, None, None, NOW), KEY)
    assert b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n" in answer
    assert f"Sec-WebSocket-Protocol: {strange}\r\n".encode() in answer
