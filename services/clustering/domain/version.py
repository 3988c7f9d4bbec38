"""A new version of a scope's clusters, from what the engine found."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime

from libs.ids import uuid7
from services.clustering.algorithms import hero as heroes
from services.clustering.algorithms.clustering import Clustering, Group
from services.clustering.algorithms.identity import compare
from services.clustering.algorithms.regroup import Regrouped
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Hero,
    HeroPart,
    Member,
    VersionedCluster,
)
from services.clustering.domain.curation import Curation
from services.clustering.domain.history import Diff
from services.clustering.domain.item import Item

NOTHING_WANTED = Curation()
NO_ITEMS: Mapping[str, Item] = {}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What there was before, by the engine's keys: clusters, and members of the newest version.

    ``heirs`` are the members of the clusters that people merged others into, by the cluster's id.
    """

    clusters: Mapping[str, Cluster]
    members: Mapping[str, tuple[str, ...]]
    heirs: Mapping[str, frozenset[str]] = field(default_factory=dict)


def describe(
    scope: str,
    clustering: Clustering | Regrouped,
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
    curation: Curation = NOTHING_WANTED,
    others: Mapping[str, Item] = NO_ITEMS,
) -> tuple[VersionedCluster, ...]:
    """Each group with its id, hero and members, and the clusters that people keep alive.

    ``items`` are by the engine's ids, those that still exist; ``others``, by name, are locked ones
    that the engine does not know. A group that was there before keeps its id, its pinned title, and
    its hero unless another member is clearly better. A group of a cluster that was merged goes
    where that went, and so does a new one that is mostly of members of such an heir. Locked items
    are where people put them, refused ones not where they took them out.
    """
    drafts = _of_groups(scope, clustering, items, earlier, now, curation)
    _add_people(drafts, curation)
    _free_titles(drafts.values(), curation.titles)
    by_name = {**others, **{item.name: item for item in items.values()}}
    described = []
    for id, draft in drafts.items():
        members = _in_order(draft.members)
        cluster = draft.cluster
        vetoed = curation.vetoed.get(id, frozenset())
        cluster = replace(
            cluster,
            state=ClusterState.ACTIVE if cluster.state is ClusterState.RETIRED else cluster.state,
            update_time=now,
            member_count=len(members),
            cohesion=cohesion_of(members),
            hero=choose_hero(members, by_name, cluster.hero, now, cluster.pinned_hero, vetoed),
        )
        described.append(VersionedCluster(cluster, members))
    return tuple(described)


@dataclass(slots=True)
class _Draft:
    """A cluster on its way into a version."""

    cluster: Cluster
    members: list[Member]


def _of_groups(
    scope: str,
    clustering: Clustering | Regrouped,
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
    curation: Curation,
) -> dict[str, _Draft]:
    """What the engine found, without what people want elsewhere; by the cluster's id."""
    drafts: dict[str, _Draft] = {}
    places = curation.places
    for group in clustering.groups:
        known = earlier.clusters.get(group.key) or _heir(group, items, earlier, curation)
        # The title comes last.
        known = known or Cluster(uuid7(), scope, group.key, "", now, now)
        cluster = curation.heir(known)
        refused = curation.refused.get(cluster.id, frozenset())
        members = [
            replace(member, locked=member.item in places)
            for member in _members(group, clustering.duplicates, items)
            if places.get(member.item, cluster.id) == cluster.id and member.item not in refused
        ]
        if members:
            drafts.setdefault(cluster.id, _Draft(cluster, [])).members.extend(members)
    return drafts


def _heir(
    group: Group, items: Mapping[str, Item], earlier: Earlier, curation: Curation
) -> Cluster | None:
    """The cluster that people merged others into and that most of a new group is in."""
    names = {items[point].name for point in group.members if point in items}
    for id, members in sorted(earlier.heirs.items()):
        if 2 * len(names & members) >= len(names) > 0 and id in curation.clusters:
            return curation.clusters[id]
    return None


def _add_people(drafts: dict[str, _Draft], curation: Curation) -> None:
    """Adds the locked members that the engine has elsewhere or nowhere, and clusters of people that
    are empty."""
    for id, cluster in curation.clusters.items():
        # What they were compared with before may be long gone.
        locked = [replace(member, similarity=None) for member in curation.locked.get(id, ())]
        if id in drafts:
            there = {member.item for member in drafts[id].members}
            drafts[id].members += [member for member in locked if member.item not in there]
        elif locked or cluster.curated:
            drafts[id] = _Draft(cluster, locked)


