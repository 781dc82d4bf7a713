"""Frames on an open connection, in both roles: what is failed, with which code and how early, and
what is delivered and answered.

Nothing follows the octets of a bad frame: who waited for more would never answer. Sections are of
RFC 6455 unless another is named.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.strict.raw import (
    BINARY,
    CLOSE,
    CONTINUATION,
    FIN,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    Talk,
    conversing,
    pieces,
)

BOTH = ("server", "client")
ROLES = pytest.mark.parametrize("role", BOTH)
Say = Callable[[Talk], bytes]


def begin(first: int, length: int, more: bytes = b"") -> Say:
    """The beginning of a frame: two octets and maybe an extended length, nothing else."""
    return lambda talk: bytes((first, (0x80 if talk.ours == "server" else 0) | length)) + more


def inside(say: Say) -> Say:
    """The same in the middle of a fragmented message."""
    return lambda talk: talk.octets(TEXT, b"begun") + say(talk)


def whole(first: int, payload: bytes = b"") -> Say:
    return lambda talk: talk.octets(first, payload)


def bad(code: int, section: str, name: str, *says: Say, roles: tuple[str, ...] = BOTH) -> list[Any]:
    return [
        pytest.param(role, say, code, id=f"{section}: {name} {i}, {role}")
        for i, say in enumerate(says)
        for role in roles
    ]


OPCODES = (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG)
RESERVED = (3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF)
MIB = 2**20

FAILED = [
    *bad(
        *(1002, "5.1", "frame without a mask"),
        *(lambda talk, o=o: bytes((FIN | o, 0)) for o in OPCODES[1:]),
        lambda talk: bytes((TEXT, 5)),
        roles=("server",),
    ),
    *bad(
        *(1002, "5.1", "frame with a mask"),
        *(lambda talk, o=o: bytes((FIN | o, 0x80)) for o in OPCODES[1:]),
        lambda talk: bytes((TEXT, 0x85)),
        roles=("client",),
    ),
    *bad(
        *(1002, "5.2", "reserved bit"),
        *(begin(FIN | bit | o, 5) for bit in (RSV1, RSV2, RSV3) for o in OPCODES[1:]),
        *(begin(bit | TEXT, 5) for bit in (RSV1, RSV2, RSV3)),
        begin(FIN | RSV1 | RSV2 | RSV3 | TEXT, 5),
    ),
    *bad(
        *(1002, "5.2", "reserved bit of a continuation or of a control frame between"),
        *(inside(begin(FIN | bit, 5)) for bit in (RSV1, RSV2, RSV3)),
        *(inside(begin(bit, 5)) for bit in (RSV1, RSV2, RSV3)),
        *(inside(begin(FIN | bit | PING, 5)) for bit in (RSV1, RSV2, RSV3)),
    ),
    *bad(1002, "5.2", "reserved opcode", *(begin(FIN | o, 5) for o in RESERVED)),
    *bad(1002, "5.2", "reserved opcode of a fragment", *(begin(o, 5) for o in RESERVED)),
    *bad(
        *(1002, "5.2", "reserved opcode between fragments"),
        *(inside(begin(FIN | o, 5)) for o in RESERVED),
    ),
    *bad(
        *(1002, "5.2", "length that is not minimal"),
        *(begin(FIN | BINARY, 126, size.to_bytes(2, "big")) for size in (0, 1, 125)),
        *(begin(FIN | BINARY, 127, size.to_bytes(8, "big")) for size in (0, 125, 126, 65535)),
    ),
    *bad(
        *(1002, "5.2", "length with its top bit set"),
        begin(FIN | BINARY, 127, b"\x80"),
        begin(FIN | BINARY, 127, b"\xff" * 8),
        inside(begin(FIN, 127, b"\x80" + bytes(7))),
    ),
    *bad(
        *(1002, "5.5", "control frame over 125 octets"),
        *(begin(FIN | o, length) for o in (CLOSE, PING, PONG) for length in (126, 127)),
        *(inside(begin(FIN | o, length)) for o in (CLOSE, PING, PONG) for length in (126, 127)),
    ),
    *bad(
        *(1002, "5.5", "control frame in fragments"),
        *(begin(o, 5) for o in (CLOSE, PING, PONG)),
        *(inside(begin(o, 0)) for o in (CLOSE, PING, PONG)),
    ),
    *bad(
        *(1002, "5.4", "continuation of nothing"),
        *(begin(CONTINUATION, 5), begin(FIN | CONTINUATION, 0)),
        lambda talk: talk.octets(FIN | PING) + begin(FIN, 5)(talk),
    ),
    *bad(
        *(1002, "5.4", "message inside a fragmented one"),
        *(inside(begin(FIN | o, 5)) for o in (TEXT, BINARY)),
        *(inside(begin(o, 0)) for o in (TEXT, BINARY)),
        lambda talk: talk.octets(TEXT, b"a") + talk.octets(0, b"b") + begin(FIN | TEXT, 1)(talk),
    ),
    *bad(
        *(1009, "7.4.1", "message over the limit"),
        begin(FIN | BINARY, 127, (MIB + 1).to_bytes(8, "big")),
        begin(FIN | TEXT, 127, (2**62).to_bytes(8, "big")),
        begin(FIN | TEXT, 127, b"\x00\x00\x00\x01"),
        lambda talk: talk.octets(BINARY, bytes(MIB)) + begin(FIN, 1)(talk),
        lambda talk: talk.octets(BINARY, bytes(MIB - 1)) + begin(FIN, 2)(talk),
    ),
    *bad(
        *(1007, "8.1", "text that is not UTF-8"),
        *(
            whole(FIN | TEXT, octets)
            for octets in (b"\xff", b"\xc0\x80", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"a\x80")
        ),
        *(whole(FIN | TEXT, octets) for octets in (b"\xce", b"\xf0\x9f\xa6", b"ab\xe2\x82")),
    ),
    *bad(
        *(1007, "8.1", "text that ends inside a character"),
        lambda talk: talk.octets(TEXT, b"\xf0\x9f") + talk.octets(FIN, b"\xa6"),
        lambda talk: talk.octets(TEXT, b"\xe2\x82") + talk.octets(FIN),
        lambda talk: talk.octets(TEXT, b"\xc3") + talk.octets(CONTINUATION) + talk.octets(FIN),
    ),
    *bad(
        *(1007, "8.1", "text that goes wrong before its end"),
        whole(TEXT, b"fine\xff"),
        lambda talk: talk.octets(TEXT, b"fine") + talk.octets(CONTINUATION, b"\xff"),
        lambda talk: talk.octets(TEXT, b"\xe2") + talk.octets(CONTINUATION, b"\x28"),
        lambda talk: (
            talk.octets(TEXT, b"\xce\xba") + talk.octets(FIN | PONG) + talk.octets(0, b"\xff")
        ),
        lambda talk: talk.octets(FIN | TEXT, b"\xff" + bytes(9))[:-9],
        lambda talk: talk.octets(TEXT, b"\xf4") + talk.octets(FIN, b"\x90" + bytes(9))[:-9],
    ),
]


@pytest.mark.parametrize(("role", "say", "code"), FAILED)
async def test_a_frame_that_breaks_a_rule_fails_at_once(role: str, say: Say, code: int) -> None:
    async with conversing(role) as talk:
        talk.send(FIN | TEXT, b"before")
        talk.raw.send(say(talk))
        first, payload = await talk.recv()
        while first == FIN | PONG:  # a ping that came before
            first, payload = await talk.recv()
        assert first == FIN | CLOSE
        assert int.from_bytes(payload[:2], "big") == code
        payload[2:].decode()
        await talk.ends()
        assert await talk.gone() == 1006
        assert talk.heard.messages == ["before"]


@ROLES
async def test_who_was_told_before_may_answer_before_the_failure(role: str) -> None:
    """What came before the bad frame was in order, though it came in the same segment."""
    async with conversing(role) as talk:
        talk.heard.echoes = True
        questions = [talk.octets(FIN | TEXT, b"one"), talk.octets(FIN | TEXT, b"two")]
        talk.raw.send(b"".join(questions) + talk.octets(FIN | RSV2 | TEXT))
        assert await talk.recv() == (FIN | TEXT, b"one")
        assert await talk.recv() == (FIN | TEXT, b"two")
        await talk.fails(1002, "one", "two")


@ROLES
@pytest.mark.parametrize("split", [False, True])
async def test_a_message_exactly_at_the_limit(role: str, split: bool) -> None:
    async with conversing(role) as talk:
        if split:
            talk.send(BINARY, bytes(MIB - 1))
            talk.send(CONTINUATION, b"\x01")
            talk.send(FIN | CONTINUATION)
        else:
            talk.send(FIN | BINARY, bytes(MIB))
        assert await talk.leaves() == 1000
        (message,) = talk.heard.messages
        assert len(message) == MIB


@ROLES
@pytest.mark.parametrize("announced", [2**31, 2**40])
async def test_nothing_is_reserved_for_what_a_header_announces(role: str, announced: int) -> None:
    """§10.4; a test machine has no terabyte."""
    async with conversing(role, max_size=None, max_fragments=None) as talk:
        header = begin(FIN | BINARY, 127, announced.to_bytes(8, "big"))(talk)
        talk.raw.send(header + bytes(4 if role == "server" else 0) + b"the first octets")
        talk.heard.ws.send("meanwhile")
        assert await talk.recv() == (FIN | TEXT, b"meanwhile")
        assert await talk.gone() == 1006
        assert talk.heard.messages == []


@ROLES
@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70000])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
async def test_every_form_of_length_both_ways(role: str, size: int, opcode: int) -> None:
    """§5.2; `recv` asserts that our own are minimal."""
    async with conversing(role) as talk:
        talk.send(FIN | opcode, b"x" * size)
        talk.heard.ws.send("y" * size if opcode == TEXT else b"y" * size)
        assert await talk.recv() == (FIN | opcode, b"y" * size)
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["x" * size if opcode == TEXT else b"x" * size]


@ROLES
async def test_fragments_of_no_octets(role: str) -> None:
    async with conversing(role) as talk:
        for opcode in (TEXT, BINARY):
            talk.send(opcode)
            talk.send(CONTINUATION)
            talk.send(FIN | CONTINUATION)
        talk.send(TEXT)
        talk.send(CONTINUATION, b"a")
        talk.send(FIN | CONTINUATION)
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["", b"", "a"]


@ROLES
@pytest.mark.parametrize("payload", [b"", b"x" * 125, b"\xff\xfe\x80", bytes(125), b"\x00"])
async def test_a_ping_is_answered_with_what_it_carried(role: str, payload: bytes) -> None:  # §5.5.3
    async with conversing(role) as talk:
        talk.send(FIN | PING, payload)
        assert await talk.recv() == (FIN | PONG, payload)
        assert await talk.leaves() == 1000


@ROLES
async def test_a_ping_between_fragments_is_answered_before_the_next(role: str) -> None:  # §5.4
    async with conversing(role) as talk:
        talk.send(TEXT, b"one ")
        for number in range(3):
            talk.send(FIN | PING, b"%d" % number)
            assert await talk.recv() == (FIN | PONG, b"%d" % number)
            talk.send(CONTINUATION, b"more ")
        talk.send(FIN | CONTINUATION, b"end")
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["one more more more end"]


@ROLES
async def test_a_pong_that_nobody_asked_for_is_not_answered(role: str) -> None:  # §5.5.3
    async with conversing(role) as talk:
        talk.send(FIN | PONG, b"unasked")
        talk.send(FIN | PONG)
        talk.send(FIN | PING, b"x")
        assert await talk.recv() == (FIN | PONG, b"x")
        assert await talk.leaves() == 1000


@ROLES
async def test_a_flood_of_control_frames_ends_the_connection(role: str) -> None:  # §10.4
    async with conversing(role) as talk:
        for _ in range(1000):
            talk.send(FIN | PONG, b"flood")
        await talk.closes(1008)
        await talk.ends()
        assert await talk.gone() == 1006


@ROLES
@pytest.mark.parametrize(
    "text",
    ["\x00", "\ufefffirst", "\uffff\ufffe", "\U0010ffff", "\ud7ff\ue000", "🦄é\u0300日本" * 50],
)
async def test_text_is_delivered_unchanged(role: str, text: str) -> None:  # §5.6, §8.1
    octets = text.encode()
    async with conversing(role) as talk:
        talk.send(FIN | TEXT, octets)
        for size in (1, 2, 3):  # in fragments that cut characters, with pings between
            parts = list(pieces(octets, size))
            for number, part in enumerate(parts):
                talk.send(CONTINUATION if number else TEXT, part)
                if number < 50:
                    talk.send(FIN | PING)
                    assert await talk.recv() == (FIN | PONG, b"")
            talk.send(FIN | CONTINUATION)
        assert await talk.leaves() == 1000
        assert talk.heard.messages == [text] * 4


@ROLES
async def test_binary_need_not_be_text(role: str) -> None:
    octets = bytes(range(256))
    async with conversing(role) as talk:
        talk.send(FIN | BINARY, octets)
        talk.send(BINARY, octets)
        talk.send(FIN | CONTINUATION, b"\xff")
        assert await talk.leaves() == 1000
        assert talk.heard.messages == [octets, octets + b"\xff"]


@ROLES
async def test_octet_by_octet_is_the_same_conversation(role: str) -> None:
    async with conversing(role) as talk:
        octets = b"".join(
            [
                talk.octets(FIN | TEXT, "né".encode()),
                talk.octets(TEXT, b"\xf0\x9f"),
                talk.octets(FIN | PING, b"between"),
                talk.octets(FIN | CONTINUATION, b"\xa6\x84"),
                talk.octets(FIN | BINARY, bytes(126)),
                talk.octets(FIN | CLOSE, b"\x03\xe8bye"),
            ]
        )
        for octet in pieces(octets, 1):
            talk.raw.send(octet)
            await asyncio.sleep(0)
        assert await talk.recv() == (FIN | PONG, b"between")
        assert await talk.closes(1000) == "bye"
        assert await talk.gone() == 1000
        assert talk.heard.messages == ["né", "🦄", bytes(126)]


@ROLES
async def test_a_thousand_frames_in_one_segment(role: str) -> None:
    async with conversing(role) as talk:
        many = b"".join(talk.octets(FIN | TEXT, b"%d" % number) for number in range(1000))
        talk.raw.send(many)
        assert await talk.leaves() == 1000
        assert talk.heard.messages == [str(number) for number in range(1000)]


@ROLES
async def test_masks_are_fresh_for_every_frame_of_a_client_and_none_of_a_server(role: str) -> None:
    """§5.1, §5.3: Close, Ping and Pong included; `recv` asserts the mask bit."""
    async with conversing(role) as talk:
        ws = talk.heard.ws
        for number in range(100):
            ws.send(str(number))
            ws.send(b"%d" % number)
            await ws.ping()
            await ws.pong()
        talk.send(FIN | PING, b"x")
        for _ in range(401):
            await talk.recv()
        assert await talk.leaves() == 1000
        assert len(talk.keys) == (402 if role == "client" else 1)


@ROLES
async def test_messages_of_many_tasks_do_not_mix_with_a_fragmented_one(role: str) -> None:  # §5.4
    go = asyncio.Event()

    async def slowly() -> AsyncIterator[str]:
        for number in range(10):
            yield f"part {number};"
            go.set()
            await asyncio.sleep(0)

    async def chatter(ws: Any, name: int) -> None:
        await go.wait()
        for number in range(5):
            await ws.send(f"task {name} message {number}")
            await ws.ping()

    async with conversing(role) as talk:
        ws = talk.heard.ws
        sending = asyncio.gather(ws.send(slowly()), *(chatter(ws, name) for name in range(5)))
        found: list[bytes] = []
        open_message: list[bytes] | None = None
        while len(found) < 26:
            first, payload = await talk.recv()
            if first & 0x0F == PING:
                assert first == FIN | PING
                talk.send(FIN | PONG, payload)
                continue
            assert (first & 0x0F == CONTINUATION) == (open_message is not None)
            open_message = [*(open_message or []), payload]
            if first & FIN:
                found.append(b"".join(open_message))
                open_message = None
        await sending
        assert b"".join(b"part %d;" % number for number in range(10)) in found
        for name in range(5):
            mine = [each for each in found if each.startswith(b"task %d" % name)]
            assert mine == [b"task %d message %d" % (name, number) for number in range(5)]
        assert await talk.leaves_after_pings() == 1000
