"""permessage-deflate: what is offered, what is agreed on (RFC 7692 §5, §7.1).

    server                                        client
    ------                                        ------
                                                  offer      options -> header
    negotiate  offers, options ->                 judge      answer, options -> Agreement
               header and Agreement, or None                 or NegotiationError

An `Agreement` is the same object for all connections that agreed on the same: to a connection
that has nothing to say compression costs a reference to it, and with context takeover what
must be remembered of the messages before.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, TypeAlias

from ..errors import NegotiationError, shorten
from .deflater import Deflater, deflater
from .header import Extension, Parameters
from .inflater import Inflater

NAME: Final = "permessage-deflate"

_SERVER_NO_TAKEOVER: Final = "server_no_context_takeover"
_CLIENT_NO_TAKEOVER: Final = "client_no_context_takeover"
_SERVER_BITS: Final = "server_max_window_bits"
_CLIENT_BITS: Final = "client_max_window_bits"
_MOST_BITS: Final = 15
_THRESHOLD: Final = 256
_THRESHOLD_IN_CONTEXT: Final = 32
_BITS: Final = r"[89]|1[0-5]"  # §7.1.2: no leading zeros


@dataclass(frozen=True, slots=True)
class Deflate:
    """How messages are compressed: `serve(..., compression=Deflate(threshold=1024))`.

    The length of a compressed message tells something about it: do not send a secret beside text
    that somebody else chose, or send that message with `compress=False`.

    Args:
        context_takeover: whether a message may refer to those before it. Similar short
            messages then compress several times better, and each connection that sends holds
            a compressor of up to 256 KiB; one that receives holds up to 32 KiB.
        window_bits: base-2 logarithm of the largest window, 8 to 15, in both directions where
            the peer takes part.
        level: 1 is fast, 9 is small. memory_level: 1 to 9, of zlib.
        threshold: shorter messages, in bytes, are sent as they are. By default 256, below which
            little is won, and 32 where a message may refer to those before it.

    Raises ValueError for a number outside of its range, TypeError for what is none.
    """

    context_takeover: bool = False
    window_bits: int = 15
    level: int = 1
    memory_level: int = 8
    threshold: int | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.context_takeover, bool):
            kind = type(self.context_takeover).__name__
            raise TypeError(f"context_takeover is True or False, not {kind}")
        _check("window_bits", self.window_bits, 8, _MOST_BITS)
        _check("level", self.level, 1, 9)
        _check("memory_level", self.memory_level, 1, 9)
        if self.threshold is not None:
            _check("threshold", self.threshold, 0, 2**62)


Compression: TypeAlias = Deflate | Literal["deflate"] | None


def _check(name: str, value: object, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} is {shorten(value)}, expected a whole number")
    if not least <= value <= most:
        raise ValueError(f"{name} is {value}, expected {least} to {most}")


def options_of(compression: object) -> Deflate | None:
    """The options that the argument `compression` stands for; None for no compression.

    Raises ValueError or TypeError for anything but None, "deflate" and a `Deflate`.
    """
    if compression is None or isinstance(compression, Deflate):
        return compression
    if compression == "deflate":
        return Deflate()
    kind = ValueError if isinstance(compression, str) else TypeError
    raise kind(f"compression is {shorten(compression)}, expected None, 'deflate' or a Deflate")


class Agreement:
    """What both ends agreed on, as one of them sees it. Shared and never changed.

    Attributes:
        deflater: for what we send.
        keeps: whether we keep our compressor from message to message.
        threshold: octets of the shortest message worth compressing to this peer alone.
    """

    __slots__ = ("deflater", "inflate_bits", "keeps", "peer_keeps", "threshold")

    def __init__(
        self,
        ours: Deflater,
        keeps: bool,
        inflate_bits: int,
        peer_keeps: bool,
        threshold: int | None = None,
    ) -> None:
        self.deflater = ours
        self.keeps = keeps
        default = _THRESHOLD_IN_CONTEXT if keeps else ours.threshold
        self.threshold = default if threshold is None else threshold
        self.inflate_bits = inflate_bits
        self.peer_keeps = peer_keeps

    def inflater(self) -> Inflater:
        """For what one connection receives."""
        return Inflater(self.inflate_bits, self.peer_keeps)


@cache
def _agreement(
    options: Deflate, bits: int, keeps: bool, inflate_bits: int, peer_keeps: bool
) -> Agreement:
    alone = _THRESHOLD if options.threshold is None else options.threshold
    ours = deflater(bits, options.level, options.memory_level, alone)
    return Agreement(ours, keeps, inflate_bits, peer_keeps, options.threshold)


# The server.


def negotiate(offers: list[Extension], options: Deflate) -> tuple[str, Agreement] | None:
    """The header that accepts the first offer that can be, and what it means; None if none can.

    Source: RFC 7692 §5.1, §7.1. An offer that is malformed is declined, which is no error.
    """
    for name, parameters in offers:
        if name == NAME:
            accepted = _accept(parameters, options)
            if accepted is not None:
                return accepted
    return None


def _accept(parameters: Parameters, options: Deflate) -> tuple[str, Agreement] | None:
    try:
        offered = _parse(parameters)
    except NegotiationError:
        return None
    if offered.get(_SERVER_BITS, _MOST_BITS) is None:
        return None  # §7.1.2.1: only client_max_window_bits may come without a value
    takeover = options.context_takeover
    answer: dict[str, int | None] = {}
    if not takeover or _SERVER_NO_TAKEOVER in offered:
        answer[_SERVER_NO_TAKEOVER] = None
    # §7.1.1.2: asked for or not; and one who means to start anew each time is taken at his word.
    if not takeover or _CLIENT_NO_TAKEOVER in offered:
        answer[_CLIENT_NO_TAKEOVER] = None
    bits = min(offered.get(_SERVER_BITS) or _MOST_BITS, options.window_bits)
    if _SERVER_BITS in offered or bits < _MOST_BITS:
        answer[_SERVER_BITS] = bits
    inflate_bits = _MOST_BITS
    if _CLIENT_BITS in offered:  # §7.1.2.2: the answer must not have it otherwise
        inflate_bits = min(offered[_CLIENT_BITS] or _MOST_BITS, options.window_bits)
        if inflate_bits < _MOST_BITS:
            answer[_CLIENT_BITS] = inflate_bits
    keeps, peer_keeps = _SERVER_NO_TAKEOVER not in answer, _CLIENT_NO_TAKEOVER not in answer
    return _write(answer), _agreement(options, bits, keeps, inflate_bits, peer_keeps)


# The client.


def offer(options: Deflate) -> str:
    """The Sec-WebSocket-Extensions header of a request."""
    parameters: dict[str, int | None] = {}
    if not options.context_takeover:
        parameters[_SERVER_NO_TAKEOVER] = None
        parameters[_CLIENT_NO_TAKEOVER] = None
    if options.window_bits < _MOST_BITS:
        parameters[_SERVER_BITS] = options.window_bits
        parameters[_CLIENT_BITS] = options.window_bits
    else:
        parameters[_CLIENT_BITS] = None
    return _write(parameters)


def judge(agreed: list[Extension], options: Deflate) -> Agreement:
    """What the server's answer to `offer(options)` means.

    A server may limit itself unasked (§7.1.1.1, §7.1.2.1). One that does not limit itself as it
    was asked to is forgiven: that costs memory, not meaning.

    Raises:
        NegotiationError: it agreed to something else than was offered.
    """
    if len(agreed) != 1 or agreed[0][0] != NAME:
        names = ", ".join(name for name, _ in agreed)
        raise NegotiationError(f"extensions {shorten(names)}: only {NAME}, once, was offered")
    answer = _parse(agreed[0][1])
    ours = _bits_in(answer, _CLIENT_BITS, options)
    theirs = _bits_in(answer, _SERVER_BITS, options)
    keeps = options.context_takeover and _CLIENT_NO_TAKEOVER not in answer
    bits = min(ours, options.window_bits)
    return _agreement(options, bits, keeps, theirs, _SERVER_NO_TAKEOVER not in answer)


def _bits_in(answer: dict[str, int | None], name: str, options: Deflate) -> int:
    """The value of a parameter in an answer, the default without; it may not exceed the offer."""
    if name not in answer:
        return _MOST_BITS
    bits = answer[name]
    if bits is None or bits > options.window_bits:
        raise NegotiationError(f"{NAME} with {name}={bits}, {options.window_bits} was offered")
    return bits


# Both.


def _parse(parameters: Parameters) -> dict[str, int | None]:
    """Parameters by name; NegotiationError for unknown, repeated or malformed ones (§7.1)."""
    found: dict[str, int | None] = {}
    for name, value in parameters:
        if name in found:
            raise NegotiationError(f"{NAME} with {name} twice")
        if name in (_SERVER_BITS, _CLIENT_BITS):
            if value is not None and not re.fullmatch(_BITS, value):
                raise NegotiationError(f"{NAME} with {name}={shorten(value)}")
            found[name] = None if value is None else int(value)
        elif name in (_SERVER_NO_TAKEOVER, _CLIENT_NO_TAKEOVER) and value is None:
            found[name] = None
        else:
            raise NegotiationError(f"{NAME} with unknown {shorten(name)}={shorten(value)}")
    return found


def _write(parameters: dict[str, int | None]) -> str:
    words = [name if value is None else f"{name}={value}" for name, value in parameters.items()]
    return "; ".join([NAME, *words])
