"""Every exception of longlink: whose fault it was, whether it is over, whether to retry.

LonglinkError
├── ProtocolError               a rule of the protocol was broken; close_code, section
│   ├── LocalProtocolError      by our caller: the connection stays usable
│   └── RemoteProtocolError     by the peer: the cause of the ConnectionClosedError that follows
│       └── PayloadTooBig       a message over max_size, or in too many pieces
├── InvalidHandshake            before OPEN; status, reason, headers, body where known
│   ├── InvalidStatus           the answer was not 101
│   ├── InvalidMessage          not HTTP/1.1 at all
│   ├── InvalidMethod           not GET
│   ├── InvalidProtocol         another version of HTTP
│   ├── SecurityError           a limit of the head was passed
│   │   └── RequestLineTooLong · StatusLineTooLong · HeaderLineTooLong · TooManyHeaders
│   ├── InvalidHeader           missing, repeated, malformed or not what it must be
│   │   ├── InvalidHeaderName · InvalidHeaderFormat · InvalidHeaderValue
│   │   └── InvalidUpgrade · InvalidHost · InvalidOrigin
│   ├── NegotiationError        subprotocol or extension that cannot be agreed on
│   └── ProxyError              the proxy did not let us through
│       └── InvalidProxyMessage · InvalidProxyStatus
├── InvalidURI                  nothing was connected
├── InvalidProxy                likewise, the address of the proxy
├── ConnectionClosed            after OPEN; rcvd, sent, rcvd_then_sent
│   ├── ConnectionClosedOK      1000, 1001, no code, or an application code that we chose
│   └── ConnectionClosedError   everything else
├── LineClosed                  a line connection is over, as one of both wished
│   └── LineFailed              … as nobody wished: lost, or a limit was passed
│       └── LineTooLong · LineTimeout
├── DatagramTooLong             nothing was sent
├── ConcurrencyError            two calls at once where one is allowed
└── UnknownLimit                a keyword that names no limit

Text that came from a peer appears in messages as a `repr` of bounded length, so a message
is one printable line however hostile the peer. Every exception can be copied and pickled.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

# RFC 6455 7.4.1 and the IANA registry of close codes.
CLOSE_CODES: Final[dict[int, str]] = {
    1000: "OK",
    1001: "going away",
    1002: "protocol error",
    1003: "unsupported data",
    1005: "no status received",
    1006: "abnormal closure",
    1007: "invalid payload data",
    1008: "policy violation",
    1009: "message too big",
    1010: "mandatory extension",
    1011: "internal error",
    1012: "service restart",
    1013: "try again later",
    1014: "bad gateway",
    1015: "TLS handshake failure",
    3000: "unauthorized",
    3003: "forbidden",
    3008: "timeout",
}

_ABNORMAL: Final = 1006
_TOO_BIG: Final = 1009
_PEACEFUL: Final = frozenset({1000, 1001, 1005})
_SHOWN: Final = 80
_QUOTED_BYTES: Final = 400

# Headers that may say who somebody is. By name, for the value of a secret looks like any other;
# those of the opening handshake itself are public.
_SECRET: Final = (
    "(?is)(?!sec-websocket-).*"
    "(?:auth|cookie|token|secret|key|passw|credential|session|signature|jwt|bearer)"
)


def is_secret(name: str) -> bool:
    """Whether the value of a header of this name is nobody else's business."""
    return re.match(_SECRET, name) is not None


def shorten(value: object, limit: int = _SHOWN) -> str:
    """The `repr` of a value, cut to about `limit` characters.

    Strings and bytes are cut before `repr` sees them: the cost does not grow with a peer's input.
    """
    if isinstance(value, (str, bytes)) and len(value) > limit:
        return f"{value[:limit]!r}… ({len(value)} long)"
    text = repr(value)
    return text if len(text) <= 4 * limit else f"{text[: 4 * limit]}…"


@dataclass(frozen=True, slots=True)
class Close:
    """Code and reason of a Close frame, sent or received; of one sent because a rule was broken,
    the `cause`."""

    code: int
    reason: str = ""
    cause: ProtocolError | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        words = f"{self.code} ({_name(self.code)})"
        return f"{words} {self.reason}" if self.reason else words


