"""Embedding the items whose event was lost or given up."""

from collections.abc import Sequence
from datetime import timedelta

from libs.clock import Clock
from libs.errors import ColonnadeError, Unavailable
from libs.vectors.index import VectorIndex
from services.clustering.domain.item import Collection, Item
from services.clustering.ports import Embedder, Store
from services.clustering.usecases.embedding import Arrival, active_collection, embed_into


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
    collection = await active_collection(store, embedder)
    while True:
        async with store.read() as tx:
            items = await tx.items.pending(collection.name, last, batch, before)
        if not items:
            return
        await embed_waiting(store, index, embedder, collection, items)
        last = items[-1].name


async def embed_waiting(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    collection: Collection,
    items: Sequence[Item],
) -> dict[str, ColonnadeError]:
    """Embeds items into a generation; answers those that have to wait, and for what."""
    arrivals = [Arrival(item, last_try=False) for item in items]
    errors = await embed_into(store, index, embedder, collection, arrivals)
    for item in items:
        # Alone, since it may have failed only because another one spoiled the request.
        if not isinstance(errors.get(item.name), Unavailable | None):
            again = [Arrival(item, last_try=True)]
            alone = await embed_into(store, index, embedder, collection, again)
            del errors[item.name]
            errors |= alone
    return errors
