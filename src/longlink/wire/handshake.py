"""The opening handshake of RFC 6455 4: the server judges a request, the client an answer.

    server                                      client
    ------                                      ------
    head_end       is it complete?              make_request   what to ask
    parse_request  bytes -> Request             head_end       is it complete?
    accept         Request -> Response(101)     parse_response bytes -> Response
                   or Refusal(.response)        check_response Response -> subprotocol
    add_server_headers, Response.serialize                     or InvalidHandshake

Nothing here knows a socket, a clock or a random source: entropy and time are arguments.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from ..errors import (
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidMethod,
    InvalidProtocol,
    InvalidStatus,
    InvalidUpgrade,
    NegotiationError,
    shorten,
)
from .answer import accept_key, agreed_headers
from .header import (
    Extension,
    Headers,
    HeadersLike,
    content_length,
    head_end,
    is_token,
    parse_extensions,
    parse_tokens,
    parse_upgrade,
)
from .knock import KEY, Knock
from .origin import (
    SAME_HOST,
    Origins,
    SameHost,
    check_hosts,
    check_origins,
    judge_host,
    judge_origin,
)
from .request import Request, parse_request
from .response import (
    Body,
    Refusal,
    Response,
    add_server_headers,
    last,
    parse_response,
    refuse,
    respond,
)

if TYPE_CHECKING:  # those who serve connect nowhere
    from .uri import URI

__all__ = [
    "SAME_HOST",
    "Body",
    "Extension",
    "Headers",
    "HeadersLike",
    "Origins",
    "Refusal",
    "Request",
    "Response",
    "SameHost",
    "SelectSubprotocol",
    "Subprotocol",
    "accept",
    "accept_key",
    "add_server_headers",
    "check_hosts",
    "check_origins",
    "check_response",
    "check_subprotocols",
    "head_end",
    "is_upgrade",
    "last",
    "make_request",
    "new_key",
    "parse_request",
    "parse_response",
    "refuse",
    "respond",
]


Subprotocol: TypeAlias = str
SelectSubprotocol: TypeAlias = Callable[[Any, Sequence[str]], str | None]

_WS_VERSION: Final = r"0|[1-9][0-9]?|1[0-9][0-9]|2[0-4][0-9]|25[0-5]"
# Headers that make_request writes or that would change what the request means.
_RESERVED: Final = frozenset(
    {
        "connection",
        "content-length",
        "host",
        "sec-websocket-accept",
        "sec-websocket-extensions",
        "sec-websocket-key",
        "sec-websocket-protocol",
        "sec-websocket-version",
        "transfer-encoding",
        "upgrade",
    }
)


def new_key(entropy: bytes) -> str:
    """The Sec-WebSocket-Key made of 16 unpredictable octets, fresh for each connection.

    Source: RFC 6455 4.1, item 7.
    """
    if len(entropy) != 16:
        raise ValueError(f"{len(entropy)} octets of entropy, expected 16")
    return b64encode(entropy).decode()


def check_subprotocols(names: Sequence[str]) -> None:
    """Raise for a list of subprotocols that cannot be offered or spoken.

    Raises:
        TypeError: a string instead of a list of them.
        InvalidHeaderValue: a name that is not a token, or twice the same (RFC 6455 4.1).
    """
    if isinstance(names, str):
        raise TypeError(f"subprotocols is {shorten(names)}, expected a list of strings")
    _check_offer(names)


def _check_offer(names: Sequence[str]) -> None:
    """Raise InvalidHeaderValue for names that RFC 6455 4.1 forbids."""
    for name in names:
        if not is_token(name):
            raise InvalidHeaderValue("Sec-WebSocket-Protocol", name, "a token")
    if len(set(names)) != len(names):
        raise InvalidHeaderValue("Sec-WebSocket-Protocol", ", ".join(names), "different names")


def is_upgrade(request: Request) -> bool:
    """Whether the request asks for WebSocket, be it well or badly; `accept` judges that.

    Source: RFC 9110 7.8: Upgrade is a list without regard to case, and nothing in HTTP/1.0.
    """
    if request.version == "HTTP/1.0":
        return False
    return _has_websocket(request.headers.joined("Upgrade"))


def _has_websocket(upgrade: str | None) -> bool:
    # What browsers send needs no parser; likewise below.
    if upgrade is None or upgrade == "websocket":
        return upgrade is not None
    try:
        return any(name.lower() == "websocket" for name in parse_upgrade(upgrade))
    except InvalidHeader:
        return False


def _has_upgrade(connection: str | None) -> bool:
    if connection is None or connection == "Upgrade":
        return connection is not None
    try:
        return any(name.lower() == "upgrade" for name in parse_tokens("Connection", connection))
    except InvalidHeader:
        return False


def accept(
    request: Request,
    *,
    subprotocols: Sequence[str] | None = None,
    select_subprotocol: SelectSubprotocol | None = None,
    connection: Any = None,
    origins: Origins = SAME_HOST,
    hosts: Collection[str] | None = None,
    extensions: Callable[[list[Extension]], str | None] | None = None,
) -> Response:
    """The 101 response that opens the connection.

    Args:
        subprotocols: spoken here, the dearest first.
        select_subprotocol: called with `connection` and what the client offers, in its order;
            returns one of that, or None. It may raise NegotiationError, answered with 400.
        origins: see `Origins`.
        hosts: names that this server answers to, whatever the port; None takes any. A list
            defends servers on private addresses against DNS rebinding, which SAME_HOST cannot.
        extensions: called with what the client offers; returns the header of the answer.

    Raises:
        Refusal: with the response to send instead; then the connection ends.

    Source: RFC 6455 4.2.
    """
    headers = request.headers
    try:
        key = _judge(request)
        host = headers.joined("Host")
        judge_host(host, hosts)
        judge_origin(headers.only("Origin"), host, origins)
        select = select_subprotocol or prefer(subprotocols or ())
        answer = agreed_headers(
            accept_key(key),
            _choose_subprotocol(headers.joined("Sec-WebSocket-Protocol"), select, connection),
            _choose_extensions(headers.joined("Sec-WebSocket-Extensions"), extensions),
        )
    except Refusal:
        raise
    except InvalidHandshake as problem:
        raise refuse(problem, request.method) from problem
    return Response(101, "Switching Protocols", answer)


def agree(
    knock: Knock,
    *,
    select_subprotocol: SelectSubprotocol,
    connection: Any,
    origins: Origins,
    hosts: Collection[str] | None,
    extensions: Callable[[list[Extension]], str | None],
) -> tuple[str | None, str | None]:
    """What `accept` would answer to an ordinary handshake: subprotocol and extensions.

    Args, Raises: as `accept`.
    """
    try:
        judge_host(knock.host, hosts)
        judge_origin(knock.origin, knock.host, origins)
        return (
            _choose_subprotocol(knock.protocols, select_subprotocol, connection),
            _choose_extensions(knock.extensions, extensions),
        )
    except Refusal:
        raise
    except InvalidHandshake as problem:
        raise refuse(problem) from problem


def _judge(request: Request) -> str:
    """The key of a request that obeys RFC 6455 4.2.1."""
    if request.method != "GET":
        raise InvalidMethod(request.method)
    if request.version == "HTTP/1.0":
        raise InvalidProtocol(request.version)
    headers = request.headers
    upgrade = headers.joined("Upgrade")
    if not _has_websocket(upgrade):
        raise InvalidUpgrade("Upgrade", upgrade, "websocket")
    connection = headers.joined("Connection")
    if not _has_upgrade(connection):
        raise InvalidUpgrade("Connection", connection, "Upgrade")
    version = headers.only("Sec-WebSocket-Version")
    if version != "13":
        # RFC 6455 4.4: another version is told which we speak; what is no version is a mistake.
        known = version is not None and re.fullmatch(_WS_VERSION, version)
        kind = InvalidUpgrade if known else InvalidHeaderValue
        raise kind("Sec-WebSocket-Version", version, "13")
    key = headers.only("Sec-WebSocket-Key")
    if key is None or not KEY.fullmatch(key):
        raise InvalidHeaderValue("Sec-WebSocket-Key", key, "base64 of 16 octets")
    if "Expect" in headers:
        # RFC 9110 7.8: 100 would have to be sent before 101; 10.1.1: nobody without a body may ask.
        problem = "an upgrade request with an expectation"
        raise Refusal(respond(417, f"{problem}\n"), problem)
    # RFC 9112 6: a body would have to be read before the first frame.
    if content_length(headers) or "Transfer-Encoding" in headers:
        raise InvalidMessage("an upgrade request with a body")
    return key


def _choose_subprotocol(
    offer: str | None, select: SelectSubprotocol, connection: Any
) -> str | None:
    """RFC 6455 4.2.2, item 5.5: one name that was offered, or no header at all."""
    offered = [] if offer is None else parse_tokens("Sec-WebSocket-Protocol", offer)
    _check_offer(offered)
    chosen = select(connection, offered)
    if chosen is not None and chosen not in offered:
        problem = f"subprotocol {shorten(chosen)} was selected but not offered"
        raise Refusal(respond(500, "subprotocol selection failed\n"), problem)
    return chosen


def prefer(subprotocols: Sequence[str]) -> SelectSubprotocol:
    """The default choice: the first of the server's subprotocols that the client offers."""

    def select(connection: Any, offered: Sequence[str]) -> str | None:
        return next((name for name in subprotocols if name in offered), None)

    return select


