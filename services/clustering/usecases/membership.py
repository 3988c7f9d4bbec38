"""What follows when items are changed or deleted."""

import contextlib
from collections.abc import Sequence
from datetime import datetime

from libs.clock import Clock
from libs.errors import NotFound
from libs.vectors.index import VectorIndex
from services.clustering.domain.item import ItemKey
from services.clustering.domain.version import choose_hero
from services.clustering.ports import Store, Transaction


async def forget_item(store: Store, index: VectorIndex, clock: Clock, key: ItemKey) -> None:
    """Removes an item that is gone: its vector, its pairs, its place in every version."""
    async with store.begin() as tx:
        await tx.items.lock([key.scope])
        await tx.items.delete(key)
        await tx.people.forget(key.name)
        await tx.pictures.forget(key.name)
        await drop_members(tx, [key.name], clock.now())
        await tx.commit()
    await remove_vectors(store, index, [key.point_id])


async def drop_members(tx: Transaction, names: Sequence[str], now: datetime) -> None:
    """Takes items out of every version; a cluster that loses its hero gets another one."""
    for cluster in await tx.versions.drop(names):
        members = await tx.clusters.all_members(cluster.id, cluster.version)
        items = await tx.items.many(member.item for member in members)
        vetoed = await tx.people.vetoed(cluster.id)
        hero = choose_hero(members, items, None, now, cluster.pinned_hero, vetoed)
        await tx.versions.set_hero(cluster.id, cluster.version, hero)


async def remove_vectors(store: Store, index: VectorIndex, point_ids: Sequence[str]) -> None:
    """Removes these vectors from wherever they may be."""
    async with store.read() as tx:
        collections = await tx.collections.names()
    for collection in collections:
        with contextlib.suppress(NotFound):
            await index.delete(collection, point_ids)
