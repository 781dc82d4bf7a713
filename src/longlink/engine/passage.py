"""An asyncio transport that goes through a session: for protocols that are handed a connection
whose TLS is ours.

Theory of operation. The session never opens: it hands on what comes (`read_body`) and sends
what it is given, with the backpressure that every session has. Who it was handed to is told
what asyncio's transports tell, in the same order; an end is told in a turn of its own.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from ..limits import Limits
from .receiver import Receiver
from .session import Session

if TYPE_CHECKING:
    from .sealed import Sealed


class Passage(Receiver):
    """The transport of `protocol`; the receiver of `session`."""

    def __init__(self, session: Sealed, protocol: asyncio.BaseProtocol, limits: Limits) -> None:
        self.session = session
        self.protocol: Any = protocol
        self.loop = session.agenda.loop
        self.low, self.high = limits.low_water, limits.write_limit
        self.full = False  # the protocol was told not to write
        self.deaf = False  # the protocol does not want to read
        self.over = False

    def begin(self, octets: bytes) -> None:
        """Introduce us to the protocol, and tell it what came already."""
        self._tell(self.protocol.connection_made, self)
        self._deliver(octets)

    # What the protocol asks (`asyncio.Transport`).

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As of asyncio's transports under TLS; the socket is nobody else's."""
        value = self.session.extra(name)
        return default if value is None else value

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Who is told from now on."""
        self.protocol = protocol

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Who is told."""
        protocol: asyncio.BaseProtocol = self.protocol
        return protocol

    def is_closing(self) -> bool:
        """Whether the connection is ending, or has ended."""
        return self.over or self.session.hanging_up

    def is_reading(self) -> bool:
        """Whether what comes is told."""
        return not self.deaf and not self.is_closing()

    def pause_reading(self) -> None:
        """Tell nothing until `resume_reading`."""
        if self.is_reading():
            self.deaf = True
            self.session.pause(0)

    def resume_reading(self) -> None:
        """Tell what comes."""
        if self.deaf and not self.is_closing():
            self.deaf = False
            self.session.resume()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """From how many octets on `pause_writing` is called, and `resume_writing`."""
        self.high = 4 * low if high is None and low else 64 * 1024 if high is None else high
        self.low = min(self.high // 4 if low is None else low, self.session.limits.low_water)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high mark."""
        return self.low, self.high

    def get_write_buffer_size(self) -> int:
        """Octets that the kernel has not taken yet."""
        outbox = self.session.outbox
        return 0 if outbox is None else outbox.size

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Queue octets; they are sent at the end of the turn."""
        if data and not self.is_closing() and not self.session.broken:
            self.session.send_head(bytes(data))
            if not self.full and self.get_write_buffer_size() > self.high:
                self.session.flush()
            if not self.full and self.get_write_buffer_size() > self.high:
                self.full = True
                self._tell(self.protocol.pause_writing)

    def writelines(self, pieces: Any) -> None:
        """Queue several at once."""
        self.write(b"".join(pieces))

    def can_write_eof(self) -> bool:
        """TLS ends both ways at once."""
        return False

    def write_eof(self) -> None:
        """Not under TLS."""
        raise NotImplementedError

    def close(self) -> None:
        """Send what waits, then close."""
        if not self.is_closing():
            self.session.hang_up()

    def abort(self) -> None:
        """Cut TCP now."""
        self.session.abort()

    # What the session reports.

    def on_body(self, session: Session, data: bytes) -> None:
        self._deliver(data)

    def on_drained(self) -> None:
        if self.full and self.get_write_buffer_size() <= self.low:
            self.full = False
            self._tell(self.protocol.resume_writing)

    def on_end(self) -> None:
        self.over = True
        self.loop.call_soon(self._lost)

    def end(self) -> None:
        """They send no more. Under TLS the connection is over then, whatever the protocol says."""
        self._tell(self.protocol.eof_received)
        self.close()

    def _lost(self) -> None:
        self._tell(self.protocol.connection_lost, None)

    def _deliver(self, data: bytes) -> None:
        protocol = self.protocol
        if hasattr(protocol, "data_received"):
            self._tell(protocol.data_received, data)
            return
        while data and not self.over:
            room = protocol.get_buffer(len(data))
            count = min(len(room), len(data))
            room[:count] = data[:count]
            protocol.buffer_updated(count)
            data = data[count:]

    def _tell(self, method: Any, *arguments: Any) -> None:
        """Call the protocol. What it raises costs this connection, as on asyncio's transports."""
        try:
            method(*arguments)
        except Exception as problem:
            self.loop.call_exception_handler(
                {
                    "message": f"{method!r} failed",
                    "exception": problem,
                    "transport": self,
                    "protocol": self.protocol,
                }
            )
            self.session.abort()
