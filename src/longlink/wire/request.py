"""HTTP/1.1 requests: read by the server, written by the client.

`parse_request` takes any well-formed request, for an application behind the same port may
want it; whether it opens a WebSocket is judged in `handshake`. What two programs could read
differently is refused for both (RFC 9112 11).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from ..errors import (
    InvalidHandshake,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidProtocol,
    RequestLineTooLong,
    shorten,
)
from .authority import split_authority
from .header import NO_LIMIT, Headers, content_length, is_token, split_head
from .knock import Knock
from .response import refuse

_VERSION: Final = r"HTTP/[0-9]\.[0-9]"
# RFC 9112 3.2 wants RFC 3986 characters; browsers also send the likes of { | } unencoded.
# A fragment is never sent (RFC 9110 7.1), blanks and octets over 127 always encoded.
_TARGET: Final = re.compile(r'[!"$-~]+')
_ABSOLUTE: Final = r"(?i:https?|wss?)://([^/?]*)(.*)"


class _Late:
    """What a request that `late_request` made has beside its fields."""

    __slots__ = ("_knock", "_parsed")

    def _comes_of(self, knock: Knock) -> None:
        self._knock = knock
        self._parsed: Any = None

    if not TYPE_CHECKING:  # pragma: no branch - for it every field is always there

        def __getattr__(self, name: str) -> Any:
            """Called for what is not there yet."""
            if name != "headers":
                raise AttributeError(name)
            self.headers = self._parsed = split_head(self._knock.head)[1]
            return self.headers


@dataclass(slots=True)
class Request(_Late):
    """Method, target and headers of an HTTP request.

    Attributes:
        path: the target as it came: nothing is decoded. Of an absolute target, what follows
            the host.
        version: `HTTP/1.1`, or `HTTP/1.0`, which cannot open a WebSocket.
    """

    path: str
    headers: Headers = field(default_factory=Headers)
    method: str = "GET"
    version: str = "HTTP/1.1"

    def serialize(self) -> bytes:
        """The head as it goes on the wire.

        Raises:
            ValueError: method or path would break the line.
        """
        if not is_token(self.method) or not _TARGET.fullmatch(self.path):
            raise ValueError(f"request line of {shorten(self.method)}, {shorten(self.path)}")
        line = f"{self.method} {self.path} HTTP/1.1\r\n"
        return line.encode("latin-1") + self.headers.serialize()


_HEADERS: Final[Any] = Request.__dict__["headers"]


def late_request(knock: Knock) -> Request:
    """The request of an ordinary handshake. Its headers are parsed when somebody asks for them."""
    request = Request.__new__(Request)
    request.path, request.method, request.version = knock.path, "GET", "HTTP/1.1"
    request._comes_of(knock)
    return request


def knock_behind(request: Request) -> Knock | None:
    """What `late_request` made it from; None when it was not, or has been changed since."""
    knock: Knock | None = getattr(request, "_knock", None)
    if knock is None:
        return None
    if (request.path, request.method, request.version) != (knock.path, "GET", "HTTP/1.1"):
        return None
    try:
        headers = _HEADERS.__get__(request)  # without asking for them
    except AttributeError:
        return knock
    same: bool = headers is request._parsed and not headers.edited
    return knock if same else None


def parse_request(
    head: bytes | bytearray,
    *,
    max_head: int = NO_LIMIT,
    max_line: int = NO_LIMIT,
    max_headers: int = NO_LIMIT,
) -> Request:
    """The request whose head this is, up to and with its empty line.

    Limits are in octets, octets and lines. A head that `head_end` gave up is refused, too.

    Raises:
        Refusal: with the response that says what is wrong: 414 and 431 for a limit, 505 for
            another version of HTTP, 400 for everything else.

    Source: RFC 9112 2-6.
    """
    try:
        return _parse(head, max_head, max_line, max_headers)
    except InvalidHandshake as problem:
        raise refuse(problem) from problem


def _parse(head: bytes | bytearray, max_head: int, max_line: int, max_headers: int) -> Request:
    # RFC 9112 2.2: one empty line before the request is ignored.
    if head.startswith(b"\r\n"):
        head = head[2:]
    _check_line(head, max_line)
    line, headers = split_head(head, max_head=max_head, max_line=max_line, max_headers=max_headers)
    # RFC 9112 3: single spaces, and none inside the parts.
    parts = line.split(" ")
    if len(parts) != 3 or not is_token(parts[0]) or not re.fullmatch(_VERSION, parts[2]):
        raise InvalidMessage(f"request line {shorten(line)} is not method, target and version")
    method, target, version = parts
    if not version.startswith("HTTP/1."):
        raise InvalidProtocol(version)
    if version != "HTTP/1.0":
        # RFC 9110 2.5: a higher minor version is read as the highest that we know.
        version = "HTTP/1.1"
    request = Request(target, headers, method, version)
    _check_host(request)
    _check_target(request)
    _check_framing(request)
    return request


def _check_line(head: bytes | bytearray, max_line: int) -> None:
    if head.find(b"\r\n", 0, max_line + 2) >= 0:
        return
    # Without a target it is the method that has no end, and nothing is known by that name.
    if len(head) <= max_line or b" " not in head[:max_line]:
        raise InvalidMessage("no request line")
    raise RequestLineTooLong(max_line)


def _check_host(request: Request) -> None:
    """RFC 9112 3.2: exactly one, and valid; RFC 9110 4.2.1: not empty."""
    host = request.headers.only("Host")
    if host is None:
        if request.version != "HTTP/1.0":
            raise InvalidHeaderValue("Host", None)
    elif split_authority(host) is None:
        raise InvalidHeaderValue("Host", host, "a host and maybe a port")


def _check_target(request: Request) -> None:
    """RFC 9112 3.2: origin form, or one of the forms that others may ask for."""
    target = request.path
    if not _TARGET.fullmatch(target):
        raise InvalidMessage(f"request target {shorten(target)} is malformed")
    if target.startswith("/"):
        return
    absolute = re.fullmatch(_ABSOLUTE, target)
    if absolute is not None:
        _take_absolute(request, absolute[1], absolute[2])
    elif not (request.method == "CONNECT" or (request.method == "OPTIONS" and target == "*")):
        raise InvalidMessage(f"request target {shorten(target)} does not start with a slash")


def _take_absolute(request: Request, authority: str, rest: str) -> None:
    if split_authority(authority) is None:
        raise InvalidMessage(f"request target {shorten(request.path)} has no valid host")
    # RFC 9112 3.2.2: the host of the target counts, whatever Host says.
    request.headers.put("Host", authority)
    request.path = rest if rest.startswith("/") else f"/{rest}"


def _check_framing(request: Request) -> None:
    """RFC 9112 6: one way to tell where the body ends, and one that everybody knows."""
    length = content_length(request.headers)
    coding = request.headers.only("Transfer-Encoding")
    if coding is None:
        return
    if length is not None or request.version == "HTTP/1.0":
        raise InvalidMessage("Transfer-Encoding beside Content-Length or in HTTP/1.0")
    if coding.lower() != "chunked":
        raise InvalidHeaderValue("Transfer-Encoding", coding, "chunked")
