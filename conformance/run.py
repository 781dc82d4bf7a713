"""Runs the Autobahn testsuite against our server and our client, and judges what it found.

The bar: no case failed, non-strict, unimplemented or missing, and informational only those three
of which the suite itself says that there is no right answer.
"""

from __future__ import annotations

import argparse
import os
import platform
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from suite import COUNTS, ROOT, Case, Environment, Suite, find_suite

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "RESULTS.md"
NOTE = ROOT / "build" / "conformance-suite.txt"  # where the client writes which suite it met
INFORMATIONAL = frozenset({"7.1.6", "7.13.1", "7.13.2"})
KINDS = ("OK", "non-strict", "informational", "failed", "unimplemented", "not run")
ALWAYS_SHOWN = KINDS[:4]
COPIES = ("uncompiled", "compiled")
# These cases send up to 16 MiB in one message, or in 65,536 fragments; the others meet the
# default limits.
UNLIMITED = frozenset({"limits"})

SHORT = [
    ("uncompiled", "core"),
    ("compiled", "core"),
    ("compiled", "limits"),
    ("compiled", "compression-short"),
]
FULL = [(copy, preset) for copy in COPIES for preset in ("core", "limits", "compression")]


@dataclass(frozen=True)
class Run:
    """What the suite made of one copy of longlink, in one role."""

    copy: str
    role: str
    preset: str
    cases: dict[str, str]  # number -> one of KINDS

    def numbers(self) -> Counter[str]:
        return Counter(self.cases.values())

    def flaws(self) -> list[str]:
        """What keeps it below the bar, in words."""
        found = [
            f"{kind} {case}"
            for case, kind in self.cases.items()
            if kind != "OK" and not (kind == "informational" and case in INFORMATIONAL)
        ]
        if len(self.cases) < COUNTS[self.preset]:
            found.append(f"{len(self.cases)} cases of {COUNTS[self.preset]}")
        return found


def kind_of(case: Case | None) -> str:
    """The one word for a case's two verdicts: on what was said, and on how it was closed."""
    if case is None:
        return "not run"
    behavior, closing = case["behavior"], case["behaviorClose"]
    if behavior == "UNIMPLEMENTED":
        return "unimplemented"
    if closing not in ("OK", "INFORMATIONAL"):
        return "failed"
    return {"OK": "OK", "NON-STRICT": "non-strict", "INFORMATIONAL": "informational"}.get(
        behavior, "failed"
    )


# -- what is examined -----------------------------------------------------------------------------


def environment_of(copy: str) -> Environment:
    """The tree uncompiled, or what is installed."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    if copy == "uncompiled":
        environment["PYTHONPATH"] = str(ROOT / "src")
    environment["CONFORMANCE_NOTE"] = str(NOTE)
    return environment


def command_of(role: str, preset: str) -> list[str]:
    options = ["--unlimited"] if preset in UNLIMITED else []
    return [sys.executable, "-P", str(HERE / f"{role}.py"), *options]


def check_copy(copy: str) -> None:
    """Stop before the first case when `copy` is not what would be examined."""
    compiled = ask(copy, "from longlink.native.kernel import COMPILED; print(COMPILED)")
    if compiled != str(copy == "compiled"):
        raise SystemExit(f"the copy that should be {copy} is not")


def ask(copy: str, program: str) -> str:
    """What a short program prints."""
    return subprocess.run(
        [sys.executable, "-P", "-c", program],
        env=environment_of(copy),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@contextmanager
def echo_server(copy: str, preset: str) -> Iterator[str]:
    """The URI of a server in a process of its own."""
    with subprocess.Popen(
        command_of("server", preset),
        env=environment_of(copy),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        try:
            uri = process.stdout.readline().strip()
            if not uri:
                raise SystemExit("the echo server did not start")
            yield uri
            if process.poll() is not None:
                raise SystemExit(f"the echo server ended with {process.returncode}")
        finally:
            process.kill()


def examine(suite: Suite, copy: str, role: str, preset: str) -> Run:
    if role == "server":
        with echo_server(copy, preset) as uri:
            verdicts = suite.examine_server(preset, uri)
    else:
        command = command_of("client", preset)
        verdicts = suite.examine_client(preset, command, environment_of(copy))
    return Run(copy, role, preset, {case: kind_of(each) for case, each in verdicts.items()})


def examine_both(suite: Suite, copy: str, preset: str) -> list[Run]:
    """Both roles at once: most of the time the suite waits."""
    with ThreadPoolExecutor(2) as pool:
        roles = ("server", "client")
        return list(pool.map(lambda role: examine(suite, copy, role, preset), roles))


# -- what is told ---------------------------------------------------------------------------------


def line_of(numbers: Counter[str]) -> str:
    """The four numbers, and the other two when they are not 0."""
    shown = [kind for kind in KINDS if numbers[kind] or kind in ALWAYS_SHOWN]
    return ", ".join(f"{numbers[kind]} {kind}" for kind in shown)


def tell(run: Run) -> None:
    print(f"{run.copy:10} {run.role:6} {run.preset:17} {line_of(run.numbers())}", flush=True)
    for flaw in run.flaws():
        print(f"    {flaw}", flush=True)


OPENING = """\
# What the Autobahn testsuite says