def _free_titles(drafts: Iterable[_Draft], titles: Iterable[str]) -> None:
    """Unpins titles of clusters that are found again after somebody gave theirs to another one."""
    taken = {title.casefold() for title in titles}
    for draft in drafts:
        cluster = draft.cluster
        if cluster.state is ClusterState.RETIRED and cluster.title_pinned:
            if cluster.title.casefold() in taken:
                draft.cluster = replace(cluster, title="", title_pinned=False)
            taken.add(cluster.title.casefold())


def _in_order(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members in their places: most central first, then those that were never compared."""
    ranked = sorted(members, key=lambda m: (m.similarity is None, -(m.similarity or 0.0)))
    return tuple(replace(member, position=place) for place, member in enumerate(ranked, 1))


def diff_of(
    before: Mapping[str, Sequence[str]],
    described: Sequence[VersionedCluster],
    shown: Sequence[Cluster],
) -> Diff:
    """What became of the clusters ``shown`` before, whose found ones had the members ``before`` by
    key, in a version of those ``described``."""
    ids = {cluster.key: cluster.id for cluster in shown}
    ids |= {entry.cluster.key: entry.cluster.id for entry in described}
    after = {entry.cluster.key: [m.item for m in entry.members] for entry in described}
    what = compare({key: names for key, names in before.items() if key in ids}, after)
    known, now = {cluster.id for cluster in shown}, {entry.cluster.id for entry in described}
    return Diff(
        born=tuple(sorted(now - known)),
        split={ids[key]: tuple(ids[part] for part in parts) for key, parts in what.split.items()},
        merged={ids[key]: ids[heir] for key, heir in what.merged.items()},
        retired=tuple(sorted(known - now)),
    )


def cohesion_of(members: Sequence[Member]) -> float:
    """The mean cosine of members to their centroid, 0..1; 0 where none was compared."""
    known = [member.similarity for member in members if member.similarity is not None]
    return min(max(sum(known) / max(len(known), 1), 0.0), 1.0)


def choose_hero(
    members: Sequence[Member],
    items: Mapping[str, Item],
    current: Hero | None,
    now: datetime,
    pinned: str = "",
    vetoed: Collection[str] = (),
) -> Hero | None:
    """The member that best stands for its cluster; None if there is none. ``items`` by name.

    The ``pinned`` one it is, if it is a member; a ``vetoed`` one never. The ``current`` one stays
    unless another is clearly better.
    """
    candidates = [
        heroes.Candidate(
            member.item,
            quality=items[member.item].quality,
            centrality=member.similarity,
            created_at=items[member.item].create_time,
            sharpness=items[member.item].sharpness,
            exposure=items[member.item].exposure,
            pixels=items[member.item].pixels,
            vetoed=member.item in vetoed,
        )
        for member in members
        if member.item in items
    ]
    sitting = current.item if current else None
    chosen = heroes.choose_hero(candidates, now, sitting, pinned or None)
    if chosen is None:
        return None
    return hero_of(chosen)


def hero_of(chosen: heroes.Hero) -> Hero:
    """A chosen hero as a cluster keeps it."""
    return Hero(chosen.id, chosen.score, _parts(chosen.parts), chosen.pinned)


def _members(
    group: Group, duplicates: Mapping[str, str], items: Mapping[str, Item]
) -> list[Member]:
    """The members of a group that still exist. Copies of what is gone are copies no more."""
    originals = {copy: items[point].name for copy, point in duplicates.items() if point in items}
    return [
        Member(items[point].name, similarity, position, originals.get(point, ""))
        for position, (point, similarity) in enumerate(
            zip(group.members, group.similarities, strict=True), 1
        )
        if point in items
    ]


def _parts(parts: heroes.Parts) -> tuple[HeroPart, ...]:
    """The known parts with their weights after the missing ones gave theirs away."""
    known = {
        part.name: value
        for part in fields(parts)
        if (value := getattr(parts, part.name)) is not None
    }
    total = sum(heroes.WEIGHTS[name] for name in known)
    return tuple(
        HeroPart(name, value, heroes.WEIGHTS[name] / total) for name, value in known.items()
    )
