"""How a conversation in lines can end, and the exit code that tells it."""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ...line import LineClosed, LineFailed, LineTimeout
from ..plain import plain


class Code(IntEnum):
    """Exit codes; those of `longlink connect` where they mean the same."""

    OK = 0
    USAGE = 2
    UNREACHED = 3
    SILENT = 4
    LOST = 5
    OUTPUT = 6
    INTERRUPTED = 130
    TERMINATED = 143


# The one list of what they mean; --help shows it.
MEANINGS: Final[dict[Code, str]] = {
    Code.OK: "closed by the server, or by us after everything was said",
    Code.USAGE: "an option, the address or the input is wrong",
    Code.UNREACHED: "no connection: name, network, refused, or time",
    Code.SILENT: "nothing came within --timeout",
    Code.LOST: "the connection was lost; over UDP: nobody listens there",
    Code.OUTPUT: "the output cannot be written",
    Code.INTERRUPTED: "Ctrl-C",
    Code.TERMINATED: "SIGTERM",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """An exit code, and why in one line."""

    code: Code
    text: str = ""


def of_close(end: LineClosed) -> Ending:
    """How a conversation ended."""
    if isinstance(end, LineTimeout):
        return Ending(Code.SILENT, str(end))
    return Ending(Code.LOST if isinstance(end, LineFailed) else Code.OK, plain(str(end)))


def of_failure(failure: Exception, place: str, patience: float) -> Ending:
    """Why there is no conversation with `place`.

    Args:
        patience: the seconds that connecting may take.
    """
    if isinstance(failure, TimeoutError) and not failure.args:
        why = f"no answer within {patience:g} s (--open-timeout)"
    elif isinstance(failure, UnicodeError):
        why = "not a host name"
    elif (
        isinstance(failure, OSError) and failure.errno and not isinstance(failure, socket.gaierror)
    ):
        why = os.strerror(failure.errno)
    else:
        why = getattr(failure, "strerror", None) or str(failure)
    return Ending(Code.UNREACHED, f"cannot connect to {place}: {plain(why)}")
