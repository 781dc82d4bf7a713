"""Outbox: everything comes out once, in order, whatever the socket takes at a time."""

from __future__ import annotations

import array
import errno
import random
import socket
import sys
import tracemalloc
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

Pair = tuple[socket.socket, socket.socket]
LARGE = 16384
KEY = 0x01020304


def narrow(pair: Pair) -> Pair:
    """The same ends with as little room between them as the kernel allows."""
    pair[0].setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1)
    return pair


def received(far: socket.socket) -> bytes:
    """All there is to read now."""
    parts = []
    try:
        while part := far.recv(1 << 16):
            parts.append(part)
    except BlockingIOError:
        pass
    return b"".join(parts)


def pump(outbox: Any, pair: Pair) -> bytes:
    """All that was queued, sent and read in turns until nothing is left."""
    near, far = pair
    got = []
    while (left := outbox.flush(near.fileno())) == 1:
        got.append(received(far))
    assert left == 0
    return b"".join([*got, received(far)])


# -- queueing -------------------------------------------------------------------------------------


def test_a_new_outbox_is_empty(kernel: Any, pair: Pair) -> None:
    outbox = kernel.Outbox()
    assert (outbox.size, outbox.take()) == (0, b"")
    assert outbox.flush(pair[0].fileno()) == 0
    assert received(pair[1]) == b""


def test_take_empties(kernel: Any) -> None:
    outbox = kernel.Outbox()
    outbox.put(b"abc")
    outbox.put(b"x" * LARGE)
    outbox.put(b"def")
    assert outbox.take() == b"abc" + b"x" * LARGE + b"def"
    assert (outbox.size, outbox.take()) == (0, b"")
    outbox.put(b"again")
    assert outbox.take() == b"again"


def test_peek_leaves_everything(kernel: Any, pair: Pair) -> None:
    outbox = kernel.Outbox()
    assert outbox.peek(0, 10) == b""
    data = b""
    for part in (b"abc", bytes(range(256)) * 100, b"def", b"x" * LARGE, b"y" * LARGE, b"ghi"):
        outbox.put(part)
        data += part
    cuts = [0, 1, 2, 3, 4, 25_602, 25_603, 25_604, 25_606, 25_607, 42_000, len(data) - 1, len(data)]
    for at in cuts:
        for most in (0, 1, 5, LARGE, 30_000, len(data), 2**40):
            assert outbox.peek(at, most) == data[at : at + most]
    assert outbox.size == len(data)
    assert outbox.take() == data


def test_drop_forgets_the_first_octets(kernel: Any) -> None:
    for step in (1, 7, 5000, LARGE + 3):
        outbox = kernel.Outbox()
        data = b"abc" + b"x" * LARGE + b"def" + b"y" * 2 * LARGE + b"ghi"
        for part in (b"abc", b"x" * LARGE, b"def", b"y" * 2 * LARGE, b"ghi"):
            outbox.put(part)
        for at in range(0, len(data), step):
            assert outbox.peek(0, 3) == data[at : at + 3]
            assert outbox.size == len(data) - at
            assert outbox.drop(min(step, outbox.size)) == 0
        assert (outbox.size, outbox.take()) == (0, b"")


@pytest.mark.parametrize(("at", "most"), [(-1, 1), (4, 1), (0, -1)])
def test_peek_and_drop_stay_inside(kernel: Any, at: int, most: int) -> None:
    outbox = kernel.Outbox()
    outbox.put(b"abc")
    with pytest.raises(ValueError):
        outbox.peek(at, most)
    for count in (-1, 4):
        with pytest.raises(ValueError):
            outbox.drop(count)
    assert outbox.take() == b"abc"


def test_clear_drops_everything(kernel: Any) -> None:
    outbox = kernel.Outbox()
    for part in (b"abc", b"x" * LARGE, b"y" * 5000):
        outbox.put(part)
    assert outbox.clear() == 0
    assert (outbox.size, outbox.take()) == (0, b"")


@pytest.mark.parametrize(
    "kind", [bytes, bytearray, memoryview, lambda data: array.array("I", data)]
)
def test_anything_contiguous_is_put(kernel: Any, kind: Callable[[bytes], Any]) -> None:
    data = bytes(range(256)) * 4
    outbox = kernel.Outbox()
    assert outbox.put(kind(data)) == 0
    assert outbox.size == 1024
    assert outbox.take() == data


