"""A client process of bare sockets: says many messages, cut in every way, and compares the echo.

    python talker.py PORT SEED COUNT

Prints how many messages and octets came back equal.
"""

from __future__ import annotations

import random
import socket
import sys
import threading
from collections import deque

from raw import (  # type: ignore[import-not-found]  # beside it, as it is run by its path
    BINARY,
    CLOSE,
    CONTINUATION,
    HEAD,
    PING,
    PONG,
    TEXT,
    Frames,
    close_frame,
    frame,
)

ALPHABET = "abc xyz äöü ßçé дом 深圳 🙂🚀 \x00\n"
PING_EVERY = 1000  # messages: well below the server's limit of control frames


def sizes(chance: random.Random, count: int) -> list[int]:
    """Mostly small, now and then up to 1 MiB."""
    found = [0, 1, 125, 126, 65535, 65536, 2**20]
    bands = [(125, 700), (4096, 280), (65536, 18), (2**20, 1)]
    tops, weights = zip(*bands, strict=True)
    for top in chance.choices(tops, weights, k=count - len(found)):
        found.append(chance.randrange(top + 1))
    chance.shuffle(found)
    return found


class Talker:
    def __init__(self, sock: socket.socket, seed: int, count: int) -> None:
        self.sock = sock
        self.chance = random.Random(seed)
        self.count = count
        self.octets = self.chance.randbytes(2**20 + 4096)
        self.letters = "".join(self.chance.choices(ALPHABET, k=2**19))
        self.expected: deque[tuple[int, bytes]] = deque()
        self.room = threading.Semaphore(2000)  # messages under way at most

    def message(self, size: int) -> tuple[int, bytes]:
        if self.chance.random() < 0.5:
            start = self.chance.randrange(4096)
            return BINARY, self.octets[start : start + size]
        letters = min(size, 2**20 // 4)  # four octets each at most
        start = self.chance.randrange(4096)
        return TEXT, self.letters[start : start + letters].encode()

    def wire(self, opcode: int, payload: bytes) -> bytes:
        """The message in one frame, or in several with an empty one and a ping among them."""
        chance = self.chance
        if chance.random() < 0.7:
            return frame(opcode, payload, key=chance.randbytes(4))
        cuts = sorted(chance.randrange(len(payload) + 1) for _ in range(chance.randrange(1, 6)))
        pieces, start = [], 0
        for cut in [*cuts, len(payload)]:
            pieces.append(payload[start:cut])
            start = cut
        return b"".join(
            frame(
                opcode if n == 0 else CONTINUATION,
                piece,
                fin=n == len(pieces) - 1,
                key=chance.randbytes(4),
            )
            for n, piece in enumerate(pieces)
        )

    def write(self) -> None:
        """Say everything; where one write ends and the next begins has no meaning."""
        pending = bytearray(HEAD)
        for n, size in enumerate(sizes(self.chance, self.count)):
            opcode, payload = self.message(size)
            if not self.room.acquire(blocking=False):
                self.sock.sendall(pending)
                pending.clear()
                self.room.acquire()
            self.expected.append((opcode, payload))
            pending += self.wire(opcode, payload)
            if n % PING_EVERY == 0:
                pending += frame(PING, b"%d" % n)
            while len(pending) > 70_000:
                piece = self.chance.choice((1, 2, 3, 13, 1000, 1448, 16384, 65536, 300_000))
                self.sock.sendall(pending[:piece])
                del pending[:piece]
        self.sock.sendall(pending)

    def read(self) -> tuple[int, int]:
        """Compare everything with what was said; how many messages and octets."""
        head = b""
        while b"\r\n\r\n" not in head:
            head += self.sock.recv(65536)
        frames, messages, octets = Frames(), 0, 0
        found = frames.feed(head.partition(b"\r\n\r\n")[2])
        while True:
            for opcode, payload in found:
                if opcode == PONG:
                    continue
                if opcode == CLOSE:
                    assert messages == self.count, "closed before everything came back"
                    return messages, octets
                assert (opcode, payload) == self.expected.popleft(), f"message {messages} differs"
                self.room.release()
                messages += 1
                octets += len(payload)
                if messages == self.count:
                    self.sock.sendall(close_frame())
            data = self.sock.recv(1 << 20)
            assert data, "the server closed TCP"
            found = frames.feed(data)


def main(port: int, seed: int, count: int) -> None:
    with socket.create_connection(("127.0.0.1", port)) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        talker = Talker(sock, seed, count)
        writer = threading.Thread(target=talker.write, daemon=True)
        writer.start()
        messages, octets = talker.read()
        writer.join()
        print(messages, octets)  # noqa: T201


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
