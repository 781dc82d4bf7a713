"""TLS without I/O: every way to cut what comes, ends, and what is no TLS."""

from __future__ import annotations

import ssl
from itertools import pairwise

import pytest

from longlink.engine.seal import RECORD, Seal
from longlink.native.kernel import Buffer

ROOM = 256 * 1024
START = 256


class End:
    """A seal and the buffer in which it opens what comes."""

    def __init__(self, context: ssl.SSLContext, client: bool) -> None:
        self.seal = Seal(context, client, "localhost" if client else None)
        self.buffer = Buffer(START + ROOM)
        self.view = memoryview(self.buffer)

    def hear(self, octets: bytes) -> bytes:
        """As a carrier does it: what is held from last time comes first."""
        octets = self.seal.tail + octets
        self.buffer.put(START, octets)
        end = self.seal.open(self.buffer, self.view, START, START + len(octets))
        return self.buffer.copy(START, end)

    def say(self, octets: bytes) -> bytes:
        said = b""
        for start in range(0, len(octets), RECORD):
            assert self.seal.put(octets[start : start + RECORD])
            said += self.seal.said()
        return said


@pytest.fixture(params=["TLSv1.2", "TLSv1.3"])
def ends(
    request: pytest.FixtureRequest, certificate: object, server_context: ssl.SSLContext
) -> tuple[End, End]:
    """A client's and a server's, after their handshake."""
    context = ssl.create_default_context(cafile=str(certificate))
    context.maximum_version = getattr(ssl.TLSVersion, request.param.replace(".", "_"))
    client, server = End(context, True), End(server_context, False)
    shaken = [False, False]
    said = b""
    while shaken != [True, True]:
        for n, end in enumerate((client, server)):
            if not shaken[n]:
                shaken[n] = end.seal.shake(said)
            else:
                assert end.hear(said) == b""
            said = end.seal.said()
    assert client.hear(said) == b""
    assert client.seal.tls.version() == request.param
    return client, server


@pytest.mark.parametrize("size", [1, 100, RECORD, 100_000])
def test_what_is_sealed_can_be_opened(ends: tuple[End, End], size: int) -> None:
    said = bytes(n * 7 % 251 for n in range(size))
    for one, other in (ends, ends[::-1]):
        assert other.hear(one.say(said)) == said


def test_cut_at_every_octet(ends: tuple[End, End]) -> None:
    client, server = ends
    for cut in range(80):
        sealed = client.say(b"hello") + client.say(b"world")
        assert server.hear(sealed[:cut]) + server.hear(sealed[cut:]) == b"helloworld"


def test_octet_by_octet(ends: tuple[End, End]) -> None:
    client, server = ends
    sealed = client.say(bytes(300)) + client.say(b"end")
    heard = b"".join(server.hear(sealed[n : n + 1]) for n in range(len(sealed)))
    assert heard == bytes(300) + b"end"


def test_pieces_that_fit_no_record(ends: tuple[End, End]) -> None:
    client, server = ends
    said = bytes(n * 11 % 253 for n in range(200_000))
    sealed = client.say(said)
    cuts = [*range(0, len(sealed), 10_007), len(sealed)]
    assert b"".join(server.hear(sealed[a:b]) for a, b in pairwise(cuts)) == said


def test_the_end_is_said_once_and_heard_behind_what_came_before(ends: tuple[End, End]) -> None:
    client, server = ends
    sealed = client.say(b"last")
    client.seal.close()
    sealed += client.seal.said()
    assert server.hear(sealed) == b"last"
    assert server.seal.ended
    assert server.seal.fault is None
    assert client.hear(server.say(b"still")) == b"still"  # RFC 8446 §6.1: one way only
    server.seal.close()
    assert client.hear(server.seal.said()) == b""
    assert client.seal.ended


def test_after_our_end_nothing_can_be_sealed(ends: tuple[End, End]) -> None:
    client, _ = ends
    client.seal.close()
    client.seal.said()
    assert not client.seal.put(b"more")
    client.seal.close()


@pytest.mark.parametrize(
    "octets",
    [
        b"\x17\x03\x03\x00\x20" + bytes(32),
        b"\x17\x03\x03\xff\xff",
        b"\x17\x03\x03\x00\x00",
        b"GET / HTTP/1.1\r\n\r\n" + b"x" * 20_000,
        bytes(100),
    ],
    ids=["forged", "too long", "empty", "plain", "zeros"],
)
def test_what_is_no_tls_is_a_fault_behind_what_came_before(
    ends: tuple[End, End], octets: bytes
) -> None:
    client, server = ends
    assert server.hear(client.say(b"before") + octets) == b"before"
    assert isinstance(server.seal.fault, ssl.SSLError)
    assert not server.seal.put(b"answer")


def test_a_handshake_that_fails_says_why(server_context: ssl.SSLContext) -> None:
    server = Seal(server_context, False)
    with pytest.raises(ssl.SSLError):
        server.shake(b"\x16\x03\x01\x00\x05hello")
    assert server.said().startswith(b"\x15")  # an alert


def test_what_comes_behind_the_handshake_is_kept(
    client_context: ssl.SSLContext, server_context: ssl.SSLContext
) -> None:
    client, server = End(client_context, True), End(server_context, False)
    assert not client.seal.shake(b"")
    assert not server.seal.shake(client.seal.said())
    assert client.seal.shake(server.seal.said())
    assert server.seal.shake(client.seal.said() + client.say(b"early") + client.say(b"bird"))
    assert server.hear(b"") == b"earlybird"