def test_views_of_several_dimensions_are_their_octets(kernel: Any) -> None:
    outbox = kernel.Outbox()
    outbox.put(memoryview(bytes(range(6))).cast("B", (2, 3)))
    assert outbox.take() == bytes(range(6))


@pytest.mark.parametrize("data", ["text", 5, None, [1, 2], memoryview(b"abcdef")[::2]])
def test_the_rest_is_a_type_error(kernel: Any, data: Any) -> None:
    outbox = kernel.Outbox()
    with pytest.raises(TypeError):
        outbox.put(data)
    assert outbox.size == 0


def test_nothing_may_be_put(kernel: Any, pair: Pair) -> None:
    outbox = kernel.Outbox()
    for empty in (b"", bytearray(), memoryview(b"")):
        outbox.put(empty)
    assert (outbox.size, outbox.flush(pair[0].fileno()), outbox.take()) == (0, 0, b"")


def test_every_length_is_masked(kernel: Any) -> None:
    data = random.Random(5).randbytes(300)
    for length in range(300):
        outbox = kernel.Outbox()
        outbox.put(b"x" * (length & 7))
        outbox.frame(0x82, data[:length], True, KEY)
        assert outbox.take().endswith(KEY.to_bytes(4, "big") + kernel.mask(data[:length], KEY))


def test_what_can_change_is_copied(kernel: Any) -> None:
    data = bytearray(b"x" * 2 * LARGE)
    outbox = kernel.Outbox()
    outbox.put(data)
    data[:] = b"y" * len(data)
    data.clear()
    assert outbox.take() == b"x" * 2 * LARGE


# -- references -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "references"), [(LARGE - 1, 0), (LARGE, 1)])
def test_large_bytes_are_kept_by_reference(kernel: Any, size: int, references: int) -> None:
    data, outbox = bytes(size), kernel.Outbox()
    before = sys.getrefcount(data)
    outbox.put(data)
    assert sys.getrefcount(data) == before + references


@pytest.mark.parametrize("end", ["flush", "take", "clear", "delete"])
def test_references_are_let_go(kernel: Any, pair: Pair, end: str) -> None:
    data, outbox = bytes(LARGE), kernel.Outbox()
    before = sys.getrefcount(data)
    for _ in range(10):
        outbox.put(data)
        outbox.put(b"small")
    if end == "flush":
        pump(outbox, pair)
    elif end == "delete":
        del outbox
    else:
        getattr(outbox, end)()
    assert sys.getrefcount(data) == before


def test_a_subclass_of_bytes_is_copied(kernel: Any) -> None:
    # Letting go of it could run code of its own, in the middle of a flush.
    class Odd(bytes):
        pass

    data, outbox = Odd(LARGE), kernel.Outbox()
    before = sys.getrefcount(data)
    outbox.put(data)
    assert sys.getrefcount(data) == before
    assert outbox.take() == bytes(LARGE)


@pytest.mark.parametrize("end", ["flush", "take", "clear"])
def test_memory_is_given_back(kernel: Any, pair: Pair, end: str) -> None:
    outbox, data = kernel.Outbox(), bytearray(1 << 20)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        outbox.put(data)
        assert tracemalloc.get_traced_memory()[0] - before >= 1 << 20
        pump(outbox, pair) if end == "flush" else getattr(outbox, end)()
        assert tracemalloc.get_traced_memory()[0] - before < 8192
    finally:
        tracemalloc.stop()


# -- sending --------------------------------------------------------------------------------------


def test_flush_sends_everything_at_once_if_it_can(kernel: Any, pair: Pair) -> None:
    outbox = kernel.Outbox()
    outbox.put(b"\x81\x05Hello")
    assert outbox.flush(pair[0].fileno()) == 0
    assert outbox.size == 0
    assert received(pair[1]) == b"\x81\x05Hello"


def test_small_and_large_come_out_in_order(kernel: Any, pair: Pair) -> None:
    outbox, expected = kernel.Outbox(), b""
    for i in range(20):
        for part in (bytes([i]) * 3, bytes([i]) * (LARGE + i), bytes([i]) * 1000):
            outbox.put(part)
            expected += part
    assert outbox.size == len(expected)
    assert pump(outbox, pair) == expected


