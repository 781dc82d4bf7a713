"""How a conversation ends: the closing handshake, failures, and TCP that is gone (RFC 6455 §7)."""

from __future__ import annotations

from typing import Any

import pytest

from longlink.errors import (
    Close,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    LocalProtocolError,
)
from longlink.wire.phase import Phase, State
from tests.wire.instrument import (
    BINARY,
    CLOSE,
    FIN,
    PONG,
    TEXT,
    Recorder,
    close,
    converse,
    feed,
    frame,
    frames,
    opened,
    ping,
    pong,
    text,
)

ROLES = pytest.mark.parametrize("key", [5, None], ids=["server", "client"])


def said(code: int | None, reason: str = "") -> tuple[int, bytes]:
    """Our Close, as it is found in output."""
    payload = b"" if code is None else code.to_bytes(2, "big") + reason.encode()
    return FIN | CLOSE, payload


# -- theirs first ---------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("code", [1000, 1001, 1002, 1003, *range(1007, 1015), 3000, 3999, 4999])
def test_a_close_is_answered_with_its_code(code: int, key: int | None) -> None:  # §5.5.1
    for reason in ("", "bye", "é" * 61 + "x"):
        outcome = converse(close(code, reason.encode(), key=key), client=key is None)
        assert outcome.sent == [said(code, reason)]
        assert outcome.close_rcvd == outcome.close_sent == Close(code, reason)
        kind = "OK" if code in (1000, 1001) else "Error"
        assert outcome.error.startswith(f"ConnectionClosed{kind}: closed by the peer with {code}")
        assert outcome.told == (
            ("output",),
            ("phase", Phase.CLOSE_DONE),
            ("phase", Phase.ENDED),
            ("end",),
        )


@ROLES
def test_an_empty_close_is_answered_empty_and_reported_as_1005(key: int | None) -> None:  # §7.1.5
    outcome = converse(close(key=key), client=key is None)
    assert outcome.sent == [said(None)]
    assert outcome.close_rcvd == Close(1005, "")
    assert outcome.error.startswith("ConnectionClosedOK: closed by the peer with 1005")


@pytest.mark.parametrize(
    ("payload", "code", "section"),
    [
        (b"\x03", 1002, "7.4"),  # half a code
        *((code.to_bytes(2, "big"), 1002, "7.4") for code in (0, 1, 999, 1004, 1005, 1006)),
        *((code.to_bytes(2, "big"), 1002, "7.4") for code in (1015, 1016, 1100, 2000, 2999)),
        *((code.to_bytes(2, "big"), 1002, "7.4") for code in (5000, 10000, 65535)),
        (b"\x03\xed" + b"\xff", 1002, "7.4"),  # wrong code and wrong reason
        (b"\x03\xe8" + b"\xff", 1007, "8.1"),
        (b"\x03\xe8" + b"ok\xc3", 1007, "8.1"),
        (b"\x03\xe8" + b"\xed\xa0\x80", 1007, "8.1"),
        (b"\x03\xe8" + b"x" * 122 + b"\xff", 1007, "8.1"),
    ],
)
@ROLES
def test_a_close_that_breaks_a_rule(
    payload: bytes, code: int, section: str, key: int | None
) -> None:
    stream = frame(FIN | CLOSE, payload, key=key) + text("after", key=key)
    outcome = converse(stream, client=key is None)
    ((found, where, reason),) = outcome.of("violation")
    assert (found, where) == (code, section)
    assert outcome.sent == [said(code, f"{reason} (RFC 6455 {section})")]
    assert outcome.close_rcvd is None
    assert outcome.messages == []


@ROLES
def test_nothing_after_their_close_is_believed(key: int | None) -> None:
    after = [
        text("after", key=key),
        ping(b"after", key=key),
        pong(b"after", key=key),
        close(4000, b"another", key=key),
        frame(0x83, key=key),
        b"GET / HTTP/1.1\r\n\r\n",
        bytes(200),
    ]
    for octets in after:
        outcome = converse(close(1000, key=key) + octets, client=key is None)
        assert outcome.sent == [said(1000)]
        assert outcome.close_rcvd == Close(1000, "")
        assert [entry[0] for entry in outcome.told] == ["output", "phase", "phase", "end"]


def test_a_close_inside_a_fragmented_message() -> None:
    outcome = converse(frame(TEXT, b"never finish") + close(1001) + frame(FIN, b"ed"))
    assert outcome.messages == []
    assert outcome.sent == [said(1001)]


def test_pings_before_their_close_are_answered_before_ours() -> None:
    outcome = converse(ping(b"1") + text("x") + ping(b"2") + close(1000) + ping(b"3"))
    assert outcome.sent == [(FIN | PONG, b"1"), (FIN | PONG, b"2"), said(1000)]


def test_what_was_sent_before_their_close_goes_out() -> None:
    outcome = converse(
        text("a") + text("b") + close(1000),
        act=lambda endpoint, message: endpoint.send(message),
    )
    assert outcome.sent == [(FIN | TEXT, b"a"), (FIN | TEXT, b"b"), said(1000)]


