"""permessage-deflate over real connections, in both roles: what is agreed on, what is inflated, and
what is failed with which code.

Sections are of RFC 7692 unless another is named.
"""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from longlink import Deflate, InvalidHandshake, connect, serve
from tests.api.raw import Raw, answering, port_of, switching
from tests.strict.raw import (
    BINARY,
    CONTINUATION,
    FIN,
    GOODBYE,
    PING,
    PONG,
    RSV1,
    RSV2,
    RSV3,
    TEXT,
    Heard,
    Talk,
    check_accepted,
    conversing,
    exchange,
    pieces,
    request,
)

NAME = "permessage-deflate"
KEEPING = Deflate(context_takeover=True, threshold=0)
ROLES = pytest.mark.parametrize("role", ["server", "client"])
TAIL = b"\x00\x00\xff\xff"
HELLO = bytes.fromhex("f248cdc9c90700")


def deflated(data: bytes, bits: int = 15) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -bits)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)).removesuffix(TAIL)


def inflated(data: bytes, bits: int = 15) -> bytes:
    return zlib.decompressobj(-bits).decompress(data + TAIL)


def compressing(role: str, keeps: bool = False, **options: Any) -> Any:
    """An open connection on which compression was agreed on, with or without takeover."""
    words = NAME
    if not keeps:
        words += "; server_no_context_takeover; client_no_context_takeover"
    compression = KEEPING if keeps else Deflate(threshold=0)
    return conversing(role, extensions=words, compression=compression, **options)


# -- what a server agrees to ----------------------------------------------------------------------


def extension(*values: str) -> bytes:
    return request(*(f"Sec-WebSocket-Extensions: {value}" for value in values))


BAD_OFFERS = [
    "foo",
    "server_no_context_takeover; server_no_context_takeover",
    "client_no_context_takeover; client_no_context_takeover",
    "client_max_window_bits; client_max_window_bits",
    "server_max_window_bits=10; server_max_window_bits=10",
    "server_max_window_bits",
    *(f"server_max_window_bits={value}" for value in (7, 16, "08", "15x", 0, -1, '"7"', "1e1")),
    *(f"client_max_window_bits={value}" for value in (7, 16, "08", "15x", 0, -1, '"16"')),
    "server_no_context_takeover=1",
    'client_no_context_takeover="true"',
    "server_max_window_bits=10; foo=1",
]


@pytest.mark.parametrize("offer", BAD_OFFERS)
async def test_a_bad_offer_is_declined_and_no_error(offer: str) -> None:  # §5.1, §7.1
    heard = Heard()
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        answer = check_accepted(await exchange(server, extension(f"{NAME}; {offer}") + GOODBYE))
    assert answer.all("Sec-WebSocket-Extensions") == []


@pytest.mark.parametrize("offer", BAD_OFFERS)
async def test_the_next_offer_is_tried(offer: str) -> None:  # §5.1
    async with serve(Heard().listen, "127.0.0.1", 0) as server:
        for octets in (
            extension(f"{NAME}; {offer}, {NAME}; server_max_window_bits=11"),
            extension(f"{NAME}; {offer}", f"{NAME}; server_max_window_bits=11"),
        ):
            answer = check_accepted(await exchange(server, octets + GOODBYE))
            assert "server_max_window_bits=11" in answer["Sec-WebSocket-Extensions"]


async def test_the_bit_of_a_declined_extension_is_reserved() -> None:  # RFC 6455 §5.2
    async with conversing("server", extensions=f"{NAME}; foo") as talk:
        talk.send(FIN | RSV1 | TEXT, HELLO)
        await talk.fails(1002)


OFFERS = [
    "",
    "client_max_window_bits",
    *(f"server_max_window_bits={bits}" for bits in (8, 9, 10, 15)),
    'server_max_window_bits="10"',
    "server_no_context_takeover",
    "client_no_context_takeover",
    "client_max_window_bits=9; server_max_window_bits=9",
    "client_max_window_bits=8; client_no_context_takeover; server_no_context_takeover",
]


def parameters(header: str) -> dict[str, str | None]:
    """Of an answer with this extension alone; fails where one comes twice or out of its range."""
    name, *words = (part.strip() for part in header.split(";"))
    assert name == NAME
    found = {}
    for word in words:
        key, _, value = word.partition("=")
        assert key not in found
        found[key] = value or None
    for key, given in found.items():
        if key.endswith("bits"):
            assert given is not None
            assert given in [str(bits) for bits in range(8, 16)]
        else:
            assert key in ("server_no_context_takeover", "client_no_context_takeover")
            assert given is None
    return found