def test_more_segments_than_one_call_takes(kernel: Any, pair: Pair) -> None:
    parts = [bytes([i]) * LARGE for i in range(200)]
    outbox = kernel.Outbox()
    for part in parts:
        outbox.put(part)
    outbox.put(b"end")
    assert pump(outbox, pair) == b"".join(parts) + b"end"


def test_a_full_socket_leaves_the_rest(kernel: Any, pair: Pair) -> None:
    outbox = kernel.Outbox()
    data = random.Random(6).randbytes(1 << 20)
    outbox.put(bytearray(data))
    near, far = narrow(pair)
    assert outbox.flush(near.fileno()) == 1
    assert 0 < outbox.size < len(data)
    first = received(far)
    assert len(first) == len(data) - outbox.size
    assert first + pump(outbox, pair) == data


def test_what_is_put_meanwhile_comes_behind(kernel: Any, pair: Pair) -> None:
    chance, outbox = random.Random(7), kernel.Outbox()
    near, far = narrow(pair)
    expected, got = bytearray(), bytearray()
    for _ in range(300):
        part = chance.randbytes(chance.choice([1, 50, 3000, LARGE, LARGE + 4001]))
        outbox.put(part)
        expected += part
        outbox.flush(near.fileno())
        assert outbox.size == len(expected) - len(got) - pending(far)
        got += far.recv(chance.randrange(1, 30_000))
    assert got + pump(outbox, pair) == expected


def pending(far: socket.socket) -> int:
    """How many octets wait in the socket."""
    return len(far.recv(1 << 22, socket.MSG_PEEK))


def test_taking_what_was_partly_sent(kernel: Any, pair: Pair) -> None:
    near, far = narrow(pair)
    data = random.Random(8).randbytes(100_000)
    outbox = kernel.Outbox()
    for part in (data[:10], data[10:60_000], data[60_000:60_020], data[60_020:]):
        outbox.put(part)
    assert outbox.flush(near.fileno()) == 1
    assert received(far) + outbox.take() == data


def test_errors_are_negative_numbers(kernel: Any, pair: Pair) -> None:
    near, far = pair
    outbox = kernel.Outbox()
    outbox.put(b"abc")
    assert outbox.flush(-1) == -errno.EBADF
    far.close()
    # SIGPIPE would have ended this process.
    assert outbox.flush(near.fileno()) == -errno.EPIPE
    assert outbox.take() == b"abc"


OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(0, 300)),
        st.tuples(st.just("put"), st.sampled_from([4096, LARGE - 1, LARGE, 3 * LARGE])),
        st.tuples(st.just("masked"), st.integers(0, 125)),
        st.tuples(st.just("flush"), st.just(0)),
        st.tuples(st.just("take"), st.just(0)),
        st.tuples(st.just("clear"), st.just(0)),
    ),
    max_size=40,
)


def apply(outbox: Any, model: bytearray, name: str, value: int, pair: Pair) -> None:
    """Do one thing to the outbox and to the model of it."""
    near, far = pair
    if name in ("put", "masked"):
        data = random.Random(value).randbytes(value)
        if name == "put":
            outbox.put(data)
            model += data
        else:
            outbox.frame(0x82, data, True, KEY)
            model += bytes((0x82, 0x80 | value)) + KEY.to_bytes(4, "big")
            model += bytes(octet ^ (1 + i % 4) for i, octet in enumerate(data))
    elif name == "flush":
        left = outbox.size
        assert outbox.flush(near.fileno()) == (1 if outbox.size else 0)
        sent = left - outbox.size
        assert received(far) == model[:sent]
        del model[:sent]
    elif name == "take":
        assert outbox.take() == model
        model.clear()
    else:
        outbox.clear()
        model.clear()


@settings(deadline=None, max_examples=60)
@given(OPERATIONS)
def test_any_order_of_operations(kernel: Any, operations: list[tuple[str, int]]) -> None:
    outbox, model = kernel.Outbox(), bytearray()
    near, far = narrow(socket.socketpair())
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        for name, value in operations:
            apply(outbox, model, name, value, (near, far))
            assert outbox.size == len(model)
        assert outbox.take() == model
