"""Putting items into clusters, taking them out, and holding them where they are."""

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
from services.clustering.domain.history import Change
from services.clustering.domain.item import Item
from services.clustering.ports import Store, Transaction
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.curating import new_curated
from services.clustering.usecases.editing import Done, Editing, answered, back_to, finish

log = logging.getLogger(__name__)


async def add_members(
    store: Store, clock: Clock, name: str, items: Sequence[str], request: RequestKey
) -> Done:
    """Locks items in a cluster, taking them out of where they were; unknown ones are missing.

    Raises NotFound, FailedPrecondition (CLUSTER_RETIRED).
    """
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], items=items)
        cluster = editing.in_use(name)
        there = [item for item in items if item in editing.scene.live]
        before = _move(editing, there, cluster)
        edit = None
        if before.items:
            await editing.settle()
            edit = await editing.record(EditKind.ADD_MEMBERS, before)
        return await finish(editing, cluster, request, edit, set(items) - set(there))


async def remove_members(
    store: Store, clock: Clock, name: str, items: Sequence[str], request: RequestKey
) -> Done:
    """Takes items out of a cluster, so that no run puts them back; those that are not in it are
    missing. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], items=items)
        cluster = editing.in_use(name)
        there = [item for item in items if editing.is_in(cluster, item)]
        edit = None
        if there:
            for item in there:
                editing.take_out(item)
            before = Before(
                places=tuple(editing.scene.places[item] for item in there),
                added=editing.refuse(_refusals(cluster, there)),
            )
            await editing.settle()
            edit = await editing.record(EditKind.REMOVE_MEMBERS, before)
        return await finish(editing, cluster, request, edit, set(items) - set(there))


async def lock_members(
    store: Store, clock: Clock, name: str, items: Sequence[str], request: RequestKey, *, lock: bool
) -> Done:
    """Has no run move members out of a cluster, or without ``lock`` leaves that to the runs again;
    those that are not in it are missing. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], items=items)
        cluster = editing.in_use(name)
        there = [item for item in items if editing.is_in(cluster, item)]
        places = [editing.scene.places[item] for item in there]
        changing = tuple(place for place in places if place.locked is not lock)
        edit = None
        if changing:
            for place in changing:
                editing.move(back_to(replace(place, locked=lock)))
            kind = EditKind.LOCK if lock else EditKind.UNLOCK
            edit = await editing.record(kind, Before(places=changing))
        return await finish(editing, cluster, request, edit, set(items) - set(there))


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
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], items=items, title=title)
        cluster = editing.in_use(name)
        if absent := [item for item in items if not editing.is_in(cluster, item)]:
            raise NotFound("member", absent[0], f"{absent[0]} is not a member of {name}")
        made = new_curated(editing, title)
        editing.save(made)
        before = _move(editing, items, made)
        await editing.settle()
        edit = await editing.record(EditKind.SPLIT, replace(before, made=made.id))
        return await finish(editing, made, request, edit)


async def join_cluster(tx: Transaction, item: Item, name: str) -> None:
    """Locks a new item in the curated cluster that it was made for, if there is such a one."""
    id = _id_in(item.scope, name)
    await tx.items.lock([item.scope])
    scene = await tx.people.scene(item.scope, [id] if id else [], [item.name])
    cluster = scene.clusters.get(id)
    if cluster is None or not cluster.curated or cluster.state is ClusterState.RETIRED:
        log.warning("%s is for %s, which is no curated cluster of its scope", item.name, name)
        return
    editing = Editing(tx, item.scope, scene, max(item.create_time, cluster.update_time))
    _move(editing, [item.name], cluster)
    await editing.settle()
    await editing.store(item.name)


def _id_in(scope: str, name: str) -> str:
    """The id of a cluster of the scope, if ``name`` may be one's; empty otherwise."""
    try:
        owner, id = split_cluster_name(name)
        return str(uuid.UUID(id)) if owner == scope else ""
    except (InvalidArgument, ValueError):
        return ""


def _move(editing: Editing, items: Sequence[str], cluster: Cluster) -> Before:
    """Locks items in a cluster; answers how it was before."""
    places = editing.scene.places
    moving = [item for item in items if not _is_locked_in(places.get(item), cluster)]
    for item in moving:
        editing.move(_place(places.get(item), item, cluster))
    return Before(
        places=tuple(places[item] for item in moving if item in places),
        outside=tuple(item for item in moving if item not in places),
        removed=editing.accept(_refusals(cluster, moving)),
    )


def _is_locked_in(place: Place | None, cluster: Cluster) -> bool:
    return place is not None and place.locked and place.cluster_id == cluster.id


def _place(before: Place | None, item: str, cluster: Cluster) -> Change:
    if before is None:
        return Change(item, cluster.id, locked=True)
    if before.cluster_id == cluster.id:
        return back_to(replace(before, locked=True))
    return Change(item, cluster.id, None, before.duplicate_of, locked=True)


def _refusals(cluster: Cluster, items: Sequence[str]) -> list[Refusal]:
    return [Refusal(cluster.id, item, RefusalKind.MEMBER) for item in items]
