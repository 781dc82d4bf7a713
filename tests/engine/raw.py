"""The other end, made of a bare socket: it says whatever a test wants, well-formed or not.

Nothing of longlink is used here, so that both cannot be wrong in the same way.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections import deque
from typing import Any

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10

HEAD = (
    b"GET / HTTP/1.1\r\nHost: test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
ACCEPT = b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"  # RFC 6455 §1.3


def mask(payload: bytes, key: bytes) -> bytes:
    size = len(payload)
    pattern = (key * (size // 4 + 1))[:size]
    mixed = int.from_bytes(payload, "big") ^ int.from_bytes(pattern, "big")
    return mixed.to_bytes(size, "big")


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, key: bytes | None = b"\x12\x34\x56\x78"
) -> bytes:
    """One frame; `key=None` for a server's, which are not masked."""
    size, bit = len(payload), 0 if key is None else 0x80
    head = bytes([opcode | (0x80 if fin else 0)])
    if size < 126:
        head += bytes([bit | size])
    elif size < 65536:
        head += bytes([bit | 126]) + struct.pack("!H", size)
    else:
        head += bytes([bit | 127]) + struct.pack("!Q", size)
    return head + payload if key is None else head + key + mask(payload, key)


def text(message: str) -> bytes:
    return frame(TEXT, message.encode())


def close_frame(code: int = 1000, reason: str = "") -> bytes:
    return frame(CLOSE, struct.pack("!H", code) + reason.encode())


def make_reset(sock: socket.socket) -> None:
    """See that closing it sends RST."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


class Frames:
    """Octets of unmasked frames in, (opcode, payload) out; asserts that none is fragmented."""

    def __init__(self) -> None:
        self.octets = bytearray()

    def feed(self, data: bytes) -> list[tuple[int, bytes]]:
        octets = self.octets
        octets += data
        found, at = [], 0
        while len(octets) - at >= 2:
            assert octets[at] & 0x80
            assert not octets[at + 1] & 0x80, "a server must not mask"
            size, start = octets[at + 1], at + 2
            if size > 125:
                start += 2 if size == 126 else 8
                size = int.from_bytes(octets[at + 2 : start], "big")
            if len(octets) < start + size:
                break
            found.append((octets[at] & 15, bytes(octets[start : start + size])))
            at = start + size
        del octets[:at]
        return found


class Peer:
    """A client on a bare socket. `frame()` gives what the server sends, frame by frame."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.loop = asyncio.get_running_loop()
        self.frames = Frames()
        self.waiting: deque[tuple[int, bytes]] = deque()
        self.head = b""

    @classmethod
    async def connect(cls, address: Any, *, receive_buffer: int = 0) -> Peer:
        """Connected, nothing said."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        peer = cls(sock)
        try:
            await peer.loop.sock_connect(sock, address)
        except OSError:
            sock.close()
            raise
        return peer

    @classmethod
    async def open(cls, address: Any, *, receive_buffer: int = 0) -> Peer:
        """Through the opening handshake."""
        peer = await cls.connect(address, receive_buffer=receive_buffer)
        await peer.send(HEAD)
        assert (await peer.answer()).startswith(b"HTTP/1.1 101 ")
        return peer

    async def send(self, data: bytes) -> None:
        async with asyncio.timeout(20):
            await self.loop.sock_sendall(self.sock, data)

    async def recv(self, limit: int = 1 << 18) -> bytes:
        """What comes next; b"" at the end of the stream."""
        async with asyncio.timeout(20):
            return await self.loop.sock_recv(self.sock, limit)

    async def answer(self) -> bytes:
        """The head of an HTTP response; what follows it is kept for `frame`."""
        while b"\r\n\r\n" not in self.head:
            data = await self.recv()
            if not data:
                raise EOFError(self.head)
            self.head += data
        head, _, rest = self.head.partition(b"\r\n\r\n")
        self.waiting.extend(self.frames.feed(rest))
        return head

    async def rest(self) -> bytes:
        """Everything until the server closes TCP."""
        data = b""
        while more := await self.recv():
            data += more
        return data

    async def frame(self) -> tuple[int, bytes]:
        """The next frame: opcode and payload. EOFError at the end of the stream."""
        while not self.waiting:
            data = await self.recv()
            if not data:
                raise EOFError
            self.waiting.extend(self.frames.feed(data))
        return self.waiting.popleft()

    async def text(self) -> str:
        opcode, payload = await self.frame()
        assert opcode == TEXT, (opcode, payload[:200])
        return payload.decode()

    async def closed(self) -> tuple[int, str]:
        """Code and reason of the Close that must come next."""
        opcode, payload = await self.frame()
        assert opcode == CLOSE, (opcode, payload[:200])
        return (int.from_bytes(payload[:2], "big"), payload[2:].decode()) if payload else (1005, "")

    async def ended(self) -> None:
        """Wait until the server has closed its side, throwing away what comes."""
        await self.rest()

    async def leave(self, code: int = 1000) -> None:
        """The closing handshake, politely."""
        await self.send(close_frame(code))
        while (await self.frame())[0] != CLOSE:
            pass
        await self.ended()
        self.sock.close()

    def cut(self) -> None:
        """FIN, without a Close."""
        self.sock.close()

    def reset(self) -> None:
        """RST."""
        make_reset(self.sock)
        self.sock.close()

    def segments(self) -> int:
        """How many TCP segments with data have come (Linux: tcpi_data_segs_in)."""
        info = self.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 256)
        return int(struct.unpack_from("=I", info, 152)[0])


def descriptors() -> set[str]:
    """What this process has open: names as in /proc/self/fd, without the look itself."""
    found = set()
    for fd in os.listdir("/proc/self/fd"):
        try:
            target = os.readlink(f"/proc/self/fd/{fd}")
        except FileNotFoundError:
            continue
        found.add(f"{fd} {target}")
    return found
