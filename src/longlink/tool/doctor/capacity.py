"""How many connections this machine lets us have."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from ...limits import SPARE_DESCRIPTORS
from .finding import Finding, Settings, fail, ok, warn

MANY: Final = 65536  # descriptors that are enough for nearly everybody
FEW_PORTS: Final = 10_000
NET: Final = Path("/proc/sys/net")


def check_descriptors(settings: Settings) -> Iterator[Finding]:
    """Each connection takes one."""
    try:
        import resource
    except ImportError:  # not on Windows
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield judge_descriptors(soft, hard, settings.config.limits.max_connections)


def judge_descriptors(soft: int, hard: int, wanted: int | None) -> Finding:
    """What the limit means; negative numbers are no limit.

    Args:
        wanted: `max_connections`, None when it follows from the limit.
    """
    if soft < 0:
        return ok("descriptors", "no limit")
    people = max(soft - SPARE_DESCRIPTORS, 0)
    text = f"{soft} (hard limit {hard if hard >= 0 else 'none'}): at most {people} connections"
    goal = max(MANY, 0 if wanted is None else wanted + SPARE_DESCRIPTORS)
    if wanted is not None and wanted > people:
        return fail(
            "descriptors", f"{text}, but LONGLINK_MAX_CONNECTIONS is {wanted}", _raised(goal, hard)
        )
    if soft < 2 * SPARE_DESCRIPTORS:
        return fail("descriptors", f"{text}: too few to serve", _raised(goal, hard))
    if soft < MANY:
        return warn("descriptors", text, _raised(goal, hard))
    return ok("descriptors", text)


def _raised(goal: int, hard: int) -> str:
    """How to have that many."""
    unit = f"LimitNOFILE={goal} in a systemd unit"
    if 0 <= hard < goal:
        return (
            f"as root: ulimit -Hn {goal} before ulimit -n {goal}, or a line in"
            f" /etc/security/limits.conf; {unit}"
        )
    return f"ulimit -n {goal} in the shell that starts it; {unit}"


def check_backlog(settings: Settings) -> Iterator[Finding]:
    """Connections that the system holds until they are accepted."""
    most, wanted = number(NET / "core" / "somaxconn"), settings.config.backlog
    if most is None:
        return
    if most < wanted:
        yield warn(
            "backlog",
            f"net.core.somaxconn cuts the backlog of {wanted} to {most}: when all come back at"
            " once, some wait for seconds",
            f"sysctl -w net.core.somaxconn={wanted}",
        )
    else:
        yield ok("backlog", f"{wanted}, within net.core.somaxconn of {most}")


def check_ports(settings: Settings) -> Iterator[Finding]:
    """Ports for connections that this machine opens: a proxy's, a load generator's."""
    found = numbers(NET / "ipv4" / "ip_local_port_range")
    if len(found) != 2:
        return
    count = found[1] - found[0] + 1
    text = f"{count} ({found[0]} to {found[1]}): as many connections from here to one port there"
    if count < FEW_PORTS:
        yield warn("ports", text, 'sysctl -w net.ipv4.ip_local_port_range="1024 65535"')
    else:
        yield ok("ports", text)


def check_memory(settings: Settings) -> Iterator[Finding]:
    """What the system lets TCP have, and how many connections it keeps track of."""
    pages = numbers(NET / "ipv4" / "tcp_mem")
    if len(pages) == 3:
        page = os.sysconf("SC_PAGE_SIZE")
        low, high = (count * page // 2**20 for count in pages[1:])
        yield ok(
            "memory",
            f"net.ipv4.tcp_mem: all TCP buffers together {low} MiB, beyond {high} MiB"
            " connections fail",
        )
    tracked = number(NET / "netfilter" / "nf_conntrack_max")
    if tracked is not None and tracked < MANY:
        yield warn(
            "conntrack",
            f"the firewall keeps track of {tracked} connections at most, and drops the others",
            f"sysctl -w net.netfilter.nf_conntrack_max={4 * MANY}",
        )


def numbers(path: Path) -> list[int]:
    """The numbers in a file of /proc; none where there is no such file."""
    try:
        return [int(word) for word in path.read_text().split()]
    except (OSError, ValueError):
        return []


def number(path: Path) -> int | None:
    """The one number in a file of /proc."""
    found = numbers(path)
    return found[0] if len(found) == 1 else None
