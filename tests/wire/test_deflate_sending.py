"""Compressed messages out: RFC 7692 §6.1, §7.2.1; what is lent and shared, and forgets."""

from __future__ import annotations

import importlib.util
import random
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from longlink.errors import ConnectionClosed
from longlink.wire import deflater
from longlink.wire.deflate import Agreement
from longlink.wire.deflater import Deflater
from longlink.wire.frame import Prepared
from tests.wire.compression import (
    BINARY,
    PLAIN,
    TAIL,
    TAKEOVER,
    TEXT,
    agreement,
    compressed,
    deflated,
    inflated,
)
from tests.wire.instrument import (
    CONTINUATION,
    FIN,
    PING,
    RSV1,
    Recorder,
    feed,
    frame,
    frames,
    opened,
)

WORDS = ["price", "symbol", "time", "bid", "ask", "volume", "EUR", "USD", "1.0837", "true"]
PROSE = " ".join(random.Random(3).choices(WORDS, k=400))
ALL = agreement(threshold=0)
LEVELS = [1, 3, 6]  # of isal, where it is installed, and of zlib
FORMS = [
    agreement(
        f"; server_max_window_bits={bits}", context_takeover=takeover, threshold=0, level=level
    )
    for bits in range(8, 16)
    for takeover in (False, True)
    for level in LEVELS
]


def agreed(what: Agreement = PLAIN, **options: Any) -> Recorder:
    endpoint = opened(**options)
    endpoint.agree(what)
    return endpoint


class Receiver:
    """A peer that inflates what it gets, with the window it has a right to."""

    def __init__(self, bits: int = 15, keeps: bool = True) -> None:
        self.bits = bits
        self.keeps = keeps
        self.window = b""

    def read(self, output: bytes) -> list[str | bytes]:
        """The messages in `output`, each a frame of its own or fragmented."""
        messages: list[str | bytes] = []
        payload, opcode, flagged = b"", 0, False
        for each in frames(output):
            if each.opcode:
                payload, opcode, flagged = b"", each.opcode, bool(each.first & RSV1)
            else:
                assert not each.first & RSV1
            payload += each.payload
            if each.first & FIN:
                data = self._inflated(payload) if flagged else payload
                messages.append(data.decode() if opcode == TEXT else data)
        return messages

    def _inflated(self, payload: bytes) -> bytes:
        data = inflated(payload, self.bits, self.window)
        if self.keeps:
            self.window = (self.window + data)[-(1 << self.bits) :]
        return data


# -- one message ----------------------------------------------------------------------------------


@pytest.mark.parametrize("message", [PROSE, PROSE.encode(), "é" * 500, bytes(70_000)])
@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_a_message_is_compressed(message: str | bytes, client: bool) -> None:
    endpoint = agreed(client=client)
    endpoint.send(message)
    output = endpoint.output()
    (sent,) = frames(output)
    assert sent.first == FIN | RSV1 | (TEXT if isinstance(message, str) else BINARY)
    assert len(sent.payload) < len(message) // 2
    assert not sent.payload.endswith(TAIL)
    assert (sent.key is not None) == client
    assert Receiver().read(output) == [message]


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_anything_bytes_like_is_compressed(kind: Any) -> None:
    endpoint = agreed()
    endpoint.send(kind(PROSE.encode()))
    assert Receiver().read(endpoint.output()) == [PROSE.encode()]
    endpoint.send(memoryview(PROSE.encode())[::2])
    assert Receiver().read(endpoint.output()) == [PROSE.encode()[::2]]


@pytest.mark.parametrize("message", [None, 5, ["a"], {"a": 1}])
def test_what_is_no_message_is_refused(message: Any) -> None:
    for what in (ALL, TAKEOVER):
        endpoint = agreed(what)
        with pytest.raises(TypeError, match="a message is str or bytes-like"):
            endpoint.send(message)
        with pytest.raises(UnicodeEncodeError):
            endpoint.send("\ud800" * 300)
        assert endpoint.output() == b""


@pytest.mark.parametrize("size", [255, 256])
def test_short_messages_go_as_they_are(size: int) -> None:
    endpoint = agreed()
    endpoint.send("a" * size)
    (sent,) = frames(endpoint.output())
    assert bool(sent.first & RSV1) == (size == 256)


@pytest.mark.parametrize("size", [31, 32])
def test_in_a_context_shorter_ones_are_compressed_too(size: int) -> None:
    endpoint = agreed(agreement(context_takeover=True))
    endpoint.send("a" * size)
    endpoint.send_prepared(Prepared("a" * 255))
    one, many = frames(endpoint.output())
    assert bool(one.first & RSV1) == (size == 32)
    assert not many.first & RSV1