longlink {longlink}, Python {python} on {system}, {suite}, {date}: `./scripts/conformance --full`.

Cases: *limits* are 9, *compression* 12 and 13, *core* is everything else. Server and client have
their default settings, but for *limits*, where messages of 16 MiB and of 65,536 fragments come:
there `max_size` and `max_fragments` are None. Informational are 7.1.6, 7.13.1 and 7.13.2, of
which the suite itself says that there is no right answer.

"""


def write_results(runs: list[Run], suite: str) -> None:
    opening = OPENING.format(
        longlink=ask("uncompiled", "import longlink; print(longlink.__version__)"),
        python=platform.python_version(),
        system=f"{platform.system()} {platform.machine()}",
        suite=suite,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
    )
    rows = [
        ("copy", "role", "cases", *KINDS),
        ("---", "---", "---", *("---:" for _ in KINDS)),
    ]
    for run in sorted(runs, key=lambda run: (run.copy, run.role), reverse=True):
        numbers = run.numbers()
        rows.append((run.copy, run.role, run.preset, *(str(numbers[kind]) for kind in KINDS)))
    table = "".join(f"| {' | '.join(row)} |\n" for row in rows)
    RESULTS.write_text(opening + table, "utf-8")


def main() -> int:
    parser = argparse.ArgumentParser(prog="conformance", description=__doc__)
    parser.add_argument("--full", action="store_true", help="every case, and write RESULTS.md")
    parser.add_argument("--copy", choices=COPIES, help="only this copy of longlink")
    parser.add_argument("--preset", choices=sorted({preset for _, preset in SHORT + FULL}))
    parser.add_argument(
        "--if-possible",
        action="store_true",
        help="succeed, loudly, where the suite is not at hand",
    )
    options = parser.parse_args()
    suite = find_suite()
    if suite is None:
        print(
            "CONFORMANCE WAS NOT EXAMINED: there is neither the file that AUTOBAHN names, nor\n"
            "../shared/tools/autobahn.py, nor a Docker daemon for crossbario/autobahn-testsuite,\n"
            "or what there is cannot be installed.",
            flush=True,
        )
        return 0 if options.if_possible else 3
    wanted = [
        (copy, preset)
        for copy, preset in (FULL if options.full else SHORT)
        if options.copy in (None, copy) and options.preset in (None, preset)
    ]
    for copy in {copy for copy, _ in wanted}:
        check_copy(copy)
    runs: list[Run] = []
    for copy, preset in wanted:
        found = examine_both(suite, copy, preset)
        for run in found:
            tell(run)
        runs += found
    if options.full and wanted == FULL:
        write_results(runs, NOTE.read_text("utf-8"))
    good = bool(runs) and not any(run.flaws() for run in runs)
    print("conformance is as it should be" if good else "CONFORMANCE IS BELOW THE BAR")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