def _name(code: int) -> str:
    # RFC 6455 7.4.2: what the ranges are for.
    if code in CLOSE_CODES:
        return CLOSE_CODES[code]
    if 3000 <= code < 4000:
        return "registered"
    if 4000 <= code < 5000:
        return "private use"
    return "unassigned"


class LonglinkError(Exception):
    """Root of everything that longlink raises on its own account."""


WebSocketException = LonglinkError  # what programs written for `websockets` catch


class ProtocolError(LonglinkError):
    """A rule of the protocol was broken.

    Attributes:
        close_code: the code that fails the connection.
        section: where the rule stands, for example "5.5" of RFC 6455 or "7692 6".
    """

    def __init__(self, message: str = "", close_code: int = 1002, section: str = "") -> None:
        super().__init__(message, close_code, section)
        self.close_code = close_code
        self.section = section

    def __str__(self) -> str:
        return str(self.args[0])


class LocalProtocolError(ProtocolError):
    """Our caller asked for something that the protocol forbids; nothing was sent."""


class RemoteProtocolError(ProtocolError):
    """The peer broke a rule; the connection is failed with `close_code`."""


class PayloadTooBig(RemoteProtocolError):
    """A message is over the limit of octets or of fragments."""

    def __init__(self, message: str = "", close_code: int = 1009, section: str = "") -> None:
        super().__init__(message, close_code, section)


def violation(code: int, section: str, message: str) -> RemoteProtocolError:
    """The exception for a rule that the peer broke, failing the connection with `code`."""
    kind = PayloadTooBig if code == _TOO_BIG else RemoteProtocolError
    return kind(message, code, section)


class ResponseLike(Protocol):
    """What an exception needs of an HTTP response; `wire` has the real one."""

    status_code: int
    reason_phrase: str
    headers: Any
    body: bytes


def _told(response: ResponseLike) -> str:
    return f"{response.status_code} {shorten(response.reason_phrase)}"


def _quoted(response: ResponseLike) -> str:
    """How the text of an answer begins, on one line; nothing of a page, of a file, or of what
    the status line says already."""
    text = " ".join(response.body[:_QUOTED_BYTES].decode(errors="replace").split())
    said = " ".join(response.reason_phrase.split())
    if not text or text.startswith("<") or "\ufffd" in text[:_SHOWN] or text == said:
        return ""
    return f": {text[:_SHOWN]!r}{'…' if len(text) > _SHOWN else ''}"


class InvalidHandshake(LonglinkError):
    """The opening handshake failed.

    Attributes:
        response: the HTTP answer it is about, None where there was none.
    """

    response: ResponseLike | None = None

    @property
    def status(self) -> int | None:
        """Status code of the answer."""
        return None if self.response is None else self.response.status_code

    @property
    def reason(self) -> str | None:
        """Reason phrase of the answer."""
        return None if self.response is None else self.response.reason_phrase

    @property
    def headers(self) -> Any:
        """Headers of the answer."""
        return None if self.response is None else self.response.headers

    @property
    def body(self) -> bytes | None:
        """Body of the answer, up to the limit of the reader."""
        return None if self.response is None else self.response.body


class InvalidStatus(InvalidHandshake):
    """The server answered with another status than 101. The message quotes what it said."""

    def __init__(self, response: ResponseLike) -> None:
        super().__init__(response)
        self.response: ResponseLike = response

    def __str__(self) -> str:
        return f"server answered {_told(self.response)} instead of 101{_quoted(self.response)}"


class InvalidMessage(InvalidHandshake):
    """What arrived is not a well-formed HTTP/1.1 head."""


class InvalidMethod(InvalidHandshake):
    """The request is not a GET."""

    def __init__(self, method: str) -> None:
        super().__init__(method)
        self.method = method

    def __str__(self) -> str:
        return f"method is {shorten(self.method)}, expected GET"


