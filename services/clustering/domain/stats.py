"""What a run did, in numbers."""

from collections.abc import Mapping, Sequence

from services.clustering.algorithms.clustering import Clustering
from services.clustering.algorithms.state import State
from services.clustering.domain.cluster import FoundCluster
from services.clustering.domain.run import Stats


def stats_of(
    clustering: Clustering,
    found: Sequence[FoundCluster],
    before: Mapping[str, Sequence[str]],
    *,
    refit: bool,
) -> Stats:
    """The statistics of a new version; ``before`` are the items of each cluster so far, by key."""
    now = {entry.cluster.key: {m.item for m in entry.members} for entry in found}
    earlier = {key: set(names) for key, names in before.items()}
    clustered = sum(len(names) for names in now.values())
    outside = len(clustering.unclustered) + len(clustering.rejected)
    return Stats(
        items=clustered + outside,
        clustered=clustered,
        unclustered=outside,
        duplicates=len(clustering.duplicates),
        clusters=len(now),
        born=len(now.keys() - earlier.keys()),
        updated=sum(earlier[key] != now[key] for key in now.keys() & earlier.keys()),
        retired=len(earlier.keys() - now.keys()),
        refit=refit,
    )


def stats_unchanged(state: State, missing: int) -> Stats:
    """The statistics of a run that found everything as the version before had left it."""
    items = len(state.ids) + len(state.rejected)
    clustered = int((state.labels[state.photo_of] >= 0).sum())
    return Stats(
        items=items,
        clustered=clustered,
        unclustered=items - clustered,
        duplicates=len(state.ids) - len(state.leaders),
        clusters=len(state.keys),
        missing=missing,
        noop=True,
    )
