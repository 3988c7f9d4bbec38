"""How often pillars seem to differ that do not, and how soon a real difference is found.

``python -m tests.bench.results [RUNS]``: seeded simulations, so that two runs print the same.
"""

import random
import sys
from collections.abc import Callable, Sequence

from services.scheduler.domain.results import Measured, compared
from tests.support.measured_posts import posts

Make = Callable[[random.Random], Sequence[Measured]]

EQUAL: dict[str, Make] = {
    "4 pillars, 20 posts each, mean 20": lambda r: posts(r, [20] * 4, [20] * 4),
    "4 pillars, 20 posts each, mean 2": lambda r: posts(r, [2] * 4, [20] * 4),
    "8, 12, 20 and 40 posts": lambda r: posts(r, [20] * 4, [8, 12, 20, 40]),
    "8 pillars, 20 posts each": lambda r: posts(r, [20] * 8, [20] * 8),
    "an audience that grows fourfold": lambda r: posts(r, [20] * 4, [20] * 4, growth=4),
    "the same, one pillar after the other": lambda r: posts(
        r, [20] * 4, [20] * 4, growth=4, in_order=True
    ),
}


def main() -> None:
    """Prints both tables."""
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    print(f"| equal pillars, {runs} runs | a difference is claimed |\n|---|---|")
    for name, make in EQUAL.items():
        print(f"| {name} | {_share(runs, make, _any_clear):.1%} |")
    weekly = sum(_seen_in_a_quarter(random.Random(seed)) for seed in range(runs // 5)) / (runs // 5)
    print(f"| 7 posts a week, looked at every week of a quarter | {weekly:.1%} |")
    print("\n| posts of each of 4 pillars | one gets twice as much: found, mean 20 | mean 2 |")
    print("|---|---|---|")
    for size in (20, 30, 40, 60, 80, 100):
        found = [_share(runs // 5, _doubled(size, rate), _first_is_more) for rate in (20.0, 2.0)]
        print(f"| {size} | {found[0]:.0%} | {found[1]:.0%} |")


def _doubled(size: int, rate: float) -> Make:
    return lambda r: posts(r, [2 * rate, rate, rate, rate], [size] * 4)


def _share(runs: int, make: Make, holds: Callable[[Sequence[Measured]], bool]) -> float:
    return sum(holds(make(random.Random(seed))) for seed in range(runs)) / runs


def _seen_in_a_quarter(rng: random.Random) -> bool:
    year = posts(rng, [20] * 4, [23] * 4)
    return any(_any_clear(year[: 7 * week]) for week in range(1, 14))


def _any_clear(measured: Sequence[Measured]) -> bool:
    return any(result.lift and result.lift.is_clear for result in compared(measured))


def _first_is_more(measured: Sequence[Measured]) -> bool:
    lift = compared(measured)[0].lift
    return lift is not None and lift.low > 1


if __name__ == "__main__":
    main()
