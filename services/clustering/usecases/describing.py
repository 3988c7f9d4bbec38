"""What searches filter by and look for words in: kept with the items, copied into the index."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import groupby

from libs.errors import NotFound
from libs.vectors.index import VectorIndex
from services.clustering.domain.facts import Usage, usage_of
from services.clustering.domain.item import Item
from services.clustering.domain.words import replaced
from services.clustering.ports import Description, Library, Store, Transaction
from services.clustering.usecases.embedding import INDEXED

_BATCH = 64


async def describe_item(store: Store, index: VectorIndex, told: Description) -> None:
    """Replaces what is known of an item, unless something newer is.

    Raises NotFound for an item that has not arrived yet; a deleted one is passed over.
    """
    async with store.begin() as tx:
        item = await _item(tx, told.photo)
        if item is None:
            return
        await _describe(tx, item, told)
        await tx.commit()
    await sync_items(store, index, [told.photo])


async def use_item(
    store: Store, index: VectorIndex, photo: str, post: str, usage: Usage, version: int
) -> None:
    """Notes how a post uses a photo; older news than is known has no effect. Raises NotFound."""
    async with store.begin() as tx:
        item = await _item(tx, photo)
        if item is None:
            return
        await tx.items.lock([item.scope])
        await _use(tx, photo, {post: usage}, version)
        await tx.commit()
    await sync_items(store, index, [photo])


async def sync_items(store: Store, index: VectorIndex, names: Sequence[str]) -> None:
    """Copies what is known of items beside all their vectors. Raises Unavailable."""
    async with store.read() as tx:
        items = await tx.items.many(names)
        collections = await tx.collections.kept()
    for item in items.values():
        for collection in collections:
            with suppress(NotFound):
                await index.set_payload(collection.name, [item.point_id], item.payload)
    if items:
        async with store.begin() as tx:
            await tx.items.set_synced(items.values())
            await tx.commit()


async def sync_unsynced(store: Store, index: VectorIndex) -> None:
    """Does so for every item of which the index does not know all. Raises Unavailable."""
    ensured = False
    while True:
        async with store.read() as tx:
            items = await tx.items.unsynced(_BATCH)
            collections = await tx.collections.kept()
        if not items:
            return
        if not ensured:
            ensured = True
            for each in collections:
                # Collections of before have no index of these fields yet.
                await index.ensure_collection(each.name, each.dimension, indexed=INDEXED)
        await asyncio.gather(
            *(sync_items(store, index, [i.name for i in items[n::4]]) for n in range(4))
        )


async def describe_undescribed(store: Store, index: VectorIndex, library: Library) -> None:
    """Asks the catalog for what was never told of photos. Raises Unavailable."""
    async with store.read() as tx:
        items = await tx.items.undescribed(_BATCH)
    for scope, here in groupby(items, key=lambda item: item.scope):
        with suppress(NotFound):
            async for page in library.facts(scope):
                await _describe_page(store, page)
        await _give_up(store, [item.name for item in here])
    await sync_unsynced(store, index)


async def _describe_page(store: Store, page: Sequence[Description]) -> None:
    async with store.begin() as tx:
        items = await tx.items.many([told.photo for told in page])
        for told in page:
            item = items.get(told.photo)
            if item is not None and not item.described:
                # What a photo was told with may be older than the catalog's last look at it.
                time = max(told.time, item.words_time)
                await _describe(tx, item, replace(told, time=time))
                await _use(tx, item.name, told.uses, 0)
        await tx.commit()


async def _give_up(store: Store, names: Sequence[str]) -> None:
    """Asks no more for those that the catalog did not know; their deletion is about to come."""
    async with store.begin() as tx:
        for item in (await tx.items.many(names)).values():
            if not item.described:
                await tx.items.describe(item)
        await tx.commit()


async def _item(tx: Transaction, name: str) -> Item | None:
    item = await tx.items.get(name)
    if item is None and not await tx.items.is_deleted(name):
        raise NotFound("item", name)
    return item


async def _describe(tx: Transaction, item: Item, told: Description) -> None:
    await tx.items.describe(
        replace(
            item,
            words=replaced(item.words, told.tags, told.texts),
            words_time=told.time,
            pillar=told.pillar,
            tags=told.tags,
            archived=told.archived,
            sharpness=item.sharpness if told.sharpness is None else told.sharpness,
            exposure=item.exposure if told.exposure is None else told.exposure,
        )
    )


async def _use(tx: Transaction, name: str, uses: Mapping[str, Usage], version: int) -> None:
    news = [await tx.items.use(name, post, usage, version) for post, usage in uses.items()]
    if any(news):
        await tx.items.set_usage(name, usage_of(await tx.items.uses(name)))
