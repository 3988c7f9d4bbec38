"""What people changed about clusters, and taking it back."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from libs.clock import Clock
from libs.errors import NotFound
from libs.names import pattern
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState
from services.clustering.domain.edit import UNDO_WITHIN, Before, Edit, require_undoable
from services.clustering.ports import Store, Transaction
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.editing import Change


def edit_name(scope: str, edit_id: str) -> str:
    """The resource name of an edit."""
    return f"{scope}/clusterEdits/{edit_id}"


def split_edit_name(name: str) -> tuple[str, str]:
    """Scope and id of an edit's name."""
    kind, owner, edit_id = pattern("{kind}/{owner}/clusterEdits/{edit}").parse(name)
    return f"{kind}/{owner}", edit_id


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
    scope, _ = split_edit_name(name)
    async with store.begin() as tx:
        known = await tx.requests.claim(request.id, request.method, request.fingerprint)
        if known is not None:
            return await _existing(tx, name)
        change = await Change.begin(tx, scope, clock)
        edit = await _existing(tx, name)
        later = await tx.edits.later(edit)
        require_undoable(edit, edit_name(scope, later) if later else None, change.now)
        await _restore(change, edit, await tx.edits.before(edit))
        undone = replace(edit, undo_time=change.now)
        await tx.edits.set_undone(undone)
        await tx.requests.record(request.id, name)
        await tx.commit()
        return undone


async def forget_edits(store: Store, clock: Clock) -> None:
    """Forgets what undoing would need of edits that cannot be undone any more."""
    async with store.begin() as tx:
        await tx.edits.forget(clock.now() - UNDO_WITHIN)
        await tx.commit()


async def _restore(change: Change, edit: Edit, before: Before) -> None:
    tx, scope, version = change.tx, change.scope, change.version
    clusters = await tx.people.by_ids(scope, edit.clusters)
    for id, fields in before.clusters.items():
        if id in clusters:
            clusters[id] = await _with_fields(change, clusters[id], fields)
    await tx.people.accept(before.added)
    await tx.people.refuse([r for r in before.removed if r.cluster_id in clusters])
    there = await tx.items.many(place.item for place in before.places)
    await tx.places.take(scope, version, before.items)
    await tx.places.put(
        scope,
        version,
        [p for p in before.places if p.item in there and _lives(clusters.get(p.cluster_id))],
    )
    if before.made in clusters and not await tx.places.within([before.made], version):
        await tx.people.delete(clusters.pop(before.made))
    await tx.places.recount(scope, version, [*clusters])
    for id, hero in before.heroes.items():
        # One that is no member any more is replaced below.
        if hero is not None and id in clusters:
            await tx.versions.set_hero(id, version, hero)
    await change.settle([*clusters])


async def _with_fields(change: Change, cluster: Cluster, fields: Mapping[str, Any]) -> Cluster:
    restored = {**fields}
    if "state" in fields:
        restored["state"] = ClusterState(fields["state"])
    after = replace(cluster, **restored, update_time=change.now)
    if after.title_pinned:
        await change.require_free(after.title, after.id)
    await change.tx.people.save(after)
    return after


def _lives(cluster: Cluster | None) -> bool:
    return cluster is not None and cluster.state is not ClusterState.RETIRED


async def _existing(tx: Transaction, name: str) -> Edit:
    edit = await tx.edits.get(*split_edit_name(name))
    if edit is None:
        raise NotFound("cluster edit", name)
    return edit
