"""Whether the probabilities of clusters are those of being right.

A quarter of each labelled collection is kept from the fit. The likeliest cluster is right for one
of these items if most of its members have the item's label. Run it by hand,
``python -m tests.bench.membership_quality``; prints a table in Markdown.
"""

from collections import Counter
from collections.abc import Iterator

import numpy as np

from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.params import Params
from tests.bench.labelled_cases import cases
from tests.bench.rivals import Case

_SEEDS = 2
_KEPT = 0.25
_EDGES = (0.0, 0.2, 0.4, 0.6, 0.8, 0.95)


def main() -> None:
    photos: list[tuple[float, bool]] = []
    texts: list[tuple[float, bool]] = []
    for case in cases():
        found = texts if case.name == "texts" else photos
        for seed in range(_SEEDS):
            found += guesses(case, seed)
    print("| probability | photos | mean | right | texts | mean | right |")
    print("|---|---|---|---|---|---|---|")
    for number, low in enumerate(_EDGES):
        high = [*_EDGES, 1.01][number + 1]
        cells = [*_cells(photos, low, high), *_cells(texts, low, high)]
        print(f"| from {low} | {' | '.join(cells)} |")


def guesses(case: Case, seed: int) -> Iterator[tuple[float, bool]]:
    """The probability of the likeliest cluster of each item kept, and whether that is right."""
    kept = np.random.default_rng(seed).random(len(case.ids)) < _KEPT
    label = dict(zip(case.ids, case.labels, strict=True))
    engine = Engine(Params(near_duplicate=case.near_duplicate))
    fitted = [id for id, left_out in zip(case.ids, kept, strict=True) if not left_out]
    asked = [id for id, left_out in zip(case.ids, kept, strict=True) if left_out]
    found = engine.fit(fitted, case.units[~kept])
    shown = {
        group.key: Counter(label[id] for id in group.members).most_common(1)[0][0]
        for group in found.groups
    }
    memberships = engine.responsibilities(found.memory, case.units[kept], best=1)
    for id, membership in zip(asked, memberships, strict=True):
        for key, share in membership.shares.items():
            yield share, shown[key] == label[id]


def _cells(found: list[tuple[float, bool]], low: float, high: float) -> list[str]:
    inside = [each for each in found if low <= each[0] < high]
    if not inside:
        return ["0", "", ""]
    shares, right = np.array(inside).T
    return [f"{len(inside)}", f"{shares.mean():.2f}", f"{right.mean():.2f}"]


if __name__ == "__main__":
    main()