# -- ours first -----------------------------------------------------------------------------------


@ROLES
def test_our_close_is_sent_once(key: int | None) -> None:
    endpoint = opened(client=key is None)
    endpoint.send_close(4000, "enough")
    endpoint.send_close(1000, "another")
    endpoint.fail(1011)
    assert endpoint.sent() == [said(4000, "enough")]
    assert endpoint.close_sent == Close(4000, "enough")


@ROLES
@pytest.mark.parametrize("answer", [1000, 1001, 4000, 1011, None])
def test_our_close_is_answered(answer: int | None, key: int | None) -> None:
    outcome = converse(
        close(answer, key=key) + close(1002, key=key),
        before=lambda endpoint: endpoint.send_close(1000, "bye"),
        client=key is None,
    )
    assert outcome.sent == [said(1000, "bye")]
    assert outcome.close_rcvd == Close(1005 if answer is None else answer, "")
    kind = "Error" if answer in (4000, 1011) else "OK"
    assert outcome.error.startswith(f"ConnectionClosed{kind}: closed by us with 1000 (OK) bye, ans")


@ROLES
def test_both_close_at_once(key: int | None) -> None:  # §7.1.2: one Close each, and clean
    outcome = converse(
        text("under way", key=key) + close(1001, key=key),
        before=lambda endpoint: endpoint.send_close(1000),
        client=key is None,
    )
    assert outcome.sent == [said(1000)]
    assert outcome.close_rcvd == Close(1001, "")
    assert outcome.error.startswith("ConnectionClosedOK")
    assert outcome.messages == []


def test_our_word_is_peace_when_it_is_echoed() -> None:
    """A code of the application is an error when the peer says it, and none when we did."""
    ours = converse(close(4000), before=lambda endpoint: endpoint.send_close(4000))
    assert ours.error.startswith("ConnectionClosedOK: closed by us")
    theirs = converse(close(4000))
    assert theirs.error.startswith("ConnectionClosedError: closed by the peer")


def test_who_was_first_is_not_forgotten() -> None:
    """What is asked for after both Closes changes nothing of what is reported."""
    endpoint = opened()
    feed(endpoint, close(4000))
    endpoint.send_close(4000)
    endpoint.fail(1011)
    assert endpoint.closed().rcvd_then_sent is True
    assert isinstance(endpoint.closed(), ConnectionClosedError)

    endpoint = opened()
    endpoint.send_close(4000)
    feed(endpoint, close(4000))
    endpoint.send_close(1000)
    endpoint.end()
    assert endpoint.closed().rcvd_then_sent is False
    assert isinstance(endpoint.closed(), ConnectionClosedOK)


def test_after_our_close_messages_are_judged_but_not_delivered() -> None:
    stream = text("late") + frame(BINARY, b"la") + frame(FIN, b"te") + text("é" * 99) + ping(b"x")

    def leave(endpoint: Recorder) -> None:
        endpoint.send_close()

    outcome = converse(stream + pong(b"p") + close(1000), before=leave)
    assert outcome.messages == []
    assert outcome.of("pong") == [b"p"]
    assert outcome.sent == [said(1000)]  # no pong after a Close (§5.5.1)
    assert outcome.close_rcvd == Close(1000, "")

    wrong = [frame(0x83), frame(FIN | TEXT, b"\xff" * 9), frame(TEXT, b"\xff"), text("x" * 11)]
    for octets in wrong:
        outcome = converse(text("late") + octets + close(1000), before=leave, max_size=10)
        assert outcome.failed_with in (1002, 1007, 1009)
        assert outcome.close_rcvd is None
        assert outcome.close_sent == Close(1000, "")  # one Close is all there is
        assert outcome.sent == [said(1000)]
        assert outcome.error.startswith("ConnectionClosedError")


def test_closing_while_a_message_is_handled() -> None:
    outcome = converse(
        text("one") + text("two") + ping(b"x") + close(1000),
        act=lambda endpoint, message: endpoint.send_close(3000, "enough"),
    )
    assert outcome.messages == ["one"]
    assert outcome.sent == [said(3000, "enough")]


@pytest.mark.parametrize("leave", [Recorder.end, lambda endpoint: endpoint.fail(1011)])
def test_leaving_while_a_message_is_handled(leave: Any) -> None:
    """Also in the middle of a segment, no hook is called any more."""
    outcome = converse(
        text("one") + text("two") + frame(TEXT, b"th") + pong() + close(1000),
        act=lambda endpoint, message: leave(endpoint),
    )
    assert outcome.messages == ["one"]
    assert outcome.of("pong") == []
    assert outcome.close_rcvd is None


