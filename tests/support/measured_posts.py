"""Posts as a persona might have them: most get little, a few get much."""

import math
import random
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from services.scheduler.domain.results import Measured

FIRST = datetime(2026, 1, 1, tzinfo=UTC)
# Gamma-Poisson: the spread of a post's rate around its pillar's is 1 / sqrt(1.5), 82 %.
SHAPE = 1.5


def posts(
    rng: random.Random,
    rates: Sequence[float],
    sizes: Sequence[int],
    *,
    shapes: Sequence[float] = (),
    growth: float = 1.0,
    in_order: bool = False,
) -> list[Measured]:
    """One post a day, on one channel; ``sizes`` of the pillars ``p0``, ``p1``, …

    ``growth``: how many times as large the audience is in the end. ``in_order``: one pillar after
    the other, instead of mixed.
    """
    order = [pillar for pillar, size in enumerate(sizes) for _ in range(size)]
    if not in_order:
        rng.shuffle(order)
    made = []
    for day, pillar in enumerate(order):
        shape = shapes[pillar] if shapes else SHAPE
        rate = rates[pillar] * rng.gammavariate(shape, 1 / shape) * growth ** (day / len(order))
        made.append(Measured(f"p{pillar}", "main", FIRST + timedelta(day), poisson(rng, rate)))
    return made


def poisson(rng: random.Random, rate: float) -> int:
    """A count with that mean (Knuth, in portions, as exp(-rate) would be 0 for large ones)."""
    count = 0
    while rate > 0:
        part = min(rate, 100.0)
        rate -= part
        end, product = math.exp(-part), rng.random()
        while product > end:
            count += 1
            product *= rng.random()
    return count
