"""What follows from a step of the engine for the items and clusters of a scope."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from libs.ids import uuid7
from services.clustering.algorithms.stepping import Shift, Step
from services.clustering.domain.cluster import Cluster, Member
from services.clustering.domain.curation import Curation
from services.clustering.domain.edit import Place
from services.clustering.domain.history import Change
from services.clustering.domain.intake import Vectors


@dataclass(frozen=True, slots=True)
class Found:
    """What a step found, with all that is needed to say what follows.

    ``names`` are the items by the engine's ids, ``copies`` the copies among the new items and of
    what waited before, each with its original. ``clusters`` are the known ones by key, ``members``
    those of clusters that end, by the cluster's id, ``places`` where items are, ``vectors`` those
    of all that may have to be taken out again, ``curation`` what people want.
    """

    step: Step
    names: Mapping[str, str]
    copies: Mapping[str, str]
    clusters: Mapping[str, Cluster]
    members: Mapping[str, tuple[Place, ...]]
    places: Mapping[str, Place]
    vectors: Vectors
    curation: Curation


@dataclass(frozen=True, slots=True)
class Outcome:
    """The places that change, the clusters that the step touched (by id, as they were, or new), the
    ids that ended and where merged ones went, and what people want otherwise than the engine, for
    its memory."""

    changes: Mapping[str, Change]
    clusters: Mapping[str, Cluster]
    born: tuple[str, ...]
    retired: tuple[str, ...]
    merged: Mapping[str, str]
    corrections: tuple[Shift, ...]

    def leaves(self, item: str, cluster_id: str) -> bool:
        """Whether an item is elsewhere than in a cluster from now on."""
        return item in self.changes and self.changes[item].cluster_id != cluster_id

    def joined(self, cluster_id: str) -> list[Member]:
        """The members that a cluster got."""
        return [
            Member(change.item, change.similarity, 0, change.duplicate_of, change.locked)
            for change in self.changes.values()
            if change.cluster_id == cluster_id
        ]


def outcome_of(found: Found, scope: str, now: datetime) -> Outcome:
    """Locked items stay where people put them, and their cluster with them; refused ones do not
    come where people took them out."""
    step = found.step
    born = {key: Cluster(uuid7(), scope, key, "", now, now) for key in step.born}
    clusters = {**found.clusters, **born}
    changes: dict[str, Change] = {}
    corrections: list[Shift] = []
    kept = _close(found, clusters, changes, corrections)
    _place(found, clusters, changes, corrections)
    ended = {clusters[key].id for key in (*step.merged, *step.retired) if key in clusters} - kept
    touched = {key for key in step.touched if key in clusters}
    touched |= {key for key in (*step.merged, *step.retired) if key in clusters}
    touched |= _left(changes, found.places, clusters)
    return Outcome(
        changes=changes,
        clusters={
            clusters[key].id: clusters[key]
            for key in sorted(touched)
            if clusters[key].id not in ended
        },
        born=tuple(cluster.id for cluster in born.values()),
        retired=tuple(sorted(ended)),
        merged={
            clusters[gone].id: clusters[heir].id
            for gone, heir in step.merged.items()
            if gone in clusters and heir in clusters and clusters[gone].id in ended
        },
        corrections=tuple(corrections),
    )


def _close(
    found: Found,
    clusters: Mapping[str, Cluster],
    changes: dict[str, Change],
    corrections: list[Shift],
) -> set[str]:
    """Takes the members out of clusters that end; answers those that people keep alive."""
    step, ids = found.step, {name: id for id, name in found.names.items()}
    kept: set[str] = set()
    for key in (*step.merged, *step.retired):
        if key not in clusters:
            continue
        cluster, heir = clusters[key], clusters.get(step.merged.get(key, ""))
        for place in found.members.get(cluster.id, ()):
            if place.locked:
                kept.add(cluster.id)
            else:
                changes[place.item] = _moved(place, heir.id if heir else None)
            away = place.locked or heir is None
            if away and not place.duplicate_of and place.item in found.vectors:
                before = heir.key if heir else ""
                after = key if place.locked else ""
                vector = found.vectors[place.item]
                corrections.append(Shift(ids[place.item], vector, before, after))
    kept |= {clusters[key].id for key in step.retired if key in clusters and clusters[key].curated}
    return kept


def _left(
    changes: Mapping[str, Change], places: Mapping[str, Place], clusters: Mapping[str, Cluster]
) -> set[str]:
    """The keys of known clusters that items leave, counted by the engine or not."""
    keys = {cluster.id: key for key, cluster in clusters.items()}
    left = {
        places[name].cluster_id
        for name, change in changes.items()
        if name in places and places[name].cluster_id != change.cluster_id
    }
    return {keys[id] for id in left if id in keys}


def _moved(place: Place, cluster_id: str | None) -> Change:
    if cluster_id is None:
        return Change(place.item, None)
    return Change(place.item, cluster_id, place.similarity, place.duplicate_of)


def _place(
    found: Found,
    clusters: Mapping[str, Cluster],
    changes: dict[str, Change],
    corrections: list[Shift],
) -> None:
    curation = found.curation
    for id, place in found.step.places.items():
        name, cluster = found.names[id], clusters[place.key]
        if name in curation.refused.get(cluster.id, ()):
            corrections.append(Shift(id, found.vectors[name], place.key, ""))
            changes |= _outside([name], found.places)
        else:
            changes[name] = Change(name, cluster.id, place.similarity)
    changes |= _outside((found.names[id] for id in found.step.outside), found.places)
    changes |= _outside((found.names[id] for id in found.step.rejected), found.places)
    for copy, original in found.copies.items():
        change = changes.get(original)
        there = found.places.get(original)
        if change is None and there is not None:
            change = _moved(there, there.cluster_id)
        if change is None or change.cluster_id is None or _refused(copy, change, curation):
            changes |= _outside([copy], found.places)
        else:
            changes[copy] = replace(change, item=copy, duplicate_of=original, locked=False)


def _refused(item: str, change: Change, curation: Curation) -> bool:
    return item in curation.refused.get(change.cluster_id or "", ())


def _outside(names: Iterable[str], places: Mapping[str, Place]) -> dict[str, Change]:
    """Items that are in no cluster, those that were in one so far."""
    return {name: Change(name, None) for name in names if name in places}