def _choose_extensions(
    offer: str | None, negotiate: Callable[[list[Extension]], str | None] | None
) -> str | None:
    """RFC 6455 9.1: what is not known is ignored, what is not grammar is refused."""
    if offer is None:
        return None
    offered = parse_extensions(offer)
    return None if negotiate is None else negotiate(offered)


def make_request(
    uri: URI,
    key: str,
    *,
    origin: str | None = None,
    subprotocols: Sequence[str] | None = None,
    extensions: str | None = None,
    additional_headers: HeadersLike | None = None,
    user_agent_header: str | None = None,
) -> Request:
    """The request that opens a WebSocket.

    Args:
        key: from `new_key`, fresh for each connection.
        extensions: the Sec-WebSocket-Extensions header to offer.
        additional_headers: of the caller; a User-Agent among them replaces `user_agent_header`.

    Raises:
        InvalidHeaderName, InvalidHeaderValue: something that cannot stand on a header line,
            that the handshake writes itself, or that is there already; nothing was sent.

    Source: RFC 6455 4.1.
    """
    headers = Headers()
    headers["Host"] = uri.host_header
    headers["Upgrade"] = "websocket"
    headers["Connection"] = "Upgrade"
    headers["Sec-WebSocket-Key"] = key
    headers["Sec-WebSocket-Version"] = "13"
    if subprotocols:
        check_subprotocols(subprotocols)
        headers["Sec-WebSocket-Protocol"] = ", ".join(subprotocols)
    optional = {
        "Origin": origin,
        "Sec-WebSocket-Extensions": extensions,
        "Authorization": uri.credentials,
    }
    headers.update({name: value for name, value in optional.items() if value is not None})
    _add_callers(headers, Headers(additional_headers or ()))
    if user_agent_header is not None and "User-Agent" not in headers:
        headers["User-Agent"] = user_agent_header
    return Request(uri.resource, headers)


