"""Results made up for tests."""

from __future__ import annotations

from typing import Any

from bench.results import Results

NOTES = {
    "date": "2030-01-02",
    "set": "short",
    "machine": "a machine",
    "versions": {"longlink": "1", "picows": "2"},
    "rounds": 3,
    "seconds": 0.4,
}


def sample(cpu_us: float = 1.0, **more: Any) -> dict[str, Any]:
    return {"cpu_us": cpu_us, "foreign": 0.0, "seconds": 1.0, "limit": "server", **more}


def results(values: dict[tuple[str, str], list[float]]) -> Results:
    """Of (work, peer) and what each round found."""
    made = Results(0.06, notes=dict(NOTES))
    for (work, peer), figures in values.items():
        for figure in figures:
            made.add(work, peer, sample(figure))
    return made
