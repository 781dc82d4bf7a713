"""TCP to the first of several addresses that answers ("happy eyeballs", RFC 8305)."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from typing import Any, TypeAlias

Found: TypeAlias = tuple[int, int, int, Any]  # family, type, protocol, address


@dataclass(frozen=True, slots=True)
class Entrant:
    """One address to try: from which of ours, if that matters, to which."""

    family: int
    proto: int
    address: Any
    local: Sequence[Any] = ()

    async def connect(self, loop: asyncio.AbstractEventLoop) -> socket.socket:
        """A connected, non-blocking socket; cancellation closes it."""
        sock = socket.socket(self.family, socket.SOCK_STREAM, self.proto)
        try:
            sock.setblocking(False)
            if self.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self.local:
                _bind(sock, self.local)
            await loop.sock_connect(sock, self.address)
        except BaseException:
            sock.close()
            raise
        return sock


async def resolve(
    loop: asyncio.AbstractEventLoop, place: tuple[str, int], family: int, proto: int, flags: int
) -> list[Found]:
    """The addresses of a host and port. One that is given as an address is not looked up."""
    for kind in (socket.AF_INET, socket.AF_INET6):
        if family in (0, kind) and _is_address(kind, place[0]):
            return [(kind, socket.SOCK_STREAM, proto, place)]
    found = await loop.getaddrinfo(
        *place, family=family, type=socket.SOCK_STREAM, proto=proto, flags=flags
    )
    return [(kind, type_, proto_, address) for kind, type_, proto_, _, address in found]


def interleaved(found: Sequence[Found], first: int) -> list[Found]:
    """The addresses with families in turn, after `first` of the first family (RFC 8305 4)."""
    families: dict[int, deque[Found]] = {}
    for each in found:
        families.setdefault(each[0], deque()).append(each)
    queues = list(families.values())
    ahead = [queue.popleft() for queue in queues[:1] for _ in range(min(first - 1, len(queue)))]
    return ahead + [each for turn in zip_longest(*queues) for each in turn if each is not None]


async def fastest(
    loop: asyncio.AbstractEventLoop, entrants: Sequence[Entrant], delay: float | None, name: str
) -> socket.socket:
    """The socket of the first entrant that connects; the others leave nothing behind.

    Args:
        delay: seconds until the next one starts beside those that are still trying; None
            lets it wait until they have failed.
        name: of the place, for the error.

    Raises:
        OSError: nobody connected; of the kind that all of them met, if it was one.
    """
    if len(entrants) == 1:
        return await entrants[0].connect(loop)
    waiting = deque(entrants)
    running: set[asyncio.Task[socket.socket]] = set()
    failures: list[OSError] = []
    try:
        while waiting or running:
            if waiting:
                running.add(loop.create_task(waiting.popleft().connect(loop)))
            patience = delay if waiting else None
            done, _ = await asyncio.wait(
                running, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            for task in done:
                running.discard(task)
                if (winner := _result(task, failures)) is not None:
                    running |= done - {task}
                    return winner
    finally:
        for task in running:
            task.cancel()
            task.add_done_callback(_forget)
    raise _summary(failures, name)


def _result(task: asyncio.Task[socket.socket], failures: list[OSError]) -> socket.socket | None:
    try:
        return task.result()
    except OSError as failure:
        failures.append(failure)
        return None


def _forget(task: asyncio.Task[socket.socket]) -> None:
    """One of the also-rans is done; it may have connected after all."""
    if not task.cancelled() and task.exception() is None:
        task.result().close()


def _summary(failures: Sequence[OSError], name: str) -> OSError:
    text = f"cannot connect to {name}: " + ("; ".join(map(str, failures)) or "no address")
    numbers = {failure.errno for failure in failures}
    number = numbers.pop() if len(numbers) == 1 else None
    # With a number, OSError becomes ConnectionRefusedError and the like.
    return OSError(text) if number is None else OSError(number, text)


def _bind(sock: socket.socket, local: Sequence[Any]) -> None:
    """Bind to the first address that will do."""
    for address in local:
        try:
            return sock.bind(address)
        except OSError as failure:
            problem = failure
    raise problem


def _is_address(family: int, host: str) -> bool:
    try:
        socket.inet_pton(family, host)
    except (OSError, ValueError):
        return False
    return True