def test_what_gets_no_shorter_goes_as_it_is() -> None:
    noise = random.Random(1).randbytes(5000)
    endpoint = agreed()
    endpoint.send(noise)
    assert endpoint.sent() == [(FIN | BINARY, noise)]
    endpoint = agreed(ALL)
    endpoint.send("")
    endpoint.send("a")
    assert endpoint.sent() == [(FIN | TEXT, b""), (FIN | TEXT, b"a")]


def test_with_takeover_it_is_compressed_all_the_same() -> None:
    # The next message may refer to it, so the peer must have it in its window.
    noise = random.Random(1).randbytes(500)
    endpoint, receiver = agreed(TAKEOVER), Receiver()
    for message in (noise, noise, "", b"", "a"):
        endpoint.send(message)
        output = endpoint.output()
        assert frames(output)[0].first & RSV1
        assert receiver.read(output) == [message]


@pytest.mark.parametrize("what", [ALL, TAKEOVER])
def test_a_message_may_ask_not_to_be_compressed(what: Agreement) -> None:
    endpoint, receiver = agreed(what), Receiver(keeps=what.keeps)
    for compress in (None, False, None, False, None):
        endpoint.send_message(FIN | TEXT, PROSE.encode(), compress)
        output = endpoint.output()
        assert bool(frames(output)[0].first & RSV1) == (compress is None)
        assert receiver.read(output) == [PROSE]


def test_a_short_message_may_ask_to_be_compressed() -> None:
    endpoint = agreed()
    endpoint.send_message(FIN | TEXT, b"a" * 100, True)
    output = endpoint.output()
    assert frames(output)[0].first == FIN | RSV1 | TEXT
    assert Receiver().read(output) == ["a" * 100]


def test_control_frames_are_never_compressed() -> None:
    endpoint = agreed(ALL)
    endpoint.send_ping(b"a" * 125)
    endpoint.send_pong(b"a" * 125)
    endpoint.send_close(1000, "a" * 100)
    assert [each.first & RSV1 for each in frames(endpoint.output())] == [0, 0, 0]


@pytest.mark.parametrize("what", [ALL, TAKEOVER])
def test_nothing_is_sent_after_the_close(what: Agreement) -> None:
    endpoint = agreed(what)
    endpoint.send(PROSE)
    flow = endpoint.begin_fragments(None)
    endpoint.send_close()
    endpoint.output()
    for say in (
        lambda: endpoint.send(PROSE),
        lambda: endpoint.send_message(FIN | TEXT, b"a" * 500, None),
        lambda: endpoint.send_fragment(TEXT, b"a", flow),
        lambda: endpoint.send_prepared(Prepared(PROSE)),
    ):
        with pytest.raises(ConnectionClosed):
            say()
    assert endpoint.output() == b""


# -- windows and contexts -------------------------------------------------------------------------


@pytest.mark.parametrize("what", FORMS)
@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_no_window_is_larger_than_agreed(what: Agreement, client: bool) -> None:
    """`bits` of 8 too, which zlib cannot: its 9 reaches no further than 250 octets."""
    asked = range(8, 16)[FORMS.index(what) // 2 // len(LEVELS)]
    endpoint, receiver = agreed(what, client=client), Receiver(asked, what.keeps)
    dice = random.Random(asked)
    for _ in range(40):
        message = " ".join(dice.choices(WORDS, k=dice.choice([0, 1, 50, 300, 9000])))
        endpoint.send(message)
        # zlib's inflater refers to its whole output, but a piece at a time it has the window only.
        output = endpoint.output()
        for each in frames(output):
            if each.first & RSV1:
                piecemeal(each.payload, asked, receiver.window if what.keeps else b"")
        assert receiver.read(output) == [message]


def piecemeal(payload: bytes, bits: int, window: bytes) -> None:
    reader = zlib.decompressobj(-bits, zdict=window)
    data = payload + TAIL
    while data:
        reader.decompress(data, 16)
        data = reader.unconsumed_tail


def test_takeover_makes_similar_messages_small() -> None:
    endpoint = agreed(TAKEOVER)
    sizes = []
    for i in range(5):
        endpoint.send(f'{{"type": "price", "symbol": "EURUSD", "bid": 1.083{i}}}')
        sizes.append(len(endpoint.output()))
    assert max(sizes[1:]) < sizes[0] / 2


@pytest.mark.parametrize("level", [1, 3, 4, 9])
def test_a_compressor_that_was_lent_forgets(level: int) -> None:
    lender = Deflater(15, level, 8, 0)
    secret = random.Random(5).randbytes(3000).hex().encode()
    first = lender.message(secret)
    assert first is not None
    compressor = lender.borrow()
    assert lender.spare == []
    lender.give_back(compressor)
    for data in (secret, secret[:1000], b"x" + secret, b"a" * 500 + secret):
        again = lender.message(data)
        assert lender.spare == [compressor]
        assert again is not None
        assert inflated(again) == data
        # As from a new one: there is no telling from its length what was said before.
        assert again == Deflater(15, level, 8, 0).message(data)


def test_it_works_without_isal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "isal", None)
    spec = importlib.util.spec_from_file_location("without_isal", deflater.__file__)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    zlibs = module.Deflater(15, 1, 8, 0)
    data = zlibs.message(PROSE.encode())
    assert zlibs.codec is zlib
    assert inflated(data) == PROSE.encode()