@pytest.mark.parametrize("compression", ["deflate", KEEPING, Deflate(window_bits=9)])
@pytest.mark.parametrize("offer", OFFERS)
async def test_an_answer_holds_no_more_than_it_may(offer: str, compression: Any) -> None:  # §7.1
    async with serve(Heard().listen, "127.0.0.1", 0, compression=compression) as server:
        octets = extension(f"{NAME}; {offer}" if offer else NAME) + GOODBYE
        answer = check_accepted(await exchange(server, octets))
    found = parameters(answer["Sec-WebSocket-Extensions"])
    asked = parameters(f"{NAME}; {offer}".replace('"', "").rstrip("; ")) if "bits=" in offer else {}
    if "client_max_window_bits" not in offer:  # §7.1.2.2
        assert "client_max_window_bits" not in found
    if "server_no_context_takeover" in offer:  # §7.1.1.1
        assert "server_no_context_takeover" in found
    for key in ("server_max_window_bits", "client_max_window_bits"):
        limit = asked.get(key)
        if limit is not None:  # §7.1.2
            assert int(found.get(key) or 15) <= int(limit)


@pytest.mark.parametrize("bits", [8, 9, 12])
async def test_own_output_keeps_to_the_window(bits: int) -> None:  # §7.1.2.1
    """A decompressor with no more than this window reads it."""
    text = bytes(range(256)) * 40
    words = f"{NAME}; server_max_window_bits={bits}"
    async with conversing("server", extensions=words, compression=KEEPING) as talk:
        decompressor = zlib.decompressobj(-bits)
        for _ in range(3):
            talk.heard.ws.send(text)
            first, payload = await talk.recv()
            assert first == FIN | RSV1 | BINARY
            assert decompressor.decompress(payload + TAIL) == text
        assert await talk.leaves() == 1000


# -- what a client agrees to ----------------------------------------------------------------------


@asynccontextmanager
async def answered(words: str | list[str]) -> AsyncIterator[str]:
    """The URI of a server that agrees to these extensions, whatever was offered."""
    lines = [words] if isinstance(words, str) else words

    async def script(raw: Raw, head: str) -> None:
        more = "".join(f"Sec-WebSocket-Extensions: {line}\r\n" for line in lines)
        raw.send(switching(head)[:-2] + more + "\r\n")
        await raw.end()

    async with answering(script) as uri:
        yield uri


@pytest.mark.parametrize(
    "words",
    [
        *(f"{NAME}; {offer}" for offer in BAD_OFFERS if "client_max_window_bits=9" not in offer),
        f"{NAME}; client_max_window_bits",
        f"{NAME}, {NAME}",
        [NAME, NAME],
        f"{NAME}, foo",
        "foo",
        "x-webkit-deflate-frame",
    ],
)
async def test_a_bad_answer_fails_the_handshake(words: str | list[str]) -> None:  # §5.1, §7.1
    async with answered(words) as uri:
        with pytest.raises(InvalidHandshake):
            await connect(uri)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (Deflate(window_bits=10), f"{NAME}; server_max_window_bits=11"),
        (Deflate(window_bits=10), f"{NAME}; client_max_window_bits=11"),
        (None, NAME),
    ],
)
async def test_more_than_was_offered_fails_the_handshake(options: Any, words: str) -> None:
    async with answered(words) as uri:
        with pytest.raises(InvalidHandshake):
            await connect(uri, compression=options)


@pytest.mark.parametrize("bits", [8, 9, 15])
async def test_a_server_may_limit_itself_unasked(bits: int) -> None:  # §7.1.1.1, §7.1.2.1
    words = f"{NAME}; server_max_window_bits={bits}; server_no_context_takeover"
    async with conversing("client", extensions=words, compression=KEEPING) as talk:
        for _ in range(2):
            talk.send(FIN | RSV1 | TEXT, deflated(b"hello hello", max(bits, 9)))
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["hello hello"] * 2


