"""Proxies: their addresses, and the CONNECT conversation with those that speak HTTP.

    request = connect_request(proxy, uri, agent)     what to send
    tunnel.feed(octets)                              True once the octets are the server's

Source: RFC 9110 9.3.6, RFC 9112 3.2.3.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

from ..errors import (
    InvalidHandshake,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidURI,
)
from .header import Headers, head_end
from .response import Body, Response, parse_response
from .uri import URI, basic_credentials, parse_place, parse_userinfo

_DEFAULT_PORTS: Final = {
    "http": 80,
    "https": 443,
    "socks4": 1080,
    "socks4a": 1080,
    "socks5": 1080,
    "socks5h": 1080,
}
MAX_INTERIM: Final = 100  # answers before the final one, of which a tunnel needs none
_PARTS: Final = re.compile(r"(?P<scheme>[A-Za-z0-9]+)://(?P<authority>[^/?#]*)/?")


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is and how to talk to it.

    Attributes:
        scheme: http, https, socks4, socks4a, socks5 or socks5h.
        host, port: of the proxy; the port is given or the scheme's own.
        username, password: decoded; None if there was no userinfo.
    """

    scheme: str
    host: str
    port: int
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def speaks_http(self) -> bool:
        """Whether CONNECT opens the way, and not SOCKS."""
        return self.scheme in ("http", "https")


def parse_proxy(proxy: str) -> Proxy:
    """The parts of a proxy's address: `scheme://[user:password@]host[:port]`.

    Raises:
        InvalidProxy: another scheme, no host, or more than that.
    """
    match = _PARTS.fullmatch(proxy)
    if match is None:
        raise InvalidProxy(proxy, "not scheme://[user:password@]host[:port]")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise InvalidProxy(
            proxy, f"scheme is {scheme[:20]!r}, expected one of {', '.join(_DEFAULT_PORTS)}"
        )
    userinfo, at, place = match["authority"].rpartition("@")
    try:
        host, port = parse_place(proxy, place)
        username, password = parse_userinfo(proxy, userinfo) if at else (None, None)
    except InvalidURI as problem:
        raise InvalidProxy(proxy, problem.msg) from None
    return Proxy(scheme, host, port or _DEFAULT_PORTS[scheme], username, password)


def connect_request(proxy: Proxy, uri: URI, user_agent_header: str | None) -> bytes:
    """What asks `proxy` for a tunnel to the host and port of `uri`."""
    headers = Headers()
    headers["Host"] = uri.authority
    if user_agent_header is not None:
        headers["User-Agent"] = user_agent_header
    if proxy.username is not None:
        credentials = basic_credentials(proxy.username, proxy.password or "")
        headers["Proxy-Authorization"] = credentials
    return f"CONNECT {uri.authority} HTTP/1.1\r\n".encode() + headers.serialize()


class Tunnel:
    """What a proxy answers to CONNECT, octet by octet if need be.

    Args:
        max_body: octets kept of the body of a refusal.
        max_head, max_line, max_headers: as for any head.
    """

    __slots__ = ("_body", "_buffer", "_interim", "_limits", "_max_body", "_response")

    def __init__(self, max_body: int, *, max_head: int, max_line: int, max_headers: int) -> None:
        self._max_body = max_body
        self._limits = {"max_head": max_head, "max_line": max_line, "max_headers": max_headers}
        self._buffer = bytearray()
        self._interim = 0
        self._response: Response | None = None
        self._body: Body | None = None

    def feed(self, data: bytes) -> bool:
        """Take what was received; True once the tunnel is open.

        Raises:
            InvalidProxyStatus: the proxy refuses; the exception has status, headers and body.
            InvalidProxyMessage: it does not speak HTTP, or over a limit, or after its head.
        """
        if self._body is None:
            self._buffer += data
            return self._read_heads()
        if self._body.feed(data):
            raise self.refusal()
        return False

    def refusal(self) -> InvalidHandshake:
        """Why there is no tunnel, when nothing more will come."""
        if self._response is None or self._body is None:
            return InvalidProxyMessage("the proxy closed TCP before it answered")
        self._response.body = self._body.content
        return InvalidProxyStatus(self._response)

    def _read_heads(self) -> bool:
        while True:
            response = self._next_head()
            if response is None:
                return False
            if 200 <= response.status_code < 300:
                return self._opened()
            if not response.interim:
                return self._refused(response)
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise InvalidProxyMessage(f"proxy: more than {MAX_INTERIM} interim answers")

    def _next_head(self) -> Response | None:
        limits = self._limits
        try:
            end = head_end(
                self._buffer, 0, max_head=limits["max_head"], max_line=limits["max_line"]
            )
            if not end:
                return None
            response = parse_response(self._buffer[:end], **limits)
        except InvalidHandshake as problem:
            raise InvalidProxyMessage(f"proxy: {problem}") from problem
        del self._buffer[:end]
        return response

    def _opened(self) -> bool:
        # A server says nothing before it is asked, and there is no body (RFC 9110 9.3.6).
        if self._buffer:
            raise InvalidProxyMessage("the proxy went on after it had opened the tunnel")
        return True

    def _refused(self, response: Response) -> bool:
        self._response = response
        self._body = Body(response, self._max_body)
        if self._body.feed(bytes(self._buffer)):
            raise self.refusal()
        return False
