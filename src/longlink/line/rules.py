"""What a line connection lives under: how lines end, how long they may be, how long one waits.

Each option is written once, here or in `Limits`; `serve` and `connect` take them as keywords and
the command line makes flags of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from ..errors import UnknownLimit
from ..limits import Limits

# Those of a WebSocket's limits that mean something to a line, and mean the same.
SHARED = (
    "open_timeout",
    "close_timeout",
    "stall_timeout",
    "write_limit",
    "max_backlog",
    "max_connections",
)
_MOST = 2**30


def _rule(default: Any, text: str, **judged: Any) -> Any:
    return field(default=default, metadata={"help": text, **judged})


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one line connection. Raises ValueError or TypeError for what cannot be."""

    max_line: int = _rule(8192, "longest line accepted, without its end", unit="bytes")
    timeout: float | None = _rule(
        300.0, "time for each line to come, however slowly it drips in", unit="seconds"
    )
    terminators: bytes = b"\n"
    newline: bytes = b"\n"
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        _check_number("max_line", self.max_line, whole=True)
        if self.timeout is not None:
            _check_number("timeout", self.timeout, whole=False)
        for name in ("terminators", "newline"):
            value = getattr(self, name)
            if not isinstance(value, bytes):
                raise TypeError(f"{name} must be bytes, not {value!r}")
        if not self.terminators:
            raise ValueError("terminators must hold at least one byte: a line has to end")

    @classmethod
    def of(cls, given: dict[str, Any]) -> Rules:
        """The rules with `given` in place of defaults; raises UnknownLimit for a name of none."""
        own = {entry.name for entry in fields(cls)} - {"limits"}
        known: Sequence[str] = sorted([*own, *SHARED])
        for name in given:
            if name not in known:
                raise UnknownLimit(f"unknown keyword {name!r}; known: {', '.join(known)}")
        shared = {name: value for name, value in given.items() if name not in own}
        rules = {name: value for name, value in given.items() if name in own}
        return cls(limits=Limits(**shared), **rules)


def _check_number(name: str, value: object, *, whole: bool) -> None:
    number = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not number or not 0 < value <= _MOST or math.isnan(value):  # type: ignore[operator, arg-type]
        what = "a whole number" if whole else "a number"
        raise ValueError(f"{name} must be {what} from {1 if whole else 0} to 2**30, not {value!r}")
