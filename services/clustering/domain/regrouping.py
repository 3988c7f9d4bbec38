"""Grouping a scope anew by the algorithm that a run names, and telling what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from libs.agreement import adjusted_rand, singles
from libs.errors import FailedPrecondition
from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.others.k_means import KMeans
from services.clustering.algorithms.others.nearest import Nearest
from services.clustering.algorithms.others.port import GroupingAlgorithm
from services.clustering.algorithms.others.scikit import (
    Agglomerative,
    Dbscan,
    Hdbscan,
    is_installed,
)
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.regroup import Regrouped, regroup, regroup_by_mixture
from services.clustering.domain.run import Algorithm, RunParams, RunReport

# Cosines of the vectors as the model makes them.
_NEAREST_TEXTS, _NEAREST_PHOTOS = 0.78, 0.55
# Cosines after centring.
_DBSCAN, _AGGLOMERATIVE = 0.50, 0.25
_OF_SCIKIT = (Algorithm.HDBSCAN, Algorithm.DBSCAN, Algorithm.AGGLOMERATIVE)
_SIZES = 100


def require(algorithm: Algorithm) -> None:
    """Raises FailedPrecondition (ALGORITHM_NOT_INSTALLED) if its library is not there."""
    if algorithm in _OF_SCIKIT and not is_installed():
        raise FailedPrecondition(
            f"{algorithm} needs scikit-learn, which is not installed: "
            "pip install 'colonnade[algorithms]'",
            reason="ALGORITHM_NOT_INSTALLED",
            metadata={"algorithm": algorithm},
        )


def with_wishes(params: Params, wanted: RunParams) -> Params:
    """The installation's parameters with what a run wants otherwise."""
    return replace(
        params,
        granularity=params.granularity if wanted.granularity is None else wanted.granularity,
        min_size=params.min_size if wanted.min_size is None else wanted.min_size,
    )


def group_anew(
    algorithm: Algorithm,
    wanted: RunParams,
    ids: Sequence[str],
    vectors: npt.ArrayLike,
    previous: Previous,
    params: Params,
    times: Sequence[float] | None = None,
    *,
    texts: bool = False,
) -> Regrouped:
    """Groups the items of a scope by any algorithm; keys are carried over from ``previous``.

    ``times`` say when each item came in, for algorithms that go by that; ``texts`` that the items
    are texts. Takes processor time. Raises FailedPrecondition (ALGORITHM_NOT_INSTALLED,
    TOO_MANY_ITEMS).
    """
    params = with_wishes(params, wanted)
    if algorithm is Algorithm.MIXTURE:
        return regroup_by_mixture(ids, vectors, previous, params)
    require(algorithm)
    other = _other(algorithm, wanted, params.min_size, texts=texts)
    return regroup(other, ids, vectors, previous, params, times)


def report_of(
    found: Regrouped, before: Mapping[str, Sequence[str]], duration_millis: int
) -> RunReport:
    """What a shadow run found beside the groups that are there, ids by key.

    The agreement is that on the items that it looked at; those in no group count as groups of one.
    """
    items = [*found.unclustered, *(item for group in found.groups for item in group.members)]
    now = {group.key: group.members for group in found.groups}
    similarities = [value for group in found.groups for value in group.similarities]
    sizes = sorted((len(group.members) for group in found.groups), reverse=True)
    return RunReport(
        items=len(items),
        clusters=len(found.groups),
        unclustered_share=len(found.unclustered) / max(len(items), 1),
        agreement=adjusted_rand(_numbers(items, now), _numbers(items, before)),
        cohesion=float(np.clip(np.mean(similarities), 0.0, 1.0)) if similarities else 0.0,
        sizes=tuple(sizes[:_SIZES]),
        duration_millis=duration_millis,
    )


def _other(
    algorithm: Algorithm, wanted: RunParams, min_size: int, *, texts: bool
) -> GroupingAlgorithm:
    threshold, count = wanted.threshold, wanted.cluster_count
    match algorithm:
        case Algorithm.NEAREST:
            usual = _NEAREST_TEXTS if texts else _NEAREST_PHOTOS
            return Nearest(usual if threshold is None else threshold, min_size)
        case Algorithm.HDBSCAN:
            return Hdbscan(min_size)
        case Algorithm.DBSCAN:
            return Dbscan(_DBSCAN if threshold is None else threshold, min_size)
        case Algorithm.AGGLOMERATIVE:
            return Agglomerative(_AGGLOMERATIVE if threshold is None else threshold, min_size)
        case Algorithm.K_MEANS if count is not None:
            return KMeans(count)
        case _:
            raise AssertionError(f"{algorithm} with {wanted} was not checked")


def _numbers(items: Sequence[str], groups: Mapping[str, Sequence[str]]) -> list[int]:
    owners = {item: number for number, ids in enumerate(groups.values()) for item in ids}
    return singles([owners.get(item, -1) for item in items])
