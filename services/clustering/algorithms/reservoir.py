"""Samples that depend on what is sampled, not on the order or the parts in which it comes.

Each item has a rank, drawn from its number; a sample of n are the n items of the lowest ranks. So
the samples of the parts hold the sample of the whole.
"""

import numpy as np
import numpy.typing as npt

from services.clustering.algorithms.linkage import Indices

Ranks = npt.NDArray[np.uint64]

_STEP = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


def ranks_of(numbers: Ranks, seed: int) -> Ranks:
    """A rank for each number, by the finaliser of SplitMix64."""
    with np.errstate(over="ignore"):
        mixed = numbers + _STEP * np.uint64(seed + 1)
        mixed = (mixed ^ (mixed >> np.uint64(30))) * _FIRST
        mixed = (mixed ^ (mixed >> np.uint64(27))) * _SECOND
        return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def lowest(ranks: Ranks, size: int) -> Indices:
    """The places of the ``size`` lowest ranks, in ascending order; on a tie the first place."""
    if len(ranks) <= size:
        return np.arange(len(ranks))
    return np.sort(np.argsort(ranks, kind="stable")[:size]).astype(np.int64)
