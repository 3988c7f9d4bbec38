"""A new version of a scope's clusters, from what the engine found."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from libs.ids import uuid7
from services.clustering.algorithms import hero as heroes
from services.clustering.algorithms.clustering import Clustering, Group
from services.clustering.algorithms.identity import compare
from services.clustering.algorithms.titles import make_titles
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    Hero,
    HeroPart,
    Member,
    VersionedCluster,
)
from services.clustering.domain.curation import Curation
from services.clustering.domain.item import Item
from services.clustering.domain.words import labels_of

NOTHING_WANTED = Curation()
NO_ITEMS: Mapping[str, Item] = {}


@dataclass(frozen=True, slots=True)
class Earlier:
    """What there was before, by the engine's keys: clusters, and members of the newest version."""

    clusters: Mapping[str, Cluster]
    members: Mapping[str, tuple[str, ...]]


def describe(
    scope: str,
    clustering: Clustering,
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
    curation: Curation = NOTHING_WANTED,
    others: Mapping[str, Item] = NO_ITEMS,
) -> tuple[VersionedCluster, ...]:
    """Each group with its id, title, hero and members, and the clusters that people keep alive.

    ``items`` are by the engine's ids, those that still exist; ``others``, by name, are locked ones
    that the engine does not know. A group that was there before keeps its id, its pinned title, and
    its hero unless another member is clearly better. A group of a cluster that was merged goes
    where that went. Locked items are where people put them, refused ones not where they took them
    out.
    """
    drafts = _of_groups(scope, clustering, items, earlier, now, curation)
    _add_people(drafts, curation)
    _free_titles(drafts.values(), curation.titles)
    titles = _titles(drafts, items, curation)
    by_name = {**others, **{item.name: item for item in items.values()}}
    described = []
    for id, draft in drafts.items():
        members = _in_order(draft.members)
        cluster = draft.cluster
        vetoed = curation.vetoed.get(id, frozenset())
        cluster = replace(
            cluster,
            title=titles.get(cluster.key, cluster.title),
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
    clustering: Clustering,
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
    curation: Curation,
) -> dict[str, _Draft]:
    """What the engine found, without what people want elsewhere; by the cluster's id."""
    drafts: dict[str, _Draft] = {}
    places = curation.places
    for group in clustering.groups:
        known = earlier.clusters.get(group.key)
        # The title comes when all members are known.
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
                draft.cluster = replace(cluster, title_pinned=False)
            taken.add(cluster.title.casefold())


def _in_order(members: Sequence[Member]) -> tuple[Member, ...]:
    """The members in their places: most central first, then those that were never compared."""
    ranked = sorted(members, key=lambda m: (m.similarity is None, -(m.similarity or 0.0)))
    return tuple(replace(member, position=place) for place, member in enumerate(ranked, 1))


def _titles(
    drafts: Mapping[str, _Draft], items: Mapping[str, Item], curation: Curation
) -> dict[str, str]:
    """Titles by key for the clusters whose title no person gave, none like one that a person did.

    One of which only locked members are left keeps its title, like any that people keep alive.
    """
    words = {item.name: item.words for item in items.values()}
    titled = {
        draft.cluster.key: [labels_of(words[m.item]) for m in draft.members if m.item in words]
        for draft in drafts.values()
        if not draft.cluster.title_pinned
    }
    pinned = {draft.cluster.title for draft in drafts.values() if draft.cluster.title_pinned}
    labels = {key: those for key, those in titled.items() if those}
    return make_titles(labels, taken=curation.titles | pinned)


def merged_keys(
    before: Mapping[str, Sequence[str]], found: Sequence[VersionedCluster]
) -> dict[str, str]:
    """For each key of ``before`` that ended in another group, the key of that one."""
    after = {entry.cluster.key: [m.item for m in entry.members] for entry in found}
    return dict(compare(before, after).merged)


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
        field.name: value
        for field in fields(parts)
        if (value := getattr(parts, field.name)) is not None
    }
    total = sum(heroes.WEIGHTS[name] for name in known)
    return tuple(
        HeroPart(name, value, heroes.WEIGHTS[name] / total) for name, value in known.items()
    )
