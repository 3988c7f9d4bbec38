"""A new version of a scope's clusters, from what the engine found."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime

from libs.ids import uuid7
from services.clustering.algorithms import hero as heroes
from services.clustering.algorithms.clustering import Clustering, Group
from services.clustering.algorithms.titles import make_titles
from services.clustering.domain.cluster import (
    Cluster,
    ClusterState,
    FoundCluster,
    Hero,
    HeroPart,
    Member,
)
from services.clustering.domain.item import Item
from services.clustering.domain.words import labels_of


@dataclass(frozen=True, slots=True)
class Earlier:
    """What there was before: every cluster ever, and the members of the newest version, by key."""

    clusters: Mapping[str, Cluster]
    members: Mapping[str, tuple[str, ...]]


def describe(
    scope: str,
    clustering: Clustering,
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
) -> list[FoundCluster]:
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
    return [
        _found(scope, group, titles[group.key], clustering.duplicates, items, earlier, now)
        for group in clustering.groups
    ]


def _found(
    scope: str,
    group: Group,
    title: str,
    duplicates: Mapping[str, str],
    items: Mapping[str, Item],
    earlier: Earlier,
    now: datetime,
) -> FoundCluster:
    before = earlier.clusters.get(group.key)
    known = before or Cluster(uuid7(), scope, group.key, title, now, now)
    cluster = replace(
        known,
        title=known.title if known.title_pinned else title,
        state=ClusterState.ACTIVE,
        update_time=now,
        member_count=len(group.members),
        cohesion=max(0.0, group.cohesion),
        hero=_hero(group, items, known.hero, now),
    )
    return FoundCluster(cluster, _members(group, duplicates, items))


def _members(
    group: Group, duplicates: Mapping[str, str], items: Mapping[str, Item]
) -> tuple[Member, ...]:
    return tuple(
        Member(
            items[point].name,
            similarity,
            position,
            items[duplicates[point]].name if duplicates.get(point) in items else "",
        )
        for position, (point, similarity) in enumerate(
            zip(group.members, group.similarities, strict=True), 1
        )
    )


def _hero(
    group: Group, items: Mapping[str, Item], current: Hero | None, now: datetime
) -> Hero | None:
    candidates = [
        heroes.Candidate(
            items[point].name,
            quality=items[point].quality,
            centrality=similarity,
            created_at=items[point].create_time,
        )
        for point, similarity in zip(group.members, group.similarities, strict=True)
    ]
    pinned = current.item if current and current.pinned else None
    chosen = heroes.choose_hero(candidates, now, current.item if current else None, pinned)
    if chosen is None:
        return None
    return Hero(chosen.id, chosen.score, _parts(chosen.parts), chosen.pinned)


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
