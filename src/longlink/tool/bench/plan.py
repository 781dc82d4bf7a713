"""The options of `longlink bench`, each written once: default, type, meaning."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from ...server.config import judge, option
from ..connect.plan import Plan as ConnectPlan

# Those of `longlink connect` that say how to get there.
SHARED: Final = (
    "header",
    "subprotocol",
    "origin",
    "user",
    "uds",
    "insecure",
    "cacert",
    "cert",
    "key",
)

MAX_CONNECTIONS: Final = 16**5  # five digits of each message tell them apart

_CONNECTIONS: Final = {"echo": 100, "fan-out": 100, "idle": 1000, "handshake": 1}
_IN_FLIGHT: Final = {"echo": 1, "fan-out": 1, "idle": 1, "handshake": 32}
_IN_FLIGHT_AT_A_RATE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is asked of one run."""

    mode: Literal["echo", "fan-out", "idle", "handshake"] = option(
        "echo",
        "echo: each message must come back to whoever sent it; fan-out: one speaks, everybody"
        " must hear it; idle: connections are held and pinged; handshake: connect, close, again",
        short="-m",
    )
    connections: int | None = option(
        None,
        "connections: in fan-out those who listen; default: 100, idle 1000",
        minimum=1,
        maximum=MAX_CONNECTIONS,
        short="-c",
    )
    in_flight: int | None = option(
        None,
        "messages on their way on each connection at once (the pipeline); in fan-out messages"
        " that not everybody has yet (the window); handshakes at once; default: 1, with --rate"
        " 64, handshake 32",
        minimum=1,
        maximum=2**14,
        short="-n",
    )
    size: int = option(32, "size of each message", unit="bytes", minimum=0, maximum=2**26)
    text: bool = option(False, "send text messages instead of binary ones")
    duration: float = option(
        5.0,
        "how long to measure; idle: how long connections are held",
        unit="seconds",
        minimum=0.01,
        maximum=86400,
        short="-d",
    )
    warm_up: float = option(
        0.5,
        "how long to talk before measuring begins",
        unit="seconds",
        minimum=0,
        maximum=3600,
    )
    rate: float | None = option(
        None,
        "send so many messages a second, all connections together, however fast the answers"
        " come (open loop); a latency then counts from when a message was due; default: an"
        " answer lets the next message go (closed loop)",
        minimum=0.01,
        maximum=1e8,
    )
    ping_every: float | None = option(
        None,
        "idle: ping each connection this often; none for never; default: twice in all",
        unit="seconds",
        minimum=0.01,
    )
    timeout: float = option(
        5.0,
        "how long an opening handshake may take, and how long answers that are missing in the"
        " end are waited for",
        unit="seconds",
        minimum=0.01,
        maximum=3600,
    )
    at_once: int = option(
        64, "opening handshakes at once, before measuring begins", minimum=1, maximum=4096
    )
    compression: Literal["off", "deflate"] = option("off", "offer permessage-deflate")
    spin: bool | None = option(
        None,
        "look for answers without ever sleeping: takes a whole processor, and spares the server"
        " waking us; default: where the server is on this machine and there are two processors",
    )
    server_pid: int | None = option(
        None,
        "the server's process, to tell its share of a processor; default: whoever listens on"
        " the port, when that is on this machine",
        minimum=1,
        maximum=2**31 - 1,
    )
    json: bool = option(False, "print the result as one JSON object")
    html: str | None = option(
        None, "write a report with charts to this file, which needs no other", metavar="FILE"
    )
    contact: ConnectPlan = field(default_factory=ConnectPlan)

    def __post_init__(self) -> None:
        judge(self)

    def check(self) -> None:
        """Raise ValueError for options that contradict each other."""
        self.contact.check()
        if self.rate is not None and self.mode in ("idle", "handshake"):
            raise ValueError(f"--rate is for messages: --mode {self.mode} has none")
        if self.connections is not None and self.mode == "handshake":
            raise ValueError("--connections has no meaning with --mode handshake: see --in-flight")
        if self.ping_every is not None and self.mode != "idle":
            raise ValueError("--ping-every is for --mode idle")

    @property
    def count(self) -> int:
        """How many connections talk, listen or are held."""
        return self.connections or _CONNECTIONS[self.mode]

    @property
    def window(self) -> int:
        """How many messages, or handshakes, at once."""
        if self.in_flight is not None:
            return self.in_flight
        return _IN_FLIGHT[self.mode] if self.rate is None else _IN_FLIGHT_AT_A_RATE

    @property
    def descriptors(self) -> int:
        """How many connections are open at the same time, at most."""
        if self.mode == "handshake":
            return self.window
        return self.count + (self.mode == "fan-out")