class InvalidProtocol(InvalidHandshake):
    """The message speaks another version of HTTP."""

    def __init__(self, protocol: str) -> None:
        super().__init__(protocol)
        self.protocol = protocol

    def __str__(self) -> str:
        return f"protocol is {shorten(self.protocol)}, expected HTTP/1.1"


class SecurityError(InvalidHandshake):
    """A limit of the handshake was passed."""


class _OverLimit(SecurityError):
    form = ""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit

    def __str__(self) -> str:
        return self.form.format(self.limit)


class RequestLineTooLong(_OverLimit):
    """The request line is over `max_line`."""

    form = "request line is over the limit of {} octets"


class StatusLineTooLong(_OverLimit):
    """The status line is over `max_line`."""

    form = "status line is over the limit of {} octets"


class HeaderLineTooLong(_OverLimit):
    """A header line is over `max_line`."""

    form = "header line is over the limit of {} octets"


class TooManyHeaders(_OverLimit):
    """There are more header lines than `max_headers`."""

    form = "more than the limit of {} headers"


class _Discreet:
    """Its `repr` tells what its message does: there may be a password among the arguments."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class InvalidHeader(_Discreet, InvalidHandshake):
    """A header is missing (value None), repeated, malformed or not what it must be.

    The message leaves out the value of a header that may hold credentials.

    Attributes:
        name: of the header.
        value: as it came or was given, None when missing.
        expected: a clause that says what would be right, empty when obvious.
    """

    def __init__(self, name: str, value: str | None = None, expected: str = "") -> None:
        super().__init__(name, value, expected)
        self.name = name
        self.value = value
        self.expected = expected

    def __str__(self) -> str:
        name = shorten(self.name)
        told = (
            f"missing header {name}"
            if self.value is None
            else f"invalid header {name}: {'…' if is_secret(self.name) else shorten(self.value)}"
        )
        return f"{told}, expected {self.expected}" if self.expected else told


class InvalidHeaderName(InvalidHeader, ValueError):
    """The name of a header is not a token."""


class InvalidHeaderValue(InvalidHeader, ValueError):
    """The value of a header is not what it must be."""


class InvalidHeaderFormat(InvalidHeader):
    """The value of a header does not obey its grammar.

    Attributes:
        error: a clause that says what was expected.
        header: the whole value.
        pos: index of the first character that does not fit.
    """

    def __init__(self, name: str, error: str, header: str, pos: int) -> None:
        super().__init__(name, header, error)
        self.args = (name, error, header, pos)
        self.error = error
        self.header = header
        self.pos = pos

    def __str__(self) -> str:
        near = self.header[self.pos :]
        found = shorten(near, 20) if near else "the end"
        if near and is_secret(self.name):
            found = "…"
        name = shorten(self.name)
        return f"invalid header {name}: {self.error} expected at {self.pos}, found {found}"


class InvalidUpgrade(InvalidHeader):
    """Upgrade or Connection does not ask for (or agree to) WebSocket, or not to version 13."""


class InvalidHost(InvalidHeader):
    """The request is for a host that is not served here."""


class InvalidOrigin(InvalidHeader):
    """The page that opened the connection is not allowed to."""

    def __init__(self, origin: str | None, expected: str = "") -> None:
        super().__init__("Origin", origin, expected)
        self.args = (origin, expected)
        self.origin = origin


class NegotiationError(InvalidHandshake):
    """A subprotocol or an extension cannot be agreed on."""


class ProxyError(InvalidHandshake):
    """The proxy was reached, and did not let us through."""


class InvalidProxyMessage(ProxyError):
    """What the proxy answered is not an HTTP response to CONNECT."""


class InvalidProxyStatus(ProxyError):
    """The proxy answered CONNECT with another status than 2xx."""

    def __init__(self, response: ResponseLike) -> None:
        super().__init__(response)
        self.response: ResponseLike = response

    def __str__(self) -> str:
        return f"proxy answered {_told(self.response)} instead of 2xx{_quoted(self.response)}"


class InvalidURI(_Discreet, LonglinkError):
    """A URI that no connection can be made to. The message leaves out user and password."""

    def __init__(self, uri: str, msg: str) -> None:
        super().__init__(uri, msg)
        self.uri = uri
        self.msg = msg

    def __str__(self) -> str:
        return f"invalid URI {shorten(_public(self.uri))}: {self.msg}"


class InvalidProxy(_Discreet, LonglinkError):
    """The address of a proxy that cannot be used. The message leaves out user and password."""

    def __init__(self, proxy: str, msg: str) -> None:
        super().__init__(proxy, msg)
        self.proxy = proxy
        self.msg = msg

    def __str__(self) -> str:
        return f"invalid proxy {shorten(_public(self.proxy))}: {self.msg}"


def _public(address: str) -> str:
    """An address without anything that may have been meant as user and password."""
    scheme, slashes, rest = address.partition("://")
    if not slashes:
        scheme, rest = "", address
    _, at, place = rest.rpartition("@")
    return f"{scheme}{slashes}…@{place}" if at else address


class ConnectionClosed(LonglinkError):
    """The connection is over.

    Attributes:
        rcvd: the peer's Close, None if none came.
        sent: our Close, None if none went out.
        rcvd_then_sent: True if the peer was first, False if we were, None unless both are known.
    """

    def __init__(
        self, rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None = None
    ) -> None:
        super().__init__(rcvd, sent, rcvd_then_sent)
        self.rcvd = rcvd
        self.sent = sent
        self.rcvd_then_sent = rcvd_then_sent

    @property
    def code(self) -> int:
        """The peer's code; 1006 if it sent none (RFC 6455 7.1.5)."""
        return _ABNORMAL if self.rcvd is None else self.rcvd.code

    @property
    def reason(self) -> str:
        """The peer's reason (RFC 6455 7.1.6)."""
        return "" if self.rcvd is None else self.rcvd.reason

    def __str__(self) -> str:
        if self.rcvd is None:
            if self.sent is None:
                return "connection lost: no close frame in either direction"
            return f"closed by us with {self.sent}, never answered"
        if self.sent is None:
            return f"closed by the peer with {self.rcvd}, not answered by us"
        if self.rcvd_then_sent:
            return f"closed by the peer with {self.rcvd}, answered with {self.sent}"
        return f"closed by us with {self.sent}, answered with {self.rcvd}"


