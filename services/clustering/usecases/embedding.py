"""Turning items into vectors."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager

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
from services.clustering.domain.history import Departure
from services.clustering.domain.item import (
    Collection,
    Item,
    Modality,
    Neighbour,
    Pair,
    assign_scenes,
)
from services.clustering.domain.reading import hash_of
from services.clustering.ports import Embedded, Embedder, Store, Transaction, Vector
from services.clustering.ports.duplicates import Picture
from services.clustering.usecases.membership import remove_vectors

_NEIGHBOURS = 50
# How many of them are told of.
_NEAREST = 20
_PASSING = (Unavailable, OutOfQuota, DeadlineExceeded)
# A quota that will be no larger the next time.
TOO_LARGE = "IMAGE_TOO_LARGE"
INDEXED = ("scope", "pillar", "tags", "usage")
"""What the index keeps beside vectors and is often filtered by."""

Embed = Callable[[Sequence[str], str, str], Awaitable[list[Embedded | ColonnadeError]]]


class NothingPassed(Unavailable):
    """Every one of several items failed with Internal, by ``errors``: that may be the fault of the
    embedding service or of each of them."""

    def __init__(self, errors: Mapping[str, ColonnadeError]) -> None:
        first = next(iter(errors.values()))
        super().__init__(first.message, retry_after=1.0, reason=first.reason)
        self.errors = errors


async def embed_items(
    store: Store,
    index: VectorIndex,
    embedder: Embedder,
    collection: Collection,
    items: Sequence[Item],
) -> dict[str, ColonnadeError]:
    """Embeds items that wait for their vector in a generation, stores their vectors and, if it is
    the active one, tells of the photos among them; answers what is wrong with the others.

    Unavailable among the answers is no fault of the item. Safe to repeat and to break off anywhere:
    a vector is stored under its item's own id, and only an item that waits for its vector becomes
    ready and is told of. Raises Unavailable while the index is away or the embedding service fails,
    for whatever reason, and NothingPassed where it may be the items; an item that was deleted
    meanwhile leaves nothing behind.
    """
    good, bad, hashes = await _embed(store, embedder, collection, items)
    if good:
        there = [item for item in items if item.name in good]
        if collection.modality is Modality.TEXTS:
            await _leave_old_vectors(store, index, collection, there)
        await _store(store, index, collection, there, good, hashes)
    await _clean_up(store, index, items)
    return bad


async def active_collection(
    store: Store, embedder: Embedder, modality: Modality = Modality.PHOTOS
) -> Collection:
    """The collection that everything uses for items of a kind. On a fresh installation the default
    model of the embedding service makes the first one. Raises Unavailable while that cannot be
    told."""
    async with store.read() as tx:
        active = await tx.collections.active(modality)
    if active is not None:
        return active
    try:
        described = await embedder.describe("", modality)
    except ColonnadeError as error:
        raise _passing(error) from error
    async with store.begin() as tx:
        if await tx.generations.add(uuid7(), described, GenerationState.ACTIVE, 1):
            await enrol_all(tx, described)
            await tx.commit()
            return described
    # Somebody else was faster.
    async with store.read() as tx:
        active = await tx.collections.active(modality)
    if active is None:
        raise Unavailable("there is no generation of vectors yet")
    return active


async def enrol_all(tx: Transaction, collection: Collection) -> None:
    """Has every item of its kind wait for a vector in a collection that has no place in it yet."""
    after: str | None = ""
    while after is not None:
        after = await tx.generations.enrol(collection, after)


async def _embed(
    store: Store, embedder: Embedder, collection: Collection, items: Sequence[Item]
) -> tuple[dict[str, Embedded], dict[str, ColonnadeError], dict[str, str]]:
    """The vectors of the good ones, what is wrong with the others, and of which texts they are."""
    bad: dict[str, ColonnadeError] = {}
    if collection.modality is Modality.TEXTS:
        async with store.read() as tx:
            contents = await tx.texts.read([item.name for item in items])
        for item in items:
            if item.name not in contents:
                bad[item.name] = Internal("it has no text", reason="NO_TEXT")
        items = [item for item in items if item.name in contents]
        embed: Embed = embedder.embed_texts
    else:
        contents = {item.name: item.blob_key for item in items}
        embed = embedder.embed
    results = await _results(embed, collection, items, contents)
    good: dict[str, Embedded] = {}
    for name, result in results.items():
        if isinstance(result, ColonnadeError):
            bad[name] = _passing(result) if _passes(result) else result
        elif not (np.isfinite(result.vector).all() and result.vector.any()):
            bad[name] = Internal("the model made no finite vector of it", reason="BAD_VECTOR")
        else:
            good[name] = result
    texts = contents if collection.modality is Modality.TEXTS else {}
    return good, bad, {name: hash_of(text) for name, text in texts.items()}


async def _results(
    embed: Embed, collection: Collection, items: Sequence[Item], contents: Mapping[str, str]
) -> dict[str, Embedded | ColonnadeError]:
    """What became of each item; a call for each scope, so that they take their turns."""
    scopes = {item.scope: [i.name for i in items if i.scope == item.scope] for item in items}
    answers = await asyncio.gather(
        *(_of_scope(embed, collection, scope, names, contents) for scope, names in scopes.items()),
        return_exceptions=True,
    )
    results: dict[str, Embedded | ColonnadeError] = {}
    for names, answer in zip(scopes.values(), answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        results |= dict(zip(names, answer, strict=True))
    broken = {name: result for name, result in results.items() if isinstance(result, Internal)}
    if len(broken) == len(results) > 1:
        raise NothingPassed(broken)
    return results


async def _of_scope(
    embed: Embed,
    collection: Collection,
    scope: str,
    names: Sequence[str],
    contents: Mapping[str, str],
) -> list[Embedded | ColonnadeError]:
    try:
        with _outages_pass():
            results = await embed([contents[name] for name in names], collection.model, scope)
            for result in results:
                if isinstance(result, Embedded):
                    collection.require_same(result.model, result.revision, result.fingerprint)
            return results
    except (InvalidArgument, Internal) as error:
        if len(names) == 1:
            return [error]
    # One of them spoils the call: it is found by halves.
    middle = len(names) // 2
    halves = names[:middle], names[middle:]
    return [r for half in halves for r in await _of_scope(embed, collection, scope, half, contents)]


@contextmanager
def _outages_pass() -> Iterator[None]:
    """A whole call fails for reasons of the installation (a wrong key, a broken model, an outage).

    So it says nothing of the items, and must not use up their tries.
    """
    try:
        yield
    except (InvalidArgument, Internal):
        raise
    except ColonnadeError as error:
        raise _passing(error) from error


def _passes(error: ColonnadeError) -> bool:
    return isinstance(error, _PASSING) and error.reason != TOO_LARGE


def _passing(error: ColonnadeError) -> Unavailable:
    """What is nobody's fault is waited for, and takes none of an item's tries."""
    after = error.retry_after if isinstance(error, OutOfQuota | Unavailable) else 1.0
    return Unavailable(error.message, retry_after=after, reason=error.reason)


async def quarantine(
    tx: Transaction, collection: Collection, item: Item, error: ColonnadeError
) -> None:
    """Gives an item up that waits for its vector, and tells of that."""
    reason, message = error.reason, error.message
    held = await tx.collections.hold(collection.name)
    if held and await tx.items.quarantine(collection.name, item.name, reason, message):
        active = await tx.collections.active(collection.modality)
        is_photo = collection.modality is Modality.PHOTOS
        if is_photo and active is not None and active.name == collection.name:
            tx.announce.embedding_failed(item, reason, message)


async def _store(
    store: Store,
    index: VectorIndex,
    collection: Collection,
    items: Sequence[Item],
    good: dict[str, Embedded],
    hashes: Mapping[str, str],
) -> None:
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
        if hashes:
            await _note_texts(tx, collection, {name: hashes[name] for name in ready})
        active = [item for item in items if ready.get(item.name)]
        # Pairs of a generation that is not active are compared when it becomes so.
        await tx.pictures.add(_pictures(active, good))
        for item in active if collection.modality is Modality.PHOTOS else ():
            # Under the lock, so that none of them is deleted.
            nearest = nearest_of(near[item.name], others)
            tx.announce.embedded(item, collection, scenes[item.name], nearest)
        late = [i.name for i in items if i.name in others and others[i.name].facts != i.facts]
        if late:
            # Described anew while it was embedded: its vector has the old description.
            await tx.items.set_unsynced(late)
        await tx.commit()


async def _leave_old_vectors(
    store: Store, index: VectorIndex, collection: Collection, items: Sequence[Item]
) -> None:
    """Has the next run take out of the engine's memory what it knows of texts that have changed, or
    were closed and opened again before they left it.

    Before the index forgets it, and in a transaction of its own: done again, there is nothing left.
    A run that is at work looks again, as it may have read what the index forgets.
    """
    names = [item.name for item in items]
    async with store.read() as tx:
        known = {**await tx.leavers.of(names), **await tx.departures.seen(names)}
        had = await tx.queue.hashes(collection.name, names)
    old = {item.point_id: item for item in items if known.get(item.name) == collection.name}
    touched = {item.scope for item in items if item.name in had} | {i.scope for i in old.values()}
    if not touched:
        return
    vectors = {p.id: p.vector for p in await index.retrieve(collection.name, [*old])}
    async with store.begin() as tx:
        await tx.items.lock(touched)
        await tx.versions.outdate(touched)
        left = await tx.leavers.of(names)
        seen = {**left, **await tx.departures.seen(names)}
        places = await tx.departures.places(touched, names)
        gone = [
            Departure(
                item.scope,
                item.name,
                point_id,
                collection.name,
                places[item.name].cluster_id if item.name in places else None,
                vectors.get(point_id),
                weight=0.0 if item.name in places and places[item.name].duplicate_of else 1.0,
            )
            for point_id, item in old.items()
            if item.name in seen
        ]
        await tx.departures.add(gone)
        await tx.queue.ungroup(collection.name, [departure.item for departure in gone])
        await tx.leavers.set_left([name for name in left if name in {each.item for each in gone}])
        await tx.commit()


async def _note_texts(tx: Transaction, collection: Collection, hashes: Mapping[str, str]) -> None:
    """Notes of which texts vectors are; one that was changed meanwhile waits for another one."""
    await tx.queue.set_hashes(collection.name, hashes)
    now = await tx.texts.read([*hashes])
    await tx.queue.renew({name: hash_of(text) for name, text in now.items()})


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
