"""Choosing and vetoing the heroes of clusters."""

from dataclasses import replace

from libs.clock import Clock
from libs.errors import NotFound
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import Cluster
from services.clustering.domain.edit import Before, EditKind, Refusal, RefusalKind
from services.clustering.ports import Store
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.editing import Change, Done, answered, finish


async def set_hero(store: Store, clock: Clock, name: str, item: str, request: RequestKey) -> Done:
    """Makes a member the hero for good, vetoed or not; an empty ``item`` leaves the choice to the
    service again. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, _ = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        change = await Change.begin(tx, scope, clock)
        cluster = await change.in_use(name)
        if item == cluster.pinned_hero:
            return await finish(tx, cluster, request)
        if item:
            await _require_member(change, cluster, item)
        accepted = await tx.people.accept([Refusal(cluster.id, item, RefusalKind.HERO)])
        return await _pinned(change, cluster, item, Before(removed=tuple(accepted)), request)


async def veto_hero(
    store: Store, clock: Clock, name: str, item: str, request: RequestKey, *, allow: bool
) -> Done:
    """Says that a member must never be the hero, pinned or not, or with ``allow`` that it may be
    again. Raises NotFound, FailedPrecondition (CLUSTER_RETIRED)."""
    scope, _ = split_cluster_name(name)
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        change = await Change.begin(tx, scope, clock)
        cluster = await change.in_use(name)
        refusal = [Refusal(cluster.id, item, RefusalKind.HERO)]
        if allow:
            before = Before(removed=tuple(await tx.people.accept(refusal)))
        else:
            await _require_member(change, cluster, item)
            before = Before(added=tuple(await tx.people.refuse(refusal)))
        if not (before.added or before.removed):
            return await finish(tx, cluster, request)
        pinned = "" if item == cluster.pinned_hero else cluster.pinned_hero
        return await _pinned(change, cluster, pinned, before, request)


async def _pinned(
    change: Change, cluster: Cluster, item: str, before: Before, request: RequestKey
) -> Done:
    """Stores which hero is pinned, if any, and chooses the hero by that."""
    if item != cluster.pinned_hero:
        before = replace(before, clusters={cluster.id: {"pinned_hero": cluster.pinned_hero}})
        await change.tx.people.save(replace(cluster, pinned_hero=item, update_time=change.now))
    await change.settle([cluster.id], again=[cluster.id])
    edit = await change.record(EditKind.HERO, [cluster.id], before)
    return await finish(change.tx, cluster, request, edit)


async def _require_member(change: Change, cluster: Cluster, item: str) -> None:
    places = await change.tx.places.of(change.scope, change.version, [item])
    if not any(place.cluster_id == cluster.id for place in places):
        raise NotFound("member", item, f"{item} is not a member of {cluster.title!r}")
