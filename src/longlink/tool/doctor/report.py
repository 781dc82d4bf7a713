"""All checks in their order, and the report of what they find."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from ..plain import plain
from . import capacity, certificate, environment, exposure, software
from .finding import Finding, Level, Settings

CHECKS: Final[tuple[Callable[[Settings], Iterator[Finding]], ...]] = (
    software.check_form,
    software.check_python,
    software.check_loop,
    software.check_libraries,
    software.check_tls,
    capacity.check_descriptors,
    capacity.check_backlog,
    capacity.check_ports,
    capacity.check_memory,
    environment.check_environment,
    exposure.check_address,
    certificate.check_certificate,
    exposure.check_lines,
    exposure.check_origins,
    exposure.check_names,
)
_COLORS: Final = {Level.OK: 32, Level.WARN: 33, Level.FAIL: 31}
_NAMES: Final = 14  # width of their column


def examine(settings: Settings) -> list[Finding]:
    """What every check finds."""
    return [finding for check in CHECKS for finding in check(settings)]


def is_well(findings: Sequence[Finding]) -> bool:
    """Whether nothing fails."""
    return all(finding.level is not Level.FAIL for finding in findings)


def as_text(findings: Sequence[Finding], *, colors: bool) -> str:
    """One line for each, with what to do below it, and the sum."""
    lines: list[str] = []
    for each in findings:
        level = f"{each.level.value:<4}"
        if colors:
            level = f"\x1b[{_COLORS[each.level]}m{level}\x1b[0m"
        lines.append(f"{level}  {each.name:<{_NAMES}}{plain(each.text)}")
        if each.advice:
            lines.append(f"{'':{6 + _NAMES}}→ {plain(each.advice)}")
    count = Counter(each.level for each in findings)
    sums = ", ".join(f"{count[level]} {level.value}" for level in Level if count[level])
    return "\n".join([*lines, sums])


def as_json(findings: Sequence[Finding]) -> str:
    """The same as one object."""
    listed = [
        {"level": each.level.value, "name": each.name, "text": each.text, "advice": each.advice}
        for each in findings
    ]
    return json.dumps({"ok": is_well(findings), "findings": listed}, indent=2)
