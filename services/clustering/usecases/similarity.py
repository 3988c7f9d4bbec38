"""Similar items and near-duplicates."""

from libs.errors import InvalidArgument
from libs.rpc.paging import PageRequest
from libs.vectors.index import VectorIndex
from services.clustering.domain.duplicates import DuplicateGroup, duplicate_groups
from services.clustering.domain.facts import ItemFilter
from services.clustering.domain.item import Collection, Neighbour, modality_of
from services.clustering.ports import Store, Vector
from services.clustering.usecases.searching import (
    ItemQuery,
    VectorQuery,
    Wishes,
    search_items,
)

DEFAULT_LIMIT = 10


async def similar_to_item(
    store: Store,
    index: VectorIndex,
    scope: str,
    item: str,
    limit: int,
    min_score: float | None,
) -> tuple[str, list[Neighbour]]:
    """The model and the items of ``scope`` nearest to ``item``, itself left out.

    Raises InvalidArgument for what is not the name of an item, NotFound for an item of no or
    another scope, FailedPrecondition (NOT_EMBEDDED) for one without a vector.
    """
    return await _similar(store, index, scope, ItemQuery(item), limit, min_score)


async def similar_to_vector(
    store: Store,
    index: VectorIndex,
    scope: str,
    vector: Vector,
    limit: int,
    min_score: float | None,
) -> tuple[str, list[Neighbour]]:
    """The model and the items of ``scope`` nearest to a vector of the model in use.

    Before the first photo there is no model and nothing to find. Raises InvalidArgument
    (WRONG_DIMENSION) for a vector of another length.
    """
    return await _similar(store, index, scope, VectorQuery(vector), limit, min_score)


class _NoTexts:
    """See ports.TextReader; nobody asks it anything."""

    async def embed_text(self, collection: Collection, text: str, scope: str) -> Vector | None:
        return None


async def _similar(
    store: Store,
    index: VectorIndex,
    scope: str,
    query: ItemQuery | VectorQuery,
    limit: int,
    min_score: float | None,
) -> tuple[str, list[Neighbour]]:
    found = await search_items(
        store,
        index,
        _NoTexts(),
        scope,
        query,
        Wishes(ItemFilter(include_archived=True), min_score),
        PageRequest(limit or DEFAULT_LIMIT),
    )
    model = found.generation.collection.model if found.generation else ""
    return model, [Neighbour(hit.item.name, hit.score) for hit in found.hits]


async def find_duplicates(
    store: Store, scope: str, min_score: float | None
) -> tuple[float, list[DuplicateGroup]]:
    """The threshold that was used and the groups of near-duplicates, largest first.

    The keeper of a group is the item with the most pixels, then the oldest. Raises InvalidArgument
    for a threshold below which no pairs are remembered.
    """
    async with store.read() as tx:
        collection = await tx.collections.active(modality_of(scope))
        if collection is None:
            return min_score or 1.0, []
        threshold = collection.duplicate_threshold if min_score is None else min_score
        if threshold < collection.pair_floor:
            raise InvalidArgument.of(
                "min_score",
                f"is {threshold:g}, but below {collection.pair_floor:g} nothing is remembered of "
                f"pairs of {collection.model}; ask for that or more",
            )
        pairs = await tx.pairs.above(collection.name, scope, threshold)
        items = await tx.items.many({name for pair in pairs for name in (pair.first, pair.second)})
    known = [pair for pair in pairs if pair.first in items and pair.second in items]

    def rank(name: str) -> tuple[object, ...]:
        item = items[name]
        return (-item.pixels, item.create_time, name)

    return threshold, duplicate_groups(known, rank)
