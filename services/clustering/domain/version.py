"""A new version of a scope's clusters, from what the engine found."""

from collections.abc import Mapping, Sequence
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
    FoundCluster,
    Hero,
    HeroPart,
    Member,
    ScopeState,
)
from services.clustering.domain.item import Item
from services.clustering.domain.words import labels_of


@dataclass(frozen=True, slots=True)
class Earlier:
    """What there was before, by the engine's keys: clusters, and members of the newest version."""

    clusters: Mapping[str, Cluster]
    members: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class NewVersion:
    """A version to be stored: its clusters, what is to be remembered of the scope with it, and for
    each key that ended in another group the key of that one."""

    state: ScopeState
    found: tuple[FoundCluster, ...]
    merged: Mapping[str, str]

    @property
    def members(self) -> list[str]:
        """The names of all items in a cluster."""
        return [member.item for entry in self.found for member in entry.members]


def describe(
    scope: str,
    clustering: Clustering,
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
) -> tuple[FoundCluster, ...]:
    """Each group with its id, title, hero and members. ``items`` are by the engine's ids.

    A group that was there before keeps its id, its pinned title, and its hero unless another
    member is clearly better.
    """
    titles = make_titles(
        {
            group.key: [labels_of(items[m].words) for m in group.members]
            for group in clustering.groups
        }
    )
    by_name = {item.name: item for item in items.values()}
    found = []
    for group in clustering.groups:
        known = earlier.clusters.get(group.key)
        known = known or Cluster(uuid7(), scope, group.key, titles[group.key], now, now)
        members = _members(group, clustering.duplicates, items)
        cluster = replace(
            known,
            title=known.title if known.title_pinned else titles[group.key],
            state=ClusterState.ACTIVE,
            update_time=now,
            member_count=len(members),
            cohesion=cohesion_of(members),
            hero=choose_hero(members, by_name, known.hero, now),
        )
        found.append(FoundCluster(cluster, members))
    return tuple(found)


def merged_keys(
    before: Mapping[str, Sequence[str]], found: Sequence[FoundCluster]
) -> dict[str, str]:
    """For each key of ``before`` that ended in another group, the key of that one."""
    after = {entry.cluster.key: [m.item for m in entry.members] for entry in found}
    return dict(compare(before, after).merged)


def cohesion_of(members: Sequence[Member]) -> float:
    """The mean cosine of members to their centroid, 0..1; 0 for none."""
    mean = sum(member.similarity for member in members) / max(len(members), 1)
    return min(max(mean, 0.0), 1.0)


def choose_hero(
    members: Sequence[Member], items: Mapping[str, Item], current: Hero | None, now: datetime
) -> Hero | None:
    """The member that best stands for its cluster; None if there is none. ``items`` by name.

    The ``current`` one stays unless another is clearly better.
    """
    candidates = [
        heroes.Candidate(
            member.item,
            quality=items[member.item].quality,
            centrality=member.similarity,
            created_at=items[member.item].create_time,
        )
        for member in members
        if member.item in items
    ]
    sitting = current.item if current else None
    pinned = current.item if current and current.pinned else None
    chosen = heroes.choose_hero(candidates, now, sitting, pinned)
    if chosen is None:
        return None
    return Hero(chosen.id, chosen.score, _parts(chosen.parts), chosen.pinned)


def _members(
    group: Group, duplicates: Mapping[str, str], items: Mapping[str, Item]
) -> tuple[Member, ...]:
    return tuple(
        Member(
            items[point].name,
            similarity,
            position,
            items[duplicates[point]].name if point in duplicates else "",
        )
        for position, (point, similarity) in enumerate(
            zip(group.members, group.similarities, strict=True), 1
        )
    )


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
