"""TLS without I/O: records in, what they hold out, and back.

Theory of operation. OpenSSL sees whole records only (RFC 8446 §5.1): what has come of the last one
waits in `tail`. So each read yields what one record holds, in the place of that record, and
OpenSSL is never asked for more than there is, which would cost an exception each time. Its own
buffers stay as small as one record, however much goes through.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Any

from ..native.kernel import Buffer

RECORD = 16384  # octets that one record holds, at most (RFC 8446 §5.1)

_HEADER = 5  # octets: type, version, length
_MOST = RECORD + 2048  # octets of a record behind its header (RFC 5246 §6.2.3); 1.3 allows fewer


class Seal:
    """The TLS of one connection.

    Args:
        client: True for the client's end.
        name: the name that the server's certificate must have.
    """

    __slots__ = (
        "_feed",
        "_read",
        "_write",
        "ended",
        "fault",
        "incoming",
        "outgoing",
        "tail",
        "tls",
    )

    def __init__(self, context: ssl.SSLContext, client: bool, name: str | None = None) -> None:
        self.incoming = ssl.MemoryBIO()
        self.outgoing = ssl.MemoryBIO()
        self.tls = context.wrap_bio(
            self.incoming,
            self.outgoing,
            server_side=not client,
            server_hostname=name,
        )
        self.tail = b""  # of a record that has not come whole
        self.ended = False  # they said that nothing follows (close_notify)
        self.fault: ssl.SSLError | None = None  # what came is no TLS, or not from them
        bare: Any = getattr(self.tls, "_sslobj", self.tls)  # without a Python call in between
        self._feed = self.incoming.write
        self._read = bare.read
        self._write = bare.write

    def shake(self, octets: bytes) -> bool:
        """Go on with the handshake; returns whether it is over. What came behind it is in
        `tail`. Raises ssl.SSLError when it fails."""
        self.incoming.write(octets)
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            return False
        self.tail = self.incoming.read()
        return True

    def open(self, buffer: Buffer, view: memoryview, start: int, stop: int) -> int:
        """Open the records in `buffer[start:stop]`. What they held is in `buffer[start:]` then;
        returns where it ends. `view` is of the whole buffer. See `ended` and `fault`."""
        position = end = start
        while True:
            after = _end(buffer, position, stop)
            if not after:
                break
            record = view[position:after]
            self._feed(record)
            end += self._open(record if end == position else view[end:after])
            position = after
        self.tail = buffer.copy(position, stop) if position < stop else b""
        return end

    def _open(self, room: memoryview) -> int:
        """What one record held goes to `room`: how many octets."""
        count: int
        try:
            count = self._read(len(room), room)
        except ssl.SSLWantReadError:
            return 0  # it was about TLS itself
        except ssl.SSLZeroReturnError:
            count = 0
        except ssl.SSLError as fault:
            self.fault = fault
            return 0
        if not count:
            self.ended = True
        return count

    def put(self, octets: bytes) -> bool:
        """Seal at most RECORD octets; False when TLS has something else to hear first, or is
        over. What is to be sent is what `said` returns."""
        try:
            self._write(octets)
        except ssl.SSLError:
            return False
        return True

    def close(self) -> None:
        """Say that nothing follows (close_notify)."""
        with suppress(ssl.SSLError):  # they have not said so yet, or nothing can be said any more
            self.tls.unwrap()

    def said(self) -> bytes:
        """Octets for the peer: sealed, or TLS's own."""
        return self.outgoing.read()


def _end(buffer: Buffer, start: int, stop: int) -> int:
    """Where the record that begins at `start` ends; 0 while it is not there. One that says it is
    too long is there already: it needn't be waited for to be refused."""
    if stop - start < _HEADER:
        return 0
    length = buffer.u16(start + 3)
    if length > _MOST:
        return stop
    end = start + _HEADER + length
    return end if end <= stop else 0
