"""Masking (RFC 6455 section 5.3) and where the keys come from."""

from __future__ import annotations

import os
import random
import struct
from typing import Any

import pytest

KEY = 0x37FA213D


def reference(data: bytes, key: int, phase: int = 0) -> bytes:
    octets = key.to_bytes(4, "big")
    return bytes(octet ^ octets[(phase + i) % 4] for i, octet in enumerate(data))


def test_the_example_of_the_rfc(kernel: Any) -> None:
    # Section 5.7: a single-frame masked text message "Hello".
    assert kernel.mask(b"Hello", KEY) == bytes.fromhex("7f9f4d5158")


def test_every_length_is_masked_octet_by_octet(kernel: Any) -> None:
    data = random.Random(1).randbytes(300)
    for length in range(300):
        assert kernel.mask(data[:length], KEY) == reference(data[:length], KEY)


def test_masking_twice_changes_nothing(kernel: Any) -> None:
    data = random.Random(2).randbytes(70_001)
    assert kernel.mask(kernel.mask(data, 0xDEADBEEF), 0xDEADBEEF) == data


def test_every_alignment_of_a_buffer(kernel: Any) -> None:
    data = random.Random(3).randbytes(120)
    for start in range(17):
        for length in (0, 1, 3, 7, 8, 9, 31, 32, 33, 63, 100):
            buffer = kernel.Buffer(150)
            buffer.put(start, data[:length])
            expected = reference(data[:length], KEY)
            assert buffer.unmasked(start, start + length, KEY) == expected
            buffer.unmask(start, start + length, KEY)
            assert buffer.copy(start, start + length) == expected


def test_unmasking_touches_nothing_else(kernel: Any) -> None:
    buffer = kernel.Buffer(64)
    buffer.put(0, b"\x55" * 64)
    buffer.unmask(5, 50, KEY)
    assert buffer.copy(0, 5) == b"\x55" * 5
    assert buffer.copy(50, 64) == b"\x55" * 14


@pytest.mark.parametrize("phase", range(9))
def test_every_phase_of_the_key(kernel: Any, phase: int) -> None:
    data = random.Random(phase).randbytes(80)
    source = kernel.Buffer(80)
    source.put(0, data)
    for length in range(80):
        body = kernel.Buffer()
        body.append(source, 0, length, True, KEY, phase)
        assert body.copy(0, length) == reference(data[:length], KEY, phase)


def test_a_payload_in_pieces_is_the_payload_at_once(kernel: Any) -> None:
    chance = random.Random(4)
    data = chance.randbytes(1000)
    source = kernel.Buffer(1000)
    source.put(0, data)
    body, at = kernel.Buffer(), 0
    while at < 1000:
        stop = min(1000, at + chance.randrange(0, 40))
        body.append(source, at, stop, True, KEY, at)
        at = stop
    assert body.copy(0, body.size) == reference(data, KEY)


@pytest.mark.parametrize("kind", [bytearray, memoryview])
def test_anything_contiguous_can_be_masked(kernel: Any, kind: Any) -> None:
    assert kernel.mask(kind(b"Hello"), KEY) == bytes.fromhex("7f9f4d5158")


@pytest.mark.parametrize("data", ["text", 5, None, memoryview(b"abcd")[::2]])
def test_what_has_no_octets_in_a_row_is_a_type_error(kernel: Any, data: Any) -> None:
    with pytest.raises(TypeError):
        kernel.mask(data, KEY)


@pytest.mark.parametrize("key", [-1, 1 << 32])
def test_a_key_has_four_octets(kernel: Any, key: int) -> None:
    with pytest.raises(OverflowError):
        kernel.mask(b"Hello", key)


# -- keys -----------------------------------------------------------------------------------------


def test_keys_are_fresh(kernel: Any) -> None:
    # More than one purchase of entropy. 5000 draws of 2**32 collide about three times in a
    # thousand runs, hardly ever five times in one.
    keys = [kernel.masking_key() for _ in range(5000)]
    assert all(0 <= key < 1 << 32 for key in keys)
    assert len(set(keys)) > 4995


def test_keys_use_all_bits(kernel: Any) -> None:
    ones = zeros = 0
    for _ in range(200):
        key = kernel.masking_key()
        ones |= key
        zeros |= ~key & 0xFFFFFFFF
    assert ones == zeros == 0xFFFFFFFF


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_process_has_keys_of_its_own(kernel: Any) -> None:
    # One call first: parent and child now share what is left of the purchase.
    kernel.masking_key()
    readable, writable = os.pipe()
    child = os.fork()
    if not child:
        os.write(writable, struct.pack("!8I", *(kernel.masking_key() for _ in range(8))))
        os._exit(0)
    os.close(writable)
    with open(readable, "rb") as answer:
        theirs = set(struct.unpack("!8I", answer.read()))
    os.waitpid(child, 0)
    assert not theirs & {kernel.masking_key() for _ in range(8)}
