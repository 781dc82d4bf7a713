"""A peer that says any octets at all, to a whole endpoint of ours over a real socket.

`exchange` is for opening handshakes: everything is said at once, and everything that comes until
our server closes TCP is the outcome. `conversing` is for what follows, in either role: `Talk` is
the peer's end after a good opening handshake, `Heard` what the user of our end was told.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from longlink import Connection, ConnectionClosed, connect, serve
from tests.api.raw import Raw, answering, frame, masked, port_of, switching

KEY = "dGhlIHNhbXBsZSBub25jZQ=="  # RFC 6455 §1.3
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
FIN, RSV1, RSV2, RSV3 = 0x80, 0x40, 0x20, 0x10
PATIENCE = 20  # seconds after which a test fails: nothing here takes one
GOOD = (
    "Host: example.test",
    "Upgrade: websocket",
    "Connection: Upgrade",
    f"Sec-WebSocket-Key: {KEY}",
    "Sec-WebSocket-Version: 13",
)
GOODBYE = frame(FIN | CLOSE, struct.pack("!H", 1000))


def request(*lines: str, line: str = "GET / HTTP/1.1", without: str = "") -> bytes:
    """The octets of an opening handshake.

    Lines replace those of a good one that have their names; `without` names some to leave out.
    Characters are octets (Latin-1), so that a line may carry anything.
    """
    gone = {
        name.lower() for name in [*without.split(), *(each.partition(":")[0] for each in lines)]
    }
    kept = [each for each in GOOD if each.partition(":")[0].lower() not in gone]
    return "\r\n".join([line, *kept, *lines, "", ""]).encode("latin-1")


async def exchange(server: Any, *pieces: bytes) -> bytes:
    """Everything that a server says to these octets until it closes TCP, which it must do."""
    raw = await Raw.connect(port_of(server))
    try:
        async with asyncio.timeout(PATIENCE):
            for piece in pieces:
                raw.send(piece)
                await raw.writer.drain()
            return await raw.end()
    finally:
        await raw.close()


@dataclass
class Answer:
    """A response of HTTP, and the octets behind its head."""

    status: int
    headers: list[tuple[str, str]]
    rest: bytes

    @classmethod
    def of(cls, octets: bytes) -> Answer:
        head, _, rest = octets.partition(b"\r\n\r\n")
        line, *lines = head.decode("latin-1").split("\r\n")
        version, status, _ = line.split(" ", 2)
        assert version == "HTTP/1.1"
        pairs = [tuple(part.strip() for part in each.split(":", 1)) for each in lines]
        return cls(int(status), [(name.lower(), value) for name, value in pairs], rest)

    def all(self, name: str) -> list[str]:
        return [value for key, value in self.headers if key == name.lower()]

    def __getitem__(self, name: str) -> str:
        (value,) = self.all(name)
        return value


def check_refusal(octets: bytes, *statuses: int, method: str = "GET") -> Answer:
    """One complete refusal, as the last thing on its connection; never a 101, never two answers."""
    answer = Answer.of(octets)
    assert answer.status in statuses, octets
    assert "close" in answer["Connection"]  # RFC 9112 §9.6
    assert answer.all("Date")  # RFC 9110 §6.6.1
    assert not answer.all("Transfer-Encoding")
    if method == "HEAD":
        assert answer.rest == b""  # RFC 9110 §9.3.2
    else:
        assert len(answer.rest) == int(answer["Content-Length"])
    if answer.status == 405:
        assert answer["Allow"] == "GET"  # RFC 9110 §15.5.6
    if answer.status == 426:  # RFC 9110 §15.5.22, RFC 6455 §4.4
        assert answer["Upgrade"].lower() == "websocket"
        assert answer["Sec-WebSocket-Version"] == "13"
        assert "upgrade" in answer["Connection"].lower()
    return answer


def check_accepted(octets: bytes, then: bytes | None = None) -> Answer:
    """A 101 that keeps RFC 6455 §4.2.2, and frames `then` (our side's Close 1000 if not given)."""
    answer = Answer.of(octets)
    assert answer.status == 101, octets
    assert answer["Upgrade"].lower() == "websocket"
    assert answer["Connection"].lower() == "upgrade"
    assert answer["Sec-WebSocket-Accept"] == ACCEPT
    assert not answer.all("Content-Length")  # RFC 9110 §8.6
    assert not answer.all("Transfer-Encoding")  # RFC 9112 §6.1
    if then is None:
        then = frame(FIN | CLOSE, struct.pack("!H", 1000), mask=False)
    assert answer.rest == then
    return answer


# -- open connections -----------------------------------------------------------------------------


@dataclass
class Heard:
    """What the user of our end was told."""

    messages: list[str | bytes] = field(default_factory=list)
    ends: list[ConnectionClosed] = field(default_factory=list)
    connection: Connection | None = None
    echoes: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def code(self) -> int | None:
        """The close code as the user sees it, which must be told exactly once."""
        (end,) = self.ends
        assert self.connection is not None
        assert self.connection.close_code == (1006 if end.rcvd is None else end.rcvd.code)
        return self.connection.close_code

    @property
    def ws(self) -> Connection:
        assert self.connection is not None
        return self.connection

    async def listen(self, ws: Connection) -> None:
        self.connection = ws
        try:
            while True:
                self.messages.append(await ws.recv())
                if self.echoes:
                    await ws.send(self.messages[-1])
        except ConnectionClosed as end:
            self.ends.append(end)
        await ws.wait_closed()
        self.over.set()


class Talk:
    """The peer's end of an open connection with an endpoint of ours in the given role."""

    def __init__(self, raw: Raw, role: str, heard: Heard) -> None:
        self.raw = raw
        self.ours = role
        self.heard = heard
        self.keys: set[bytes] = set()

    def octets(self, first: int, payload: bytes = b"", form: int | None = None) -> bytes:
        """A frame, masked as it must be; `form` asks for a length of 16 or 64 bits."""
        mask = self.ours == "server"
        plain = frame(first, payload, mask)
        if form is None:
            return plain
        start = 2 if len(payload) < 126 else 4 if len(payload) < 65536 else 10
        head = bytes((first, mask << 7 | (126 if form == 16 else 127)))
        return head + len(payload).to_bytes(form // 8, "big") + plain[start:]

    def send(self, first: int, payload: bytes = b"") -> None:
        self.raw.send(self.octets(first, payload))

    def send_close(self, code: int, reason: bytes = b"") -> None:
        self.send(FIN | CLOSE, struct.pack("!H", code) + reason)

    async def recv(self) -> tuple[int, bytes]:
        """The next frame of ours: masked or not as it must be (§5.1), its length minimal (§5.2)."""
        read = self.raw.reader.readexactly
        async with asyncio.timeout(PATIENCE):
            first, second = await read(2)
            assert (second & 0x80 != 0) == (self.ours == "client")
            length = second & 0x7F
            if length >= 126:
                least = 126 if length == 126 else 65536
                length = int.from_bytes(await read(2 if length == 126 else 8), "big")
                assert length >= least
            key = await read(4) if second & 0x80 else bytes(4)
            self.keys.add(key)
            return first, masked(await read(length), key)

    async def closes(self, code: int | None) -> str:
        """Our Close must come next, with this code (None for an empty one), once; its reason."""
        first, payload = await self.recv()
        assert first == FIN | CLOSE, (first, payload)
        if code is None:
            assert payload == b""
            return ""
        assert int.from_bytes(payload[:2], "big") == code, payload
        return payload[2:].decode()

    async def ends(self) -> None:
        """Nothing more comes, and our end closes TCP or its half of it."""
        async with asyncio.timeout(PATIENCE):
            assert await self.raw.end() == b""

    async def fails(self, code: int, *delivered: str | bytes) -> None:
        """Our end fails the connection with `code`, after delivering just these messages."""
        await self.closes(code)
        await self.ends()
        await self.raw.close()
        async with asyncio.timeout(PATIENCE):
            await self.heard.over.wait()
        assert self.heard.messages == list(delivered)
        assert self.heard.code == 1006  # no Close of theirs was believed (§7.1.5)
        assert self.heard.ends[0].sent is not None
        assert self.heard.ends[0].sent.code == code

    async def leaves(self) -> int | None:
        """A good closing handshake begun by the peer; the code that our user sees."""
        self.send_close(1000)
        await self.closes(1000)
        return await self.gone()

    async def leaves_after_pings(self) -> int | None:
        """The same, behind pings of ours that are still on their way."""
        self.send_close(1000)
        first, payload = await self.recv()
        while first == FIN | PING:
            first, payload = await self.recv()
        assert (first, payload) == (FIN | CLOSE, struct.pack("!H", 1000))
        return await self.gone()

    async def gone(self) -> int | None:
        """The peer closes TCP; the code that our user sees, once everything is over."""
        await self.raw.close()
        async with asyncio.timeout(PATIENCE):
            await self.heard.over.wait()
        return self.heard.code


@asynccontextmanager
async def conversing(role: str, extensions: str = "", **options: Any) -> AsyncIterator[Talk]:
    """An open connection, our end in the role `server` or `client`, with nobody else on it.

    `extensions` is what the peer offers, or answers with.
    """
    heard = Heard()
    if role == "server":
        async with serve(heard.listen, "127.0.0.1", 0, **options) as server:
            async with Raw.open(server, Sec_WebSocket_Extensions=extensions) as raw:
                while heard.connection is None:  # noqa: ASYNC110  one turn of the loop
                    await asyncio.sleep(0)
                yield Talk(raw, role, heard)
        return
    accepted: asyncio.Future[Raw] = asyncio.get_running_loop().create_future()
    over = asyncio.Event()

    async def script(raw: Raw, head: str) -> None:
        raw.send(switching(head, Sec_WebSocket_Extensions=extensions))
        accepted.set_result(raw)
        await over.wait()

    async with answering(script) as uri:
        ws = await connect(uri, **options)
        listening = asyncio.create_task(heard.listen(ws))
        try:
            await asyncio.sleep(0)
            yield Talk(await accepted, role, heard)
        finally:
            over.set()
            listening.cancel()
            await asyncio.wait([listening])
            ws.session.abort()


def pieces(octets: bytes, size: int) -> Iterator[bytes]:
    for start in range(0, len(octets), size):
        yield octets[start : start + size]
