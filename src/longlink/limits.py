"""Every limit of a connection, once: its name, default, unit and what it does.

`serve()` and `connect()` take these names as keywords, `longlink serve` turns them into
flags and environment variables. Nothing else in the project repeats them. Two limits of one
thing may be given as one pair, as `websockets` takes them: see PAIRS.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Literal

from .errors import UnknownLimit

# Descriptors that are not for connections: files, logs, and telling people 503.
SPARE_DESCRIPTORS = 64

# The largest number that is safe to add to in C.
_MOST = 2**62

# max_queue=(16, 4) says both; each has a name of its own, too.
PAIRS = {
    "max_size": "max_fragment_size",
    "max_queue": "max_queue_low",
    "write_limit": "write_limit_low",
}
_LOW_MARKS = ("max_queue_low", "write_limit_low")

_CLOSE = 0.8  # as alike as a slip of the finger leaves two names


def _limit(default: Any, unit: str, text: str) -> Any:
    return field(default=default, metadata={"unit": unit, "help": text})


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits one connection lives under. `None` switches a limit off where allowed."""

    open_timeout: float | None = _limit(
        10.0, "seconds", "time for the whole opening handshake, however slowly it drips in"
    )
    ping_interval: float | None = _limit(20.0, "seconds", "time between keepalive pings")
    ping_timeout: float | None = _limit(
        20.0, "seconds", "silence after a keepalive ping before the connection fails with 1011"
    )
    close_timeout: float | None = _limit(
        10.0, "seconds", "time for the closing handshake before TCP is cut"
    )
    stall_timeout: float | None = _limit(
        10.0, "seconds", "time a write may make no progress before TCP is cut"
    )
    max_size: int | None = _limit(
        2**20, "bytes", "largest message accepted; a larger one fails with 1009"
    )
    max_fragment_size: int | None = _limit(
        None, "bytes", "largest frame of a message accepted; default: as large as the message"
    )
    max_fragments: int | None = _limit(
        1024, "fragments", "most fragments in one message; more fail with 1009"
    )
    max_queue: int | None = _limit(
        16, "messages", "messages waiting for recv() before reading from the peer stops"
    )
    max_queue_low: int | None = _limit(
        None,
        "messages",
        "messages waiting at which reading goes on; default: a quarter of max_queue",
    )
    write_limit: int = _limit(
        2**15, "bytes", "outgoing bytes waiting above which send() makes its awaiter wait"
    )
    write_limit_low: int | None = _limit(
        None, "bytes", "outgoing bytes waiting at which send() goes on; default: a quarter"
    )
    max_backlog: int | None = _limit(
        2**20, "bytes", "outgoing bytes waiting for one slow reader before the overflow policy"
    )
    overflow: Literal["close", "drop"] = _limit(
        "close", "policy", "what max_backlog does: close with 1013, or drop the new message"
    )
    max_control_rate: int | None = _limit(
        100, "frames per second", "ping and pong frames accepted; more fail with 1008"
    )
    max_control_burst: int = _limit(
        200, "frames", "control frames accepted at once before the rate applies"
    )
    max_head: int = _limit(16 * 1024, "bytes", "largest HTTP head accepted; more is answered 431")
    max_line: int = _limit(
        8 * 1024, "bytes", "longest line of an HTTP head; a longer request line is answered 414"
    )
    max_headers: int = _limit(100, "headers", "most headers in an HTTP head; more is answered 431")
    max_connections: int | None = _limit(
        None,
        "connections",
        "most connections at once, more are answered 503;"
        f" default: descriptors - {SPARE_DESCRIPTORS}",
    )

    def __post_init__(self) -> None:
        for name, second in PAIRS.items():
            value = getattr(self, name)
            if isinstance(value, tuple):
                for part, number in zip((name, second), _pair(name, value), strict=True):
                    object.__setattr__(self, part, number)
        for entry in fields(self):
            _judge(entry.name, getattr(self, entry.name), str(entry.type))

    def of_head(self) -> dict[str, int]:
        """Those that bound an HTTP head, as the parsers of heads take them."""
        return {
            "max_head": self.max_head,
            "max_line": self.max_line,
            "max_headers": self.max_headers,
        }

    @property
    def low_queue(self) -> int:
        """Messages waiting at which reading goes on; 0 when there is no limit."""
        return _low(self.max_queue or 0, self.max_queue_low)

    @property
    def low_water(self) -> int:
        """Outgoing bytes waiting at which those who wait go on."""
        return _low(self.write_limit, self.write_limit_low)

    @classmethod
    def of(cls, given: dict[str, Any], *called: Callable[..., Any]) -> Limits:
        """The limits with `given` in place of defaults.

        Args:
            called: what was called with them; the hint knows its other keywords.

        Raises UnknownLimit for a name that is none.
        """
        known = [entry.name for entry in fields(cls)]
        for name in given:
            if name not in known:
                also = [keyword for each in called for keyword in _keywords(each)]
                raise UnknownLimit(
                    f"unknown keyword or limit {name!r}; {_hint(name, [*known, *also])}"
                )
        return cls(**given)


def _keywords(function: Callable[..., Any]) -> list[str]:
    """The names of the parameters that a function says it has."""
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]


def _hint(name: str, known: Sequence[str]) -> str:
    """What may have been meant: a name that is close, or those with most of its words."""
    from difflib import get_close_matches  # nobody who spells well needs it

    if close := get_close_matches(name, known, 1, _CLOSE):
        return f"did you mean {close[0]!r}?"
    words = set(name.split("_"))
    shared = {each: len(words.intersection(each.split("_"))) for each in known}
    most = max(shared.values())
    if not most:
        return f"known: {', '.join(known)}"
    return f"there is {', '.join(repr(each) for each in known if shared[each] == most)}"


def _low(high: int, low: int | None) -> int:
    return high >> 2 if low is None else min(low, high)


def _pair(name: str, value: tuple[Any, ...]) -> tuple[Any, Any]:
    """What a pair means, judged as far as its parts belong together. Raises ValueError."""
    if len(value) != 2:
        raise ValueError(f"{name} must be a number or a pair of numbers, not {value!r}")
    first, second = value
    if PAIRS[name] not in _LOW_MARKS or second is None:
        return first, second
    _judge(PAIRS[name], second, "int | None")
    if first is None:
        return (second * 4 or None), second
    _judge(name, first, "int")
    if second > first:
        raise ValueError(f"{name} must be a high mark and a low one below it, not {value!r}")
    return first, second


def _judge(name: str, value: Any, kind: str) -> None:
    """Raise ValueError unless `value` fits the annotation `kind`, and a C integer."""
    if name == "overflow":
        if value not in ("close", "drop"):
            raise ValueError(f"overflow must be 'close' or 'drop', not {value!r}")
    elif value is None:
        if "None" not in kind:
            raise ValueError(f"{name} cannot be switched off")
    elif isinstance(value, bool) or not isinstance(value, (int, float)):
        raise ValueError(f"{name} must be a number, not {value!r}")
    elif "int" in kind and not isinstance(value, int):
        raise ValueError(f"{name} must be a whole number, not {value!r}")
    elif name in _LOW_MARKS and value == 0:
        pass  # only what is empty goes on
    elif not 0 < value <= _MOST:  # NaN, too
        raise ValueError(f"{name} must be greater than 0 and at most 2**62, not {value!r}")


def describe() -> str:
    """The table of limits as text: one line each, for docstrings and `--help`."""
    return "\n".join(
        f"{entry.name} = {entry.default!r} ({entry.metadata['unit']}): {entry.metadata['help']}"
        for entry in fields(Limits)
    )
