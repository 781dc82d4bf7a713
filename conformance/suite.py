"""Two ways to run the Autobahn testsuite, a program for Python 2: each gives every case's verdicts.

`Tool` is a program that runs the suite on this Python; AUTOBAHN names it, else it is looked for
beside the repository. `Docker` is the suite's public image. Neither is part of this repository.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

ROOT = Path(__file__).resolve().parent.parent
BESIDE = ROOT.parent / "shared" / "tools" / "autobahn.py"
IMAGE = "crossbario/autobahn-testsuite"
PATIENCE = 3600  # seconds for one run
TRIES = 3  # of an examination in which no case was run
AGENT = "longlink"

Case = dict[str, Any]  # at least behavior and behaviorClose
Environment = dict[str, str]

_SHORT = [
    f"{group}.{data}.{size}"
    for group, sets in ((12, 5), (13, 7))
    for data in range(1, sets + 1)
    for size in (1, 2, 3, 4, 5, 11)
]
# What to run, and what of it not, as patterns of the suite.
CASES: dict[str, tuple[list[str], list[str]]] = {
    "core": (["*"], ["9.*", "12.*", "13.*"]),
    "limits": (["9.*"], []),
    "compression": (["12.*", "13.*"], []),
    "compression-short": (_SHORT, []),
}


# How many those are: a suite that stopped half-way has fewer.
COUNTS = {"core": 247, "limits": 54, "compression": 216, "compression-short": 72}


class Suite(Protocol):
    """Runs cases against a server of ours, or against a client."""

    name: str

    def examine_server(self, preset: str, uri: str) -> dict[str, Case]:
        """Verdicts by the number of the case."""

    def examine_client(
        self, preset: str, command: Sequence[str], environment: Environment
    ) -> dict[str, Case]:
        """The same; `command` is completed by a URI and the name of the agent."""


class NotInstalled(Exception):
    """The suite is at hand and cannot be installed, as without a network."""


class Tool:
    """The suite on this Python."""

    def __init__(self, program: Path) -> None:
        self.program = program
        self.name = program.name
        if self._call("--list", "--preset", "core").returncode == 2:
            print("installing the Autobahn testsuite ...", file=sys.stderr, flush=True)
            installed = self._call("--install")
            if installed.returncode:
                raise NotInstalled(f"{program} --install failed:\n{installed.stderr[-2000:]}")

    def examine_server(self, preset: str, uri: str) -> dict[str, Case]:
        return self._examine(preset, [uri], None)

    def examine_client(
        self, preset: str, command: Sequence[str], environment: Environment
    ) -> dict[str, Case]:
        line = " ".join([*command, "{url}", "{agent}"])
        return self._examine(preset, ["--client", line], environment)

    def _examine(
        self, preset: str, whom: list[str], environment: Environment | None
    ) -> dict[str, Case]:
        """The suite takes a port that is free and listens there seconds later, when somebody else
        may have it: then no case at all was run, and it is tried again."""
        verdicts: dict[str, Case] = {}
        for _ in range(TRIES):
            verdicts, words = self._attempt(preset, whom, environment)
            if any(verdicts.values()):
                break
            print(f"not one case was run:\n{words}", file=sys.stderr, flush=True)
        return verdicts

    def _attempt(
        self, preset: str, whom: list[str], environment: Environment | None
    ) -> tuple[dict[str, Case], str]:
        """What became of each case, and what the suite said."""
        include, exclude = CASES[preset]
        with tempfile.TemporaryDirectory(prefix="longlink-") as folder:
            results = Path(folder) / "results.json"
            arguments = ["--cases", ",".join(include), "--exclude", ",".join(exclude)]
            arguments += ["--agent", AGENT, "--json", str(results), "--timeout", str(PATIENCE)]
            done = self._call(*arguments, *whom, environment=environment)
            words = f"{done.stdout}{done.stderr}"
            if not results.exists():
                raise SystemExit(f"{self.program} failed:\n{words}")
            return json.loads(results.read_text("utf-8")), done.stderr

    def _call(
        self, *arguments: str, environment: Environment | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-P", str(self.program), *arguments],
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


class Docker:
    """The suite as its authors publish it; on Linux, where a container may use our network."""

    name = IMAGE

    def examine_server(self, preset: str, uri: str) -> dict[str, Case]:
        with tempfile.TemporaryDirectory(prefix="longlink-") as folder:
            self._write(folder, preset, servers=[{"agent": AGENT, "url": uri}])
            subprocess.run(self._command(folder, "fuzzingclient"), check=True, timeout=PATIENCE)
            return self._read(folder)

    def examine_client(
        self, preset: str, command: Sequence[str], environment: Environment
    ) -> dict[str, Case]:
        port = _free_port()
        uri = f"ws://127.0.0.1:{port}"
        with tempfile.TemporaryDirectory(prefix="longlink-") as folder:
            self._write(folder, preset, url=uri)
            name = f"longlink-{uuid.uuid4().hex[:12]}"
            server = subprocess.Popen(self._command(folder, "fuzzingserver", "--name", name))
            try:
                _wait_for(port, server)
                subprocess.run(
                    [*command, uri, AGENT], env=environment, check=True, timeout=PATIENCE
                )
            finally:
                subprocess.run(["docker", "stop", name], check=False, capture_output=True)
                server.wait()
            return self._read(folder)

    def _command(self, folder: str, mode: str, *options: str) -> list[str]:
        inside = ["wstest", "--mode", mode, "--spec", "/longlink/spec.json", "--webport", "0"]
        rights = ["--network", "host", "--user", f"{os.getuid()}:{os.getgid()}"]
        mount = ["--volume", f"{folder}:/longlink"]
        return ["docker", "run", "--rm", *rights, *mount, *options, IMAGE, *inside]

    def _write(self, folder: str, preset: str, **spec: Any) -> None:
        include, exclude = CASES[preset]
        spec |= {"outdir": "/longlink/reports", "exclude-agent-cases": {}}
        spec |= {"cases": include, "exclude-cases": exclude}
        Path(folder, "spec.json").write_text(json.dumps(spec), "utf-8")

    def _read(self, folder: str) -> dict[str, Case]:
        index = json.loads(Path(folder, "reports", "index.json").read_text("utf-8"))
        verdicts: dict[str, Case] = index[AGENT]
        return verdicts


def find_suite() -> Suite | None:
    """The tool, else Docker, else None."""
    given = os.environ.get("AUTOBAHN")
    program = Path(given) if given else BESIDE
    if program.is_file():
        try:
            return Tool(program.resolve())
        except NotInstalled as problem:
            print(problem, file=sys.stderr, flush=True)
            return None
    if given:
        raise SystemExit(f"AUTOBAHN is {given}, and there is no such file")
    if (
        shutil.which("docker")
        and not subprocess.run(
            ["docker", "info"], stdin=subprocess.DEVNULL, capture_output=True, check=False
        ).returncode
    ):
        return Docker()
    return None


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


def _wait_for(port: int, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and server.poll() is None:
        with socket.socket() as sock:
            if sock.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the suite's fuzzing server did not start")
