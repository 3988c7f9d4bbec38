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
from libs.ids import uuid7
from libs.vectors.index import Hit, VectorFilter, VectorIndex, VectorPoint
from services.clustering.domain.generation import GenerationState
from services.clustering.domain.item import (
    Collection,
    Item,
    ItemState,
    Neighbour,
    Pair,
    assign_scenes,
)
from services.clustering.ports import Embedded, Embedder, Store, Transaction, Vector
from services.clustering.ports.duplicates import Picture
from services.clustering.usecases.members import join_cluster
from services.clustering.usecases.membership import remove_vectors

_NEIGHBOURS = 50
# How many of them are told of.
_NEAREST = 20
_PASSING = (Unavailable, OutOfQuota, DeadlineExceeded)
# A quota that will be no larger the next time.
_TOO_LARGE = "IMAGE_TOO_LARGE"
INDEXED = ("scope", "pillar", "tags", "usage")
"""What the index keeps beside vectors and is often filtered by."""


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
    """Embeds items into the active generation, stores their vectors, tells of each; answers which
    want another try, and why.

    Not among them are those that are done, quarantined ones included. Safe to repeat and to break
    off anywhere: a vector is stored under its item's own id, and only an item that waits for its
    vector becomes ready and is told of. Raises Unavailable while the index is away or the embedding
    service fails, for whatever reason; an item that was deleted meanwhile leaves nothing behind.
    """
    waiting = await _waiting(store, arrivals)
    if waiting:
        collection = await active_collection(store, embedder)
        waits = [arrival for arrival in arrivals if arrival.item.name in waiting]
        errors = await _embed_into(store, index, embedder, collection, waiting, waits)
    else:
        errors = {}
    await _clean_up(store, index, [arrival.item for arrival in arrivals])
    return errors


async def embed_into(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    collection: Collection,
    arrivals: Sequence[Arrival],
) -> dict[str, ColonnadeError]:
    """The same for items that wait for their vector in one generation, whether it is active."""
    waiting = {arrival.item.name: arrival.item for arrival in arrivals}
    errors = await _embed_into(store, index, embedder, collection, waiting, arrivals)
    await _clean_up(store, index, waiting.values())
    return errors


async def active_collection(store: Store, embedder: Embedder) -> Collection:
    """The collection that everything uses. On a fresh installation the default model of the
    embedding service makes the first one. Raises Unavailable while that cannot be told."""
    async with store.read() as tx:
        active = await tx.collections.active()
    if active is not None:
        return active
    with _outages_pass():
        described = await embedder.describe("")
    async with store.begin() as tx:
        if await tx.generations.add(uuid7(), described, GenerationState.ACTIVE, 1):
            await enrol_all(tx, described.name)
            await tx.commit()
            return described
    # Somebody else was faster.
    async with store.read() as tx:
        active = await tx.collections.active()
    if active is None:
        raise Unavailable("there is no generation of vectors yet")
    return active


async def enrol_all(tx: Transaction, collection: str) -> None:
    """Has every item wait for a vector in a collection that has no place in it yet."""
    after: str | None = ""
    while after is not None:
        after = await tx.generations.enrol(collection, after)


async def _embed_into(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    collection: Collection,
    waiting: dict[str, Item],
    arrivals: Sequence[Arrival],
) -> dict[str, ColonnadeError]:
    arrived = {arrival.item.name: arrival for arrival in arrivals}
    good, bad = await _embed(embedder, collection, waiting)
    failures = [(arrived[name], error) for name, error in bad.items()]
    errors = await _settle_failures(store, collection, failures)
    if good:
        await _store(store, index, collection, waiting, good)
    return errors


async def _waiting(store: Store, arrivals: Sequence[Arrival]) -> dict[str, Item]:
    """Those of the items that wait for a vector, after adding those that are new."""
    items = [*{arrival.item.name: arrival.item for arrival in arrivals}.values()]
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
    embedder: Embedder, collection: Collection, waiting: dict[str, Item]
) -> tuple[dict[str, Embedded], dict[str, ColonnadeError]]:
    """The vectors of the good ones, and what is wrong with the others."""
    good: dict[str, Embedded] = {}
    bad: dict[str, ColonnadeError] = {}
    if not waiting:
        return good, bad
    results = await _results(embedder, collection, waiting)
    for name, result in zip(waiting, results, strict=True):
        if isinstance(result, ColonnadeError):
            bad[name] = result
        elif not (np.isfinite(result.vector).all() and result.vector.any()):
            bad[name] = Internal("the model made no finite vector of it", reason="BAD_VECTOR")
        else:
            good[name] = result
    return good, bad


