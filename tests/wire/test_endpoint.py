"""One end of a conversation: what it sends, and when."""

from __future__ import annotations

import array
from typing import Any

import pytest

from longlink.errors import ConnectionClosedError, ConnectionClosedOK, LocalProtocolError
from longlink.wire.endpoint import Endpoint
from longlink.wire.frame import Prepared
from longlink.wire.phase import State
from tests.wire.instrument import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    TEXT,
    Recorder,
    close,
    feed,
    frame,
    frames,
    opened,
    ping,
    pong,
    text,
)


def taken(endpoint: Endpoint) -> bytes:
    return b"" if endpoint.outbox is None else endpoint.outbox.take()


ROLES = pytest.mark.parametrize("client", [False, True], ids=["server", "client"])


# -- sending --------------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
def test_a_message_is_one_frame_of_least_length(size: int, client: bool) -> None:  # §5.2
    endpoint = opened(client=client)
    endpoint.send("x" * size)
    endpoint.send(b"y" * size)
    assert endpoint.sent() == [(FIN | TEXT, b"x" * size), (FIN | BINARY, b"y" * size)]


class Liar(bytes):
    """Says another length than it has."""

    def __len__(self) -> int:
        return 7


@pytest.mark.parametrize(
    ("message", "first", "payload"),
    [
        ("né 😀\x00", FIN | TEXT, "né 😀\x00".encode()),
        (b"\x00\xff", FIN | BINARY, b"\x00\xff"),
        (bytearray(b"ab"), FIN | BINARY, b"ab"),
        (Liar(b"ab"), FIN | BINARY, b"ab"),
        (memoryview(b"ab"), FIN | BINARY, b"ab"),
        (memoryview(bytearray(b"ab")), FIN | BINARY, b"ab"),
        (memoryview(b"abcdef")[::2], FIN | BINARY, b"ace"),
        (memoryview(b"abcdef")[::-1], FIN | BINARY, b"fedcba"),
        (memoryview(array.array("I", [1, 2])), FIN | BINARY, array.array("I", [1, 2]).tobytes()),
        (memoryview(b"abcdef").cast("B", (2, 3)), FIN | BINARY, b"abcdef"),
        (memoryview(b""), FIN | BINARY, b""),
        (memoryview(b"x" * 70000)[::2], FIN | BINARY, b"x" * 35000),
    ],
)
@ROLES
def test_what_a_message_may_be(message: Any, first: int, payload: bytes, client: bool) -> None:
    endpoint = opened(client=client)
    endpoint.send(message)
    assert endpoint.sent() == [(first, payload)]


def fortran() -> memoryview:
    """Contiguous, but not in the order of its elements, which Python itself cannot make."""
    testing = pytest.importorskip("_testbuffer", reason="part of CPython's own tests")
    block = testing.ndarray(list(range(6)), shape=[2, 3], format="B", flags=testing.ND_FORTRAN)
    view = memoryview(block)
    assert view.contiguous
    assert not view.c_contiguous
    return view


@ROLES
def test_a_memoryview_in_another_order(client: bool) -> None:
    endpoint = opened(client=client)
    endpoint.send(fortran())
    ((_, payload),) = endpoint.sent()
    assert payload == fortran().tobytes()


@pytest.mark.parametrize(
    ("message", "error"),
    [
        (None, TypeError),
        (5, TypeError),
        (1.5, TypeError),
        (["x"], TypeError),
        ({"a": 1}, TypeError),
        (object(), TypeError),
        (array.array("B", b"ab"), TypeError),
        ("\ud800", UnicodeEncodeError),
    ],
)
@ROLES
def test_what_is_no_message_is_refused(message: Any, error: type[Exception], client: bool) -> None:
    endpoint = opened(client=client)
    for _ in range(2):
        with pytest.raises(error):
            endpoint.send(message)
    assert endpoint.told == []
    assert endpoint.output() == b""
    assert endpoint.outbox is None  # an empty one would be waited for at the end
    endpoint.send("fine")  # it stays usable
    assert endpoint.sent() == [(FIN | TEXT, b"fine")]


