"""Similar items and near-duplicates."""

import numpy as np

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.vectors.index import VectorFilter, VectorIndex
from services.clustering.domain.duplicates import DuplicateGroup, duplicate_groups
from services.clustering.domain.item import (
    PHOTO,
    TEXT,
    Collection,
    Item,
    ItemState,
    Neighbour,
)
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

    Raises InvalidArgument for what is not the name of an item, NotFound for an item of no or
    another scope, FailedPrecondition (NOT_EMBEDDED) for one without a vector.
    """
    if not (PHOTO.fits(item) or TEXT.fits(item)):
        raise InvalidArgument.of("item", f"must look like {PHOTO.template} or {TEXT.template}")
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
    """The model and the items of ``scope`` nearest to a vector of the model in use there.

    An empty scope has no model and no items. Raises InvalidArgument (WRONG_DIMENSION) for a vector
    of another length.
    """
    if not (np.isfinite(vector).all() and vector.any()):
        raise InvalidArgument.of("vector.data", "must hold finite numbers, not all of them zero")
    async with store.read() as tx:
        collection = await tx.collections.in_use(scope)
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
    # A vector may be there a moment before its item is ready, or after it is deleted.
    known = [(items[hit.id], hit.score) for hit in hits if hit.id in items]
    ready = [(item.name, score) for item, score in known if item.state is ItemState.READY]
    return collection.model, [Neighbour(name, score) for name, score in ready]


async def find_duplicates(
    store: Store, scope: str, min_score: float | None
) -> tuple[float, list[DuplicateGroup]]:
    """The threshold that was used and the groups of near-duplicates, largest first.

    The keeper of a group is the item with the most pixels, then the oldest. Raises InvalidArgument
    for a threshold below which no pairs are remembered.
    """
    async with store.read() as tx:
        collection = await tx.collections.in_use(scope)
        if collection is None:
            return min_score or 1.0, []
        threshold = collection.duplicate_threshold if min_score is None else min_score
        if threshold < collection.pair_floor:
            raise InvalidArgument.of(
                "min_score",
                f"is {threshold:g}, but below {collection.pair_floor:g} nothing is remembered of "
                f"pairs of {collection.model}; ask for that or more",
            )
        pairs = await tx.pairs.above(scope, threshold)
        items = await tx.items.many({name for pair in pairs for name in (pair.first, pair.second)})
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
