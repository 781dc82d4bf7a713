"""The limits of a connection as plain numbers, in one object for all who live under them."""

from __future__ import annotations

from ..limits import Limits
from ..wire.reader import UNLIMITED

NEVER = 1e300  # seconds in which nothing is due


class Terms:
    """What sessions ask their `Limits` for again and again; `None` is UNLIMITED or NEVER here."""

    __slots__ = (
        "close_timeout",
        "limits",
        "low_queue",
        "max_backlog",
        "max_queue",
        "open_timeout",
        "ping_interval",
        "ping_timeout",
        "stall_timeout",
        "write_limit",
        "write_low",
    )

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.write_limit = limits.write_limit
        self.write_low = limits.low_water
        self.max_backlog = UNLIMITED if limits.max_backlog is None else limits.max_backlog
        self.max_queue = UNLIMITED if limits.max_queue is None else limits.max_queue
        self.low_queue = limits.low_queue
        self.open_timeout = _seconds(limits.open_timeout)
        self.close_timeout = _seconds(limits.close_timeout)
        self.stall_timeout = _seconds(limits.stall_timeout)
        self.ping_interval = _seconds(limits.ping_interval)
        self.ping_timeout = _seconds(limits.ping_timeout)


def _seconds(timeout: float | None) -> float:
    return NEVER if timeout is None else timeout