async def _results(
    embedder: Embedder, collection: Collection, waiting: dict[str, Item]
) -> list[Embedded | ColonnadeError]:
    keys = [item.blob_key for item in waiting.values()]
    try:
        with _outages_pass():
            results = await embedder.embed(keys, collection.model)
            for result in results:
                if isinstance(result, Embedded):
                    collection.require_same(result.model, result.revision, result.fingerprint)
            return results
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
    store: Store, collection: Collection, failures: Sequence[tuple[Arrival, ColonnadeError]]
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
            await _quarantine(store, collection, item, error)
    return errors


async def _quarantine(
    store: Store, collection: Collection, item: Item, error: ColonnadeError
) -> None:
    async with store.begin() as tx:
        held = await tx.collections.hold(collection.name)
        reason, message = error.reason, error.message
        if held and await tx.items.quarantine(collection.name, item.name, reason, message):
            active = await tx.collections.active()
            if active is not None and active.name == collection.name:
                tx.announce.embedding_failed(item, reason, message)
        await tx.commit()


async def _store(
    store: Store,
    index: VectorIndex,
    collection: Collection,
    waiting: dict[str, Item],
    good: dict[str, Embedded],
) -> None:
    items = [waiting[name] for name in good]
    # Vectors first, then the search: of two near items that arrive at once, one finds the other.
    points = [VectorPoint(item.point_id, good[item.name].vector, item.payload) for item in items]
    await _upsert(index, collection, points)
    vectors = {name: embedded.vector for name, embedded in good.items()}
    near = await near_items(store, index, collection, items, vectors)
    async with store.begin() as tx:
        # One at a time a scope: the pairs that one wrote are what the other takes its scene from.
        await tx.items.lock(item.scope for item in items)
        if not await tx.collections.hold(collection.name):
            return  # given up meanwhile
        await tx.pairs.add(collection.name, _pairs(near, collection.pair_floor))
        pairs = await tx.pairs.of(collection.name, good)
        others = await tx.items.many({*good, *_named(near, pairs)}, collection.name)
        known = {name: other.scene for name, other in others.items() if other.scene}
        scenes = assign_scenes(good, pairs, known, collection.scene_threshold)
        ready = await tx.items.set_ready(collection.name, scenes)
        active = [item for item in items if ready.get(item.name)]
        # Pairs of a generation that is not active are compared when it becomes so.
        await tx.pictures.add(_pictures(active, good))
        for item in active:
            # Under the lock, so that none of them is deleted.
            nearest = nearest_of(near[item.name], others)
            tx.announce.embedded(item, collection, scenes[item.name], nearest)
        late = [i.name for i in items if i.name in others and others[i.name].facts != i.facts]
        if late:
            # Described anew while it was embedded: its vector has the old description.
            await tx.items.set_unsynced(late)
        await tx.commit()


async def _upsert(
    index: VectorIndex, collection: Collection, points: Sequence[VectorPoint]
) -> None:
    try:
        await index.upsert(collection.name, points)
    except NotFound:
        await index.ensure_collection(collection.name, collection.dimension, indexed=INDEXED)
        await index.upsert(collection.name, points)


def nearest_of(near: Sequence[Neighbour], there: Mapping[str, Item]) -> list[Neighbour]:
    """Those that others are told of, of the items that exist."""
    return [other for other in near if other.name in there][:_NEAREST]


async def near_items(
    store: Store,
    index: VectorIndex,
    collection: Collection,
    items: Sequence[Item],
    vectors: Mapping[str, Vector],
) -> dict[str, list[Neighbour]]:
    """What is near each of these items in the index, each other included, nearest first.

    All that may make pairs, and in any case the nearest ones.
    """
    found: dict[str, list[Hit]] = {}
    for scope in {item.scope for item in items}:
        here = [item for item in items if item.scope == scope]
        answers = await index.search_batch(
            collection.name,
            np.stack([vectors[item.name] for item in here]),
            _NEIGHBOURS + 1,
            filter=VectorFilter.where(scope=scope),
        )
        for item, hits in zip(here, answers, strict=True):
            others = [hit for hit in hits if hit.id != item.point_id]
            close = sum(hit.score >= collection.pair_floor for hit in others)
            found[item.name] = others[: max(close, _NEAREST)]
    async with store.read() as tx:
        points = {hit.id for hits in found.values() for hit in hits}
        there = await tx.items.by_points(sorted(points), collection.name)
    return {
        name: [Neighbour(there[hit.id].name, hit.score) for hit in hits if hit.id in there]
        for name, hits in found.items()
    }


def _pictures(items: Iterable[Item], embedded: Mapping[str, Embedded]) -> list[Picture]:
    """The hashes that came with the vectors."""
    found = [(item, embedded[item.name].bits) for item in items]
    return [Picture(item.name, item.scope, bits) for item, bits in found if bits is not None]


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
