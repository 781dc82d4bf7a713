"""`ws.transport`: what programs ask asyncio's transports, for connections that have none."""

from __future__ import annotations

from typing import Any

from ..engine.session import Session
from ..wire.phase import Phase


def transport_of(session: Session) -> Any:
    """The asyncio transport of a stream; for a link, something that answers the same."""
    transport = getattr(session, "transport", None)
    return LinkTransport(session) if transport is None else transport


class LinkTransport:
    """A link's answers to the questions that a transport is asked (`asyncio.Transport`)."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """`peername`, `sockname`, and what there is to say of TLS; the socket is nobody else's."""
        value = self._session.extra(name)
        return default if value is None else value

    def get_write_buffer_size(self) -> int:
        """Octets that the kernel has not taken yet."""
        outbox = self._session.outbox
        return 0 if outbox is None else outbox.size

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """The low and the high mark: `write_limit`."""
        limits = self._session.limits
        return limits.low_water, limits.write_limit

    def is_closing(self) -> bool:
        """Whether the connection is ending, or has ended."""
        return self._session.phase not in (Phase.CONNECTING, Phase.OPEN)

    def abort(self) -> None:
        """Cut TCP now; what waits to be sent is lost."""
        self._session.abort()

    def close(self) -> None:
        """Send what waits, then close TCP; no Close is said. `ws.close()` says one."""
        self._session.hang_up()
