"""What a run did, in numbers."""

from collections.abc import Collection, Mapping, Sequence

from libs.agreement import adjusted_rand, singles
from services.clustering.algorithms.clustering import Clustering
from services.clustering.algorithms.regroup import Regrouped
from services.clustering.domain.cluster import VersionedCluster
from services.clustering.domain.history import Version
from services.clustering.domain.item import Item
from services.clustering.domain.run import Stats

Groups = Mapping[str, Collection[str]]


def stats_of(
    clustering: Clustering | Regrouped,
    items: Mapping[str, Item],
    described: Sequence[VersionedCluster],
    before: Mapping[str, Sequence[str]],
    *,
    refit: bool,
) -> Stats:
    """The statistics of a new version; ``items`` by the engine's ids, those that still exist.

    ``before`` are the items of each found cluster so far, by key.
    """
    found = [entry for entry in described if not entry.cluster.curated]
    now = {entry.cluster.key: {m.item for m in entry.members} for entry in found}
    earlier = {key: set(names) for key, names in before.items()}
    looked_at = {items[point].name for point in _points(clustering) if point in items}
    placed = {member.item for entry in described for member in entry.members}
    clustered = len(looked_at & placed)
    return Stats(
        items=len(looked_at),
        clustered=clustered,
        unclustered=len(looked_at) - clustered,
        duplicates=sum(bool(m.duplicate_of) for entry in described for m in entry.members),
        clusters=len(described),
        born=len(now.keys() - earlier.keys()),
        updated=sum(earlier[key] != now[key] for key in now.keys() & earlier.keys()),
        retired=len(earlier.keys() - now.keys()),
        refit=refit,
        drift=drift_between(before, now) if refit else 0.0,
    )


def stats_unchanged(newest: Version | None) -> Stats:
    """The statistics of a run that found everything as the ``newest`` version had left it."""
    if newest is None:
        return Stats(noop=True)
    return Stats(
        items=newest.items,
        clustered=newest.clustered,
        unclustered=max(newest.items - newest.clustered, 0),
        duplicates=newest.duplicates,
        clusters=newest.clusters,
        noop=True,
    )


def drift_between(before: Groups, now: Groups) -> float:
    """How far the groups of before are from those of now, 0..1, on the items that were in one."""
    if not before:
        return 0.0
    then = {item: number for number, names in enumerate(before.values()) for item in names}
    here = {item: number for number, names in enumerate(now.values()) for item in names}
    items = sorted(then)
    agreement = adjusted_rand(
        [then[item] for item in items], singles([here.get(item, -1) for item in items])
    )
    return min(max(1.0 - agreement, 0.0), 1.0)


def _points(clustering: Clustering | Regrouped) -> list[str]:
    """The ids of all items that the engine looked at."""
    grouped = [member for group in clustering.groups for member in group.members]
    return [*grouped, *clustering.unclustered, *clustering.rejected]
