"""Where the benchmark finds things and puts things."""

from __future__ import annotations

from pathlib import Path

BENCH = Path(__file__).resolve().parent
ROOT = BENCH.parent
BUILD = ROOT / "build" / "bench"

LOAD = BUILD / "load"
FLOOR = BUILD / "floor"
DISTANCE = BUILD / "distance"
CERTIFICATE = BUILD / "certificate.pem"
SAMPLES = BUILD / "samples.json"
SERVER_LOG = BUILD / "server.log"

OUR_PYTHON = ROOT / ".venv" / "bin" / "python"
PEERS_PYTHON = BUILD / "venv" / "bin" / "python"
NODE_MODULES = BUILD / "node_modules"

RATIOS = BENCH / "ratios.json"
