"""Clusters that people make, and what they write on any."""

from collections.abc import Callable
from dataclasses import replace

from libs.clock import Clock
from libs.errors import Conflict
from libs.ids import uuid7
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster, ClusterState, Origin
from services.clustering.domain.curation import (
    checked_change,
    checked_state,
    checked_title,
    require_deletable,
    require_in_use,
    unarchived_state,
)
from services.clustering.domain.edit import Before, EditKind
from services.clustering.ports import Store
from services.clustering.usecases.clusters import cluster_name, split_cluster_name
from services.clustering.usecases.editing import Done, Editing, answered, finish

_WRITTEN = ("title", "title_pinned", "summary", "prompt_hint", "state")


async def create_cluster(
    store: Store, clock: Clock, scope: str, wanted: Cluster, request: RequestKey
) -> Done:
    """A new curated cluster with the texts and state of ``wanted``.

    Raises InvalidArgument, AlreadyExists for a title that is taken.
    """
    title, state = checked_title(wanted.title), checked_state(wanted.state)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, title=title)
        cluster = replace(
            new_curated(editing, title),
            state=state,
            summary=wanted.summary,
            prompt_hint=wanted.prompt_hint,
        )
        editing.save(cluster)
        await editing.store(cluster_name(scope, cluster.id))
        return await finish(editing, cluster, request)


def new_curated(editing: Editing, title: str) -> Cluster:
    """A new curated cluster without members. Raises AlreadyExists."""
    id = uuid7()
    editing.require_free(title, id)
    return Cluster(
        id=id,
        scope=editing.scope,
        key=id,
        title=title,
        create_time=editing.now,
        update_time=editing.now,
        title_pinned=True,
        origin=Origin.CURATED,
    )


async def update_cluster(
    store: Store,
    clock: Clock,
    name: str,
    title: str,
    update: Callable[[Cluster], Cluster],
    etag: str,
    request: RequestKey,
) -> Done:
    """Changes what is written on a cluster; another title, which can only be ``title``, is pinned.

    Raises NotFound, InvalidArgument, AlreadyExists, Conflict (STALE_ETAG), FailedPrecondition
    (CLUSTER_RETIRED, NOT_CURATED).
    """

    def checked(before: Cluster) -> Cluster:
        _check_etag(etag, before)
        return checked_change(before, update(before))

    kept = " ".join(title.split())
    return await _change(store, clock, name, checked, request, "cluster.name", kept)


async def archive_cluster(store: Store, clock: Clock, name: str, request: RequestKey) -> Done:
    """Puts a cluster away. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""

    def archived(before: Cluster) -> Cluster:
        require_in_use(before)
        return replace(before, state=ClusterState.ARCHIVED)

    return await _change(store, clock, name, archived, request)


async def unarchive_cluster(store: Store, clock: Clock, name: str, request: RequestKey) -> Done:
    """Takes an archived cluster into use again; others stay as they are.

    Raises NotFound, FailedPrecondition (CLUSTER_RETIRED).
    """
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id])
        before = after = editing.in_use(name)
        if before.state is ClusterState.ARCHIVED:
            newest = editing.scene.state.version
            after = replace(before, state=unarchived_state(before, newest))
        return await _saved(editing, before, after, request)


async def delete_cluster(
    store: Store, clock: Clock, name: str, etag: str, request: RequestKey
) -> None:
    """Deletes a curated cluster without members; versions of before go on to show it.

    Raises NotFound, Conflict (STALE_ETAG), FailedPrecondition (NOT_CURATED, NOT_EMPTY).
    """
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return
        editing = await Editing.begin(tx, scope, clock, [id])
        cluster = editing.existing(name)
        _check_etag(etag, cluster)
        require_deletable(cluster)
        editing.delete(cluster)
        await editing.store(name)
        await tx.requests.record(request.id, name)
        await tx.commit()


async def _change(
    store: Store,
    clock: Clock,
    name: str,
    update: Callable[[Cluster], Cluster],
    request: RequestKey,
    field: str = "name",
    title: str = "",
) -> Done:
    scope, id = split_cluster_name(name, field)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], title=title)
        before = editing.existing(name, field)
        return await _saved(editing, before, update(before), request)


async def _saved(editing: Editing, before: Cluster, after: Cluster, request: RequestKey) -> Done:
    """``after``, stored and remembered as an edit if it differs from ``before``."""
    fields = {field: getattr(before, field) for field in _WRITTEN}
    changed = {f: value for f, value in fields.items() if value != getattr(after, f)}
    if not changed:
        return await finish(editing, before, request)
    if after.title != before.title:
        editing.require_free(after.title, before.id)
    editing.save(after)
    edit = await editing.record(EditKind.UPDATE, Before({before.id: changed}))
    return await finish(editing, before, request, edit)


def _check_etag(etag: str, cluster: Cluster) -> None:
    if etag and etag != cluster.etag:
        raise Conflict(
            "this was changed since you read it; read it again and repeat your change",
            reason="STALE_ETAG",
            metadata={"etag": etag, "current": cluster.etag},
        )
