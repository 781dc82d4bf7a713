"""What must be known to read the figures of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from .bucket import said
from .result import Result

_PER_TURN: Final = 64  # connections that are served before what they are answered leaves


def notes(result: Result) -> Iterator[str]:
    """One sentence for each thing."""
    if result.interrupted:
        yield "Interrupted: this is what was measured by then."
    if result.measured and result.mode in ("echo", "fan-out"):
        yield _loop(result)
    if result.behind:
        yield (
            f"{result.behind:,} messages were due and could not be sent: everywhere"
            f" {result.settings['in_flight']:,} were in flight (--in-flight)."
        )
    if result.measured and result.generator and result.mode in ("echo", "fan-out"):
        yield _resolution(result, result.generator.busy)
    if result.greetings:
        yield f"{result.greetings:,} messages came before anything was sent, and were ignored."
    if result.measured and result.generator and not result.generator.compiled:
        yield (
            "longlink is not compiled here, so the generator takes many times the processor it"
            " could: the limit is sooner here than in the server."
        )


def _loop(result: Result) -> str:
    if result.settings["rate"] is not None:
        return "Open loop: a latency counts from when its message was due at the steady rate."
    return (
        "Closed loop: a server that stands still is asked less, so what others would have waited"
        " meanwhile is not seen (coordinated omission); --rate N asks steadily."
    )


def _resolution(result: Result, busy: float) -> str:
    each_ns = busy * result.seconds / result.count * 1e9
    served = min(_PER_TURN, result.settings["connections"]) * result.settings["in_flight"]
    waiting = result.rate * result.quantile(0.5) / 1e9  # Little's law
    turn = each_ns * max(1, min(served, waiting))
    return (
        f"Latencies are exact to about {said(turn)}, a turn of the generator, at the end of which"
        " what it says leaves."
    )
