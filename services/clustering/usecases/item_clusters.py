"""To which clusters an item most likely belongs."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from services.clustering.algorithms.clustering import Membership
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.memory import Memory
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.edit import RefusalKind
from services.clustering.ports import Transaction, Vector
from services.clustering.ports.insights import Whereabouts
from services.clustering.usecases.insight import Looker

# Those that may be of use once what people merged is added up and what they refused is left out.
_KEYS = 50
_LEAST = 0.001
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Likely:
    """A cluster and the probability, 0..1, that the item belongs to it."""

    cluster: Cluster
    probability: float


@dataclass(frozen=True, slots=True)
class ItemClusters:
    """Where an item is, and its likeliest clusters, the likeliest first; ``alone`` is the
    probability of belonging to none."""

    whereabouts: Whereabouts
    likely: tuple[Likely, ...]
    alone: float


async def find_item_clusters(looker: Looker, item: str, limit: int) -> ItemClusters:
    """What the last run's memory tells of an item, as it would of one that is new.

    Raises NotFound, FailedPrecondition (NO_MIXTURE, NOT_EMBEDDED).
    """
    for _ in range(_TRIES):
        async with looker.store.read() as tx:
            where = await tx.insights.whereabouts(item)
        if where is None:
            raise NotFound("item", item)
        data = await looker.snapshots.load(where.state_key) if where.state_key else None
        if data is not None:
            return await _found(looker, item, where, data, limit)
        # A run that ended meanwhile took this memory away, and left another one.
    raise FailedPrecondition(
        "no run of the mixture has grouped this scope yet, or another algorithm did last",
        reason="NO_MIXTURE",
    )


async def _found(
    looker: Looker, item: str, where: Whereabouts, data: bytes, limit: int
) -> ItemClusters:
    _, rows = await looker.vectors.of_points(where.collection, [where.point_id])
    if not len(rows):
        raise FailedPrecondition(f"{item} has no vector yet", reason="NOT_EMBEDDED")
    try:
        membership = await looker.pool.run(_membership, looker, data, rows, where.counted_in)
    except InvalidArgument as error:
        raise FailedPrecondition(
            "what the last run kept cannot be read; the next one writes it anew",
            reason="NO_MIXTURE",
        ) from error
    async with looker.store.read() as tx:
        scope = item.rsplit("/", 2)[0]
        shares = await _by_cluster(tx, scope, item, membership.shares)
    return ItemClusters(where, tuple(shares[:limit]), membership.alone)


def _membership(looker: Looker, data: bytes, rows: Vector, own: str) -> Membership:
    memory = Memory.from_bytes(data)
    (found,) = Engine(looker.params).responsibilities(
        memory, np.asarray(rows), _KEYS, [own] if own else []
    )
    return found


async def _by_cluster(
    tx: Transaction, scope: str, item: str, shares: Mapping[str, float]
) -> Sequence[Likely]:
    """The clusters of these shares as they are now: people may have merged, retired or refused some
    since the memory was written."""
    wanted = [key for key, share in shares.items() if share >= _LEAST]
    found = await tx.clusters.by_keys(scope, wanted)
    known = {cluster.id: cluster for cluster in found.values()}
    asked: set[str] = set()
    refused: set[str] = set()
    # Once more for heirs that were merged into others later.
    while more := {*known, *_heirs(known)} - asked:
        asked |= more
        scene = await tx.people.scene(scope, sorted(asked), [item])
        known |= scene.clusters
        refused = {each.cluster_id for each in scene.refusals if each.kind is RefusalKind.MEMBER}
    sums: dict[str, float] = defaultdict(float)
    for key in wanted:
        cluster = _heir(found[key], known) if key in found else None
        if cluster is not None and not cluster.curated and cluster.id not in refused:
            sums[cluster.id] += shares[key]
    likely = [Likely(known[id], share) for id, share in sums.items()]
    return sorted(likely, key=lambda each: (-each.probability, each.cluster.id))


def _heirs(clusters: Mapping[str, Cluster]) -> set[str]:
    return {cluster.merged_into for cluster in clusters.values() if cluster.merged_into}


def _heir(cluster: Cluster, known: Mapping[str, Cluster]) -> Cluster | None:
    """The cluster that is in use in its place, if any is."""
    seen: set[str] = set()
    while cluster.merged_into and cluster.id not in seen:
        seen.add(cluster.id)
        if cluster.merged_into not in known:
            return None
        cluster = known[cluster.merged_into]
    return None if cluster.state is ClusterState.RETIRED else cluster
