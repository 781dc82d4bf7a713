"""HTTP/1.1 responses: written by the server, read by the client, with and without a body.

A server of ours answers 101, or refuses and closes: `refuse` turns the exception that says
what is wrong into the response that says so to the peer.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from ..errors import (
    InvalidHandshake,
    InvalidHeaderValue,
    InvalidHost,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidProtocol,
    InvalidUpgrade,
    RequestLineTooLong,
    SecurityError,
    StatusLineTooLong,
    shorten,
)
from .header import NO_LIMIT, Headers, check_value, content_length, split_head

# RFC 9112 4. The reason may be empty, the space before it may not be left out.
_STATUS_LINE: Final = r"(HTTP/[0-9]\.[0-9]) ([1-5][0-9]{2}) ([\t\x20-\x7e\x80-\xff]*)"

# What each problem of a request is answered with: the first class that fits.
_ANSWERS: Final[tuple[tuple[type[InvalidHandshake], int], ...]] = (
    (RequestLineTooLong, 414),
    (SecurityError, 431),
    (InvalidProtocol, 505),
    (InvalidMethod, 405),
    (InvalidUpgrade, 426),
    (InvalidOrigin, 403),
    (InvalidHost, 421),
    (InvalidHandshake, 400),
)
# Headers that an answer must have, whoever writes it (RFC 9110 15.5.6, 15.5.22; RFC 6455 4.4).
_OBLIGATORY: Final[Mapping[int, Mapping[str, str]]] = {
    405: {"Allow": "GET"},
    426: {"Upgrade": "websocket", "Sec-WebSocket-Version": "13"},
}
_BODILESS: Final = frozenset({204, 304})
_SIZE_LINE: Final = re.compile(rb"\r\n([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?")
_MAX_SIZE_LINE: Final = 256


@dataclass(slots=True)
class Response:
    """Status, headers and body of an HTTP response."""

    status_code: int
    reason_phrase: str
    headers: Headers = field(default_factory=Headers)
    body: bytes = b""

    @property
    def interim(self) -> bool:
        """Whether a final response is still to come (RFC 9110 15.2): 1xx except 101."""
        return self.status_code < 200 and self.status_code != 101

    def serialize(self) -> bytes:
        """Head and body as they go on the wire.

        Raises:
            InvalidHeaderValue: a reason phrase that would break the line.
            ValueError: a status code that is none.
        """
        if not 100 <= self.status_code <= 599:
            raise ValueError(f"status code is {self.status_code!r}, expected 100-599")
        check_value("reason phrase", self.reason_phrase)
        line = f"HTTP/1.1 {self.status_code} {self.reason_phrase}\r\n"
        return line.encode("latin-1") + self.headers.serialize() + self.body


class Refusal(InvalidHandshake):
    """The request is refused; `response` is ready to be sent, then the connection ends.

    `__cause__` is the exception that says what was wrong with the request, if one was raised.
    """

    def __init__(self, response: Response, problem: str = "") -> None:
        super().__init__(response, problem)
        self.response: Response = response
        self.problem = problem

    def __str__(self) -> str:
        return self.problem or f"{self.response.status_code} {self.response.reason_phrase}"


def refuse(problem: InvalidHandshake, method: str = "GET") -> Refusal:
    """The refusal that answers a problem of a request."""
    status = next(status for kind, status in _ANSWERS if isinstance(problem, kind))
    return Refusal(last(respond(status, f"{problem}\n"), method), str(problem))


def respond(status: int, text: str = "") -> Response:
    """A complete response with a text, after which the connection is closed.

    Change its headers to say more; `last` makes one of a response that somebody else wrote.
    """
    from http import HTTPStatus  # for those who refuse somebody

    response = Response(status, HTTPStatus(status).phrase, Headers(), text.encode())
    response.headers["Content-Type"] = "text/plain; charset=utf-8"
    return last(response)


def last(response: Response, method: str = "GET") -> Response:
    """The same response with the framing of the last one on its connection.

    Content-Length fits the body whatever the application wrote, Connection says close, and 405
    and 426 have what they must have. Without a body for HEAD, 204 and 304 (RFC 9110 6.4.1).

    Raises:
        ValueError: the status is 1xx, which is not an answer.
    """
    if response.status_code < 200:
        raise ValueError(f"status code is {response.status_code}, expected a final one")
    headers = response.headers
    for name, value in _OBLIGATORY.get(response.status_code, {}).items():
        if name not in headers:
            headers[name] = value
    for name in ("Content-Length", "Transfer-Encoding"):
        if name in headers:
            del headers[name]
    if response.status_code in _BODILESS:
        response.body = b""
    else:
        headers["Content-Length"] = str(len(response.body))
    headers.put("Connection", "Upgrade, close" if response.status_code == 426 else "close")
    if method == "HEAD":
        response.body = b""
    return response


def add_server_headers(response: Response, server_header: str | None, now: float) -> None:
    """Add Date and Server where the application has not set them.

    Args:
        server_header: None leaves Server out.
        now: seconds since the epoch, by the wall clock.
    """
    # RFC 9110 6.6.1: an origin server with a clock must send Date.
    if "Date" not in response.headers:
        response.headers.add_trusted("Date", http_date(int(now)))
    if server_header is not None and "Server" not in response.headers:
        response.headers["Server"] = server_header


@lru_cache(maxsize=1)
def http_date(second: int) -> str:
    """`second` since the epoch as a Date header says it (RFC 9110 5.6.7)."""
    from email.utils import formatdate  # slow to import, and not everybody is a server

    return formatdate(second, usegmt=True)


def parse_response(
    head: bytes | bytearray,
    *,
    max_head: int = NO_LIMIT,
    max_line: int = NO_LIMIT,
    max_headers: int = NO_LIMIT,
) -> Response:
    """The response whose head this is, up to and with its empty line; the body is for `Body`.

    Raises:
        StatusLineTooLong, HeaderLineTooLong, TooManyHeaders, SecurityError: over a limit.
        InvalidProtocol: neither HTTP/1.1 nor an HTTP/1.0 refusal.
        InvalidMessage: not the grammar of RFC 9112.
    """
    if len(head) > max_line and head.find(b"\r\n", 0, max_line + 2) < 0:
        raise StatusLineTooLong(max_line)
    line, headers = split_head(head, max_head=max_head, max_line=max_line, max_headers=max_headers)
    match = re.fullmatch(_STATUS_LINE, line)
    if match is None:
        raise InvalidMessage(f"status line {shorten(line)} is malformed")
    version, status, reason = match.groups()
    # RFC 9110 7.8: HTTP/1.0 knows no upgrade, but an old proxy may refuse one.
    if not version.startswith("HTTP/1.") or (version == "HTTP/1.0" and status == "101"):
        raise InvalidProtocol(version)
    return Response(int(status), reason, headers)


MAX_BODY: Final = 64 * 1024  # octets of a refusal, kept for the exception that tells of it


class Body:
    """Collects the body of a response, up to a limit and however it is framed.

    Feed it what follows the head until `done`, or until the peer closes; then `content` is the
    body or its beginning. A body that breaks the rules just ends: it belongs to a refusal,
    and what is left of it is better than nothing.

    Source: RFC 9112 6.3, 7.1.
    """

    __slots__ = ("_buffer", "_chunked", "_content", "_left", "_limit", "done")

    def __init__(self, response: Response, max_body: int) -> None:
        codings = response.headers.joined("Transfer-Encoding")
        self._chunked = codings is not None and codings.lower() == "chunked"
        self._content = bytearray()
        # The size of each chunk but the first follows a line end; so it does of every chunk.
        self._buffer = bytearray(b"\r\n" if self._chunked else b"")
        self._limit = max_body if codings is not None else min(max_body, _length(response))
        # What is still to come of the current chunk, or of the body.
        self._left = 0 if self._chunked else self._limit
        bodiless = response.status_code < 200 or response.status_code in _BODILESS
        self.done = bodiless or self._limit == 0

    @property
    def content(self) -> bytes:
        """What has come of the body."""
        return bytes(self._content)

    def feed(self, data: bytes) -> bool:
        """Take what was received; True once nothing more is wanted."""
        if not self.done:
            self._buffer += data
            while self._take() and self._chunked and self._open_chunk():
                pass
        return self.done

    def _take(self) -> bool:
        """Move what there is of the current chunk; True when that was all of it."""
        room = self._limit - len(self._content)
        piece = self._buffer[: min(self._left, room)]
        del self._buffer[: len(piece)]
        self._left -= len(piece)
        self._content += piece
        self.done = len(self._content) == self._limit
        return self._left == 0 and not self.done

    def _open_chunk(self) -> bool:
        """Read the next size; True if a chunk follows it."""
        end = self._buffer.find(b"\r\n", 2)
        if end < 0:
            self.done = len(self._buffer) > _MAX_SIZE_LINE
            return False
        size = _SIZE_LINE.fullmatch(self._buffer, 0, end)
        self._left = 0 if size is None else int(size[1], 16)
        del self._buffer[: end + 2]
        self.done = self._left == 0
        return not self.done


def _length(response: Response) -> int:
    try:
        length = content_length(response.headers)
    except InvalidHeaderValue:
        return 0
    # Without a length the body ends with the connection.
    return sys.maxsize if length is None else length