@pytest.mark.parametrize("call", ["send_frame", "send_ping", "send_pong"])
@pytest.mark.parametrize("payload", [None, "text", 5, [b"x"], array.array("B", b"ab")])
@ROLES
def test_what_is_no_payload_is_refused(call: str, payload: Any, client: bool) -> None:
    endpoint = opened(client=client)
    with pytest.raises(TypeError, match="is str or bytes-like, not"):
        endpoint.send_frame(TEXT, payload) if call == "send_frame" else getattr(endpoint, call)(
            payload
        )
    assert endpoint.told == []
    assert endpoint.output() == b""


def test_a_released_view_is_refused() -> None:
    view = memoryview(b"ab")
    view.release()
    endpoint = opened()
    with pytest.raises(ValueError, match="released"):
        endpoint.send(view)
    assert endpoint.output() == b""


def test_a_message_is_taken_as_it_is_when_sent() -> None:
    message = bytearray(b"before" * 5000)
    endpoint = opened()
    endpoint.send(message)
    endpoint.send(memoryview(message))
    message[:] = b"after!" * 5000
    assert [payload for _, payload in endpoint.sent()] == [b"before" * 5000] * 2


def test_fragments_are_sent_as_the_caller_says() -> None:  # §5.4
    endpoint = opened()
    endpoint.send_frame(TEXT, b"a")
    endpoint.send_ping(b"p")  # may come between fragments
    endpoint.send_frame(CONTINUATION, bytearray(b"b"))
    endpoint.send_frame(FIN | CONTINUATION, memoryview(b""))
    assert endpoint.sent() == [(TEXT, b"a"), (FIN | PING, b"p"), (0, b"b"), (FIN, b"")]


def test_a_server_masks_nothing() -> None:  # §5.1
    endpoint = opened()
    say_everything(endpoint)
    sent = frames(endpoint.output())
    assert {each.opcode for each in sent} == {TEXT, BINARY, PING, PONG, CLOSE}
    assert {each.key for each in sent} == {None}
    assert endpoint.keys == 0


def test_a_client_masks_every_frame_with_a_fresh_key() -> None:  # §5.1, §5.3
    endpoint = opened(client=True)
    say_everything(endpoint)
    sent = frames(endpoint.output())
    assert {each.opcode for each in sent} == {TEXT, BINARY, PING, PONG, CLOSE}
    assert [each.key for each in sent] == [0x01020300 + i for i in range(1, len(sent) + 1)]
    assert sent[0].payload == b"a"


def say_everything(endpoint: Recorder) -> None:
    endpoint.send("a")
    endpoint.send(b"")
    endpoint.send_prepared(Prepared("prepared"))
    endpoint.send_prepared(Prepared(b"prepared"))
    endpoint.send_ping(b"p")
    endpoint.send_pong(b"")
    feed(endpoint, ping(b"q", key=None if endpoint.client else 5))
    endpoint.send_close(1000, "bye")


@pytest.mark.parametrize("key", [0, 1, 2**31, 2**32 - 1])
def test_any_key_may_be_drawn(key: int) -> None:
    endpoint = Endpoint(True, lambda: key)
    endpoint.opened()
    endpoint.send(b"abcde")
    (sent,) = frames(taken(endpoint))
    assert (sent.key, sent.payload) == (key, b"abcde")


def test_no_entropy_no_octet() -> None:
    def dry() -> int:
        raise OSError("no entropy")

    endpoint = Endpoint(True, dry)
    endpoint.opened()
    with pytest.raises(OSError, match="no entropy"):
        endpoint.send("x")
    assert taken(endpoint) == b""


@ROLES
def test_a_prepared_message_arrives_like_any_other(client: bool) -> None:
    endpoint = opened(client=client)
    for message in ("né" * 100, b"\xff" * 70000):
        endpoint.send_prepared(Prepared(message))
    assert endpoint.sent() == [(FIN | TEXT, "né".encode() * 100), (FIN | BINARY, b"\xff" * 70000)]


def test_output_is_announced_when_there_was_none() -> None:
    endpoint = opened()
    endpoint.send("a")
    endpoint.send("b")
    endpoint.send_prepared(Prepared("c"))
    assert endpoint.told == [("output",)]
    endpoint.output()
    endpoint.send_prepared(Prepared("d"))
    endpoint.send_prepared(Prepared("e"))
    assert endpoint.told == [("output",)] * 2


