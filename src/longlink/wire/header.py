"""Header fields: a case-insensitive multi-map, heads split into lines, and list grammars.

Everything here takes time linear in its input: lines are split by `bytes.split`, names and
tokens are judged by patterns without nested or overlapping repetition, and lists are walked
with one `match` per token.

Octets outside ASCII are allowed in values (obs-text, RFC 9110 5.5), opaque, and decoded as
Latin-1, so `value.encode("latin-1")` gives back what came. One is special: 0x85 alone is NEL,
where `str.splitlines` of a careless neighbour would see a second header. It passes only inside
UTF-8 text, as browsers send it in cookies.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Final, TypeAlias

from ..errors import (
    HeaderLineTooLong,
    InvalidHeaderFormat,
    InvalidHeaderName,
    InvalidHeaderValue,
    InvalidMessage,
    SecurityError,
    TooManyHeaders,
    shorten,
)

# RFC 9110 5.6.2: tchar.
_TCHAR: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]"
_TOKEN: Final = re.compile(f"{_TCHAR}+")
_OWS: Final = re.compile(r"[ \t]*")
# Optional white space, commas and empty elements between two elements (RFC 9110 5.6.1.2).
_COMMAS: Final = re.compile(r"[ \t,]*")
# RFC 6455 9.1: once unescaped, a quoted value must be a token. So no blank, quote or backslash
# can be in it, and the general grammar of quoted strings is not needed.
_QUOTED: Final = re.compile(rf'"((?:\\?{_TCHAR})+)"')
# RFC 9110 7.8: protocol-name ["/" protocol-version].
_PROTOCOL: Final = re.compile(rf"{_TCHAR}+(?:/{_TCHAR}+)?")
# RFC 9110 5.5: field-vchar, blanks between them; other controls are not allowed.
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_TEXT_OCTETS: Final = bytes({9, 10, 13, *range(0x20, 0x7F), *range(0x80, 0x100)})
# A token, or the empty line that RFC 9112 2.2 allows before a request.
_FIRST_OCTETS: Final = frozenset(filter(re.compile(f"{_TCHAR}|\r").match, map(chr, range(128))))

_is_token: Final = _TOKEN.fullmatch
_is_value: Final = _VALUE.fullmatch

# For heads that were within the limits before.
NO_LIMIT: Final = sys.maxsize

Parameters: TypeAlias = list[tuple[str, str | None]]
Extension: TypeAlias = tuple[str, Parameters]
HeadersLike: TypeAlias = "Headers | Mapping[str, str] | Iterable[tuple[str, str]]"


class MultipleValuesError(LookupError):
    """A header that was asked for as one value has several."""

    def __str__(self) -> str:
        return f"several values for header {self.args[0]}"


class Headers(MutableMapping[str, str]):
    """Header fields in order; names compare without case, a name may have several values.

    `headers[name]` is the only value, `headers[name] = value` *adds* one, `del headers[name]`
    drops all of them, iteration gives each name once, in lower case.

    Raises:
        MultipleValuesError: a name with several values is read as one.
        InvalidHeaderName: a name that is not a token is added.
        InvalidHeaderValue: a value with CR, LF, NUL, another control, a blank at either end
            or a character beyond Latin-1 is added: nothing can be injected (RFC 9110 5.5).
    """

    __slots__ = ("_index", "_items", "edited")

    def __init__(self, *args: HeadersLike, **kwargs: str) -> None:
        self._items: list[tuple[str, str]] = []
        self._index: dict[str, list[str]] = {}
        self.edited = False  # a caller has changed them
        self.update(*args, **kwargs)

    def __getitem__(self, name: str) -> str:
        values = self._index[name.lower()]
        if len(values) > 1:
            raise MultipleValuesError(name)
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        check_name(name)
        check_value(name, value)
        self.add_trusted(name, value)
        self.edited = True

    def __delitem__(self, name: str) -> None:
        key = name.lower()
        del self._index[key]
        self.edited = True
        self._items = [item for item in self._items if item[0].lower() != key]

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._index

    def __iter__(self) -> Iterator[str]:
        return iter(self._index)

    def __len__(self) -> int:
        return len(self._index)

    def __eq__(self, other: object) -> bool:
        return self._index == other._index if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({self._items!r})"

    def __str__(self) -> str:
        return "".join(f"{name}: {value}\r\n" for name, value in self._items) + "\r\n"

    def copy(self) -> Headers:
        """A second map with the same fields."""
        return Headers(self)

    def clear(self) -> None:
        """Drop every field."""
        self._items.clear()
        self._index.clear()
        self.edited = True

    def update(self, *args: HeadersLike, **kwargs: str) -> None:  # type: ignore[override]
        """Add all fields of other headers, a mapping or pairs; nothing is replaced."""
        for fields in args:
            for name, value in _pairs(fields):
                self[name] = value
        for name, value in kwargs.items():
            self[name] = value

    def get_all(self, name: str) -> list[str]:
        """Every value of a name, in order; empty if there is none."""
        return list(self._index.get(name.lower(), ()))

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """Every (name, value) as it came, in order."""
        return iter(self._items)

    def only(self, name: str) -> str | None:
        """The value of a header that may come at most once; None if it did not come.

        Raises:
            InvalidHeaderValue: it came several times.
        """
        values = self._index.get(name.lower())
        if values is None:
            return None
        if len(values) > 1:
            raise InvalidHeaderValue(name, ", ".join(values), "a single line")
        return values[0]

    def joined(self, name: str) -> str | None:
        """All values of a list header as one (RFC 9110 5.3); None if it did not come."""
        values = self._index.get(name.lower())
        return None if values is None else ", ".join(values)

    def add_trusted(self, name: str, value: str) -> None:
        """Add a field that is known to be well-formed: no check, so never a caller's text."""
        self._items.append((name, value))
        self._index.setdefault(name.lower(), []).append(value)

    def put(self, name: str, value: str) -> None:
        """Replace all values of a name by this one; a refused one changes nothing."""
        check_name(name)
        check_value(name, value)
        if name in self:
            del self[name]
        self.add_trusted(name, value)
        self.edited = True

    def serialize(self) -> bytes:
        """The header section with the empty line that ends it."""
        return str(self).encode("latin-1")


