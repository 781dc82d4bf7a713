"""What the environment says to `longlink serve`."""

from __future__ import annotations

from collections.abc import Iterator

from .finding import Finding, Settings, fail, ok, warn


def check_environment(settings: Settings) -> Iterator[Finding]:
    """Each variable that cannot be meant, and the names of those that are."""
    for name, why in settings.complaints:
        yield fail("environment", why, f"change {name}: longlink serve does not start with it")
    for name, near in settings.unknown:
        hint = f"did you mean {near}?" if near else "longlink serve --help lists them"
        yield warn("environment", f"{name} is no variable of longlink serve, and is ignored", hint)
    good = [name for name in settings.names if name not in dict(settings.complaints)]
    yield ok("environment", ", ".join(good) or "no LONGLINK_ variable says anything")
