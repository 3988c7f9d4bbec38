"""What people want of the clusters of a scope; every run keeps to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from libs.errors import FailedPrecondition, InvalidArgument
from services.clustering.domain.cluster import Cluster, ClusterState, Member

MAX_TITLE = 100
_SET_BY_PEOPLE = (ClusterState.ACTIVE, ClusterState.DRAFT)


@dataclass(frozen=True, slots=True)
class Curation:
    """What people decided, by the ids of clusters.

    ``clusters`` are those that must live on whatever is found: curated ones, those with locked
    members, and those that others were merged into. ``merged`` names where a merged one went,
    ``refused`` are items that people took out of a cluster, ``vetoed`` those that must not be its
    hero. ``titles`` are all that people gave to clusters in use.
    """

    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    merged: Mapping[str, str] = field(default_factory=dict)
    locked: Mapping[str, tuple[Member, ...]] = field(default_factory=dict)
    refused: Mapping[str, frozenset[str]] = field(default_factory=dict)
    vetoed: Mapping[str, frozenset[str]] = field(default_factory=dict)
    titles: frozenset[str] = frozenset()

    def heir(self, cluster: Cluster) -> Cluster:
        """The cluster that has what runs find of ``cluster``: itself, unless it was merged."""
        target = cluster.id
        while target in self.merged:
            target = self.merged[target]
        return self.clusters.get(target, cluster)

    @property
    def places(self) -> dict[str, str]:
        """The cluster of each locked item."""
        return {m.item: cluster for cluster, members in self.locked.items() for m in members}


def checked_title(title: str, field: str = "cluster.title") -> str:
    """A title as it is kept. Raises InvalidArgument on ``field`` if nothing is left of it."""
    kept = " ".join(title.split())
    if not kept:
        raise InvalidArgument.of(field, f"give a title of 1 to {MAX_TITLE} characters")
    return kept


def checked_state(state: ClusterState) -> ClusterState:
    """A state that a person sets. Raises InvalidArgument for one that has a method of its own."""
    if state not in _SET_BY_PEOPLE:
        raise InvalidArgument.of(
            "cluster.state",
            f"is ACTIVE or DRAFT, not {state.upper()}; to archive, delete or merge a cluster there "
            "are methods",
        )
    return state


def checked_change(before: Cluster, after: Cluster) -> Cluster:
    """``after`` as it is kept; another title is pinned.

    Raises InvalidArgument; FailedPrecondition (CLUSTER_RETIRED, NOT_CURATED).
    """
    require_in_use(before)
    title = checked_title(after.title)
    if after.state is not before.state:
        checked_state(after.state)
        if not before.curated:
            raise not_curated(before, "its state follows the runs; archive it to put it away")
    pinned = before.title_pinned or title != before.title
    return replace(after, title=title, title_pinned=pinned)


def require_in_use(cluster: Cluster) -> None:
    """Raises FailedPrecondition (CLUSTER_RETIRED) for a cluster that is no longer found or was
    merged."""
    if cluster.state is ClusterState.RETIRED:
        heir = f"{cluster.scope}/clusters/{cluster.merged_into}" if cluster.merged_into else ""
        end = f"; {heir} has its members" if heir else "; no run finds it any more"
        raise FailedPrecondition(
            f"the cluster {cluster.title!r} is no longer in use{end}",
            reason="CLUSTER_RETIRED",
            metadata={"cluster": cluster.id, "merged_into": heir},
        )


def require_deletable(cluster: Cluster) -> None:
    """Raises FailedPrecondition (NOT_CURATED, NOT_EMPTY)."""
    if not cluster.curated:
        raise not_curated(
            cluster, "it would be found again; archive it, or merge it into another one"
        )
    if cluster.member_count:
        raise FailedPrecondition(
            f"the cluster {cluster.title!r} has {cluster.member_count} members; remove them "
            "first, or archive the cluster with them",
            reason="NOT_EMPTY",
            metadata={"member_count": str(cluster.member_count)},
        )


def not_curated(cluster: Cluster, advice: str) -> FailedPrecondition:
    """Why something cannot be done with a cluster that runs found, and what can be done."""
    return FailedPrecondition(
        f"the cluster {cluster.title!r} was found by runs, not made by people: {advice}",
        reason="NOT_CURATED",
        metadata={"cluster": cluster.id},
    )


def unarchived_state(cluster: Cluster, newest: int) -> ClusterState:
    """The state of an archived cluster that is taken into use again, ``newest`` being the scope's
    version: one that no run finds any more retires, as it would have without being archived."""
    lives = cluster.curated or cluster.version == newest
    return ClusterState.ACTIVE if lives else ClusterState.RETIRED