def _pairs(fields: HeadersLike) -> Iterable[tuple[str, str]]:
    if isinstance(fields, Headers):
        return fields.raw_items()
    if isinstance(fields, Mapping):
        return fields.items()
    return fields


def is_token(text: str) -> bool:
    """Whether text is a token (RFC 9110 5.6.2)."""
    return _is_token(text) is not None


def check_name(name: str) -> None:
    """Raise InvalidHeaderName unless the name is a token."""
    if not _is_token(name):
        raise InvalidHeaderName(name, "", "a token as name")


def check_value(name: str, value: str) -> None:
    """Raise InvalidHeaderValue unless the value can stand on a header line."""
    if not _is_value(value) or value != value.strip(" \t") or _has_bare_nel(value):
        raise InvalidHeaderValue(name, value, "no control character and no blank at either end")


def _has_bare_nel(value: str) -> bool:
    if "\x85" not in value:
        return False
    try:
        return "\x85" in value.encode("latin-1").decode()
    except UnicodeDecodeError:
        return True


def head_end(
    data: bytes | bytearray, start: int, *, max_head: int = NO_LIMIT, max_line: int = NO_LIMIT
) -> int:
    """Index after the empty line that ends a head, 0 while it has not come.

    Says at once when waiting would be in vain. A parser given `data` then comes to the same
    verdict, and a server can answer with its words.

    Args:
        data: everything received so far.
        start: length of `data` at the previous call, so that a head that drips in is
            scanned once (0 at the first call).
        max_head, max_line: limits in octets, of all and of the first line.

    Raises:
        SecurityError: no end within a limit.
        InvalidMessage: garbage (a TLS hello) at the first octet, or CR and LF not in pairs.

    Cost: linear in what is new.
    """
    if start == 0 and data and chr(data[0]) not in _FIRST_OCTETS:
        raise InvalidMessage(f"octet 0x{data[0]:02x} at the start of a head")
    if start <= max_line + 1 < len(data) and data.find(b"\r\n", 0, max_line + 2) < 0:
        raise SecurityError(f"first line is over the limit of {max_line} octets")
    end = data.find(b"\r\n\r\n", max(start - 3, 0))
    stop = end + 4 if end >= 0 else len(data)
    if stop > max_head:
        raise SecurityError(f"head is over the limit of {max_head} octets")
    # The partner of the first LF may be the previous piece's end, that of a last CR is to come.
    known = max(start - 1, 0)
    pairs = data.count(b"\r\n", known, stop)
    if data.count(b"\n", start, stop) != pairs or data.count(b"\r", known, stop - 1) != pairs:
        raise InvalidMessage("bare CR or LF in the head")
    return stop if end >= 0 else 0


def split_head(
    head: bytes | bytearray,
    *,
    max_head: int = NO_LIMIT,
    max_line: int = NO_LIMIT,
    max_headers: int = NO_LIMIT,
) -> tuple[str, Headers]:
    """First line and headers of a head that ends with its empty line.

    Raises:
        SecurityError, HeaderLineTooLong, TooManyHeaders: a limit was passed.
        InvalidMessage: not the grammar of RFC 9112 5 (and no line folding, 5.2).
    """
    if len(head) > max_head:
        raise SecurityError(f"head of {len(head)} octets is over the limit of {max_head}")
    _check_octets(head)
    lines = head[:-4].decode("latin-1").split("\r\n")
    if len(lines) - 1 > max_headers:
        raise TooManyHeaders(max_headers)
    headers = Headers()
    for line in lines[1:]:
        if len(line) > max_line:
            raise HeaderLineTooLong(max_line)
        # No blank may stand before the name or the colon (RFC 9112 5.1): neither is in a token.
        name, colon, value = line.partition(":")
        if not colon or not _is_token(name):
            raise InvalidMessage(f"header line {shorten(line)} is not a name, a colon and a value")
        headers.add_trusted(name, value.strip(" \t"))
    if b"\x85" in head and any(_has_bare_nel(value) for _, value in headers.raw_items()):
        raise InvalidMessage("octet 0x85 in a header outside UTF-8 text")
    return lines[0], headers