# -- what is inflated -----------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize(
    "payload",
    [
        pytest.param("f248cdc9c90700", id="7.2.3.1: one block"),
        pytest.param("000500faff48656c6c6f00", id="7.2.3.3: without compression"),
        pytest.param("f348cdc9c9070000", id="7.2.3.4: a final block"),
        pytest.param("f24805000000ffffcac9c90700", id="7.2.3.5: two blocks"),
        pytest.param("f248cdc9c907000000ffff00", id="7.2.1: one more empty block"),
    ],
)
async def test_each_of_these_is_hello(role: str, keeps: bool, payload: str) -> None:
    async with compressing(role, keeps) as talk:
        octets = bytes.fromhex(payload)
        talk.send(FIN | RSV1 | TEXT, octets)
        for size in (1, 3):  # in fragments, of which the first says that all are compressed (§6.1)
            parts = list(pieces(octets, size))
            for number, part in enumerate(parts):
                last = FIN if number == len(parts) - 1 else 0
                talk.send(last | (CONTINUATION if number else RSV1 | TEXT), part)
        talk.send(FIN | TEXT, b"plain")  # §6: each message says for itself
        talk.send(FIN | RSV1 | TEXT, HELLO)
        assert await talk.leaves() == 1000
        assert talk.heard.messages == [*["Hello"] * 3, "plain", "Hello"]


@ROLES
async def test_the_window_reaches_over_messages(role: str) -> None:  # §7.2.3.2
    async with compressing(role, keeps=True) as talk:
        talk.send(FIN | RSV1 | TEXT, HELLO)
        talk.send(FIN | TEXT, b"not in the window")
        talk.send(FIN | RSV1 | TEXT, bytes.fromhex("f200110000"))
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["Hello", "not in the window", "Hello"]


@ROLES
async def test_without_takeover_nothing_reaches_over_messages(role: str) -> None:  # §7.1.1
    async with compressing(role, keeps=False) as talk:
        talk.send(FIN | RSV1 | TEXT, HELLO)
        talk.send(FIN | RSV1 | TEXT, bytes.fromhex("f200110000"))
        await talk.fails(1007, "Hello")


@ROLES
async def test_empty_messages_both_ways(role: str) -> None:  # §7.2.3.6
    async with compressing(role) as talk:
        talk.send(FIN | RSV1 | TEXT, b"\x00")
        talk.send(FIN | RSV1 | BINARY, b"\x02\x00")
        talk.heard.ws.send("", compress=True)
        first, payload = await talk.recv()
        assert inflated(payload) == b"" if first & RSV1 else payload == b""
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["", b""]


@ROLES
@pytest.mark.parametrize("keeps", [False, True])
async def test_what_is_sent_can_be_inflated(role: str, keeps: bool) -> None:  # §7.2.1
    async with compressing(role, keeps) as talk:
        decompressor = zlib.decompressobj(-15)
        for text in ("Hello", "Hello", "日本" * 5000, "x" * 70_000):
            talk.heard.ws.send(text)
            first, payload = await talk.recv()
            if not first & RSV1:
                assert payload.decode() == text
                continue
            if not keeps:
                decompressor = zlib.decompressobj(-15)
            assert not payload.endswith(TAIL)
            assert decompressor.decompress(payload + TAIL).decode() == text
        talk.heard.ws.ping("control frames are not compressed" * 3)
        assert (await talk.recv())[0] == FIN | PING
        assert await talk.leaves() == 1000


@ROLES
async def test_a_ping_between_compressed_fragments(role: str) -> None:  # RFC 6455 §5.4
    async with compressing(role) as talk:
        talk.send(RSV1 | TEXT, HELLO[:3])
        talk.send(FIN | PING, b"x")
        assert await talk.recv() == (FIN | PONG, b"x")
        talk.send(FIN | CONTINUATION, HELLO[3:])
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["Hello"]


@ROLES
async def test_a_character_may_lie_across_blocks_and_fragments(role: str) -> None:  # RFC 6455 §8.1
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    parts = [
        compressor.compress(octet) + compressor.flush(zlib.Z_SYNC_FLUSH)
        for octet in pieces("🦄é".encode(), 1)
    ]
    async with compressing(role) as talk:
        for number, part in enumerate(parts):
            talk.send(CONTINUATION if number else RSV1 | TEXT, part)
        talk.send(FIN | CONTINUATION, b"\x00")
        assert await talk.leaves() == 1000
        assert talk.heard.messages == ["🦄é"]


# -- what is failed -------------------------------------------------------------------------------


@ROLES
@pytest.mark.parametrize("inside", [False, True])
@pytest.mark.parametrize(
    "first", [RSV1 | FIN, RSV1, RSV1 | FIN | PING, RSV1 | FIN | PONG, RSV1 | FIN | 8]
)
async def test_the_bit_on_a_continuation_or_a_control_frame(
    role: str, inside: bool, first: int
) -> None:  # §6
    async with compressing(role) as talk:
        if inside:
            talk.send(RSV1 | TEXT, HELLO[:3])
        talk.send(first, HELLO[3:])
        await talk.fails(1002)


