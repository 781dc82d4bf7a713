"""Who used the processor: we, and the server if it is on this machine.

Linux tells all of it below /proc: which inode a listening port is, who has that inode open, and
how long each thread of theirs ran.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
_LISTENING: Final = "0A"
_PAGE_KIB: Final = os.sysconf("SC_PAGE_SIZE") // 1024 if hasattr(os, "sysconf") else 4


@dataclass(frozen=True, slots=True)
class Share:
    """Nanoseconds that threads ran, and waited for a processor."""

    ran: int
    waited: int

    def __sub__(self, other: Share) -> Share:
        return Share(self.ran - other.ran, self.waited - other.waited)


@dataclass(frozen=True, slots=True)
class Usage:
    """Nanoseconds until now: of time, of our thread, of the server's; None for unknown."""

    at: int
    own: Share
    server: Share | None

    @classmethod
    def now(cls, server: Sequence[int]) -> Usage:
        """As of now."""
        ours = _share(_PROC / "thread-self")
        own = Share(time.thread_time_ns(), 0 if ours is None else ours.waited)
        return cls(time.monotonic_ns(), own, cpu_of(server))


def available() -> int:
    """Processors that we may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def listeners(port: int) -> list[int]:
    """The processes that listen on a TCP port of this machine, as far as we may know."""
    inodes = {inode for table in ("tcp", "tcp6") for inode in _inodes(table, port)}
    return _owners({f"socket:[{inode}]" for inode in inodes}) if inodes else []


def listeners_at(path: str) -> list[int]:
    """The same for a Unix socket."""
    try:
        lines = (_PROC / "net" / "unix").read_text().splitlines()[1:]
    except OSError:
        return []
    inodes = {line.split()[6] for line in lines if line.split()[7:] == [path]}
    return _owners({f"socket:[{inode}]" for inode in inodes}) if inodes else []


def _inodes(table: str, port: int) -> Iterable[str]:
    try:
        lines = (_PROC / "net" / table).read_text().splitlines()[1:]
    except OSError:
        return
    for line in lines:
        fields = line.split()
        if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
            yield fields[9]


def _owners(links: set[str]) -> list[int]:
    found = []
    for folder in _PROC.glob("[0-9]*"):
        with suppress(OSError):  # somebody else's, or gone
            if any(os.readlink(entry) in links for entry in (folder / "fd").iterdir()):
                found.append(int(folder.name))
    return sorted(found)


def exists(pid: int) -> bool:
    """Whether there is such a process."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # somebody else's
    return True


def name_of(pid: int) -> str:
    """What a process is called; empty when nobody knows."""
    try:
        return (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return ""


def cpu_of(pids: Sequence[int]) -> Share | None:
    """What all threads of these processes had; None when nobody knows."""
    threads = (thread for pid in pids for thread in (_PROC / str(pid) / "task").glob("*"))
    shares = [share for thread in threads if (share := _share(thread)) is not None]
    if not shares:
        return None
    return Share(sum(share.ran for share in shares), sum(share.waited for share in shares))


def _share(thread: Path) -> Share | None:
    try:
        ran, waited, *_ = (thread / "schedstat").read_text().split()
    except (OSError, ValueError):
        return None
    return Share(int(ran), int(waited))


def memory_of(pids: Sequence[int]) -> int | None:
    """KiB in memory of these processes; None when nobody knows."""
    total = None
    for pid in pids:
        with suppress(OSError, ValueError, IndexError):
            pages = int((_PROC / str(pid) / "statm").read_text().split()[1])
            total = pages * _PAGE_KIB + (total or 0)
    return total


def model() -> str:
    """The processor's name; empty when nobody knows."""
    with suppress(OSError):
        for line in (_PROC / "cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return ""
