"""Frames: opcodes, close codes, the rules of a first octet, and messages encoded once.

 0                   1                   2                   3
 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
+-+-+-+-+-------+-+-------------+-------------------------------+
|F|R|R|R| opcode|M| payload len |  extended length: 0, 2 or 8   |
|I|S|S|S|  (4)  |A|     (7)     |  octets; then the masking key |
|N|V|V|V|       |S|             |  if M; then the payload       |
|1|2|3|         |K|             |               RFC 6455 §5.2   |
+-+-+-+-+-------+-+-------------+-------------------------------+
"""

from __future__ import annotations

import enum
from functools import lru_cache

from ..errors import Close, LocalProtocolError
from .deflater import Deflater


class Opcode(enum.IntEnum):
    """What a frame is (RFC 6455 §11.8)."""

    CONTINUATION = 0x0
    TEXT = 0x1
    BINARY = 0x2
    CLOSE = 0x8
    PING = 0x9
    PONG = 0xA


_OPCODES = frozenset(Opcode)
FIN = 0x80
RSV1 = 0x40  # the message is compressed (RFC 7692 §6)
CONTROL = 0x08  # this bit of a first octet is set in control frames alone (§5.5)
MASKED = 0x80
LENGTH_16 = 126  # the 7-bit length that says: two octets of length follow
LENGTH_64 = 127  # ... eight octets follow
MAX_CONTROL = 125  # RFC 6455 §5.5
MAX_REASON = MAX_CONTROL - 2
# The longest thing the reader may have to hold before it can act on it: a header of
# 2 + 8 + 4 octets, or a whole control frame.
MAX_HEADER = 14
MAX_HELD = 2 + 4 + MAX_CONTROL


class CloseCode(enum.IntEnum):
    """Why a connection ended (RFC 6455 §7.4.1 and the IANA registry)."""

    NORMAL_CLOSURE = 1000
    GOING_AWAY = 1001
    PROTOCOL_ERROR = 1002
    UNSUPPORTED_DATA = 1003
    NO_STATUS_RCVD = 1005
    ABNORMAL_CLOSURE = 1006
    INVALID_DATA = 1007
    POLICY_VIOLATION = 1008
    MESSAGE_TOO_BIG = 1009
    MANDATORY_EXTENSION = 1010
    INTERNAL_ERROR = 1011
    SERVICE_RESTART = 1012
    TRY_AGAIN_LATER = 1013
    BAD_GATEWAY = 1014
    TLS_HANDSHAKE = 1015


# 1005, 1006 and 1015 describe what happened and never travel; 1004 is reserved; 1016-2999
# belong to the protocol and mean nothing yet (RFC 6455 §7.4.2).
WIRE_CODES = frozenset(
    {*range(1000, 1004), *range(1007, 1015), *range(3000, 5000)},
)


def _judge_first(first: int) -> tuple[str, str] | None:
    """Section and reason why no frame may begin with this octet, without an extension."""
    opcode = first & 0x0F
    if first & 0x70:
        return "5.2", f"reserved bits 0x{first & 0x70:02x} set without an extension"
    if opcode not in _OPCODES:
        return "5.2", f"reserved opcode 0x{opcode:x}"
    if opcode >= Opcode.CLOSE and not first & FIN:
        return "5.5", f"fragmented control frame 0x{opcode:x}"
    return None


# One row for each first octet, None where nothing is wrong: the reader looks up, and asks nothing.
FIRST_OCTET: tuple[tuple[str, str] | None, ...] = tuple(map(_judge_first, range(256)))


def _judge_compressed(first: int) -> tuple[str, str] | None:
    """The same, where permessage-deflate was agreed on: RSV1 marks the first frame of a
    compressed message, and nothing else (RFC 7692 §6)."""
    opcode = first & 0x0F
    if first & RSV1 and opcode in (Opcode.TEXT, Opcode.BINARY):
        return _judge_first(first & ~RSV1)
    if first & RSV1:
        return "5.2", f"compressed bit in a frame with opcode 0x{opcode:x}"
    return _judge_first(first)


COMPRESSED_FIRST_OCTET: tuple[tuple[str, str] | None, ...] = tuple(
    map(_judge_compressed, range(256))
)


