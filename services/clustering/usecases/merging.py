"""Making clusters part of another one."""

from collections.abc import Sequence
from dataclasses import replace

from libs.clock import Clock
from libs.errors import InvalidArgument
from libs.rpc.requests import RequestKey
from services.clustering.domain.cluster import ClusterState
from services.clustering.domain.edit import Before, EditKind, Refusal, RefusalKind
from services.clustering.domain.history import Change
from services.clustering.ports import Store
from services.clustering.usecases.clusters import split_cluster_name
from services.clustering.usecases.editing import Done, Editing, answered, finish

_CHANGED = ("state", "merged_into", "merge_pinned")


async def merge_clusters(
    store: Store, clock: Clock, name: str, sources: Sequence[str], request: RequestKey
) -> Done:
    """Moves all members of ``sources`` into a cluster; what later runs find of them goes there too.

    Raises NotFound, InvalidArgument, FailedPrecondition (CLUSTER_RETIRED).
    """
    scope, id = split_cluster_name(name)
    for source in sources:
        if source == name:
            raise InvalidArgument.of("sources", "a cluster cannot become part of itself")
        if split_cluster_name(source, "sources")[0] != scope:
            raise InvalidArgument.of("sources", f"{source} is not a cluster of {scope}")
    ids = [split_cluster_name(source)[1] for source in sources]
    async with store.begin() as tx:
        if (done := await answered(tx, scope, request)) is not None:
            return done
        editing = await Editing.begin(tx, scope, clock, [id, *ids], within=ids)
        target = editing.in_use(name)
        gone = [editing.in_use(source, "sources") for source in sources]
        places = [place for _, place in sorted(editing.scene.places.items())]
        for place in places:
            # Nobody has compared it with the members of the other one yet.
            editing.move(
                Change(place.item, target.id, None, place.duplicate_of, locked=place.locked)
            )
        for cluster in gone:
            editing.save(
                replace(
                    cluster,
                    state=ClusterState.RETIRED,
                    merged_into=target.id,
                    merge_pinned=True,
                    hero=None,
                )
            )
        editing.save(target)
        before = Before(
            clusters={c.id: {field: getattr(c, field) for field in _CHANGED} for c in gone},
            heroes={c.id: c.hero for c in gone},
            places=tuple(places),
            removed=editing.accept(
                Refusal(target.id, place.item, RefusalKind.MEMBER) for place in places
            ),
        )
        await editing.settle()
        edit = await editing.record(EditKind.MERGE, before)
        return await finish(editing, target, request, edit)
