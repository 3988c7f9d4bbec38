"""The order of what a search finds."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from services.clustering.domain.item import Item

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Ranked:
    """An item, how well it fits (higher is better), and the words of the query that it has."""

    score: float
    item: Item
    words: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[float, str]:
        """Orders those found: the best first, of equals the one with the smaller vector id."""
        return (-self.score, self.item.point_id)


def after(ranked: Sequence[Ranked], last: tuple[float, str] | None) -> list[Ranked]:
    """Those that come after one of this score and vector id; all for None.

    Whatever came or went meanwhile, what is before that place was shown.
    """
    if last is None:
        return list(ranked)
    score, point = last
    return [one for one in ranked if one.key > (-score, point)]


def best_of_scenes(ranked: Sequence[Ranked]) -> list[Ranked]:
    """The first of each scene. An item without one stands alone."""
    seen: set[str] = set()
    found = []
    for one in ranked:
        scene = one.item.scene or one.item.name
        if scene not in seen:
            seen.add(scene)
            found.append(one)
    return found


def diverse(
    ranked: Sequence[Ranked], vectors: Floats, shown: Floats, diversity: float, count: int
) -> list[Ranked]:
    """``count`` of them, one after the other: the best by ``(1 - diversity) * score - diversity *
    (largest cosine to what was chosen or shown before)`` (maximal marginal relevance).

    ``vectors`` are those of ``ranked``, ``shown`` those shown before, zeros for none; all of unit
    length.
    """
    if not ranked:
        return []
    relevance = (1 - diversity) * np.array([one.score for one in ranked])
    closest = (vectors @ shown.T).max(axis=1) if shown.any() else np.zeros(len(ranked))
    left = np.ones(len(ranked), dtype=bool)
    chosen = []
    for _ in range(min(count, len(ranked))):
        value = np.where(left, relevance - diversity * closest, -np.inf)
        best = int(value.argmax())
        left[best] = False
        chosen.append(ranked[best])
        closest = np.maximum(closest, vectors @ vectors[best])
    return chosen
