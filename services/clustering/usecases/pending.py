"""Embedding the items whose event was lost or given up."""

from collections.abc import Sequence
from datetime import timedelta

from libs.clock import Clock
from libs.errors import Unavailable
from libs.vectors.index import VectorIndex
from services.clustering.domain.item import Item
from services.clustering.ports import Embedder, Store
from services.clustering.usecases.embedding import Arrival, embed_items


async def embed_pending(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    clock: Clock,
    *,
    older: timedelta,
    batch: int,
) -> None:
    """Embeds every item that has waited for its vector for longer than ``older``.

    An item that fails twice on its own account is quarantined; one that has to wait stays. Raises
    Unavailable when the embedding service or the index fails as a whole.
    """
    before, last = clock.now() - older, ""
    while True:
        async with store.read() as tx:
            items = await tx.items.pending(before, last, batch)
        if not items:
            return
        await _embed(store, index, embedder, items)
        last = items[-1].name


async def _embed(
    store: Store, index: VectorIndex, embedder: Embedder, items: Sequence[Item]
) -> None:
    arrivals = [Arrival(item, last_try=False) for item in items]
    errors = await embed_items(store, index, embedder, arrivals)
    for item in items:
        # Alone, since it may have failed only because another one spoiled the request.
        if not isinstance(errors.get(item.name), Unavailable | None):
            await embed_items(store, index, embedder, [Arrival(item, last_try=True)])
