"""Messages that are taken in parts: however they come, and whenever, it is the same."""

from __future__ import annotations

import random
import zlib

import pytest

from tests.wire.compression import PLAIN, TAIL, TAKEOVER
from tests.wire.instrument import (
    BINARY,
    CONTINUATION,
    FIN,
    KEY,
    PING,
    RSV1,
    TEXT,
    Recorder,
    converse,
    feed,
    frame,
    header,
    opened,
    text,
)


class Taker(Recorder):
    """Takes what there is each time it is told that there is more, or each `every`th time."""

    every = 1

    def on_part(self) -> None:
        self.heard = getattr(self, "heard", 0) + 1
        if self.heard % self.every == 0:
            part = self.take()
            if part is not None:
                self.told.append(("part", part))

    def joined(self) -> list[str | bytes]:
        """Messages as their parts and rest make them."""
        found: list[str | bytes] = []
        parts: list[str | bytes] = []
        for kind, *what in self.told:
            if kind == "part":
                parts.append(what[0])
            elif kind == "message":
                found.append(type(what[0])().join([*parts, what[0]]))
                parts = []
        return found


def taker(every: int = 1) -> Taker:
    endpoint = Taker()
    endpoint.every = every
    endpoint.opened()
    endpoint.told.clear()
    return endpoint


WORDS = "aß€🙂 "
STREAM = b"".join(
    [
        frame(TEXT, WORDS.encode()[:5]),
        frame(FIN | PING, b"?"),
        frame(CONTINUATION, WORDS.encode()[5:8]),
        frame(FIN | CONTINUATION, WORDS.encode()[8:]),
        frame(BINARY, b""),
        frame(CONTINUATION, b"\xff" * 30),
        frame(FIN | CONTINUATION, b""),
        text("whole"),
    ]
)
SAID = [WORDS, b"\xff" * 30, "whole"]


@pytest.mark.parametrize("every", [1, 2, 3])
@pytest.mark.parametrize("size", [*range(1, 12), len(STREAM)])
def test_parts_and_rest_are_the_message(size: int, every: int) -> None:
    endpoint = taker(every)
    for start in range(0, len(STREAM), size):
        feed(endpoint, STREAM[start : start + size])
    assert endpoint.joined() == SAID


def test_every_part_of_text_is_whole_characters() -> None:
    endpoint = taker()
    octets = WORDS.encode()
    feed(endpoint, header(FIN | TEXT, len(octets), key=0))
    for n in range(len(octets)):
        feed(endpoint, octets[n : n + 1])
    assert [part[0] for kind, *part in endpoint.told if kind == "part"] == list("aß€🙂")
    assert endpoint.messages == [" "]


def test_there_is_nothing_to_take_between_messages_or_before_octets() -> None:
    endpoint = opened()
    assert endpoint.take() is None
    feed(endpoint, frame(BINARY))
    assert endpoint.take() is None
    feed(endpoint, frame(CONTINUATION, b"x"))
    assert endpoint.take() == b"x"
    assert endpoint.take() is None
    feed(endpoint, frame(FIN | CONTINUATION))
    assert endpoint.take() is None
    assert endpoint.messages == [b""]


def test_a_character_that_has_only_begun_is_not_taken() -> None:
    endpoint = opened()
    feed(endpoint, frame(TEXT, "🙂".encode()[:3]))
    assert endpoint.take() is None
    feed(endpoint, frame(FIN | CONTINUATION, "🙂".encode()[3:]))
    assert endpoint.messages == ["🙂"]


def test_nothing_is_taken_or_told_after_our_close() -> None:
    endpoint = taker()
    feed(endpoint, frame(BINARY, b"one"))
    endpoint.send_close()
    assert endpoint.take() is None
    feed(endpoint, frame(CONTINUATION, b"two"))
    assert [kind for kind, *_ in endpoint.told if kind in ("part", "message")] == ["part"]


