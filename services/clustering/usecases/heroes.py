"""Choosing and vetoing the heroes of clusters."""

from dataclasses import replace

from libs.clock import Clock
from libs.errors import NotFound
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.edit import Before, EditKind, Refusal, RefusalKind
from services.clustering.ports import Store
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.editing import Done, Editing, answered, finish


async def set_hero(store: Store, clock: Clock, name: str, item: str, request: RequestKey) -> Done:
    """Makes a member the hero for good, vetoed or not; an empty ``item`` leaves the choice to the
    service again. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], items=[item])
        cluster = editing.in_use(name)
        if item == cluster.pinned_hero:
            return await finish(editing, cluster, request)
        if item:
            _require_member(editing, cluster, item)
        accepted = editing.accept([Refusal(cluster.id, item, RefusalKind.HERO)])
        return await _pinned(editing, cluster, item, Before(removed=accepted), request)


async def veto_hero(
    store: Store, clock: Clock, name: str, item: str, request: RequestKey, *, allow: bool
) -> Done:
    """Says that a member must never be the hero, pinned or not, or with ``allow`` that it may be
    again. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, id = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id], items=[item])
        cluster = editing.in_use(name)
        refusal = [Refusal(cluster.id, item, RefusalKind.HERO)]
        if allow:
            before = Before(removed=editing.accept(refusal))
        else:
            _require_member(editing, cluster, item)
            before = Before(added=editing.refuse(refusal))
        if not (before.added or before.removed):
            return await finish(editing, cluster, request)
        pinned = "" if item == cluster.pinned_hero else cluster.pinned_hero
        return await _pinned(editing, cluster, pinned, before, request)


async def _pinned(
    editing: Editing, cluster: Cluster, item: str, before: Before, request: RequestKey
) -> Done:
    """Stores which hero is pinned, if any, and chooses the hero by that."""
    if item != cluster.pinned_hero:
        before = replace(before, clusters={cluster.id: {"pinned_hero": cluster.pinned_hero}})
    editing.save(replace(cluster, pinned_hero=item))
    await editing.settle(again=[cluster.id])
    edit = await editing.record(EditKind.HERO, before)
    return await finish(editing, cluster, request, edit)


def _require_member(editing: Editing, cluster: Cluster, item: str) -> None:
    if not editing.is_in(cluster, item):
        raise NotFound("member", item, f"{item} is not a member of {cluster.title!r}")
