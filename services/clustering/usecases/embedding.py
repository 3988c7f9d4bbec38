"""Turning items into vectors."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from libs.errors import ColonnadeError, DeadlineExceeded, OutOfQuota, Unavailable
from libs.vectors.index import VectorFilter, VectorIndex, VectorPoint
from services.clustering.domain.item import Collection, Item, Neighbour, Pair, scene_of
from services.clustering.ports import Embedded, Embedder, Store

CONSUMER = "embed"
_NEIGHBOURS = 20
_PASSING = (Unavailable, OutOfQuota, DeadlineExceeded)


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item to embed, the event that brought it, and whether this is the last try."""

    item: Item
    event_id: str
    last_try: bool


async def embed_items(
    store: Store, index: VectorIndex, embedder: Embedder, arrivals: Sequence[Arrival]
) -> list[Exception | None]:
    """Embeds items, stores their vectors, and tells of each; one outcome an item, in order.

    None is done (also for one that is quarantined); an exception asks for another try. Safe to
    repeat: a vector is stored under its item's own id, and an event counts once.
    """
    async with store.begin() as tx:
        await tx.items.add([arrival.item for arrival in arrivals])
        await tx.commit()
    results = await embedder.embed([arrival.item.blob_key for arrival in arrivals])
    outcomes: list[Exception | None] = []
    good: list[tuple[Arrival, Embedded]] = []
    for arrival, result in zip(arrivals, results, strict=True):
        if isinstance(result, ColonnadeError):
            outcomes.append(await _settle_failure(store, arrival, result))
        else:
            good.append((arrival, result))
            outcomes.append(None)
    if good:
        await _store(store, index, embedder, good)
    return outcomes


async def _settle_failure(
    store: Store, arrival: Arrival, error: ColonnadeError
) -> Exception | None:
    if isinstance(error, _PASSING):
        return error
    if not arrival.last_try:
        return error
    item = arrival.item
    async with store.begin() as tx:
        if not await tx.inbox.first_time(arrival.event_id, CONSUMER):
            return None
        if await tx.items.quarantine(item.name, error.reason, error.message):
            tx.announce.embedding_failed(item, error.reason, error.message)
        await tx.commit()
    return None


async def _store(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    good: Sequence[tuple[Arrival, Embedded]],
) -> None:
    collection = await _known_collection(store, index, embedder, good[0][1])
    # Vectors first, then the search: of two items that arrive at once, one sees the other.
    await index.upsert(
        collection.name,
        [
            VectorPoint(arrival.item.point_id, embedded.vector, {"scope": arrival.item.scope})
            for arrival, embedded in good
        ],
    )
    for arrival, embedded in sorted(good, key=lambda pair: pair[0].item.name):
        neighbours = await _neighbours(store, index, collection, arrival.item, embedded)
        await _settle(store, collection, arrival, neighbours)


async def _known_collection(
    store: Store, index: VectorIndex, embedder: Embedder, embedded: Embedded
) -> Collection:
    collection = await embedder.collection(embedded)
    async with store.read() as tx:
        known = await tx.collections.get(collection.name)
    if known is not None:
        return known
    await index.ensure_collection(collection.name, collection.dimension, indexed=("scope",))
    async with store.begin() as tx:
        await tx.collections.add(collection)
        await tx.commit()
    return collection


async def _neighbours(
    store: Store, index: VectorIndex, collection: Collection, item: Item, embedded: Embedded
) -> list[Neighbour]:
    hits = await index.search(
        collection.name,
        np.asarray(embedded.vector),
        _NEIGHBOURS,
        filter=VectorFilter.where(scope=item.scope).excluding([item.point_id]),
        min_score=collection.pair_floor,
    )
    async with store.read() as tx:
        items = await tx.items.by_points([hit.id for hit in hits])
    return [Neighbour(items[hit.id].name, hit.score) for hit in hits if hit.id in items]


async def _settle(
    store: Store, collection: Collection, arrival: Arrival, neighbours: Sequence[Neighbour]
) -> None:
    item = arrival.item
    async with store.begin() as tx:
        if not await tx.inbox.first_time(arrival.event_id, CONSUMER):
            return
        known = await tx.items.many([neighbour.name for neighbour in neighbours])
        scenes = {name: other.scene for name, other in known.items() if other.scene}
        scene = scene_of(item.name, neighbours, scenes, collection.scene_threshold)
        if await tx.items.mark_ready(item.name, collection.name, scene):
            pairs = (Pair.of(item.name, near.name, near.score) for near in neighbours)
            await tx.items.add_pairs(item.scope, pairs)
            tx.announce.embedded(item, collection, scene)
        await tx.commit()


async def forget_item(store: Store, index: VectorIndex, name: str) -> None:
    """Removes an item that is gone: its vector, its pairs, its place in the newest version."""
    async with store.begin() as tx:
        item = await tx.items.delete(name)
        await tx.clusters.drop_item(name)
        await tx.commit()
    if item is not None and item.collection:
        await index.delete(item.collection, [item.point_id])
