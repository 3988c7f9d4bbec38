"""What an incremental step of 1,000 items costs with more and more items there.

Run: python -m tests.bench.clustering_scale [items …]
The vectors are made up as in nature: groups of a power law of sizes, related groups, and 15 % that
are like nothing else; twice the square root of the items many groups.
"""

import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.components import (
    Components,
)
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.items import halves
from services.clustering.algorithms.memory import History, Memory, Pool
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import unit

Matrix = npt.NDArray[np.float32]

DIMENSIONS = 512
NEW = 1_000
LOOSE = 0.15
SIZES = (10_000, 100_000, 1_000_000)
_SAMPLE = 20_000
_TURNS = 7


@dataclass(frozen=True)
class World:
    """Where vectors are drawn from: centres of groups, how many members each has, how close."""

    centres: Matrix
    shares: npt.NDArray[np.float64]
    within: npt.NDArray[np.float64]
    themes: Matrix

    @classmethod
    def of(cls, items: int, generator: np.random.Generator) -> "World":
        groups = int(2 * items**0.5)
        themes = unit(generator.normal(size=(max(2, groups // 8), DIMENSIONS)))
        centres = _around(themes, groups, generator)
        shares = (1.0 + np.arange(groups)) ** -0.8
        return cls(centres, shares / shares.sum(), generator.uniform(0.35, 0.8, groups), themes)

    def draw(self, count: int, generator: np.random.Generator) -> tuple[Matrix, npt.NDArray]:
        """Vectors and the group of each, -1 for those that are like nothing else."""
        owners = generator.choice(len(self.shares), count, p=self.shares)
        scale = self.within[owners, None]
        own = unit(generator.normal(size=(count, DIMENSIONS)))
        rows = unit(scale**0.5 * self.centres[owners] + (1 - scale) ** 0.5 * own)
        loose = generator.random(count) < LOOSE
        rows[loose] = _around(self.themes, int(loose.sum()), generator)
        return rows, np.where(loose, -1, owners)


def _around(themes: Matrix, count: int, generator: np.random.Generator) -> Matrix:
    theme = themes[generator.integers(0, len(themes), count)]
    return unit(0.2**0.5 * theme + 0.8**0.5 * unit(generator.normal(size=(count, DIMENSIONS))))


def remembered(world: World, items: int, generator: np.random.Generator) -> Memory:
    """The memory of a clustering of that many items of a world, without making them all.

    A fit of a sample gives the epoch; each group then gets the sum that its share of the items has.
    """
    rows, owners = world.draw(min(items, _SAMPLE), generator)
    fitted = Engine(Params()).fit([f"{n:07d}" for n in range(4_000)], rows[:4_000]).memory
    counts = np.maximum(np.round(world.shares * items * (1 - LOOSE)), 4.0)
    means = world.centres * (world.within**0.5)[:, None]
    noise = (1 - world.within) ** 0.5 / np.sqrt(counts)
    sums = (means + noise[:, None] * unit(generator.normal(size=means.shape))) * counts[:, None]
    few = np.flatnonzero(owners >= 0)
    projected = fitted.epoch.transform(rows[few])
    centres = fitted.epoch.transform(unit(sums))
    close = np.einsum("ij,ij->i", projected, centres[owners[few]])
    usual = float(close.mean()) if len(close) else 0.5
    by_group = np.bincount(owners[few], close, len(counts))
    number = np.bincount(owners[few], minlength=len(counts))
    lengths = np.where(number > 0, by_group / np.maximum(number, 1), usual)
    spreads = np.full(len(counts), float(close.std()))
    components = Components(
        (centres * (lengths * counts)[:, None]).astype(np.float64), counts, lengths, spreads
    )
    loose = _around(world.themes, min(int(items * LOOSE), Params().pool_max), generator)
    ids = np.array([f"loose-{n:05d}" for n in range(len(loose))])
    return Memory(
        keys=np.array([f"g{n + 1}" for n in range(len(counts))]),
        sums=sums.astype(np.float32),
        components=components,
        epoch=fitted.epoch,
        null=fitted.null,
        pool=Pool(ids, halves(loose), np.zeros(len(ids), dtype=bool)),
        history=History(items, int(items * LOOSE), components.closeness),
        next_key=len(counts) + 1,
    )


def seconds(items: int) -> Iterator[tuple[str, float]]:
    """Processor seconds of what the engine does in a step, the least of several turns."""
    generator = np.random.default_rng(items)
    world = World.of(items, generator)
    memory = remembered(world, items, generator)
    data = memory.to_bytes()
    rows, _ = world.draw(NEW, generator)
    ids = [f"new-{n:05d}" for n in range(NEW)]
    engine = Engine(Params())
    times: dict[str, list[float]] = {"load": [], "step": [], "save": []}
    for _ in range(_TURNS):
        start = time.process_time()
        memory = Memory.from_bytes(data)
        loaded = time.process_time()
        step = engine.step(memory, ids, rows)
        stepped = time.process_time()
        step.memory.to_bytes()
        saved = time.process_time()
        for name, took in zip(
            times, (loaded - start, stepped - loaded, saved - stepped), strict=True
        ):
            times[name].append(took)
    print(
        f"  {items} items, {len(memory.keys)} groups, memory {len(data) / 1e6:.1f} MB, "
        f"{len(step.places)} placed, {len(step.born)} born",
        file=sys.stderr,
    )
    for name, took in times.items():
        yield name, min(took)


def rows_of(sizes: Sequence[int]) -> Iterator[str]:
    yield "| items there | load s | step s | save s | together s | ratio to the first |"
    yield "|---|---|---|---|---|---|"
    first = 0.0
    for items in sizes:
        found = dict(seconds(items))
        total = sum(found.values())
        first = first or total
        cells = " | ".join(f"{found[name]:.3f}" for name in ("load", "step", "save"))
        yield f"| {items:,} | {cells} | {total:.3f} | {total / first:.2f} |"


def main() -> None:
    for line in rows_of([int(size) for size in sys.argv[1:]] or SIZES):
        print(line, flush=True)


if __name__ == "__main__":
    main()