def test_few_compressors_serve_any_number_of_connections() -> None:
    what = agreement(level=2)
    endpoints = [agreed(what) for _ in range(100)]
    flows = [endpoint.begin_fragments(None) for endpoint in endpoints]
    for endpoint, flow in zip(endpoints, flows, strict=True):
        endpoint.send_fragment(TEXT, b"first ", flow)
    for endpoint, flow in zip(endpoints, flows, strict=True):
        endpoint.send_fragment(FIN, b"second", flow)
        assert Receiver().read(endpoint.output()) == ["first second"]
    assert 1 <= len(what.deflater.spare) <= 8


def test_many_threads_may_compress() -> None:
    what = agreement(level=3, threshold=0)

    def talk(seed: int) -> bool:
        dice = random.Random(seed)
        endpoint = agreed(what)
        for _ in range(200):
            message = " ".join(dice.choices(WORDS, k=dice.choice([5, 50, 500])))
            endpoint.send(message)
            if Receiver().read(endpoint.output()) != [message]:
                return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(talk, range(16)))


# -- fragments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", FORMS[-6:])
@pytest.mark.parametrize("parts", [["a"], ["", ""], ["", "a", ""], [PROSE, "b" * 70_000, PROSE]])
@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
def test_a_fragmented_message_is_compressed(
    what: Agreement, parts: list[str], client: bool
) -> None:
    endpoint, receiver = agreed(what, client=client), Receiver(keeps=what.keeps)
    for _ in range(3):
        flow = endpoint.begin_fragments(None)
        last = len(parts) - 1
        for i, part in enumerate(parts):
            first = (FIN if i == last else 0) | (CONTINUATION if i else TEXT)
            endpoint.send_fragment(first, part.encode(), flow)
            endpoint.send_ping(b"between")
        output = endpoint.output()
        sent = [each.first for each in frames(output) if each.opcode != PING]
        assert [bool(first & RSV1) for first in sent] == [True] + [False] * last
        data = b"".join(strip_pings(output))
        assert receiver.read(data) == ["".join(parts)]
        endpoint.send(PROSE)
        assert receiver.read(endpoint.output()) == [PROSE]


def strip_pings(output: bytes) -> list[bytes]:
    return [
        frame(each.first, each.payload, key=None) for each in frames(output) if each.opcode != PING
    ]


@pytest.mark.parametrize("what", FORMS[-6:])
def test_each_fragment_can_be_read_when_it_arrives(what: Agreement) -> None:
    endpoint = agreed(what)
    flow = endpoint.begin_fragments(None)
    reader = zlib.decompressobj(-15)
    for i, part in enumerate([b"first", b"second", b"third"]):
        endpoint.send_fragment(CONTINUATION if i else BINARY, part, flow)
        assert reader.decompress(endpoint.sent()[0][1]) == part


def test_a_fragmented_message_that_is_given_up_costs_its_compressor() -> None:
    what = agreement(level=4)
    endpoint = agreed(what)
    flow = endpoint.begin_fragments(None)
    endpoint.send_fragment(TEXT, b"a secret, a secret", flow)
    endpoint.fail(1011)
    assert what.deflater.spare == []
    other = agreed(what)
    other.send("a secret, a secret" * 20)
    assert Receiver().read(other.output()) == ["a secret, a secret" * 20]


@pytest.mark.parametrize("compress", [None, False])
def test_fragments_that_are_not_to_be_compressed_are_not(compress: bool | None) -> None:
    endpoint = agreed() if compress is False else opened()
    flow = endpoint.begin_fragments(compress)
    assert flow is None
    endpoint.send_fragment(TEXT, b"a" * 500, flow)
    endpoint.send_fragment(FIN, b"b" * 500, flow)
    assert endpoint.sent() == [(TEXT, b"a" * 500), (FIN, b"b" * 500)]


