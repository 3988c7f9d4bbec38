"""What follows when items are changed or deleted."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from libs.clock import Clock
from libs.errors import NotFound
from libs.vectors.index import VectorIndex
from services.clustering.domain.history import Departure
from services.clustering.domain.item import ItemKey
from services.clustering.domain.version import choose_hero
from services.clustering.ports import Store, Transaction, Vector


@dataclass(frozen=True, slots=True)
class Leaver:
    """An item that goes, the collection in which the engine's memory has it, empty if it does not,
    and its vector there, None where the index did not have it."""

    key: ItemKey
    collection: str = ""
    vector: Vector | None = None


async def forget_item(store: Store, index: VectorIndex, clock: Clock, key: ItemKey) -> None:
    """Removes an item that is gone: its vector, its pairs, its place in every version."""
    async with store.read() as tx:
        collection = (await tx.clusters.scope(key.scope)).collection
    # While the index has it: the memory is rid of it by its vector alone.
    vector = await vector_of(index, collection, key.point_id)
    async with store.begin() as tx:
        await tx.items.lock([key.scope])
        seen = await tx.departures.seen([key.name])
        await tx.items.delete(key)
        await tx.pictures.forget(key.name)
        await leave(tx, [Leaver(key, seen.get(key.name, ""), vector)], clock.now())
        await tx.commit()
    await remove_vectors(store, index, [key.point_id])


async def leave(tx: Transaction, gone: Sequence[Leaver], now: datetime) -> None:
    """Takes items out of every version, and has the next run take them out of the memory; a cluster
    that loses its hero gets another one. Their scopes are locked."""
    for scope, here in groupby(sorted(gone, key=lambda it: it.key.name), lambda it: it.key.scope):
        leavers = [*here]
        names = [leaver.key.name for leaver in leavers]
        places = await tx.departures.places([scope], names)
        lost = await tx.versions.drop(scope, names)
        departures = []
        for leaver in leavers:
            place = places.get(leaver.key.name)
            if leaver.collection:
                departures.append(
                    Departure(
                        scope,
                        leaver.key.name,
                        leaver.key.point_id,
                        leaver.collection,
                        place.cluster_id if place else None,
                        leaver.vector,
                        weight=0.0 if place and place.duplicate_of else 1.0,
                    )
                )
        await tx.departures.add(departures)
        if lost:
            pinned = [cluster.pinned_hero for cluster in lost if cluster.pinned_hero]
            candidates = await tx.clusters.candidates([cluster.id for cluster in lost], pinned)
            for cluster in lost:
                members = [each for each in candidates if each.cluster_id == cluster.id]
                hero = choose_hero(
                    [each.member for each in members],
                    {each.item.name: each.item for each in members},
                    None,
                    now,
                    cluster.pinned_hero,
                    {each.item.name for each in members if cluster.id in each.vetoed},
                )
                await tx.versions.set_hero(cluster.id, hero)


async def vector_of(index: VectorIndex, collection: str, point_id: str) -> Vector | None:
    """The vector of an item in a collection, if it is there. Raises Unavailable."""
    if collection:
        with contextlib.suppress(NotFound):
            for point in await index.retrieve(collection, [point_id]):
                return point.vector
    return None


async def remove_vectors(store: Store, index: VectorIndex, point_ids: Sequence[str]) -> None:
    """Removes these vectors from wherever they may be."""
    async with store.read() as tx:
        collections = await tx.collections.names()
    for collection in collections:
        with contextlib.suppress(NotFound):
            await index.delete(collection, point_ids)
