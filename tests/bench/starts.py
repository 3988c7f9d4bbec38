"""How long `all` takes to be ready, and how much memory it takes when nothing happens."""

import time
from pathlib import Path
from statistics import median

from tests.bench.processes import resident_bytes, service
from tests.bench.report import Fact

ROUNDS = 5
_SETTLE = 10.0


def measure(data: Path) -> list[Fact]:
    """Cold (empty data folder, databases are made) and warm starts; memory of all processes."""
    cold = [_start(data / f"cold-{number}") for number in range(ROUNDS)]
    warm = [_start(data / "cold-0") for _ in range(ROUNDS)]
    with service("all", data / "cold-0", {}) as suite:
        time.sleep(_SETTLE)
        memory = resident_bytes(suite.child.pid or 0) / 2**20
    return [
        Fact("cold start of `all`, until ready", f"{median(cold):.1f} s", ""),
        Fact("warm start of `all`, until ready", f"{median(warm):.1f} s", "≤ 4 s"),
        Fact("idle memory, all processes together (PSS)", f"{memory:.0f} MiB", "≤ 600 MB"),
    ]


def _start(data: Path) -> float:
    started = time.perf_counter()
    with service("all", data, {}):
        return time.perf_counter() - started