@ROLES
@pytest.mark.parametrize("first", [FIN | RSV1 | bits | TEXT for bits in (RSV2, RSV3, RSV2 | RSV3)])
async def test_other_bits_stay_reserved(role: str, first: int) -> None:
    async with compressing(role) as talk:
        talk.send(first, HELLO)
        await talk.fails(1002)


@ROLES
async def test_without_an_agreement_the_bit_is_reserved(role: str) -> None:  # RFC 6455 §5.2
    async with conversing(role) as talk:
        talk.send(FIN | RSV1 | TEXT, HELLO)
        await talk.fails(1002)


STORED = bytes.fromhex("000500faff48656c6c6f00")
BROKEN = [
    pytest.param(b"\xff" * 10, id="reserved type of block"),
    pytest.param(b"\x06", id="code of another table"),
    pytest.param(bytes.fromhex("000500faf048656c6c6f00"), id="wrong check of a length"),
    pytest.param(STORED[:8], id="a block cut short"),
    pytest.param(HELLO[:4], id="cut within a block"),
    pytest.param(HELLO + b"\xff\xff\xff", id="data behind the end"),
    pytest.param(bytes.fromhex("f348cdc9c90700") + HELLO, id="data behind a final block"),
    pytest.param(bytes.fromhex("f200110000"), id="reference to what was never said"),
    pytest.param(zlib.compress(b"Hello"), id="zlib's own header"),
]


@ROLES
@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("opcode", [TEXT, BINARY])
@pytest.mark.parametrize("payload", BROKEN)
async def test_broken_data_is_never_delivered(
    role: str, keeps: bool, opcode: int, payload: bytes
) -> None:  # §7.2.2, RFC 6455 §7.1.7
    async with compressing(role, keeps) as talk:
        talk.send(FIN | RSV1 | opcode, payload)
        await talk.fails(1007)


@ROLES
@pytest.mark.parametrize("octets", [b"\xff", b"cut \xe2\x82", b"\xed\xa0\x80"])
async def test_text_is_judged_once_it_is_inflated(role: str, octets: bytes) -> None:  # §6.2
    async with compressing(role) as talk:
        talk.send(FIN | RSV1 | TEXT, deflated(octets))
        await talk.fails(1007)


@ROLES
async def test_wrong_text_in_an_early_fragment_fails_at_once(role: str) -> None:  # RFC 6455 §8.1
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    async with compressing(role) as talk:
        begun = compressor.compress(b"fine\xff") + compressor.flush(zlib.Z_SYNC_FLUSH)
        talk.send(RSV1 | TEXT, begun)
        await talk.fails(1007)


@ROLES
@pytest.mark.parametrize("split", [False, True])
async def test_a_bomb_fails_at_the_limit(role: str, split: bool) -> None:  # RFC 6455 §10.4
    """How little memory that takes is measured in tests/wire/test_deflate_limits.py."""
    bomb = deflated(bytes(2**26))
    async with compressing(role) as talk:
        if split:
            for number, part in enumerate(pieces(bomb, 1000)):
                talk.send(CONTINUATION if number else RSV1 | BINARY, part)
        else:
            talk.send(FIN | RSV1 | BINARY, bomb)
        await talk.fails(1009)


@ROLES
@pytest.mark.parametrize("over", [0, 1])
async def test_the_limit_is_of_what_it_says(role: str, over: int) -> None:  # RFC 6455 §10.4
    async with compressing(role, max_size=100_000) as talk:
        talk.send(FIN | RSV1 | BINARY, deflated(bytes(100_000 + over)))
        if over:
            await talk.fails(1009)
        else:
            assert await talk.leaves() == 1000
            assert talk.heard.messages == [bytes(100_000)]


async def test_echo_of_a_raw_peer_over_an_agreed_connection() -> None:
    """Head and first compressed frame in one segment."""
    heard = Heard(echoes=True)
    async with serve(heard.listen, "127.0.0.1", 0) as server:
        raw = await Raw.connect(port_of(server))
        talk = Talk(raw, "server", heard)
        raw.send(extension(NAME) + talk.octets(FIN | RSV1 | TEXT, HELLO))
        await raw.head()
        first, payload = await talk.recv()
        assert (inflated(payload) if first & RSV1 else payload) == b"Hello"
        assert await talk.leaves() == 1000
