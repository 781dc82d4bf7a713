"""Pings are answered, but not at any price (RFC 6455 §5.5.2, §5.5.3)."""

from __future__ import annotations

from typing import Any

import pytest

from longlink.errors import Close
from longlink.wire.phase import State
from tests.wire.instrument import (
    BINARY,
    FIN,
    PONG,
    close,
    converse,
    feed,
    opened,
    ping,
    pong,
    text,
)

PONG_BACKLOG = 16 * 1024

ROLES = pytest.mark.parametrize("client", [False, True], ids=["server", "client"])


@ROLES
@pytest.mark.parametrize("payload", [b"", b"a", b"\x00" * 125, b"\xff\xfe", bytes(range(125))])
def test_a_ping_is_answered_with_its_payload(payload: bytes, client: bool) -> None:  # §5.5.3
    outcome = converse(ping(payload, key=None if client else 9), client=client)
    assert outcome.sent == [(FIN | PONG, payload)]


def test_pings_are_answered_in_order() -> None:
    payloads = [str(i).encode() for i in range(100)]
    outcome = converse(b"".join(map(ping, payloads)))
    assert outcome.sent == [(FIN | PONG, payload) for payload in payloads]


def test_pongs_are_reported_asked_for_or_not() -> None:  # §5.5.3
    outcome = converse(pong() + pong(b"\xff") + pong(b"x" * 125))
    assert outcome.of("pong") == [b"", b"\xff", b"x" * 125]
    assert outcome.output == b""


def test_a_peer_that_does_not_read_gets_the_latest_pong_only() -> None:  # §5.5.3
    endpoint = opened()
    endpoint.send(b"x" * PONG_BACKLOG)
    before = endpoint.waiting
    for i in range(1000):
        feed(endpoint, ping(str(i).encode()))
    assert endpoint.waiting == before
    endpoint.output()
    endpoint.answer_late()
    endpoint.answer_late()
    assert endpoint.sent() == [(FIN | PONG, b"999")]


def test_exactly_at_the_mark_pings_are_answered() -> None:
    endpoint = opened()
    endpoint.send(b"x" * (PONG_BACKLOG - 4))
    assert endpoint.waiting == PONG_BACKLOG
    feed(endpoint, ping(b"now"))
    assert endpoint.sent()[-1] == (FIN | PONG, b"now")


def test_a_pong_that_was_held_back_never_follows_a_later_one() -> None:
    endpoint = opened()
    endpoint.send(b"x" * PONG_BACKLOG)
    feed(endpoint, ping(b"old"))
    endpoint.output()
    feed(endpoint, ping(b"new"))
    endpoint.answer_late()
    assert endpoint.sent() == [(FIN | PONG, b"new")]


def test_a_pong_held_back_is_dropped_after_a_close() -> None:
    endpoint = opened()
    endpoint.send(b"x" * PONG_BACKLOG)
    feed(endpoint, ping(b"old"))
    endpoint.send_close()
    endpoint.output()
    endpoint.answer_late()
    assert endpoint.output() == b""


def test_a_pong_stays_held_back_while_the_peer_does_not_read() -> None:
    endpoint = opened()
    endpoint.send(b"x" * PONG_BACKLOG)
    feed(endpoint, ping(b"old"))
    endpoint.answer_late()
    assert [first for first, _ in endpoint.sent()] == [FIN | BINARY]
    endpoint.answer_late()
    assert endpoint.sent() == [(FIN | PONG, b"old")]


# -- the rate of control frames -------------------------------------------------------------------

REASON = "more than 2 control frames a second"


@pytest.mark.parametrize("make", [ping, pong])
def test_a_burst_of_control_frames(make: Any) -> None:
    limits: dict[str, Any] = {"control_rate": 2, "control_burst": 5}
    assert converse(make(b"x") * 5, **limits).failed_with is None
    outcome = converse(make(b"x") * 6 + text("after"), **limits)
    assert outcome.of("violation") == [(1008, "7.4.1", REASON)]
    assert outcome.messages == []
    assert outcome.close_sent == Close(1008, f"{REASON} (RFC 6455 7.4.1)")


def test_control_frames_at_their_rate() -> None:
    endpoint = opened(control_rate=2, control_burst=1)
    endpoint.now = 1000.0
    for _ in range(50):
        feed(endpoint, ping(b"x"))
        endpoint.now += 0.5
    assert endpoint.of("violation") == []
    endpoint.now -= 0.25
    feed(endpoint, ping(b"x"))
    assert endpoint.of("violation") == [(1008, "7.4.1", REASON)]


def test_a_rest_earns_no_more_than_a_burst() -> None:
    endpoint = opened(control_rate=2, control_burst=3)
    endpoint.now = 1e9
    feed(endpoint, ping() * 3)
    endpoint.now += 1.0  # two more
    feed(endpoint, pong() * 2)
    assert endpoint.of("violation") == []
    feed(endpoint, pong())
    assert endpoint.of("violation") == [(1008, "7.4.1", REASON)]


def test_a_close_is_never_too_many() -> None:
    outcome = converse(ping() * 2 + close(1000), control_rate=2, control_burst=2)
    assert outcome.failed_with is None
    assert outcome.close_rcvd == Close(1000, "")


def test_pongs_that_we_asked_for_do_not_count() -> None:
    endpoint = opened(control_rate=1, control_burst=1)
    for _ in range(20):
        endpoint.send_ping(b"x")
    feed(endpoint, pong(b"x") * 21)
    states = [endpoint.state]
    feed(endpoint, pong(b"x"))
    states.append(endpoint.state)
    assert states == [State.OPEN, State.CLOSING]


def test_data_does_not_count() -> None:
    outcome = converse(text("x") * 20, control_rate=1, control_burst=1)
    assert len(outcome.messages) == 20


def test_no_rate_no_limit() -> None:
    endpoint = opened(control_rate=None)
    feed(endpoint, ping() * 2000)
    assert len(endpoint.sent()) == 2000