@lru_cache(maxsize=64)  # nearly everybody closes with one of a few
def parse_close(payload: bytes) -> Close | str:
    """The Close a control frame carries; the reason as text when it may not be sent.

    Source: RFC 6455 §5.5.1 (shape), §7.4 (codes). An empty payload is code 1005 (§7.1.5).
    Raises UnicodeDecodeError for a reason that is not UTF-8.
    """
    if not payload:
        return Close(int(CloseCode.NO_STATUS_RCVD), "")
    if len(payload) == 1:
        return "close frame with a payload of 1 octet"
    code = int.from_bytes(payload[:2], "big")
    if code not in WIRE_CODES:
        return f"close code {code} may not be sent"
    return Close(code, payload[2:].decode())


@lru_cache(maxsize=64, typed=True)
def close_payload(code: int, reason: str) -> bytes:
    """The payload of a Close frame.

    Raises:
        LocalProtocolError: a code that may not travel, or a reason over 123 octets.
        TypeError: a code that is no int, or a reason that is no str.
        UnicodeEncodeError: a reason with a lone surrogate.
    Source: RFC 6455 §5.5.1, §7.4.
    """
    if not isinstance(code, int):
        raise TypeError(f"a close code is an int, not {type(code).__name__}")
    if not isinstance(reason, str):
        raise TypeError(f"a close reason is a str, not {type(reason).__name__}")
    if code not in WIRE_CODES:
        raise LocalProtocolError(
            f"close code {code!r} may not be sent: 1000-1003, 1007-1014 and 3000-4999 may",
            close_code=CloseCode.INTERNAL_ERROR,
            section="7.4",
        )
    text = reason.encode()
    if len(text) > MAX_REASON:
        raise LocalProtocolError(
            f"close reason of {len(text)} octets is over the limit of {MAX_REASON}",
            close_code=CloseCode.INTERNAL_ERROR,
            section="5.5",
        )
    return code.to_bytes(2, "big") + text


def cut_reason(reason: str) -> str:
    """`reason`, shortened to what fits in a Close frame without splitting a character."""
    return reason.encode("utf-8", "replace")[:MAX_REASON].decode("utf-8", "ignore")


class Prepared:
    """A message encoded once, for sending to many peers (a server's frames carry no mask);
    and compressed once for all that agreed on the same.

    Args:
        compress: None leaves alone what is shorter than the threshold; True does not; False
            compresses nothing.
    """

    __slots__ = ("compress", "first", "forms", "message", "wire")

    def __init__(self, message: str | bytes, compress: bool | None = None) -> None:
        if not isinstance(message, (str, bytes)):
            raise TypeError(f"a prepared message is str or bytes, not {type(message).__name__}")
        self.message = message
        self.compress = compress
        self.first = FIN | (Opcode.TEXT if isinstance(message, str) else Opcode.BINARY)
        payload = self.payload()
        self.wire = header(self.first, len(payload)) + payload
        self.forms: dict[Deflater, bytes] = {}

    def payload(self) -> bytes:
        """What the frame carries when it is not compressed."""
        return self.message.encode() if isinstance(self.message, str) else self.message

    def wire_for(self, deflater: Deflater) -> bytes:
        """The frame for those to whom we compress with `deflater`; `wire` itself where it is
        better sent as it is."""
        form = self.forms.get(deflater)
        if form is None:
            form = self.forms[deflater] = self._compressed(deflater) or self.wire
        return form

    def _compressed(self, deflater: Deflater) -> bytes | None:
        payload = self.payload()
        if self.compress is False or (self.compress is None and len(payload) < deflater.threshold):
            return None
        data = deflater.message(payload)
        return None if data is None else header(self.first | RSV1, len(data)) + data


def header(first: int, length: int) -> bytes:
    """The header of an unmasked frame; the length takes the fewest octets (RFC 6455 §5.2)."""
    if length < LENGTH_16:
        return bytes((first, length))
    if length < 1 << 16:
        return bytes((first, LENGTH_16)) + length.to_bytes(2, "big")
    return bytes((first, LENGTH_64)) + length.to_bytes(8, "big")
