"""Similar items and near-duplicates."""

import numpy as np

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.vectors.index import VectorFilter, VectorIndex
from services.clustering.domain.duplicates import DuplicateGroup, duplicate_groups
from services.clustering.domain.item import Collection, Item, ItemState, Neighbour
from services.clustering.ports import Store, Transaction, Vector

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

    Raises NotFound for an item of no or another scope, FailedPrecondition (NOT_EMBEDDED) for one
    without a vector.
    """
    async with store.read() as tx:
        found = await tx.items.get(item)
        if found is None or found.scope != scope:
            raise NotFound("item", item)
        _require_vector(found)
        collection = await _collection(tx, found.collection)
    points = await index.retrieve(collection.name, [found.point_id])
    if not points:
        raise FailedPrecondition(f"the vector of {item} is not there yet", reason="NOT_EMBEDDED")
    where = VectorFilter.where(scope=scope).excluding([found.point_id])
    return await _search(store, index, collection, points[0].vector, where, limit, min_score)


async def similar_to_vector(
    store: Store,
    index: VectorIndex,
    scope: str,
    vector: Vector,
    limit: int,
    min_score: float | None,
) -> tuple[str, list[Neighbour]]:
    """The model and the items of ``scope`` nearest to a vector of the model in use.

    Raises InvalidArgument (WRONG_DIMENSION) for a vector of another length.
    """
    if not (np.isfinite(vector).all() and vector.any()):
        raise InvalidArgument.of("vector.data", "must hold finite numbers, not all of them zero")
    async with store.read() as tx:
        collection = await tx.collections.newest()
    if collection is None:
        return "", []
    if len(vector) != collection.dimension:
        raise InvalidArgument.of(
            "vector.dimension",
            f"is {len(vector)}, but vectors of {collection.model} have {collection.dimension}",
            reason="WRONG_DIMENSION",
        )
    where = VectorFilter.where(scope=scope)
    return await _search(store, index, collection, vector, where, limit, min_score)


async def _search(
    store: Store,
    index: VectorIndex,
    collection: Collection,
    vector: Vector,
    where: VectorFilter,
    limit: int,
    min_score: float | None,
) -> tuple[str, list[Neighbour]]:
    hits = await index.search(
        collection.name, vector, limit or DEFAULT_LIMIT, filter=where, min_score=min_score
    )
    async with store.read() as tx:
        items = await tx.items.by_points([hit.id for hit in hits])
    # A photo deleted a moment ago may still have its vector; it is never answered.
    known = [(items[hit.id].name, hit.score) for hit in hits if hit.id in items]
    return collection.model, [Neighbour(name, score) for name, score in known]


async def find_duplicates(
    store: Store, scope: str, min_score: float | None
) -> tuple[float, list[DuplicateGroup]]:
    """The threshold that was used and the groups of near-duplicates, largest first.

    The keeper of a group is the item with the most pixels, then the oldest. Raises InvalidArgument
    for a threshold below which no pairs are remembered.
    """
    async with store.read() as tx:
        collection = await tx.collections.newest()
        if collection is None:
            return min_score or 1.0, []
        threshold = collection.duplicate_threshold if min_score is None else min_score
        if threshold < collection.pair_floor:
            raise InvalidArgument.of(
                "min_score",
                f"is {threshold}; {collection.model} tells near-duplicates apart from "
                f"{collection.pair_floor} on",
            )
        pairs = await tx.items.pairs(scope, threshold)
        names = sorted({name for pair in pairs for name in (pair.first, pair.second)})
        items = await tx.items.many(names)
    known = [pair for pair in pairs if pair.first in items and pair.second in items]

    def rank(name: str) -> tuple[object, ...]:
        item = items[name]
        return (-item.pixels, item.create_time, name)

    return threshold, duplicate_groups(known, rank)


def _require_vector(item: Item) -> None:
    if item.state is ItemState.PENDING:
        raise FailedPrecondition(
            f"{item.name} has no vector yet; try again in a moment", reason="NOT_EMBEDDED"
        )
    if item.state is ItemState.QUARANTINED:
        raise FailedPrecondition(f"no vector can be made of {item.name}", reason="NOT_EMBEDDED")


async def _collection(tx: Transaction, name: str) -> Collection:
    collection = await tx.collections.get(name)
    if collection is None:
        raise FailedPrecondition(f"the vectors {name} are gone", reason="NOT_EMBEDDED")
    return collection
