"""WebSocket URIs (RFC 6455 3).

Nothing is repaired: what `urllib` would strip (blanks, tabs, line ends) is refused here,
because a URI that two programs read differently is how requests get smuggled.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, field, replace
from typing import Final

from ..errors import InvalidURI
from .authority import split_authority

_DEFAULT_PORTS: Final = {"ws": 80, "wss": 443}
# What HTTP servers call these in a Location.
_HTTP_NAMES: Final = {"http": "ws", "https": "wss"}

_PARTS: Final = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?P<authority>[^/?]*)(?P<rest>.*)"
)
# RFC 3986 3.2.1. A browser would end the host at a backslash here.
_USERINFO: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:%]*")
_VISIBLE: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True)
class URI:
    """Where to connect and what to ask for.

    Attributes:
        secure: True for `wss`.
        host: lower-case name or address, an IPv6 address without brackets.
        port: given, or 80 or 443.
        path: as given; empty if there was none.
        query: as given, without the question mark.
        username, password: decoded; None if there was no userinfo.
    """

    secure: bool
    host: str
    port: int
    path: str = ""
    query: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)

    @property
    def resource(self) -> str:
        """The request target (RFC 6455 3): path, and query if there is one."""
        path = self.path or "/"
        return f"{path}?{self.query}" if self.query else path

    @property
    def host_header(self) -> str:
        """The Host value (RFC 6455 4.1): the port is told unless it is the default."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = _DEFAULT_PORTS["wss" if self.secure else "ws"]
        return host if self.port == default else f"{host}:{self.port}"

    @property
    def authority(self) -> str:
        """Host and port, as CONNECT names them (RFC 9112 3.2.3)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def credentials(self) -> str | None:
        """User name and password as an Authorization header says them; None without."""
        return None if self.username is None else basic_credentials(self.username, self.password)

    @property
    def origin(self) -> tuple[bool, str, int]:
        """What two URIs must share for one to get the other's credentials (RFC 6454 4)."""
        return self.secure, self.host, self.port

    def __str__(self) -> str:
        """The URI again, without user name and password."""
        return f"{'wss' if self.secure else 'ws'}://{self.host_header}{self.resource}"


def parse(uri: str) -> URI:
    """The parts of a `ws:` or `wss:` URI.

    Beyond RFC 3986, host names and other text may hold characters outside ASCII (RFC 3987):
    they become their IDNA and percent-encoded forms.

    Raises:
        InvalidURI: another scheme, no host, a fragment (RFC 6455 3), a port outside 1-65535,
            a blank, line end or other control anywhere.
    """
    match = _PARTS.fullmatch(uri)
    if match is None:
        raise InvalidURI(uri, "not scheme://host[:port][/path][?query] on one line")
    scheme = match["scheme"].lower()
    if scheme not in _DEFAULT_PORTS:
        raise InvalidURI(uri, f"scheme is {scheme[:20]!r}, expected ws or wss")
    if "#" in uri:
        raise InvalidURI(uri, "fragments are not allowed")
    userinfo, at, place = match["authority"].rpartition("@")
    host, port = parse_place(uri, place)
    path, _, query = _ascii(uri, match["rest"]).partition("?")
    username, password = parse_userinfo(uri, userinfo) if at else (None, None)
    return URI(
        secure=scheme == "wss",
        host=host,
        port=_DEFAULT_PORTS[scheme] if port is None else port,
        path=path,
        query=query,
        username=username,
        password=password,
    )


def resolve(base: URI, location: str) -> URI:
    """Where the Location of an answer from `base` leads.

    http and https mean ws and wss. A fragment is left out. So are user name and password: no
    server chooses our credentials; those of `base` go along as long as the origin is the same.

    Raises:
        InvalidURI: nothing that `parse` takes.

    Source: RFC 9110 10.2.2.
    """
    if not _VISIBLE.fullmatch(location):  # urljoin would drop some of it
        raise InvalidURI(location, "blanks and control characters must be percent-encoded")
    from urllib.parse import urljoin  # slow to import, and servers need none of it

    try:
        joined = urljoin(str(base), location).partition("#")[0]
    except ValueError:
        raise InvalidURI(location, "host is malformed") from None
    scheme, colon, rest = joined.partition(":")
    found = parse(_HTTP_NAMES.get(scheme.lower(), scheme) + colon + rest)
    ours = (base.username, base.password) if found.origin == base.origin else (None, None)
    return replace(found, username=ours[0], password=ours[1])


def basic_credentials(username: str, password: str | None) -> str:
    """User name and password as Basic authentication sends them (RFC 7617 2)."""
    credentials = f"{username}:{password or ''}".encode()
    return f"Basic {b64encode(credentials).decode()}"


def parse_place(uri: str, text: str) -> tuple[str, int | None]:
    """Host and port of `uri`, whose authority without userinfo is `text`; InvalidURI if not."""
    if not text.isascii():
        name, colon, port = text.partition(":")
        text = _idna(uri, name) + colon + port
    found = split_authority(text)
    if found is None:
        raise InvalidURI(uri, "host or port is missing or malformed")
    if found[1] == 0:
        raise InvalidURI(uri, "port is 0, expected 1-65535")
    return found


def _idna(uri: str, name: str) -> str:
    # RFC 1035 2.3.4. The codec is slow, and longer names cannot be looked up.
    if len(name) > 255:
        raise InvalidURI(uri, "host is longer than 255 characters")
    try:
        encoded = name.encode("idna").decode("ascii")
    except UnicodeError:
        raise InvalidURI(uri, "host has no IDNA form") from None
    # Full-width punctuation becomes ASCII: a name must not turn into a name and a port.
    if ":" in encoded:
        raise InvalidURI(uri, "host is malformed")
    return encoded


def _ascii(uri: str, text: str) -> str:
    if not text.isascii():
        from urllib.parse import quote

        try:
            # RFC 3987 3.1. What is ASCII stays as it is: the caller may have encoded it already.
            text = "".join(c if c.isascii() else quote(c) for c in text)
        except UnicodeEncodeError:
            raise InvalidURI(uri, "lone surrogate") from None
    if not _VISIBLE.fullmatch(text):
        raise InvalidURI(uri, "blanks and control characters must be percent-encoded")
    return text


def parse_userinfo(uri: str, userinfo: str) -> tuple[str, str]:
    """User name and password in the userinfo of `uri`, decoded; InvalidURI for a bad one."""
    userinfo = _ascii(uri, userinfo)
    if not _USERINFO.fullmatch(userinfo):
        raise InvalidURI(uri, "user name or password must be percent-encoded")
    from urllib.parse import unquote

    username, _, password = userinfo.partition(":")
    username, password = unquote(username), unquote(password)
    # RFC 7617 2: Basic credentials cannot say these.
    if ":" in username or not (username + password).isprintable():
        raise InvalidURI(uri, "user name or password cannot be sent")
    return username, password
