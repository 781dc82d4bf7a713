"""How a conversation can end, and the exit code that tells it."""

from __future__ import annotations

import os
import socket
import ssl
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from ... import ConnectionClosed, ConnectionClosedOK, InvalidHandshake, ProxyError
from ..plain import plain


class Code(IntEnum):
    """Exit codes."""

    OK = 0
    CLOSED = 1
    USAGE = 2
    UNREACHED = 3
    REFUSED = 4
    LOST = 5
    OUTPUT = 6
    INTERRUPTED = 130
    TERMINATED = 143


# The one list of what they mean; --help shows it.
MEANINGS: Final[dict[Code, str]] = {
    Code.OK: "closed by us, or by the server with 1000, 1001 or no code",
    Code.CLOSED: "closed by the server with another code, or failed by us: a rule or limit broken",
    Code.USAGE: "an option, the URI or the input is wrong",
    Code.UNREACHED: "no connection: name, network, TLS, proxy or time",
    Code.REFUSED: "the server refused the opening handshake, or did not understand it",
    Code.LOST: "the connection was lost, without a Close",
    Code.OUTPUT: "the output, or a file of --save, cannot be written",
    Code.INTERRUPTED: "Ctrl-C",
    Code.TERMINATED: "SIGTERM",
}


@dataclass(frozen=True, slots=True)
class Ending:
    """An exit code, and why in one line."""

    code: Code
    text: str = ""


def of_close(closed: ConnectionClosed) -> Ending:
    """How a connection that was open ended."""
    text = plain(str(closed))
    if isinstance(closed, ConnectionClosedOK):
        return Ending(Code.OK, text)
    sent = closed.sent
    if sent is not None and sent.cause is not None:
        hint = "; --max-size allows more" if sent.code == 1009 else ""
        return Ending(Code.CLOSED, f"failed by us with {sent.code}: {plain(str(sent.cause))}{hint}")
    if closed.rcvd is not None and not (sent and closed.rcvd_then_sent is False):
        return Ending(Code.CLOSED, text)
    # We said goodbye, and everything before it had arrived: whether it is answered is their affair.
    return Ending(Code.OK if sent is not None and sent.code != 1011 else Code.LOST, text)


def of_failure(failure: Exception, place: str, patience: float | None) -> Ending:
    """Why there is no connection to `place`.

    Args:
        patience: the seconds that opening may take.
    """
    if isinstance(failure, ProxyError):
        return Ending(Code.UNREACHED, f"cannot connect to {place}: {plain(str(failure))}")
    if isinstance(failure, InvalidHandshake):
        return Ending(Code.REFUSED, f"{place}: {plain(str(failure))}")
    return Ending(Code.UNREACHED, f"cannot connect to {place}: {_why(failure, patience)}")


def _why(failure: Exception, patience: float | None) -> str:
    if isinstance(failure, TimeoutError) and failure.errno is None:
        return "no answer in time" if patience is None else f"no answer within {patience:g} s"
    if isinstance(failure, socket.gaierror):
        return f"{failure.strerror}"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return (
            f"its certificate is not trusted: {failure.verify_message.rstrip('.')};"
            " --cacert FILE names an authority, --insecure trusts anybody"
        )
    if isinstance(failure, ssl.SSLError):
        reason = (getattr(failure, "reason", None) or str(failure)).lower().replace("_", " ")
        hint = "; is it ws:// there?" if "wrong version" in reason else ""
        return f"TLS failed: {plain(reason)}{hint}"
    if isinstance(failure, OSError) and failure.errno:
        return os.strerror(failure.errno)
    return plain(str(failure)) or type(failure).__name__