def test_an_idle_connection_has_no_outbox() -> None:
    endpoint = opened()
    feed(endpoint, text("x") * 3 + pong())
    assert endpoint.outbox is None


# -- control frames of one's own ------------------------------------------------------------------


@pytest.mark.parametrize("call", ["send_ping", "send_pong"])
@ROLES
def test_a_control_frame_carries_125_octets_at_most(call: str, client: bool) -> None:  # §5.5
    endpoint = opened(client=client)
    opcode = PING if call == "send_ping" else PONG
    for payload in (b"", b"\xff" * 125, bytearray(b"x")):
        getattr(endpoint, call)(payload)
        assert endpoint.sent() == [(FIN | opcode, payload)]
    with pytest.raises(LocalProtocolError, match="126 octets is over the limit of 125") as caught:
        getattr(endpoint, call)(b"x" * 126)
    assert caught.value.section == "5.5"
    assert endpoint.output() == b""
    endpoint.send("fine")
    assert endpoint.sent() == [(FIN | TEXT, b"fine")]


# -- before and after -----------------------------------------------------------------------------


def test_state_is_what_browsers_call_it() -> None:
    endpoint = Recorder()
    states = [endpoint.state]
    for step in (endpoint.opened, endpoint.send_close, endpoint.end):
        step()
        states.append(endpoint.state)
    assert states == [State.CONNECTING, State.OPEN, State.CLOSING, State.CLOSED]
    assert [int(state) for state in states] == [0, 1, 2, 3]


CALLS = {
    "send": lambda endpoint: endpoint.send("x"),
    "send_frame": lambda endpoint: endpoint.send_frame(FIN | TEXT, b"x"),
    "send_prepared": lambda endpoint: endpoint.send_prepared(Prepared("x")),
    "send_ping": lambda endpoint: endpoint.send_ping(b""),
    "send_pong": lambda endpoint: endpoint.send_pong(b""),
}


@pytest.mark.parametrize("call", CALLS)
def test_nothing_is_sent_before_the_opening_handshake_is_over(call: str) -> None:
    endpoint = Recorder()
    with pytest.raises(ConnectionClosedError):
        CALLS[call](endpoint)
    assert endpoint.output() == b""
    endpoint.opened()
    CALLS[call](endpoint)
    assert len(endpoint.sent()) == 1


@pytest.mark.parametrize("call", CALLS)
@ROLES
def test_nothing_is_sent_after_a_close(call: str, client: bool) -> None:  # §5.5.1
    key = None if client else 5

    def ours(endpoint: Recorder) -> None:
        endpoint.send_close(1000)

    def both(endpoint: Recorder) -> None:
        feed(endpoint, close(1000, key=key))

    def failed(endpoint: Recorder) -> None:
        feed(endpoint, frame(0x83))

    def ended(endpoint: Recorder) -> None:
        endpoint.end()

    for leave in (ours, both, failed, ended):
        endpoint = opened(client=client)
        leave(endpoint)
        output = endpoint.output()
        assert [each.opcode for each in frames(output)] == ([] if leave is ended else [CLOSE])
        expected = ConnectionClosedOK if leave is both else ConnectionClosedError
        with pytest.raises(expected):
            CALLS[call](endpoint)
        feed(endpoint, ping(key=key))
        assert endpoint.output() == b""


def test_an_endpoint_alone_only_answers() -> None:
    """The hooks of the class itself do nothing."""
    endpoint = Endpoint(False, lambda: 0)
    endpoint.opened()
    feed(endpoint, text("x") + pong() + ping(b"p") + close(1000))
    endpoint.end()
    assert [each.opcode for each in frames(taken(endpoint))] == [PONG, CLOSE]
    assert isinstance(endpoint.closed(), ConnectionClosedOK)


def test_a_kind_of_str_is_text() -> None:
    class Name(str):
        __slots__ = ()

    endpoint = opened()
    endpoint.send(Name("ä"))
    assert taken(endpoint) == b"\x81\x02\xc3\xa4"
