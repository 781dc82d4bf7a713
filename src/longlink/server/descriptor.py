"""A listening socket that somebody opened for us: systemd, or whoever started this process."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from typing import Final

FIRST: Final = 3  # sd_listen_fds(3): the first descriptor that is passed on
FAMILIES: Final = (socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None))


def passed_on(environment: Mapping[str, str]) -> int | None:
    """The descriptor that systemd passes on to this process (LISTEN_FDS), if it does.

    Raises ValueError, in one line for the operator, for several.
    """
    if environment.get("LISTEN_PID") != str(os.getpid()):
        return None  # meant for somebody else, who left his environment to us
    number = environment.get("LISTEN_FDS", "")
    if number != "1":
        raise ValueError(f"one socket is served, so LISTEN_FDS must be 1, not {number!r}")
    return FIRST


def adopt(descriptor: int) -> socket.socket:
    """The socket behind a descriptor.

    Raises ValueError, in one line for the operator, when it is none that listens.
    """
    try:
        sock = socket.socket(fileno=descriptor)
    except OSError as error:
        raise ValueError(f"cannot serve on descriptor {descriptor}: {error.strerror}") from None
    if (
        sock.family not in FAMILIES
        or sock.type != socket.SOCK_STREAM
        or not sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    ):
        sock.detach()  # it stays open: it is not ours
        raise ValueError(
            f"cannot serve on descriptor {descriptor}: it is no TCP or UNIX socket that listens"
        )
    sock.set_inheritable(False)
    return sock
