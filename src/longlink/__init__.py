"""longlink: real-time push for Python. See `serve`, `connect`, `broadcast`."""

from typing import TYPE_CHECKING

from .api.broadcast import broadcast
from .api.connection import ClientConnection, Connection, ServerConnection
from .api.message import Data
from .errors import (
    Close,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    HeaderLineTooLong,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderFormat,
    InvalidHeaderName,
    InvalidHeaderValue,
    InvalidHost,
    InvalidMessage,
    InvalidMethod,
    InvalidOrigin,
    InvalidProtocol,
    InvalidProxy,
    InvalidProxyMessage,
    InvalidProxyStatus,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    LocalProtocolError,
    LonglinkError,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    ProxyError,
    RemoteProtocolError,
    RequestLineTooLong,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
    UnknownLimit,
    WebSocketException,
)
from .limits import Limits
from .wire.deflate import Deflate
from .wire.frame import CloseCode
from .wire.handshake import Subprotocol
from .wire.header import Headers, MultipleValuesError
from .wire.origin import SAME_HOST
from .wire.phase import State
from .wire.request import Request
from .wire.response import Response

if TYPE_CHECKING:  # see `api.late`
    from .api.auth import basic_auth
    from .api.client import connect, unix_connect
    from .api.reconnect import backoff, process_exception
    from .api.route import Router, route, unix_route
    from .api.server import Server, serve, unix_serve
    from .api.version import __version__
else:
    from .api.late import __dir__ as __dir__
    from .api.late import __getattr__ as __getattr__

__all__ = [
    "SAME_HOST",
    "ClientConnection",
    "Close",
    "CloseCode",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "Data",
    "Deflate",
    "HeaderLineTooLong",
    "Headers",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidHeaderFormat",
    "InvalidHeaderName",
    "InvalidHeaderValue",
    "InvalidHost",
    "InvalidMessage",
    "InvalidMethod",
    "InvalidOrigin",
    "InvalidProtocol",
    "InvalidProxy",
    "InvalidProxyMessage",
    "InvalidProxyStatus",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "Limits",
    "LocalProtocolError",
    "LonglinkError",
    "MultipleValuesError",
    "NegotiationError",
    "PayloadTooBig",
    "ProtocolError",
    "ProxyError",
    "RemoteProtocolError",
    "Request",
    "RequestLineTooLong",
    "Response",
    "Router",
    "SecurityError",
    "Server",
    "ServerConnection",
    "State",
    "StatusLineTooLong",
    "Subprotocol",
    "TooManyHeaders",
    "UnknownLimit",
    "WebSocketException",
    "__version__",
    "backoff",
    "basic_auth",
    "broadcast",
    "connect",
    "process_exception",
    "route",
    "serve",
    "unix_connect",
    "unix_route",
    "unix_serve",
]
