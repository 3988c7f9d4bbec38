"""What a run did, in numbers."""

from collections.abc import Mapping, Sequence

from services.clustering.algorithms.clustering import Clustering
from services.clustering.algorithms.state import State
from services.clustering.domain.cluster import VersionedCluster
from services.clustering.domain.item import Item
from services.clustering.domain.run import Stats


def stats_of(
    clustering: Clustering,
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
        duplicates=len(clustering.duplicates.keys() & items.keys()),
        clusters=len(described),
        born=len(now.keys() - earlier.keys()),
        updated=sum(earlier[key] != now[key] for key in now.keys() & earlier.keys()),
        retired=len(earlier.keys() - now.keys()),
        refit=refit,
    )


def stats_unchanged(state: State, clusters: int, clustered: int, missing: int) -> Stats:
    """The statistics of a run that found everything as the version before had left it, with so many
    clusters and so many of the engine's items in them."""
    items = len(state.ids) + len(state.rejected)
    return Stats(
        items=items,
        clustered=clustered,
        unclustered=items - clustered,
        duplicates=len(state.ids) - len(state.leaders),
        clusters=clusters,
        missing=missing,
        noop=True,
    )


def _points(clustering: Clustering) -> list[str]:
    """The ids of all items that the engine looked at."""
    grouped = [member for group in clustering.groups for member in group.members]
    return [*grouped, *clustering.unclustered, *clustering.rejected]