class ConnectionClosedOK(ConnectionClosed):
    """The connection ended as one of both wished."""


class ConnectionClosedError(ConnectionClosed):
    """The connection ended by a failure, or without a closing handshake."""


def connection_closed(
    rcvd: Close | None, sent: Close | None, rcvd_then_sent: bool | None = None
) -> ConnectionClosed:
    """The exception that fits how a connection ended: OK or Error.

    OK needs both Close frames. Codes 1000 and 1001 (and none at all, reported as 1005) are peace;
    3000-4999 is peace only when *we* said it first, for then it is our own caller's word.
    """
    if rcvd is not None and sent is not None:
        peaceful = _PEACEFUL
        if rcvd_then_sent is False and 3000 <= sent.code <= 4999:
            peaceful = _PEACEFUL | {sent.code}
        if rcvd.code in peaceful and sent.code in peaceful:
            return ConnectionClosedOK(rcvd, sent, rcvd_then_sent)
    error = ConnectionClosedError(rcvd, sent, rcvd_then_sent)
    error.__cause__ = None if sent is None else sent.cause
    return error


class LineClosed(LonglinkError):
    """A line connection is over: they ended it, or we did. The text says who, and why."""


class LineFailed(LineClosed):
    """A line connection is over, and nobody wished it: it was lost, or a limit was passed."""


class LineTooLong(LineFailed):
    """A line came that is longer than `max_line`."""


class LineTimeout(LineFailed, TimeoutError):
    """No line came within `timeout`."""


class DatagramTooLong(LonglinkError, ValueError):
    """A datagram is too long for UDP, or for an answer to somebody who may be somebody else."""


class ConcurrencyError(LonglinkError):
    """Two tasks make a call that only one may make at a time."""


class UnknownLimit(LonglinkError, TypeError):
    """A keyword argument that names no limit."""
