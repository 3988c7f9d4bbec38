"""What people changed about clusters, and taking it back."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from libs.clock import Clock
from libs.errors import NotFound
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.edit import UNDO_WITHIN, Before, Edit, require_undoable
from services.clustering.domain.history import Decision, VersionKind
from services.clustering.ports import Store, Transaction
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.editing import (
    Editing,
    back_to,
    edit_name,
    split_edit_name,
)


async def list_edits(store: Store, scope: str, cluster: str, page: PageRequest) -> Page[Edit]:
    """The edits of a scope, or of one cluster if ``cluster`` names it, newest first.

    Raises NotFound for a cluster of another scope.
    """
    owner, cluster_id = split_cluster_name(cluster, "cluster") if cluster else (scope, "")
    if owner != scope:
        raise NotFound("cluster", cluster)
    async with store.read() as tx:
        return await tx.edits.list(scope, cluster_id, page)


async def undo_edit(store: Store, clock: Clock, name: str, request: RequestKey) -> Edit:
    """Takes an edit back.

    What is gone since stays gone; an item whose former cluster no run finds any more is in none
    until the next run that groups everything anew. Raises NotFound, AlreadyExists if a former title
    was given to another cluster, FailedPrecondition (EDIT_UNDONE, EDIT_EXPIRED, EDIT_OVERLAID).
    """
    scope, id = split_edit_name(name)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return await _existing(tx, name)
        await tx.items.lock([scope])
        found = await tx.edits.to_undo(scope, id)
        if found is None:
            raise NotFound("cluster edit", name)
        edit, before, later = found
        now = clock.now()
        require_undoable(edit, edit_name(scope, later) if later else None, now)
        await _undo(tx, edit, before, now)
        await tx.requests.record(request.id, name)
        await tx.commit()
        return replace(edit, undo_time=now)


async def forget_edits(store: Store, clock: Clock) -> None:
    """Forgets what undoing would need of edits that cannot be undone any more."""
    async with store.begin() as tx:
        await tx.edits.forget(clock.now() - UNDO_WITHIN)
        await tx.commit()


async def _undo(tx: Transaction, edit: Edit, before: Before, now: datetime) -> None:
    heroes = [hero.item for hero in before.heroes.values() if hero]
    titles = [fields["title"] for fields in before.clusters.values() if "title" in fields]
    scene = await tx.people.scene(
        edit.scope,
        edit.clusters,
        [*before.items, *heroes],
        [before.made] if before.made else [],
        next(iter(titles), ""),
    )
    editing = Editing(tx, edit.scope, scene, now)
    for id in edit.clusters:
        if id in scene.clusters:
            editing.save(_with_fields(editing, scene.clusters[id], before.clusters.get(id, {})))
    editing.accept(before.added)
    editing.refuse(refusal for refusal in before.removed if refusal.cluster_id in scene.clusters)
    _move_back(editing, before)
    made = editing.clusters.get(before.made)
    if made and not any(editing.home_of(item) == made.id for item in scene.places):
        editing.delete(made)
    for id, hero in before.heroes.items():
        if id in editing.clusters and (hero is None or editing.home_of(hero.item) == id):
            editing.save(replace(editing.clusters[id], hero=hero))
    await editing.settle()
    decision = Decision(undone=edit.id)
    await editing.store(edit_name(edit.scope, edit.id), VersionKind.UNDO, decision)


def _move_back(editing: Editing, before: Before) -> None:
    scene = editing.scene
    for place in before.places:
        if place.item in scene.live and _lives(editing.clusters.get(place.cluster_id)):
            editing.move(back_to(place))
        elif place.item in scene.places:
            editing.take_out(place.item)
    for item in before.outside:
        if item in scene.places:
            editing.take_out(item)


def _with_fields(editing: Editing, cluster: Cluster, fields: Mapping[str, Any]) -> Cluster:
    restored = {**fields}
    if "state" in fields:
        restored["state"] = ClusterState(fields["state"])
    after = replace(cluster, **restored)
    if after.title_pinned:
        editing.require_free(after.title, after.id)
    return after


def _lives(cluster: Cluster | None) -> bool:
    return cluster is not None and cluster.state is not ClusterState.RETIRED


async def _existing(tx: Transaction, name: str) -> Edit:
    edit = await tx.edits.get(*split_edit_name(name))
    if edit is None:
        raise NotFound("cluster edit", name)
    return edit
