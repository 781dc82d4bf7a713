"""longlink: real-time push for Python. See `serve`, `connect`, `broadcast`."""

from .api.broadcast import broadcast
from .api.client import connect
from .api.connection import Connection
from .api.server import Server, serve, unix_serve
from .api.version import __version__
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
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    LocalProtocolError,
    LonglinkError,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    RemoteProtocolError,
    RequestLineTooLong,
    SecurityError,
    StatusLineTooLong,
    TooManyHeaders,
    UnknownLimit,
)
from .limits import Limits
from .wire.endpoint import State
from .wire.frame import CloseCode
from .wire.header import Headers, MultipleValuesError
from .wire.origin import SAME_HOST
from .wire.request import Request
from .wire.response import Response

__all__ = [
    "SAME_HOST",
    "Close",
    "CloseCode",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
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
    "RemoteProtocolError",
    "Request",
    "RequestLineTooLong",
    "Response",
    "SecurityError",
    "Server",
    "State",
    "StatusLineTooLong",
    "TooManyHeaders",
    "UnknownLimit",
    "__version__",
    "broadcast",
    "connect",
    "serve",
    "unix_serve",
]
