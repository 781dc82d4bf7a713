"""The compiled kernel and its portable twin: the same names, the same answers to the same calls."""

from __future__ import annotations

import inspect
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

CLASSES = ("Buffer", "Outbox", "Poll", "Source", "Wait", "Done", "Waker")
KEYS = st.integers(0, 2**32 - 1)


def outcome(call: Callable[..., object], *arguments: object) -> object:
    """What the call answers, or the kind of exception it raises."""
    try:
        return call(*arguments)
    except Exception as error:
        return type(error)


def agree(faces: dict[str, Any], ask: Callable[[Any], object]) -> None:
    first, *others = [outcome(ask, face) for face in faces.values()]
    assert others == [first] * len(others)


def public(thing: object) -> set[str]:
    return {name for name in dir(thing) if not name.startswith("_")}


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CLASSES)
def test_the_twin_has_every_method_of_the_compiled_class(faces: dict[str, Any], name: str) -> None:
    compiled, portable = (getattr(faces[face], name) for face in ("compiled", "portable"))
    assert public(compiled) <= public(portable)


def test_both_have_the_same_functions_and_constants(faces: dict[str, Any]) -> None:
    def own(face: Any) -> set[str]:
        names = public(face)
        return {
            name
            for name in names
            if not inspect.ismodule(getattr(face, name))
            and (getattr(getattr(face, name), "__module__", face.__name__) == face.__name__)
        }

    limits = {"BATCH", "REFERENCE_FROM", "SEGMENTS_PER_CALL", "ENTROPY"}
    hints = {"annotations", "BytesLike", "SocketName", "Any", "Final"}
    assert own(faces["compiled"]) == own(faces["portable"]) - limits - hints


def test_each_says_what_it_is(faces: dict[str, Any]) -> None:
    assert faces["compiled"].COMPILED is True
    assert faces["portable"].COMPILED is False


# -- answers --------------------------------------------------------------------------------------


@settings(deadline=None)
@given(data=st.binary(max_size=300), key=KEYS)
def test_masks(faces: dict[str, Any], data: bytes, key: int) -> None:
    agree(faces, lambda face: face.mask(data, key))


PLACES = st.integers(-2, 40)


@settings(deadline=None, max_examples=300)
@given(data=st.binary(max_size=36), start=PLACES, stop=PLACES, key=KEYS)
def test_places_in_a_buffer(
    faces: dict[str, Any], data: bytes, start: int, stop: int, key: int
) -> None:
    def ask(method: str, *more: object) -> Callable[[Any], object]:
        def asked(face: Any) -> object:
            buffer = face.Buffer(len(data))
            buffer.put(0, data)
            return getattr(buffer, method)(start, stop, *more), bytes(buffer)

        return asked

    agree(faces, ask("copy"))
    agree(faces, ask("text"))
    agree(faces, ask("unmasked", key))
    agree(faces, ask("unmask", key))
    for state in range(-1, 9):
        agree(faces, ask("utf8", state))


@settings(deadline=None)
@given(data=st.binary(max_size=30), needle=st.binary(max_size=3), start=PLACES, stop=PLACES)
def test_finding(faces: dict[str, Any], data: bytes, needle: bytes, start: int, stop: int) -> None:
    def ask(face: Any) -> object:
        buffer = face.Buffer(len(data))
        buffer.put(0, data)
        return buffer.find(needle, start, stop)

    agree(faces, ask)


APPENDS = st.lists(
    st.tuples(
        st.integers(0, 60), st.integers(0, 60), st.booleans(), KEYS, st.integers(0, 2**32 - 1)
    )
)


@settings(deadline=None)
@given(capacity=st.integers(0, 70), appends=APPENDS)
def test_appending(faces: dict[str, Any], capacity: int, appends: list[tuple[Any, ...]]) -> None:
    def ask(face: Any) -> object:
        source, body = face.Buffer(50), face.Buffer(capacity)
        source.put(0, bytes(range(50)))
        trail: list[object] = []
        for append in appends:
            trail.append(outcome(body.append, source, *append))
            trail += [body.size, body.capacity]
        return trail, body.copy(0, body.size)

    agree(faces, ask)


@settings(deadline=None)
@given(capacity=st.integers(0, 70), adds=st.lists(st.binary(max_size=40)))
def test_adding(faces: dict[str, Any], capacity: int, adds: list[bytes]) -> None:
    def ask(face: Any) -> object:
        body = face.Buffer(capacity)
        trail: list[object] = [(body.add(data), body.size, body.capacity) for data in adds]
        return trail, body.copy(0, body.size)

    agree(faces, ask)


@settings(deadline=None)
@given(
    calls=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["u8", "u16", "u32"]), st.integers(-1, 2**32)),
            st.tuples(st.just("u64"), st.integers(-1, 2**64)),
            st.tuples(st.just("put"), st.one_of(st.binary(max_size=99), st.none(), st.text())),
            st.tuples(st.sampled_from(["take", "clear"])),
        )
    )
)
def test_queueing(faces: dict[str, Any], calls: list[tuple[Any, ...]]) -> None:
    def ask(face: Any) -> object:
        outbox = face.Outbox()
        trail: list[object] = []
        for name, *arguments in calls:
            trail.append(outcome(getattr(outbox, name), *arguments))
            trail.append(outbox.size)
        return trail, outbox.take()

    agree(faces, ask)


@pytest.mark.parametrize("fd", [-1, 1 << 30])
@pytest.mark.parametrize("call", ["accept", "shutdown", "close", "peer_name", "sock_name"])
def test_a_descriptor_that_is_none(faces: dict[str, Any], call: str, fd: int) -> None:
    agree(faces, lambda face: getattr(face, call)(fd))


@pytest.mark.parametrize("kind", [socket.SOCK_STREAM, socket.SOCK_DGRAM])
def test_a_socket_that_is_not_connected(faces: dict[str, Any], kind: int) -> None:
    with socket.socket(socket.AF_INET, kind) as lonely:
        fd = lonely.fileno()
        calls = ("accept", "shutdown", "peer_name", "sock_name")
        agree(faces, lambda face: [getattr(face, call)(fd) for call in calls])
