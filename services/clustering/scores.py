"""How well groups agree with what people say the items show."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from libs.agreement import (
    adjusted_rand,
    bcubed,
    normalised_information,
    pairwise_f1,
    purity,
    singles,
)
from services.clustering.algorithms.components import sum_up
from services.clustering.algorithms.linkage import Indices


@dataclass(frozen=True, slots=True)
class Scores:
    """Groups against labels, each 1 at best: adjusted Rand index, F1 of all pairs, BCubed F1,
    normalised mutual information; items in no group count as groups of one.

    ``purity`` is the share of grouped items that have the most frequent label of their group,
    ``heroes`` the share of groups whose most central item has it. ``unclustered`` is the share of
    items in no group, ``groups`` how many there are.
    """

    ari: float
    f1: float
    bcubed: float
    nmi: float
    purity: float
    heroes: float
    unclustered: float
    groups: int


def score(found: Indices, labels: Sequence[str], units: npt.NDArray[np.float32]) -> Scores:
    """The scores of groups ``found`` (n,), -1 for none; ``units`` (n, d) are unit vectors."""
    alone = singles(found.tolist())
    return Scores(
        ari=adjusted_rand(alone, labels),
        f1=pairwise_f1(alone, labels),
        bcubed=bcubed(alone, labels),
        nmi=normalised_information(alone, labels),
        purity=purity(found.tolist(), labels),
        heroes=_heroes(found, labels, units),
        unclustered=float((found < 0).mean()),
        groups=len(set(found.tolist()) - {-1}),
    )


def _heroes(found: Indices, labels: Sequence[str], units: npt.NDArray[np.float32]) -> float:
    inside = np.flatnonzero(found >= 0)
    numbers, owners = np.unique(found[inside], return_inverse=True)
    if len(numbers) == 0:
        return 0.0
    closeness = np.einsum(
        "ij,ij->i", units[inside], sum_up(units[inside], owners, len(numbers))[owners]
    )
    named = np.array(labels)[inside]
    right = 0
    for group in range(len(numbers)):
        members = owners == group
        counts = Counter(named[members].tolist())
        hero = named[members][closeness[members].argmax()]
        right += counts[str(hero)] == max(counts.values())
    return right / len(numbers)
