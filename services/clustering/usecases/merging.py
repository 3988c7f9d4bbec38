"""Making clusters part of another one."""

from collections.abc import Sequence
from dataclasses import replace

from libs.clock import Clock
from libs.errors import InvalidArgument
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import ClusterState
from services.clustering.domain.edit import Before, EditKind, Refusal, RefusalKind
from services.clustering.ports import Store
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.editing import Change, Done, answered, finish

_CHANGED = ("state", "merged_into", "merge_pinned")


async def merge_clusters(
    store: Store, clock: Clock, name: str, sources: Sequence[str], request: RequestKey
) -> Done:
    """Moves all members of ``sources`` into a cluster; what later runs find of them goes there too.

    Raises NotFound, InvalidArgument, FailedPrecondition (CLUSTER_RETIRED).
    """
    scope, _ = split_cluster_name(name)
    for source in sources:
        if source == name:
            raise InvalidArgument.of("sources", "a cluster cannot become part of itself")
        if split_cluster_name(source, "sources")[0] != scope:
            raise InvalidArgument.of("sources", f"{source} is not a cluster of {scope}")
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        change = await Change.begin(tx, scope, clock)
        target = await change.in_use(name)
        gone = [await change.in_use(source, "sources") for source in sources]
        ids = [cluster.id for cluster in gone]
        places = await tx.places.within(ids, change.version)
        last = await tx.places.last(target.id, change.version)
        await tx.places.put(
            scope,
            change.version,
            [
                replace(place, cluster_id=target.id, position=position)
                for position, place in enumerate(places, last + 1)
            ],
        )
        refusals = [Refusal(target.id, place.item, RefusalKind.MEMBER) for place in places]
        accepted = await tx.people.accept(refusals)
        for cluster in gone:
            await tx.people.save(
                replace(
                    cluster,
                    state=ClusterState.RETIRED,
                    merged_into=target.id,
                    merge_pinned=True,
                    update_time=change.now,
                )
            )
        await change.settle([target.id, *ids])
        before = Before(
            clusters={c.id: {field: getattr(c, field) for field in _CHANGED} for c in gone},
            places=tuple(places),
            removed=tuple(accepted),
        )
        edit = await change.record(EditKind.MERGE, [target.id, *ids], before)
        return await finish(tx, target, request, edit)
