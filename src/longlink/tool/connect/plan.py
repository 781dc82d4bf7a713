"""The options of `longlink connect`, each written once: default, type, meaning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from ...server.config import judge, option

# Those of `longlink.Limits` that a client's user may want to change.
LIMITS: Final = ("open_timeout", "close_timeout", "ping_interval", "ping_timeout", "max_size")


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of one conversation."""

    header: tuple[str, ...] = option(
        (),
        'send this header when connecting, "Name: value"; may be given several times',
        short="-H",
        metavar="HEADER",
    )
    subprotocol: tuple[str, ...] = option(
        (),
        "offer this subprotocol; may be given several times, the preferred one first",
        short="-s",
        metavar="NAME",
    )
    origin: str | None = option(
        None, "say that a page of this origin connects, https://example.com", short="-o"
    )
    user: str | None = option(
        None,
        "send this name and password as Basic credentials",
        short="-u",
        metavar="NAME:PASSWORD",
    )
    execute: tuple[str, ...] = option(
        (),
        "send this message and end after the answers; may be given several times. What is piped"
        " in is not read then",
        short="-x",
        metavar="MESSAGE",
    )
    wait: float | None = option(
        1.0,
        "how long nothing must come, after the last message was sent and arrived, for the"
        " connection to be closed; 0 closes at once, none waits until the server closes",
        unit="seconds",
        minimum=0,
        short="-w",
    )
    count: int | None = option(
        None, "end when so many messages have come", unit="messages", minimum=1, short="-c"
    )
    whole: bool = option(False, "send all of what is piped in as one message, not each line")
    binary: bool = option(False, "send all of what is piped in as one binary message")
    json: bool = option(
        False,
        "show each message as one JSON object a line: time, type, size, and text, base64 or file",
    )
    save: str | None = option(
        None,
        "write each binary message to a file of its own: numbered ones in this folder, or this"
        " file first and then numbered ones beside it. No file is ever overwritten",
        metavar="FOLDER|FILE",
        path=True,
    )
    ping: float | None = option(
        None, "ping this often, and show each round trip", unit="seconds", minimum=0.001
    )
    reconnect: bool = option(
        False, "connect again when the connection is lost or closed, with growing delays"
    )
    compression: Literal["deflate", "off"] = option("deflate", "offer permessage-deflate")
    proxy: str | None = option(
        None,
        "connect through this proxy, such as http://127.0.0.1:3128 or socks5h://127.0.0.1:1080;"
        " off for none; default: what the environment says (https_proxy and the like)",
        metavar="URL|off",
    )
    uds: str | None = option(None, "connect to the UNIX domain socket at this path", path=True)
    insecure: bool = option(False, "accept any certificate of the server", short="-k")
    cacert: str | None = option(
        None,
        "trust the authorities in this PEM file, instead of the system's",
        metavar="FILE",
        path=True,
    )
    cert: str | None = option(
        None, "show the server the certificate in this PEM file", metavar="FILE", path=True
    )
    key: str | None = option(
        None, "private key of --cert; default: in the same file", metavar="FILE", path=True
    )
    no_history: bool = option(False, "do not remember what is typed")
    quiet: bool = option(False, "show nothing but messages and errors", short="-q")
    verbose: bool = option(
        False,
        "show how the connection was opened and how it ended; secrets in headers are masked",
        short="-v",
    )

    def __post_init__(self) -> None:
        judge(self)
        for header in self.header:
            if not header.partition(":")[0].strip() or ":" not in header:
                raise ValueError(f"a header must look like 'Name: value', not {header!r}")
        if self.user is not None and ":" not in self.user:
            raise ValueError("user must look like NAME:PASSWORD")
        if self.save == "":
            raise ValueError("save must be a folder or a file, not ''")

    def check(self) -> None:
        """Raise ValueError for options that contradict each other."""
        for one, other in _EXCLUDING:
            if getattr(self, one) and getattr(self, other):
                raise ValueError(f"--{one} and --{other} exclude each other")
        if self.key and not self.cert:
            raise ValueError("--key needs --cert")


_EXCLUDING: Final = (
    ("execute", "binary"),
    ("execute", "whole"),
    ("binary", "whole"),
    ("insecure", "cacert"),
    ("quiet", "verbose"),
    ("uds", "proxy"),
)
