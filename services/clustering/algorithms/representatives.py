"""The members that together show what a group is about.

Maximal marginal relevance (Carbonell and Goldstein, 1998): each next one is close to the centre and
unlike those that were chosen before.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.prep import unit

RELEVANCE = 0.7
"""How much closeness to the centre counts; the rest is being unlike the others."""
POOL = 50
"""How many members come into question, the most central ones."""


def representatives(ids: Sequence[str], vectors: npt.ArrayLike, most: int) -> list[str]:
    """At most so many of ``ids``, the most central first; ties go to the one that comes first.

    ``vectors`` is (n, d), row i belongs to ``ids[i]``, of any length but zero.
    """
    rows = unit(vectors)
    if not len(ids):
        return []
    relevance = rows @ unit(rows.sum(axis=0, keepdims=True))[0]
    chosen = [int(relevance.argmax())]
    closest = rows @ rows[chosen[0]]
    while len(chosen) < min(most, len(ids)):
        score = RELEVANCE * relevance - (1.0 - RELEVANCE) * closest
        score[chosen] = -np.inf
        chosen.append(int(score.argmax()))
        closest = np.maximum(closest, rows @ rows[chosen[-1]])
    return [ids[index] for index in chosen]