def _add_callers(headers: Headers, additional: Headers) -> None:
    for name in additional:
        if name in _RESERVED or name in headers:
            value = ", ".join(additional.get_all(name))
            raise InvalidHeaderValue(name, value, "that the handshake alone writes it")
    headers.update(additional)


def check_response(
    response: Response,
    key: str,
    offered_subprotocols: Sequence[str] | None = None,
    *,
    extensions: Callable[[list[Extension]], None] | None = None,
) -> str | None:
    """The subprotocol that the server chose, once its answer is good; None if it chose none.

    Args:
        extensions: called with what the server agreed to; raises NegotiationError if that was
            not offered. Without it nothing was.

    Raises:
        InvalidStatus: not 101. The exception has status, headers and body of the answer.
        InvalidUpgrade, InvalidHeader, NegotiationError: the answer breaks RFC 6455 4.1.

    Source: RFC 6455 4.1, the second list.
    """
    try:
        _judge_answer(response, key)
        _judge_extensions(response.headers, extensions)
        return _chosen_subprotocol(response.headers, offered_subprotocols or ())
    except InvalidHandshake as problem:
        problem.response = response
        raise


def _judge_answer(response: Response, key: str) -> None:
    if response.status_code != 101:
        raise InvalidStatus(response)
    headers = response.headers
    upgrade = headers.joined("Upgrade")
    # RFC 6455 4.1: a single value here, not a list as in the request.
    if upgrade is None or upgrade.lower() != "websocket":
        raise InvalidUpgrade("Upgrade", upgrade, "websocket")
    connection = headers.joined("Connection")
    if not _has_upgrade(connection):
        raise InvalidUpgrade("Connection", connection, "Upgrade")
    proof = headers.only("Sec-WebSocket-Accept")
    if proof != accept_key(key):
        raise InvalidHeaderValue("Sec-WebSocket-Accept", proof, accept_key(key))


def _judge_extensions(headers: Headers, judge: Callable[[list[Extension]], None] | None) -> None:
    answer = headers.joined("Sec-WebSocket-Extensions")
    if answer is None:
        return
    agreed = parse_extensions(answer)
    if judge is None:
        raise NegotiationError(f"extension {shorten(agreed[0][0])} was not offered")
    judge(agreed)


def _chosen_subprotocol(headers: Headers, offered: Sequence[str]) -> str | None:
    chosen = headers.only("Sec-WebSocket-Protocol")
    if chosen is not None and chosen not in offered:
        raise NegotiationError(f"subprotocol {shorten(chosen)} was not offered")
    return chosen
