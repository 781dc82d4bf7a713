"""Processes on cores: a server that ends with the block it serves, and programs that answer."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from bench.places import SERVER_LOG

READY = 20.0  # seconds that a server has until it listens


class Failed(Exception):
    """A server that does not serve, or a generator that found it wrong."""


@dataclass(frozen=True, slots=True)
class Serving:
    pid: int
    port: int


def cores() -> tuple[int, int]:
    """The server's and the generator's."""
    available = sorted(os.sched_getaffinity(0))
    if len(available) < 2:
        raise SystemExit("the benchmark needs two cores: one for the server, one for the load")
    return available[0], available[1]


def pinned(core: int, command: Sequence[str]) -> list[str]:
    return ["taskset", "--cpu-list", str(core), *command]


@contextmanager
def serving(command: Sequence[str], environment: Mapping[str, str], core: int) -> Iterator[Serving]:
    """A server on one core, in a session of its own so that its end takes its workers along."""
    SERVER_LOG.parent.mkdir(parents=True, exist_ok=True)
    with SERVER_LOG.open("w") as log:
        process = subprocess.Popen(
            pinned(core, command),
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            start_new_session=True,
        )
    try:
        port = _port_of(process)
        _wait_accepting(port)
        yield Serving(process.pid, port)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout:
            process.stdout.close()


def _port_of(process: subprocess.Popen[bytes]) -> int:
    """What it says once it listens."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], READY)
    words = process.stdout.readline().split() if ready else []
    if len(words) != 2 or words[0] != b"listening":
        raise Failed(f"the server did not start: {_last_words()}")
    return int(words[1])


def _wait_accepting(port: int) -> None:
    """Some say that they listen before they do."""
    deadline = time.monotonic() + READY
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise Failed(f"nobody accepts on port {port}: {error}") from error
            time.sleep(0.02)


def _last_words() -> str:
    lines = SERVER_LOG.read_text("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def answer_of(
    command: Sequence[str], core: int, timeout: float, environment: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The JSON object that a program prints."""
    try:
        done = subprocess.run(
            pinned(core, command),
            env=dict(environment) if environment is not None else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no answer within {timeout:g} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise Failed(said[-1] if said else f"exit {done.returncode}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