# -- to many --------------------------------------------------------------------------------------


class Counting(Deflater):
    """A deflater that counts what it compresses."""

    __slots__ = ("count",)

    def message(self, payload: bytes) -> bytes | None:
        self.count = getattr(self, "count", 0) + 1
        return super().message(payload)


def test_it_is_compressed_once_for_each_form() -> None:
    one, two = Counting(15, 1, 8, 256), Counting(10, 1, 8, 256)
    peers = [
        agreed(Agreement(each, keeps, 15, False))
        for each in (one, two)
        for keeps in (False, True)
        for _ in range(10)
    ]
    plain = opened()
    prepared = Prepared(PROSE)
    for endpoint in (*peers, plain):
        endpoint.send_prepared(prepared)
    assert (one.count, two.count) == (1, 1)
    assert plain.sent() == [(FIN | TEXT, PROSE.encode())]
    outputs = {endpoint.output() for endpoint in peers}
    assert len(outputs) == 2
    assert [Receiver().read(output) for output in outputs] == [[PROSE], [PROSE]]


@pytest.mark.parametrize("message", ["short", random.Random(1).randbytes(1000), ""])
def test_what_is_not_worth_it_is_not_compressed(message: str | bytes) -> None:
    counting = Counting(15, 1, 8, 256)
    prepared = Prepared(message)
    for _ in range(3):
        endpoint = agreed(Agreement(counting, False, 15, False))
        endpoint.send_prepared(prepared)
        assert Receiver().read(endpoint.output()) == [message]
    assert getattr(counting, "count", 0) == (len(message) >= 256)


@pytest.mark.parametrize("client", [False, True], ids=["server", "client"])
@pytest.mark.parametrize("compress", [None, True, False])
def test_a_prepared_message_may_ask_for_it_or_not(compress: bool | None, client: bool) -> None:
    endpoint = agreed(client=client)
    for message in ("a" * 100, "a" * 1000):
        endpoint.send_prepared(Prepared(message, compress))
        output = endpoint.output()
        wanted = compress is not False and (compress is True or len(message) > 256)
        assert bool(frames(output)[0].first & RSV1) == wanted
        assert Receiver().read(output) == [message]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("bits", [8, 10, 15])
def test_whatever_is_mixed_the_peer_understands(seed: int, bits: int) -> None:
    """With takeover their window moves on with what another compressor made."""
    dice = random.Random(seed)
    what = agreement(
        f"; server_max_window_bits={bits}",
        context_takeover=True,
        threshold=dice.choice([0, 256]),
        level=LEVELS[seed % 3],
    )
    peers = [(agreed(what), Receiver(bits)) for _ in range(3)]
    for _ in range(150):
        message = " ".join(dice.choices(WORDS, k=dice.choice([1, 3, 30, 300])))
        prepared = Prepared(message, dice.choice([None, None, True, False]))
        for endpoint, receiver in peers:
            how = dice.randrange(5)
            if how < 2:
                endpoint.send_prepared(prepared)
            elif how == 2:
                endpoint.send(message)
            elif how == 3:
                endpoint.send_message(FIN | TEXT, message.encode(), dice.choice([True, False]))
            else:
                flow = endpoint.begin_fragments(dice.choice([None, False]))
                endpoint.send_fragment(TEXT, message.encode()[:7], flow)
                endpoint.send_fragment(FIN, message.encode()[7:], flow)
            assert receiver.read(endpoint.output()) == [message]


@pytest.mark.parametrize("what", FORMS)
def test_what_we_send_we_can_read(what: Agreement) -> None:
    server, client = agreed(what), agreed(what, client=True)
    dice = random.Random(9)
    for _ in range(30):
        message = " ".join(dice.choices(WORDS, k=dice.choice([0, 1, 30, 3000])))
        for speaker, listener in ((server, client), (client, server)):
            if message and dice.random() < 0.5:
                speaker.send_prepared(Prepared(message))
            else:
                speaker.send(message.encode())
            listener_feed(listener, speaker.output())
            assert listener.messages[-1] in (message, message.encode())
            assert listener.of("violation") == []


def listener_feed(listener: Recorder, output: bytes) -> None:
    half = len(output) // 2
    feed(listener, output[:half])
    feed(listener, output[half:])


def test_the_helpers_of_these_tests_agree() -> None:
    endpoint = agreed()
    feed(endpoint, compressed(deflated(PROSE.encode())))
    assert endpoint.messages == [PROSE]
