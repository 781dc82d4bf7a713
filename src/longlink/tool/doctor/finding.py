"""What a check finds: a line, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from ...server.config import Config


class Level(Enum):
    """How bad it is."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report.

    Attributes:
        name: of what was looked at, one word.
        text: what was found. advice: what to do; empty when there is nothing.
    """

    level: Level
    name: str
    text: str
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the environment makes of `longlink serve`.

    Attributes:
        config: of the good values.
        names: the variables that say something.
        complaints: the variables that say something impossible, each with why.
        unknown: the variables that nobody reads, each with what may have been meant, or "".
    """

    config: Config
    names: tuple[str, ...] = ()
    complaints: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()


def ok(name: str, text: str, advice: str = "") -> Finding:
    """All is well; there may be something to gain."""
    return Finding(Level.OK, name, text, advice)


def warn(name: str, text: str, advice: str) -> Finding:
    """It works, up to a point."""
    return Finding(Level.WARN, name, text, advice)


def fail(name: str, text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(Level.FAIL, name, text, advice)
