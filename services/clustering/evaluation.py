"""``python -m services.clustering.evaluation VECTORS.npz``: compares ways to find groups.

Started by ``colonnade eval clustering``, to which it speaks JSON, a line each: ``progress`` while
it works, then ``result`` or ``error``. The file holds ``ids``, ``labels``, ``vectors`` and the
cosine ``near_duplicate`` from which on two of them are copies. It needs no suite, no database and
no network, and changes nothing. Without a file it only checks what is asked for.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import IntEnum
from importlib import import_module
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from libs.errors import ColonnadeError, InvalidArgument
from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.others.scikit import is_installed
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import unit
from services.clustering.domain.regrouping import group_anew
from services.clustering.domain.run import READ_BY, Algorithm, RunParams
from services.clustering.scores import score
from services.settings import Settings, load_settings

_WHOLE_NUMBERS = ("min_size", "cluster_count")
_RANGES = {
    "granularity": (0.05, 0.95),
    "min_size": (2, 1_000),
    "threshold": (0.0, 1.0),
    "cluster_count": (1, 10_000),
}
# What is compared where nobody says otherwise.
_GRANULARITIES = (0.25, 0.40, 0.55)

Grid = Mapping[str, Sequence[float]]


class Exit(IntEnum):
    """How it ends."""

    DONE = 0
    FAILED = 1
    USAGE = 2


@dataclass(frozen=True, slots=True)
class Dataset:
    """Items with their labels and vectors, [n, dimension]."""

    ids: list[str]
    labels: list[str]
    vectors: npt.NDArray[np.float32]
    near_duplicate: float

    @classmethod
    def read(cls, file: Path) -> "Dataset":
        """What ``python -m services.embedding.evaluation vectors`` wrote."""
        with np.load(file, allow_pickle=False) as stored:
            return cls(
                stored["ids"].tolist(),
                stored["labels"].tolist(),
                stored["vectors"],
                float(stored["near_duplicate"]),
            )


def settings_of(algorithm: Algorithm, grid: Grid, labels: int) -> Iterator[RunParams]:
    """Each setting of the grid, as far as the algorithm has a use for it.

    Without a number of groups k-means is given that of the labels, which nobody knows of a real
    library: it shows what could be reached.
    """
    axes = {name: values for name, values in grid.items() if algorithm in READ_BY[name]}
    if algorithm is Algorithm.K_MEANS:
        axes.setdefault("cluster_count", [labels])
    for values in product(*axes.values()):
        set_values: dict[str, Any] = dict(zip(axes, values, strict=True))
        yield RunParams(**set_values)


def measure(
    dataset: Dataset, algorithm: Algorithm, wanted: RunParams, params: Params
) -> dict[str, Any]:
    """One row of the comparison; raises what the algorithm raises."""
    started = time.perf_counter()
    found = group_anew(
        algorithm, wanted, dataset.ids, dataset.vectors, Previous({}, next_key=1), params
    )
    seconds = time.perf_counter() - started
    owners = {item: n for n, group in enumerate(found.groups) for item in group.members}
    labels = np.array([owners.get(item, -1) for item in dataset.ids], dtype=np.int64)
    return {
        **_named(algorithm, wanted),
        **asdict(score(labels, dataset.labels, unit(dataset.vectors))),
        "largest": max((len(group.members) for group in found.groups), default=0),
        "seconds": seconds,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Measures the grid; the exit code."""
    try:
        arguments = _parse(argv)
        overrides = {"data": arguments.data} if arguments.data else {}
        settings = load_settings(arguments.config, **overrides)
        _say({"result": _compared(arguments, settings)})
        return Exit.DONE
    except InvalidArgument as error:
        return _refuse(error.reason, error.message, Exit.USAGE)
    except ValidationError as error:
        wrong = [".".join(map(str, e["loc"])) for e in error.errors(include_input=False)]
        return _refuse("SETTINGS", f"the settings are not usable: {', '.join(wrong)}", Exit.USAGE)
    except (OSError, ValueError) as error:
        return _refuse("UNAVAILABLE", str(error), Exit.FAILED)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m services.clustering.evaluation")
    parser.add_argument("vectors", type=Path, nargs="?")
    parser.add_argument("--data", type=Path, help="the data folder")
    parser.add_argument("--config", type=Path, help="a TOML file with settings")
    parser.add_argument("--algorithm", action="append", default=[], help="mixture, hdbscan, …")
    parser.add_argument("--grid", action="append", default=[], help="NAME=VALUE,VALUE")
    return parser.parse_args(argv)


def _compared(arguments: argparse.Namespace, settings: Settings) -> dict[str, Any]:
    grid = read_grid(arguments.grid)
    algorithms = [_algorithm(name) for name in arguments.algorithm] or list(Algorithm)
    if arguments.vectors is None:
        return {}
    dataset = Dataset.read(arguments.vectors)
    ours = settings.clustering
    params = Params(
        granularity=ours.granularity,
        min_size=ours.min_size,
        near_duplicate=max(dataset.near_duplicate, ours.duplicate_floor),
    )
    if is_installed():
        # Loading it takes seconds that no algorithm is to blame for.
        import_module("sklearn.cluster")
    labels = len(set(dataset.labels))
    steps = [(each, wanted) for each in algorithms for wanted in settings_of(each, grid, labels)]
    rows: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    for done, (algorithm, wanted) in enumerate(steps):
        _say({"progress": {"phase": "settings", "done": done, "total": len(steps)}})
        try:
            rows.append(measure(dataset, algorithm, wanted, params))
        except ColonnadeError as error:
            why = {"reason": error.reason, "message": error.message}
            failed.append(_named(algorithm, wanted) | why)
    _say({"progress": {"phase": "settings", "done": len(steps), "total": len(steps)}})
    return {"rows": rows, "failed": failed}


def read_grid(axes: Sequence[str]) -> Grid:
    """Values by parameter from ``NAME=VALUE,VALUE``. Raises InvalidArgument."""
    grid: dict[str, Sequence[float]] = {"granularity": _GRANULARITIES}
    for axis in axes:
        name, _, values = axis.partition("=")
        if name not in READ_BY:
            raise InvalidArgument.of(
                "params-grid", f"there is no parameter {name!r} but {', '.join(READ_BY)}"
            )
        try:
            grid[name] = [_value(name, value) for value in values.split(",")]
        except ValueError as error:
            low, high = _RANGES[name]
            raise InvalidArgument.of(
                "params-grid",
                f"{axis!r} does not read like {name}=VALUE,VALUE with values from {low} to {high}",
            ) from error
    return grid


def _algorithm(name: str) -> Algorithm:
    try:
        return Algorithm(name.replace("-", "_"))
    except ValueError as error:
        raise InvalidArgument.of(
            "algorithm", f"there is none named {name} but {', '.join(Algorithm)}"
        ) from error


def _value(name: str, text: str) -> float:
    value = int(text) if name in _WHOLE_NUMBERS else float(text)
    low, high = _RANGES[name]
    if not low <= value <= high:
        raise ValueError(f"{value} is out of range")
    return value


def _named(algorithm: Algorithm, wanted: RunParams) -> dict[str, Any]:
    set_values = {name: value for name, value in asdict(wanted).items() if value is not None}
    return {"algorithm": algorithm.value, "params": set_values}


def _refuse(reason: str, message: str, code: Exit) -> int:
    _say({"error": {"reason": reason, "message": message}})
    return code


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line, ensure_ascii=False), flush=True)


if __name__ == "__main__":
    sys.exit(main())
