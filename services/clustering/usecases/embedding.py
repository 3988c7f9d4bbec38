"""Turning items into vectors."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from libs.errors import (
    ColonnadeError,
    DeadlineExceeded,
    Internal,
    InvalidArgument,
    NotFound,
    OutOfQuota,
    Unavailable,
)
from libs.vectors.index import Hit, VectorFilter, VectorIndex, VectorPoint
from services.clustering.domain.item import (
    Collection,
    Item,
    ItemState,
    Neighbour,
    Pair,
    assign_scenes,
)
from services.clustering.ports import Embedded, Embedder, Store
from services.clustering.usecases.members import join_cluster
from services.clustering.usecases.membership import remove_vectors

_NEIGHBOURS = 50
# How many of them are told of.
_NEAREST = 20
_PASSING = (Unavailable, OutOfQuota, DeadlineExceeded)
# A quota that will be no larger the next time.
_TOO_LARGE = "IMAGE_TOO_LARGE"


@dataclass(frozen=True, slots=True)
class Arrival:
    """An item to embed, whether this is the last try, and the name of the curated cluster that a
    new one is for, if any."""

    item: Item
    last_try: bool
    cluster: str = ""


async def embed_items(
    store: Store, index: VectorIndex, embedder: Embedder, arrivals: Sequence[Arrival]
) -> dict[str, ColonnadeError]:
    """Embeds items, stores their vectors, tells of each; answers which want another try, and why.

    Not among them are those that are done, quarantined ones included. Safe to repeat and to break
    off anywhere: a vector is stored under its item's own id, and only an item that waits for its
    vector becomes ready and is told of. Raises Unavailable while the index is away or the embedding
    service fails, for whatever reason; an item that was deleted meanwhile leaves nothing behind.
    """
    arrived = {arrival.item.name: arrival for arrival in arrivals}
    waiting = await _waiting(store, list(arrived.values()))
    good, bad = await _embed(embedder, waiting)
    failures = [(arrived[name], error) for name, error in bad.items()]
    errors = await _settle_failures(store, failures)
    if good:
        await _store(store, index, embedder, waiting, good)
    await _clean_up(store, index, [arrival.item for arrival in arrived.values()])
    return errors


async def _waiting(store: Store, arrivals: Sequence[Arrival]) -> dict[str, Item]:
    """Those of the items that wait for a vector, after adding those that are new."""
    items = [arrival.item for arrival in arrivals]
    joining = [arrival for arrival in arrivals if arrival.cluster]
    async with store.begin() as tx:
        if joining:
            await tx.items.lock(arrival.item.scope for arrival in joining)
        new = await tx.items.add(items)
        for arrival in joining:
            # Once only: people may have taken it out by the time that the event comes again.
            if arrival.item.name in new:
                await join_cluster(tx, arrival.item, arrival.cluster)
        known = await tx.items.many([item.name for item in items])
        await tx.commit()
    return {name: item for name, item in known.items() if item.state is ItemState.PENDING}


async def _embed(
    embedder: Embedder, waiting: dict[str, Item]
) -> tuple[dict[str, Embedded], dict[str, ColonnadeError]]:
    """The vectors of the good ones, and what is wrong with the others."""
    good: dict[str, Embedded] = {}
    bad: dict[str, ColonnadeError] = {}
    if not waiting:
        return good, bad
    for name, result in zip(waiting, await _results(embedder, waiting), strict=True):
        if isinstance(result, ColonnadeError):
            bad[name] = result
        elif not (np.isfinite(result.vector).all() and result.vector.any()):
            bad[name] = Internal("the model made no finite vector of it", reason="BAD_VECTOR")
        else:
            good[name] = result
    return good, bad


async def _results(embedder: Embedder, waiting: dict[str, Item]) -> list[Embedded | ColonnadeError]:
    try:
        with _outages_pass():
            return await embedder.embed([item.blob_key for item in waiting.values()])
    except InvalidArgument as error:
        # One of them spoils the request. They are tried again one by one, and then it is that one.
        return [error for _ in waiting]


@contextmanager
def _outages_pass() -> Iterator[None]:
    """A whole call fails for reasons of the installation (a wrong key, a broken model, an outage).

    So it says nothing of the items, and must not use up their tries.
    """
    try:
        yield
    except InvalidArgument:
        raise
    except ColonnadeError as error:
        raise _passing(error) from error


def _passing(error: ColonnadeError) -> Unavailable:
    """What is nobody's fault is waited for, and takes none of an item's tries."""
    after = error.retry_after if isinstance(error, OutOfQuota | Unavailable) else 1.0
    return Unavailable(error.message, retry_after=after, reason=error.reason)


async def _settle_failures(
    store: Store, failures: Sequence[tuple[Arrival, ColonnadeError]]
) -> dict[str, ColonnadeError]:
    """Quarantines those whose last try it was or that no other try can help; answers the others."""
    errors: dict[str, ColonnadeError] = {}
    for arrival, error in failures:
        item = arrival.item
        final = error.reason == _TOO_LARGE
        if isinstance(error, _PASSING) and not final:
            errors[item.name] = _passing(error)
        elif not (final or arrival.last_try):
            errors[item.name] = error
        else:
            async with store.begin() as tx:
                if await tx.items.quarantine(item.name, error.reason, error.message):
                    tx.announce.embedding_failed(item, error.reason, error.message)
                await tx.commit()
    return errors


async def _store(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    waiting: dict[str, Item],
    good: dict[str, Embedded],
) -> None:
    with _outages_pass():
        collection = await embedder.collection(next(iter(good.values())))
    # Vectors first, then the search: of two near items that arrive at once, one finds the other.
    await _upsert(
        index,
        collection,
        [
            VectorPoint(waiting[name].point_id, embedded.vector, {"scope": waiting[name].scope})
            for name, embedded in good.items()
        ],
    )
    items = [waiting[name] for name in good]
    near = await _near(store, index, collection, items, good)
    async with store.begin() as tx:
        # One at a time a scope: the pairs that one wrote are what the other takes its scene from.
        await tx.items.lock(item.scope for item in items)
        await tx.collections.add(collection)
        await tx.pairs.add(_pairs(near, collection.pair_floor))
        pairs = await tx.pairs.of(good)
        others = await tx.items.many(_named(near, pairs))
        known = {name: other.scene for name, other in others.items() if other.scene}
        scenes = assign_scenes(good, pairs, known, collection.scene_threshold)
        ready = await tx.items.set_ready(collection.name, scenes)
        for item in items:
            if item.name in ready:
                # Under the lock, so that none of them is deleted.
                nearest = [other for other in near[item.name] if other.name in others][:_NEAREST]
                tx.announce.embedded(item, collection, scenes[item.name], nearest)
        await tx.commit()


async def _upsert(
    index: VectorIndex, collection: Collection, points: Sequence[VectorPoint]
) -> None:
    try:
        await index.upsert(collection.name, points)
    except NotFound:
        await index.ensure_collection(collection.name, collection.dimension, indexed=("scope",))
        await index.upsert(collection.name, points)


async def _near(
    store: Store,
    index: VectorIndex,
    collection: Collection,
    items: Sequence[Item],
    embedded: dict[str, Embedded],
) -> dict[str, list[Neighbour]]:
    """What is near each of these items in the index, each other included, nearest first.

    All that may make pairs, and in any case the nearest ones.
    """
    found: dict[str, list[Hit]] = {}
    for scope in {item.scope for item in items}:
        here = [item for item in items if item.scope == scope]
        answers = await index.search_batch(
            collection.name,
            np.stack([embedded[item.name].vector for item in here]),
            _NEIGHBOURS + 1,
            filter=VectorFilter.where(scope=scope),
        )
        for item, hits in zip(here, answers, strict=True):
            others = [hit for hit in hits if hit.id != item.point_id]
            close = sum(hit.score >= collection.pair_floor for hit in others)
            found[item.name] = others[: max(close, _NEAREST)]
    async with store.read() as tx:
        points = {hit.id for hits in found.values() for hit in hits}
        there = await tx.items.by_points(sorted(points))
    return {
        name: [Neighbour(there[hit.id].name, hit.score) for hit in hits if hit.id in there]
        for name, hits in found.items()
    }


def _pairs(near: Mapping[str, Sequence[Neighbour]], floor: float) -> list[Pair]:
    return [
        Pair.of(name, other.name, other.score)
        for name, others in near.items()
        for other in others
        if other.score >= floor
    ]


def _named(near: Mapping[str, Sequence[Neighbour]], pairs: Iterable[Pair]) -> set[str]:
    there = {other.name for others in near.values() for other in others}
    return there | {name for pair in pairs for name in (pair.first, pair.second)}


async def _clean_up(store: Store, index: VectorIndex, items: Iterable[Item]) -> None:
    """Removes the vectors of items that were deleted before or while they were embedded."""
    points = {item.name: item.point_id for item in items}
    async with store.read() as tx:
        gone = await tx.items.gone(list(points))
    if gone:
        await remove_vectors(store, index, [points[name] for name in gone])
