"""``make bench``: every benchmark beside its bare limit, in one run. Prints tables in Markdown."""

import argparse
import os
import platform
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.bench import (
    busy_reads,
    embeddings,
    imports,
    items,
    lists,
    mixed,
    planning,
    post_lists,
    publishing_speed,
    reads,
    search,
    starts,
)
from tests.bench.report import Fact, Row, markdown

BENCHES: Mapping[str, Callable[[Path], Sequence[Row | Fact]]] = {
    "imports": imports.measure,
    "embeddings": embeddings.measure,
    "callers": embeddings.measure_callers,
    "mixed": mixed.measure,
    "reads": reads.measure,
    "busy-reads": busy_reads.measure,
    "items": items.measure,
    "lists": lists.measure,
    "planning": planning.measure,
    "publishing": publishing_speed.measure,
    "post-lists": post_lists.measure,
    "search": search.measure,
    "starts": starts.measure,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("names", nargs="*", help="which; all by default")
    names = parser.parse_args().names or list(BENCHES)
    rows: list[Row] = []
    facts: list[Fact] = []
    with tempfile.TemporaryDirectory(prefix="colonnade-bench-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL may run as another user
        for name in names:
            print(f"… {name}", file=sys.stderr, flush=True)
            for result in BENCHES[name](Path(folder) / name):
                (rows if isinstance(result, Row) else facts).append(result)  # type: ignore[arg-type]
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    print(markdown(rows, facts))


if __name__ == "__main__":
    main()