def test_what_was_taken_counts() -> None:
    """§10.4: the limit is of the message, however it is received."""
    endpoint = Taker(max_size=10)
    endpoint.opened()
    feed(endpoint, frame(BINARY, bytes(6)))
    feed(endpoint, frame(CONTINUATION, bytes(4)))
    assert endpoint.of("violation") == []
    feed(endpoint, frame(FIN | CONTINUATION, bytes(1)))
    assert [code for code, *_ in endpoint.of("violation")] == [1009]
    again = Taker(max_size=10)
    again.opened()
    for _ in range(3):  # each counts on its own
        feed(again, frame(BINARY, bytes(6)))
        feed(again, frame(FIN | CONTINUATION, bytes(4)))
    assert again.joined() == [bytes(10)] * 3


def test_text_that_breaks_after_a_part() -> None:
    endpoint = taker()
    feed(endpoint, frame(TEXT, b"fine\xe2"))
    feed(endpoint, frame(FIN | CONTINUATION, b"\x28"))
    assert [code for code, *_ in endpoint.of("violation")] == [1007]
    assert endpoint.take() is None


@pytest.mark.parametrize("takeover", [False, True])
def test_compressed_messages(takeover: bool) -> None:
    """What was taken belongs to the window that later messages refer to."""
    chance = random.Random(7)
    words = [chance.randbytes(40) for _ in range(50)]
    compressor = zlib.compressobj(wbits=-15)
    for every in (1, 2, 5):
        endpoint = taker(every)
        endpoint.agree(TAKEOVER if takeover else PLAIN)
        compressor = zlib.compressobj(wbits=-15)
        said = []
        for n in range(6):
            if not takeover:
                compressor = zlib.compressobj(wbits=-15)
            said.append(b"".join(chance.choices(words, k=100 + 300 * n)))
            octets = compressor.compress(said[-1]) + compressor.flush(zlib.Z_SYNC_FLUSH)
            octets = octets[: -len(TAIL)]
            stream = frame(RSV1 | BINARY, octets[:300]) + frame(FIN, octets[300:])
            for start in range(0, len(stream), 100):
                feed(endpoint, stream[start : start + 100])
        assert endpoint.joined() == said


def test_what_was_taken_of_a_compressed_message_counts() -> None:
    endpoint = Taker(max_size=1000)
    endpoint.agree(TAKEOVER)
    endpoint.opened()
    octets = zlib.compress(bytes(3000), wbits=-15)
    for n, octet in enumerate(octets):
        feed(endpoint, frame((RSV1 | BINARY) if n == 0 else 0, bytes([octet])))
    assert [code for code, *_ in endpoint.of("violation")] == [1009]


def limited(endpoint: Recorder) -> None:
    endpoint.max_fragment = 10


@pytest.mark.parametrize("key", [KEY, None], ids=["server", "client"])
def test_a_frame_over_its_own_limit(key: int | None) -> None:
    fits = [frame(BINARY, bytes(10), key=key), frame(FIN, bytes(10), key=key)]
    outcome = converse(fits, before=limited, client=key is None)
    assert outcome.messages == [bytes(20)]
    outcome = converse([*fits, header(BINARY, 11, key=key)], before=limited, client=key is None)
    assert outcome.failed_with == 1009
    reason = "frame over the limit of 10 bytes (max_fragment_size)"
    assert outcome.of("violation") == [(1009, "7.4.1", reason)]


def test_parts_of_an_uncompressed_message_are_not_in_the_window() -> None:  # RFC 7692 §6
    sender = zlib.compressobj(9, zlib.DEFLATED, -15)

    def squeezed(message: bytes) -> bytes:
        data = sender.compress(message) + sender.flush(zlib.Z_SYNC_FLUSH)
        return frame(FIN | RSV1 | BINARY, data.removesuffix(TAIL))

    again = b"the quick brown fox jumps over the lazy dog"
    endpoint = taker()
    endpoint.agree(TAKEOVER)
    feed(endpoint, squeezed(again))
    feed(endpoint, frame(BINARY, b"Z" * 300) + frame(FIN | CONTINUATION, b"Z" * 300))
    feed(endpoint, squeezed(again))
    assert endpoint.joined() == [again, b"Z" * 600, again]