# -- what may be said -----------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["send_close", "fail"])
@pytest.mark.parametrize("client", [False, True])
def test_a_code_that_may_not_travel_is_refused(act: str, client: bool) -> None:  # §7.4
    for code in (*range(-1, 1000), 1004, 1005, 1006, *range(1015, 3000), 5000, 65536, 2**40):
        endpoint = opened(client=client)
        with pytest.raises(LocalProtocolError):
            getattr(endpoint, act)(code)
        assert endpoint.state is State.OPEN
        assert endpoint.told == []
        assert endpoint.output() == b""
        feed(endpoint, text("usable", key=None if client else 5))
        assert endpoint.messages == ["usable"]


@pytest.mark.parametrize(
    ("code", "reason", "error"),
    [
        (1000, "x" * 124, LocalProtocolError),
        (1000, "é" * 62, LocalProtocolError),
        (1000, "\ud800", UnicodeEncodeError),
        ("1000", "", TypeError),
        (1000.0, "", TypeError),
        (None, "", TypeError),
        (1000, b"bye", TypeError),
        (1000, None, TypeError),
    ],
)
def test_a_close_that_cannot_be_said_is_refused(code: Any, reason: Any, error: Any) -> None:
    endpoint = opened()
    with pytest.raises(error):
        endpoint.send_close(code, reason)
    assert endpoint.state is State.OPEN
    assert endpoint.told == []
    endpoint.send("usable")
    assert endpoint.sent() == [(FIN | TEXT, b"usable")]


def test_a_failure_says_as_much_of_its_reason_as_fits() -> None:
    endpoint = opened()
    endpoint.fail(1011, "é" * 100)
    assert endpoint.sent() == [said(1011, "é" * 61)]
    assert endpoint.close_sent == Close(1011, "é" * 61)


def test_codes_are_plain_numbers() -> None:
    """Not members of an enum, which would print and pickle in another way."""
    failed = converse(frame(0x83))
    empty = converse(close())
    for found in (failed.close_sent, empty.close_rcvd, empty.close_sent):
        assert found is not None
        assert type(found.code) is int


# -- TCP ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "octets", [b"", b"\x81", text("x")[:-1], frame(TEXT, b"x"), ping(b"x")[:-1], close(1000)[:-1]]
)
def test_tcp_that_ends_without_a_close_is_reported_as_1006(octets: bytes) -> None:  # §7.1.5
    outcome = converse(octets)
    assert outcome.output == b""
    assert outcome.messages == []
    assert outcome.told == (("phase", Phase.ENDED), ("end",))
    assert outcome.error == (
        "ConnectionClosedError: connection lost: no close frame in either direction"
    )


def test_tcp_that_ends_before_our_close_is_answered() -> None:
    outcome = converse(text("x")[:4], before=lambda endpoint: endpoint.send_close(1000))
    assert outcome.error == "ConnectionClosedError: closed by us with 1000 (OK), never answered"


@pytest.mark.parametrize("leave", ["send_close", "fail", "end"])
def test_giving_up_before_the_opening_handshake_is_over(leave: str) -> None:
    endpoint = Recorder()
    {
        "send_close": lambda: endpoint.send_close(1000),
        "fail": lambda: endpoint.fail(1011),
        "end": endpoint.end,
    }[leave]()
    assert endpoint.told == [("phase", Phase.ENDED), ("end",)]
    endpoint.opened()  # the handshake's last word comes too late
    endpoint.send_close()
    endpoint.fail(1002)
    endpoint.end()
    assert endpoint.told == [("phase", Phase.ENDED), ("end",)]
    assert endpoint.state is State.CLOSED
    assert endpoint.output() == b""
    assert feed(endpoint, text("x")) == len(text("x"))
    assert endpoint.messages == []


class Hasty(Recorder):
    """Ends as soon as it hears of a phase, or of output."""

    hook = ""

    def on_phase(self, phase: int) -> None:
        super().on_phase(phase)
        if self.hook == "on_phase":
            self.end()

    def on_output(self) -> None:
        super().on_output()
        if self.hook == "on_output":
            self.end()


@pytest.mark.parametrize("hook", ["on_phase", "on_output"])
@pytest.mark.parametrize("leave", ["close", "fail", "their close", "violation"])
def test_a_hook_that_ends_the_connection(hook: str, leave: str) -> None:
    endpoint = Hasty()
    endpoint.opened()
    endpoint.told.clear()
    endpoint.hook = hook
    {
        "close": lambda: endpoint.send_close(1000),
        "fail": lambda: endpoint.fail(1011),
        "their close": lambda: feed(endpoint, close(1000) + text("after")),
        "violation": lambda: feed(endpoint, frame(0x83) + text("after")),
    }[leave]()
    assert endpoint.told[-2:] == [("phase", Phase.ENDED), ("end",)]
    assert endpoint.told.count(("end",)) == 1
    assert endpoint.messages == []
    assert [each.opcode for each in frames(endpoint.output())] == [CLOSE]
    assert isinstance(endpoint.closed(), ConnectionClosed)
    expected = ConnectionClosedOK if leave == "their close" else ConnectionClosedError
    assert type(endpoint.closed()) is expected
