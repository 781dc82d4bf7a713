"""Many connections to one place, a bounded number of opening handshakes at once."""

from __future__ import annotations

import asyncio
import ipaddress
import sys
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, Final

from ... import Connection, Limits, connect
from ..connect.dial import dial
from ..connect.plan import Plan as ConnectPlan
from .plan import Plan

# An address of ours has 28,000 ports to connect from; on loopback we have many addresses.
PER_ADDRESS: Final = 20_000
_ADDRESSES: Final = 250
_SPARE: Final = 32  # descriptors for everything else
_CLOSING_S: Final = 5.0


class TooMany(Exception):
    """More connections than there can be; the text says why."""


class Opening:
    """Opens connections as a plan says.

    Attributes:
        uri: where to. local: whether that is this machine, once the first is open.
        agreed: on which extensions, as the server says it.
    """

    def __init__(self, uri: str, plan: Plan) -> None:
        self.uri = uri
        self.plan = plan
        self.local = False
        self.agreed: str | None = None
        self._address: str | None = None
        self._dials: dict[tuple[type[Connection], int], connect] = {}
        self._limits = Limits(
            open_timeout=plan.timeout,
            close_timeout=_CLOSING_S,
            ping_interval=None,
            max_size=max(2**20, 2 * plan.size),
            max_control_rate=None,
        )

    def check(self) -> None:
        """Raise ValueError for what can never work, TooMany for more than may be open."""
        self._dial(Connection, 0)
        wanted = self.plan.descriptors + _SPARE
        most = most_descriptors()
        if wanted > most:
            raise TooMany(
                f"{self.plan.descriptors:,} connections need {wanted:,} descriptors, and the limit"
                f" is {most:,}: ulimit -Hn {wanted}, or fewer connections"
            )

    async def first(self, kind: type[Connection]) -> Any:
        """The first connection; it finds out where the others go."""
        connection = await self._dial(kind, 0)
        address = connection.remote_address
        if isinstance(address, tuple):
            self._address = str(address[0])
            self.local = ipaddress.ip_address(self._address.partition("%")[0]).is_loopback
        else:
            self.local = True  # a Unix socket
        self._dials.clear()
        if connection.response is not None:
            self.agreed = connection.response.headers.get("Sec-WebSocket-Extensions")
        return connection

    async def more(
        self,
        kind: type[Connection],
        count: int,
        use: Callable[[Any], object],
        failed: Callable[[Exception], bool],
    ) -> None:
        """Open so many more.

        Args:
            use: is given each. failed: is given what went wrong with one; returns whether to
                go on, or raises what ends it.
        """
        numbers = iter(range(1, count + 1))
        workers = min(self.plan.at_once, count)
        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(workers):
                    group.create_task(self._open_each(kind, numbers, use, failed))
        except ExceptionGroup as problems:
            raise problems.exceptions[0] from None

    async def _open_each(
        self,
        kind: type[Connection],
        numbers: Iterator[int],
        use: Callable[[Any], object],
        failed: Callable[[Exception], bool],
    ) -> None:
        for number in numbers:
            try:
                use(await self.one(kind, number // PER_ADDRESS))
            except Exception as problem:
                if not failed(problem):
                    deque(numbers, maxlen=0)  # nobody opens another

    async def one(self, kind: type[Connection], source: int) -> Connection:
        """One connection, on loopback from the address of ours with this number."""
        return await self._dial(kind, source % _ADDRESSES)

    def wish(self) -> connect:
        """What says what is asked for."""
        return self._dial(Connection, 0)

    def address(self) -> tuple[str, int]:
        """Where the first one went."""
        assert self._address is not None
        return self._address, self.wish().uri.port

    def sources(self) -> list[str]:
        """Addresses of ours for more connections than one has ports; none where one must do."""
        here = self.local and self._address is not None and ":" not in self._address
        if not here or sys.platform != "linux":  # elsewhere 127.0.0.1 is the only one
            return []
        return [_source(number) for number in range(_ADDRESSES)]

    def _dial(self, kind: type[Connection], source: int) -> connect:
        """What can be awaited again and again for a connection of a kind."""
        known = self._dials.get((kind, source))
        if known is None:
            known = self._dials[kind, source] = dial(
                self.uri,
                self._contact(),
                self._limits,
                create_connection=kind,
                **self._place(source),
            )
        return known

    def _contact(self) -> ConnectPlan:
        """The options of `longlink connect` that say how. A proxy would be what is measured."""
        contact = self.plan.contact
        proxy = "off" if contact.uds is None else None
        return replace(contact, compression=self.plan.compression, proxy=proxy)

    def _place(self, source: int) -> dict[str, Any]:
        """Where the first one went, and from which address of ours."""
        if self._address is None:
            return {}
        if source and self.sources():
            return {"host": self._address, "local_addr": (_source(source), 0)}
        return {"host": self._address}


def _source(number: int) -> str:
    return f"127.0.{number}.1"


def most_descriptors() -> int:
    """How many this process may have open, after raising the limit as far as it goes."""
    try:
        import resource
    except ImportError:  # not on Windows
        return 8192
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return 2**31 if most == resource.RLIM_INFINITY else most
