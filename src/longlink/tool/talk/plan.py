"""The options of `longlink tcp` and `longlink udp`, each written once: default, type, meaning."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

from ...server.config import BRACKETED, judge, option

LINE: Final = "{line}"

# What ends a line where nothing else is said, and where lines are reversed.
_ENDS: Final = b"\n"
_ENDS_REVERSED: Final = b"\n\t\0"
_WRITTEN: Final = {"n": 10, "r": 13, "t": 9, "0": 0, "\\": 92}
_TERMINATOR: Final = re.compile(r"\\x([0-9a-fA-F]{2})|\\([nrt0\\])|([ -\[\]-~])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """What a line server is asked to do."""

    host: str = option("127.0.0.1", "listen on this host: a name, IPv4 or IPv6 address")
    port: int = option(
        7007, "listen on this port; 0 picks one that is free", minimum=0, maximum=65535
    )
    greet: str | None = option(None, "say this to whoever comes", metavar="TEXT")
    reply: str = option(
        LINE,
        "answer each line with this, {line} being what was said; default: the line itself",
        metavar="TEXT",
    )
    reverse: bool = option(
        False,
        "answer with the line trimmed and reversed, character by character as people see them,"
        " and close",
    )
    keep_open: bool | None = option(
        None, "go on after an answer; default: yes, and with --reverse no"
    )
    terminators: str | None = option(
        None,
        r"the characters of which each ends a line, with \n \t \0 \r \\ and \xNN for those that"
        r" cannot be typed; default: \n, and with --reverse \n\t\0",
        metavar="CHARACTERS",
    )
    max_connections: int | None = option(
        None,
        "most conversations at once; default: over TCP descriptors - 64, over UDP 1024",
        minimum=1,
    )
    log_level: Literal["critical", "error", "warning", "info", "debug"] = option(
        "info", "least important lines that are logged"
    )
    use_colors: bool | None = option(None, "colors in log lines; default: on a terminal")

    def __post_init__(self) -> None:
        if address := BRACKETED.fullmatch(self.host):
            object.__setattr__(self, "host", address[1])
        judge(self)
        if self.terminators is not None:
            octets_of(self.terminators)

    @property
    def ends(self) -> bytes:
        """The octets that end a line."""
        if self.terminators is not None:
            return octets_of(self.terminators)
        return _ENDS_REVERSED if self.reverse else _ENDS

    @property
    def goes_on(self) -> bool:
        """Whether there is another line after an answer."""
        return not self.reverse if self.keep_open is None else self.keep_open


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening:
    """What only a server over TCP can be asked."""

    max_accepts: int | None = option(
        None,
        "stop after so many connections, when the last one has ended; default: run on",
        unit="connections",
        minimum=1,
    )
    backlog: int = option(
        128,
        "connections that the system may hold until they are accepted",
        minimum=1,
        maximum=2**31 - 1,
    )

    def __post_init__(self) -> None:
        judge(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calling:
    """What a client is asked to do."""

    open_timeout: float = option(
        10.0, "how long connecting may take", unit="seconds", minimum=0.001
    )
    timeout: float | None = option(
        None,
        "end when nothing has come for so long; default: wait until the server closes",
        unit="seconds",
        minimum=0.001,
    )
    verbose: bool = option(False, "report each step", short="-v")

    def __post_init__(self) -> None:
        judge(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Writing:
    """What a client over UDP is asked to do."""

    timeout: float = option(
        2.0,
        "how long to wait for more answers, after the end of the input",
        unit="seconds",
        minimum=0.001,
    )
    verbose: bool = option(False, "report each step", short="-v")

    def __post_init__(self) -> None:
        judge(self)


def octets_of(written: str) -> bytes:
    r"""The octets that `\n\t\0` and the like stand for; raises ValueError."""
    octets, at = bytearray(), 0
    while found := _TERMINATOR.match(written, at):
        code, name, itself = found.groups()
        octets.append(int(code, 16) if code else _WRITTEN[name] if name else ord(itself))
        at = found.end()
    if at < len(written) or not octets:
        raise ValueError(
            rf"terminators must be ASCII characters, or \n \t \0 \r \\ \xNN, not {written!r}"
        )
    return bytes(octets)
