"""What follows when texts are closed or deleted; a request leaves that to the background."""

from collections.abc import Mapping
from dataclasses import replace
from itertools import groupby

from libs.clock import Clock
from libs.vectors.index import VectorIndex
from services.clustering.domain.item import ItemKey
from services.clustering.domain.text import scope_of
from services.clustering.ports import Store
from services.clustering.usecases.membership import Leaver, leave, remove_vectors, vector_of

LEAVE_TASK = "clustering.leave"
_BATCH = 200


async def leave_clusters(store: Store, index: VectorIndex, clock: Clock) -> int:
    """Removes what is left of texts that were closed or deleted: places in clusters, what people
    decided about them, vectors. Answers how many. Safe to repeat and to break off anywhere."""
    count = 0
    while True:
        async with store.read() as tx:
            waiting = await tx.leavers.waiting(_BATCH)
        if not waiting:
            return count
        for scope, names in groupby(sorted(waiting), scope_of):
            await _leave(store, index, clock, scope, {name: waiting[name] for name in names})
        count += len(waiting)


async def _leave(
    store: Store, index: VectorIndex, clock: Clock, scope: str, collections: Mapping[str, str]
) -> None:
    """Removes the traces of items of one project; ``collections`` is where the memory has them."""
    keys = {name: ItemKey(name, scope, name.rpartition("/")[2]) for name in collections}
    gone = [
        # While the index has it: the memory is rid of it by its vector alone.
        Leaver(keys[name], collection, await vector_of(index, collection, keys[name].point_id))
        for name, collection in collections.items()
    ]
    async with store.begin() as tx:
        await tx.items.lock([scope])
        # Opened again and grouped meanwhile, its place is a new one, and the vector is that of now.
        left = {*await tx.items.gone(list(keys))}
        back = await tx.departures.seen([name for name in keys if name not in left])
        known = await tx.leavers.of(list(keys))
        leavers = [
            # Or embedded anew meanwhile: the next run has been told.
            replace(leaver, collection=known.get(leaver.key.name, ""))
            for leaver in gone
            if leaver.key.name not in back
        ]
        await leave(tx, leavers, clock.now())
        await tx.leavers.set_left(list(keys))
        await tx.commit()
    async with store.read() as tx:
        removed = await tx.items.gone(list(keys))
    await remove_vectors(store, index, [keys[name].point_id for name in removed])
    async with store.begin() as tx:
        await tx.items.lock([scope])
        await tx.leavers.done(list(keys), removed)
        await tx.commit()
