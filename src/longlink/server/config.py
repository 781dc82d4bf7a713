"""The options of `longlink serve`, each written once: default, type, meaning.

`cli/option.py` makes a flag and an environment variable out of every field here and of every
field of `longlink.limits.Limits`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from .. import Limits
from .address import networks_of

# As browsers write it: lower case, nothing after the port.
ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://[^/\sA-Z]+|\*")

# An IPv6 address as it stands in a URL.
BRACKETED = re.compile(r"\[(.*:.*)\]")


def option(default: Any, text: str, **judged: Any) -> Any:
    """A field that `cli/option.py` can make a flag of; `judged` is more of its metadata."""
    return field(default=default, metadata={"help": text, **judged})


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """What one server is asked to do. Field metadata: help, unit; minimum and maximum."""

    host: str = option("127.0.0.1", "bind to this host: a name, IPv4 or IPv6 address")
    port: int = option(
        8008,
        "bind to this port; 0 picks one that is free",
        minimum=0,
        maximum=65535,
    )
    uds: str | None = option(
        None,
        "bind to a UNIX domain socket at this path instead of host and port",
        path=True,
    )
    fd: int | None = option(
        None,
        "serve on the listening socket that is inherited as this descriptor, instead of host and"
        " port; default: the one that systemd passes on (LISTEN_FDS)",
        minimum=0,
    )
    line_port: int | None = option(
        None,
        "let people talk in lines, too, with nc or telnet, on this port of the same host; 0 picks"
        " one that is free. There is no origin to check: whoever reaches it may talk",
        minimum=0,
        maximum=65535,
    )
    backlog: int = option(
        2048,
        "connections that the system may hold until they are accepted",
        minimum=1,
        maximum=2**31 - 1,
    )
    origin: tuple[str, ...] = option(
        (),
        "accept pages of this origin, for example https://example.com, beside those of the same"
        " host; may be given several times, in the environment separated by blanks; * accepts"
        " pages of any origin",
    )
    allow_host: tuple[str, ...] = option(
        (),
        "answer WebSockets under this name only, and under localhost; may be given several times;"
        " default: under any name. Keeps out pages that made their own name point here",
    )
    forwarded_allow_ips: tuple[str, ...] = option(
        (),
        "show people under the address that a proxy at this address says they have"
        " (X-Forwarded-For): an address, a network such as 10.0.0.0/8, or unix; may be given"
        " several times",
    )
    echo: bool = option(False, "answer only the one who sent, instead of everybody")
    max_file: int | None = option(2**26, "largest file that /file sends", unit="bytes", minimum=1)
    compression: Literal["off", "deflate"] = option(
        "off", "compress messages with clients that offer it (permessage-deflate)"
    )
    ssl_certfile: str | None = option(
        None,
        "speak TLS (https, wss) with the certificate chain in this PEM file",
        path=True,
    )
    ssl_keyfile: str | None = option(
        None,
        "private key of the certificate; default: in the certificate's file",
        path=True,
    )
    ssl_keyfile_password: str | None = option(
        None, "password of the key; better given by the environment, where ps does not show it"
    )
    ssl_ca_certs: str | None = option(
        None,
        "ask clients for a certificate that one of the authorities in this PEM file signed",
        path=True,
    )
    ssl_cert_reqs: Literal["none", "optional", "required", "0", "1", "2"] | None = option(
        None,
        "whether a client needs a certificate; a number as in the ssl module; default: required"
        " with --ssl-ca-certs, otherwise none",
    )
    shutdown_timeout: float = option(
        5.0,
        "time for everybody to say goodbye before the server exits",
        unit="seconds",
        minimum=0,
    )
    shutdown_rate: int | None = option(
        1000,
        "people said goodbye to in a second, so that they don't all come back in the same one;"
        " the last is told when a fifth of the shutdown timeout is left, however many they are",
        unit="people",
        minimum=1,
    )
    loop: Literal["auto", "asyncio", "uvloop"] = option(
        "auto", "event loop; auto takes uvloop when it is installed"
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = option(
        "info", "least important lines that are logged"
    )
    use_colors: bool | None = option(None, "colors in log lines; default: on a terminal")
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if address := BRACKETED.fullmatch(self.host):
            object.__setattr__(self, "host", address[1])
        judge(self)
        networks_of(self.forwarded_allow_ips)
        for origin in self.origin:
            if not ORIGIN.fullmatch(origin):
                raise ValueError(f"origin must look like https://example.com, not {origin!r}")


def judge(config: Any) -> None:
    """Raise ValueError for a field beyond the `minimum` or `maximum` of its metadata, and for
    text that is no UTF-8; a path may be anything."""
    for entry in fields(config):
        value, rules = getattr(config, entry.name), entry.metadata
        for text in value if isinstance(value, tuple) else (value,):
            if isinstance(text, str) and not rules.get("path"):
                _check_text(entry.name, text)
        low, high = rules.get("minimum", -math.inf), rules.get("maximum", math.inf)
        if isinstance(value, (int, float)) and not low <= value <= high:
            limit = f"at least {low}" if high == math.inf else f"from {low} to {high}"
            raise ValueError(f"{entry.name} must be {limit}, not {value}")


def _check_text(name: str, text: str) -> None:
    """What a command line holds that is no UTF-8, Python keeps as surrogates. The value is not
    told: it may be a password."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        octet = ord(text[error.start]) & 0xFF
        raise ValueError(
            f"{name} must be UTF-8, but octet 0x{octet:02x} at {error.start} is not"
        ) from None
