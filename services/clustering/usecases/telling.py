"""Telling others again what a generation says of photos, after it became active."""

from collections.abc import Sequence

from libs.vectors.index import VectorIndex
from services.clustering.domain.generation import Generation, GenerationState
from services.clustering.domain.item import Item, Modality
from services.clustering.ports import Store
from services.clustering.usecases.comparing import near_vectors
from services.clustering.usecases.embedding import near_items, nearest_of

TELL_TASK = "clustering.tell_generation"
_BATCH = 64


async def tell_generation(store: Store, index: VectorIndex, generation_id: str) -> None:
    """Tells of every photo of the active generation that nobody was told of since it became active:
    its scene and what is nearest to it; has the pictures compared that only it brings near. Ends
    when another one becomes active. Safe to repeat and to break off anywhere."""
    while True:
        async with store.read() as tx:
            generation = await tx.generations.get(generation_id)
            if generation is None or generation.state is not GenerationState.ACTIVE:
                return
            if generation.collection.modality is not Modality.PHOTOS:
                return
            name = generation.collection.name
            items = await tx.items.untold(name, generation.epoch, _BATCH)
        if not items:
            return
        await _tell(store, index, generation, items)


async def untold_generations(store: Store) -> list[str]:
    """The active generation's id, if there is something to tell."""
    async with store.read() as tx:
        return await tx.generations.untold()


async def _tell(
    store: Store, index: VectorIndex, generation: Generation, items: Sequence[Item]
) -> None:
    collection = generation.collection
    stored = await index.retrieve(collection.name, [item.point_id for item in items])
    points = {point.id: point.vector for point in stored}
    there = [item for item in items if item.point_id in points]
    vectors = {item.name: points[item.point_id] for item in there}
    near = await near_items(store, index, collection, there, vectors)
    async with store.begin() as tx:
        await tx.items.lock(item.scope for item in items)
        # Held, so that what is told now is still true when it is told.
        held = await tx.collections.hold(collection.name)
        active = await tx.generations.active()
        if not held or active is None or active.epoch != generation.epoch:
            return
        named = {other.name for others in near.values() for other in others}
        known = await tx.items.many({*named, *(item.name for item in items)}, collection.name)
        for item in there:
            if item.name in known:
                nearest = nearest_of(near[item.name], known)
                tx.announce.embedded(item, collection, known[item.name].scene, nearest)
        await tx.pictures.again(await near_vectors(tx, collection, vectors))
        await tx.items.set_told(collection.name, [item.name for item in items], generation.epoch)
        await tx.commit()