def _check_octets(head: bytes | bytearray) -> None:
    if not head.endswith(b"\r\n\r\n"):
        raise InvalidMessage("head does not end with an empty line")
    # RFC 9110 5.5, 9112 2.2: no controls, CR and LF only together.
    controls = head.translate(None, _TEXT_OCTETS)
    if controls:
        raise InvalidMessage(f"octet 0x{controls[0]:02x} in the head")
    ends = head.count(b"\r\n")
    if head.count(b"\r") != ends or head.count(b"\n") != ends:
        raise InvalidMessage("bare CR or LF in the head")


def content_length(headers: Headers) -> int | None:
    """Content-Length as a number, None if there is none (RFC 9110 8.6: digits, nothing else).

    Raises:
        InvalidHeaderValue: not a number, or several.
    """
    value = headers.only("Content-Length")
    if value is None:
        return None
    # `int` alone would take a sign, underscores, blanks and the digits of every script.
    if not (value.isascii() and value.isdigit() and len(value) < 19):
        raise InvalidHeaderValue("Content-Length", value, "decimal digits")
    return int(value)


def parse_tokens(name: str, header: str) -> list[str]:
    """The tokens of a comma-separated list, such as Connection or Sec-WebSocket-Protocol.

    Raises:
        InvalidHeaderFormat: something else than tokens, or no token at all.
    """
    return _parse_list(name, header, _TOKEN)


def parse_upgrade(header: str) -> list[str]:
    """The protocols of an Upgrade header, each `name` or `name/version` (RFC 9110 7.8).

    Raises:
        InvalidHeaderFormat: something else, or no protocol at all.
    """
    return _parse_list("Upgrade", header, _PROTOCOL)


def _parse_list(name: str, header: str, element: re.Pattern[str]) -> list[str]:
    found = []
    pos = _skip(_COMMAS, header, 0)
    while pos < len(header):
        match = element.match(header, pos)
        if match is None:
            raise InvalidHeaderFormat(name, "token", header, pos)
        found.append(match.group())
        pos = _next_element(name, header, match.end())
    if not found:
        raise InvalidHeaderFormat(name, "token", header, pos)
    return found


def parse_extensions(header: str) -> list[Extension]:
    """The offers (or answers) of a Sec-WebSocket-Extensions header, in order.

    Returns:
        `[(name, [(parameter, value or None), …]), …]`, quotes removed.

    Raises:
        InvalidHeaderFormat: not the grammar of RFC 6455 9.1, or no extension at all.

    Source: RFC 6455 9.1.
    """
    name = "Sec-WebSocket-Extensions"
    found: list[Extension] = []
    pos = _skip(_COMMAS, header, 0)
    while pos < len(header):
        extension, pos = _read_token(name, header, pos)
        parameters: Parameters = []
        pos = _skip(_OWS, header, pos)
        while header.startswith(";", pos):
            pos = _read_parameter(name, header, _skip(_OWS, header, pos + 1), parameters)
        found.append((extension, parameters))
        pos = _next_element(name, header, pos)
    if not found:
        raise InvalidHeaderFormat(name, "token", header, pos)
    return found


def _read_parameter(name: str, header: str, pos: int, parameters: Parameters) -> int:
    parameter, pos = _read_token(name, header, pos)
    pos = _skip(_OWS, header, pos)
    value: str | None = None
    if header.startswith("=", pos):
        pos = _skip(_OWS, header, pos + 1)
        quoted = _QUOTED.match(header, pos)
        if quoted is None:
            value, pos = _read_token(name, header, pos)
        else:
            value, pos = quoted.group(1).replace("\\", ""), quoted.end()
        pos = _skip(_OWS, header, pos)
    parameters.append((parameter, value))
    return pos


def _read_token(name: str, header: str, pos: int) -> tuple[str, int]:
    match = _TOKEN.match(header, pos)
    if match is None:
        raise InvalidHeaderFormat(name, "token", header, pos)
    return match.group(), match.end()


def _next_element(name: str, header: str, pos: int) -> int:
    pos = _skip(_OWS, header, pos)
    if pos < len(header) and header[pos] != ",":
        raise InvalidHeaderFormat(name, "comma", header, pos)
    return _skip(_COMMAS, header, pos)


def _skip(blanks: re.Pattern[str], header: str, pos: int) -> int:
    match = blanks.match(header, pos)
    # Both patterns match the empty string, so there is always a match.
    return match.end() if match else pos
