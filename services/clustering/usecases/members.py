"""Putting items into clusters and taking them out."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import replace

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.curation import checked_title
from services.clustering.domain.edit import Before, EditKind, Place, Refusal, RefusalKind
from services.clustering.domain.item import Item
from services.clustering.ports import Store, Transaction
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.curating import add_curated
from services.clustering.usecases.editing import Change, Done, answered, finish

log = logging.getLogger(__name__)


async def add_members(
    store: Store, clock: Clock, name: str, items: Sequence[str], request: RequestKey
) -> Done:
    """Locks items in a cluster, taking them out of where they were; unknown ones are missing.

    Raises NotFound, FailedPrecondition (CLUSTER_RETIRED).
    """
    scope, _ = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        change = await Change.begin(tx, scope, clock)
        cluster = await change.in_use(name)
        known = await tx.items.many(items)
        there = [item for item in items if item in known and known[item].scope == scope]
        before, touched = await _move(change, there, cluster)
        edit = None
        if before.items:
            await change.settle(touched)
            edit = await change.record(EditKind.ADD_MEMBERS, touched, before)
        return await finish(tx, cluster, request, edit, set(items) - set(there))


async def remove_members(
    store: Store, clock: Clock, name: str, items: Sequence[str], request: RequestKey
) -> Done:
    """Takes items out of a cluster, so that no run puts them back; those that are not in it are
    missing. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, _ = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        change = await Change.begin(tx, scope, clock)
        cluster = await change.in_use(name)
        places = await tx.places.of(scope, change.version, items)
        places = [place for place in places if place.cluster_id == cluster.id]
        there = [place.item for place in places]
        edit = None
        if there:
            await tx.places.take(scope, change.version, there)
            refused = await tx.people.refuse(_refusals(cluster, there))
            before = Before(places=tuple(places), added=tuple(refused))
            await change.settle([cluster.id])
            edit = await change.record(EditKind.REMOVE_MEMBERS, [cluster.id], before)
        return await finish(tx, cluster, request, edit, set(items) - set(there))


async def split_cluster(
    store: Store,
    clock: Clock,
    name: str,
    items: Sequence[str],
    title: str,
    request: RequestKey,
) -> Done:
    """A new curated cluster of some members of a cluster.

    Raises NotFound for the cluster and for what is not a member of it, InvalidArgument,
    AlreadyExists, FailedPrecondition (CLUSTER_RETIRED).
    """
    title = checked_title(title, "title")
    scope, _ = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        change = await Change.begin(tx, scope, clock)
        cluster = await change.in_use(name)
        places = await tx.places.of(scope, change.version, items)
        there = {place.item for place in places if place.cluster_id == cluster.id}
        if absent := [item for item in items if item not in there]:
            raise NotFound("member", absent[0], f"{absent[0]} is not a member of {name}")
        made = await add_curated(change, title)
        before, touched = await _move(change, items, made)
        await change.settle(touched)
        edit = await change.record(EditKind.SPLIT, touched, replace(before, made=made.id))
        return await finish(tx, made, request, edit)


async def join_cluster(tx: Transaction, item: Item, name: str) -> None:
    """Locks a new item in the curated cluster that it was made for, if there is such a one."""
    cluster = await _curated(tx, item.scope, name)
    if cluster is None:
        log.warning("%s is for %s, which is no curated cluster of its scope", item.name, name)
        return
    version = (await tx.clusters.scope(item.scope)).version
    change = Change(tx, item.scope, version, max(item.create_time, cluster.update_time))
    await _move(change, [item.name], cluster)
    await change.settle([cluster.id])


async def _curated(tx: Transaction, scope: str, name: str) -> Cluster | None:
    try:
        owner, id = split_cluster_name(name)
        uuid.UUID(id)
    except (InvalidArgument, ValueError):
        return None
    cluster = await tx.clusters.get(scope, id) if owner == scope else None
    if cluster is None or not cluster.curated or cluster.state is ClusterState.RETIRED:
        return None
    return cluster


async def _move(
    change: Change, items: Sequence[str], cluster: Cluster
) -> tuple[Before, frozenset[str]]:
    """Locks items in a cluster; answers how it was before and the clusters that changed."""
    tx, scope, version = change.tx, change.scope, change.version
    places = {place.item: place for place in await tx.places.of(scope, version, items)}
    moving = [item for item in items if not _is_locked_in(places.get(item), cluster)]
    if not moving:
        return Before(), frozenset()
    last = await tx.places.last(cluster.id, version)
    moved = [
        _place(places.get(item), item, cluster, position)
        for position, item in enumerate(moving, last + 1)
    ]
    await tx.places.put(scope, version, moved)
    accepted = await tx.people.accept(_refusals(cluster, moving))
    left = tuple(places[item] for item in moving if item in places)
    outside = tuple(item for item in moving if item not in places)
    touched = frozenset({cluster.id, *(place.cluster_id for place in left)})
    return Before(places=left, outside=outside, removed=tuple(accepted)), touched


def _is_locked_in(place: Place | None, cluster: Cluster) -> bool:
    return place is not None and place.locked and place.cluster_id == cluster.id


def _place(before: Place | None, item: str, cluster: Cluster, position: int) -> Place:
    if before is None:
        return Place(item, cluster.id, None, position, locked=True)
    if before.cluster_id == cluster.id:
        return replace(before, locked=True)
    return Place(item, cluster.id, None, position, before.duplicate_of, locked=True)


def _refusals(cluster: Cluster, items: Sequence[str]) -> list[Refusal]:
    return [Refusal(cluster.id, item, RefusalKind.MEMBER) for item in items]
