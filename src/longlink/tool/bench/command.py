"""`longlink bench` without its options' names: check, run, show, and the exit code."""

from __future__ import annotations

import asyncio
import io
import ipaddress
import json
import os
import socket
import sys
from contextlib import suppress
from enum import IntEnum
from pathlib import Path
from typing import Final

from rich.console import Console

from ... import LonglinkError
from ...wire import uri as uris
from ..connect.ending import Code as ConnectCode
from ..connect.ending import of_failure
from . import page, report
from .live import AVAILABLE, Screen
from .opening import Opening, TooMany
from .plan import Plan
from .processor import exists
from .result import Result
from .run import WORKS, Interrupted, Run


class Code(IntEnum):
    """Exit codes; those of `longlink connect` where they mean the same."""

    OK = 0
    WRONG = 1
    USAGE = 2
    UNREACHED = ConnectCode.UNREACHED
    REFUSED = ConnectCode.REFUSED
    INTERRUPTED = ConnectCode.INTERRUPTED


# The one list of what they mean; --help shows it.
MEANINGS: Final[dict[Code, str]] = {
    Code.OK: "every answer was right",
    Code.WRONG: "an answer was wrong, missing or too many, or a connection was lost",
    Code.USAGE: "an option or the URI is wrong, or so many connections cannot be open",
    Code.UNREACHED: "no connection: name, network, TLS or time",
    Code.REFUSED: "the server refused an opening handshake, or did not understand it",
    Code.INTERRUPTED: "Ctrl-C; the result is of what was measured by then",
}


def run(uri: str, plan: Plan) -> int:
    """Do what the plan says; returns the exit code. Raises ValueError for what can never work."""
    plan.check()
    if plan.server_pid is not None and not exists(plan.server_pid):
        raise ValueError(f"there is no process {plan.server_pid} (--server-pid)")
    try:
        Opening(uri, plan).check()
    except TooMany as problem:
        return _complain(str(problem), Code.USAGE)
    if plan.html is not None:
        _check_writable(plan.html)
    warn(uri)
    try:
        result = _watched(uri, plan)
    except (Interrupted, KeyboardInterrupt):
        return Code.INTERRUPTED
    except (OSError, LonglinkError) as problem:
        ending = of_failure(problem, uris.parse(uri).authority, plan.timeout)
        return _complain(ending.text, ending.code)
    return _tell(result, plan)


def _watched(uri: str, plan: Plan) -> Result:
    """Run it, and show how it goes where somebody looks."""
    console = Console(stderr=True)
    if not (AVAILABLE and console.is_terminal) or console.is_dumb_terminal:
        return asyncio.run(Run(uri, plan, lambda *_: None).go())
    screen = Screen(WORKS[plan.mode].unit, console)
    try:
        return asyncio.run(Run(uri, plan, screen.watch).go())
    finally:
        screen.close()


def _tell(result: Result, plan: Plan) -> int:
    if plan.html is not None:
        Path(plan.html).write_text(page.page(result), encoding="utf-8")
    try:
        _print(result, plan)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever reads has read enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    if result.told:
        return Code.WRONG
    return Code.INTERRUPTED if result.interrupted else Code.OK


def _print(result: Result, plan: Plan) -> None:
    if plan.json:
        print(json.dumps(result.as_json()))
        return
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # not everybody's terminal has blocks
    report.show(result, Console())


def _check_writable(path: str) -> None:
    """Before a long run, not behind it."""
    file = Path(path)
    try:
        existed = file.exists()
        file.open("ab").close()
        if not existed:
            file.unlink()
    except OSError as problem:
        raise ValueError(f"cannot write {path} (--html): {problem.strerror}") from None


def warn(uri: str) -> None:
    """One line when the server may be somebody else's."""
    host = uris.parse(uri).host
    with suppress(OSError, ValueError):
        for *_, address in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM):
            if ipaddress.ip_address(str(address[0]).partition("%")[0]).is_global:
                print(
                    f"longlink: {host} is not on this machine or in a private network:"
                    " only test servers that are yours",
                    file=sys.stderr,
                )
                return


def _complain(text: str, code: int) -> int:
    print(f"longlink: {text}", file=sys.stderr)
    return code
