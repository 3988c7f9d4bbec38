"""Comparing new pictures with those that are there."""

import contextlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound, OutOfQuota
from libs.image_hash import distance
from services.clustering.domain.item import Collection, Item, Pair
from services.clustering.domain.verdict import Look, Thresholds
from services.clustering.ports import Store, Transaction
from services.clustering.ports.duplicates import Comparison, Picture
from services.clustering.usecases.telling_copies import tell_copies

# How many others a picture is laid over, by vectors and by hashes, the likest first.
_MOST_LOOKS = 12
_BATCH = 16
# What no other try can help.
_UNREADABLE = (NotFound, InvalidArgument, OutOfQuota)

Hasher = Callable[[str], Awaitable[bytes | None]]
Looker = Callable[[str, str, int | None, int], Awaitable[tuple[Look, int]]]


@dataclass(frozen=True, slots=True)
class Eyes:
    """What looks at pictures, by their keys in the blob store.

    ``hash`` answers a hash, or None for one with too little detail; ``look`` compares two, whose
    hashes are some bits apart in an orientation, and answers how the second is turned. Both raise
    NotFound, InvalidArgument and OutOfQuota for pictures that cannot be read, and Unavailable.
    """

    hash: Hasher
    look: Looker


@dataclass(frozen=True, slots=True)
class _Work:
    """Pictures to compare, those that they may be the same as, and what is known already."""

    items: Mapping[str, Item]
    pictures: Mapping[str, Picture]
    pairs: Sequence[tuple[str, str]]
    known: Mapping[tuple[str, str], Comparison]


async def hash_missing(
    store: Store, eyes: Eyes, clock: Clock, *, older: timedelta, batches: int
) -> bool:
    """Hashes pictures that came before there were hashes, or whose hash was of another algorithm.

    Stops after so many batches and answers whether any may be left. Raises Unavailable.
    """
    before, last = clock.now() - older, ""
    for _ in range(batches):
        async with store.read() as tx:
            names = await tx.pictures.missing(before, last, _BATCH)
            items = await tx.items.many(names)
        if not names:
            return False
        found = [Picture(item.name, item.scope, await _hash(eyes, item)) for item in items.values()]
        async with store.begin() as tx:
            await tx.items.lock(picture.scope for picture in found)
            await tx.pictures.add(found)
            await tx.commit()
        last = names[-1]
    return True


async def _hash(eyes: Eyes, item: Item) -> bytes:
    try:
        return await eyes.hash(item.blob_key) or b""
    except _UNREADABLE:
        return b""


async def compare_new(store: Store, eyes: Eyes, thresholds: Thresholds, *, batches: int) -> bool:
    """Compares pictures that came or were embedded since they were compared last, and tells what
    is a copy of what by ``thresholds``.

    Safe to repeat and to break off anywhere. Stops after so many batches and answers whether any
    may be left. Raises Unavailable.
    """
    for _ in range(batches):
        async with store.read() as tx:
            new = await tx.pictures.uncompared(_BATCH)
        if not new:
            return False
        for scope in sorted({picture.scope for picture in new}):
            await _compare(store, eyes, [p for p in new if p.scope == scope], thresholds)
    return True


async def _compare(
    store: Store, eyes: Eyes, new: Sequence[Picture], thresholds: Thresholds
) -> None:
    scope, names = new[0].scope, [picture.item for picture in new]
    async with store.read() as tx:
        work = await _work(tx, new, thresholds.max_distance)
    found = [await _comparison(eyes, work, pair) for pair in work.pairs]
    async with store.begin() as tx:
        # So that none of them is deleted meanwhile.
        await tx.items.lock([scope])
        await tx.comparisons.put(scope, found)
        # What was embedded anew meanwhile, by another model, may have come near others.
        late = await _near_in_active(tx, names) - set(work.pairs)
        unseen = {name for pair in late for name in pair}
        await tx.pictures.set_compared(set(names) - unseen)
        await tell_copies(tx, {*names, *(name for pair in work.pairs for name in pair)}, thresholds)
        await tx.commit()


async def _work(tx: Transaction, new: Sequence[Picture], max_distance: int) -> _Work:
    """What there is to compare."""
    names = [picture.item for picture in new]
    pairs: set[tuple[str, str]] = set()
    for picture in new:
        near_hashes = await tx.pictures.near(picture, max_distance, _MOST_LOOKS)
        pairs |= {_pair(picture.item, other.item) for other in near_hashes}
    pairs |= await _near_in_active(tx, names)
    for review in await tx.reviews.of(names):
        pairs.add((review.first, review.second))  # to measure the verdicts by it
    known = {(each.first, each.second): each for each in await tx.comparisons.of(names)}
    named = {name for pair in pairs for name in pair}
    items, pictures = await tx.items.many(named), await tx.pictures.of(named)
    there = [pair for pair in sorted(pairs) if items.keys() >= set(pair)]
    return _Work(items, pictures, there, known)


async def _near_in_active(tx: Transaction, names: Sequence[str]) -> set[tuple[str, str]]:
    collection = await tx.collections.active()
    return set() if collection is None else await near_vectors(tx, collection, names)


async def near_vectors(
    tx: Transaction, collection: Collection, names: Iterable[str]
) -> set[tuple[str, str]]:
    """The pairs with any of these items that a model brings so near that they are compared."""
    names = frozenset(names)
    near = await tx.pairs.of(collection.name, names)
    return _likest(near, names, look_floor(collection))


def _likest(near: Sequence[Pair], names: frozenset[str], floor: float) -> set[tuple[str, str]]:
    """The likest pairs of each of ``names`` that are worth a look."""
    looks = dict.fromkeys(names, 0)
    found = set()
    for pair in sorted(near, key=lambda pair: (-pair.score, pair.first, pair.second)):
        ours = {pair.first, pair.second} & names
        if pair.score >= floor and any(looks[name] < _MOST_LOOKS for name in ours):
            found.add((pair.first, pair.second))
            for name in ours:
                looks[name] += 1
    return found


def look_floor(collection: Collection) -> float:
    """The least cosine at which two pictures are laid over each other: half way from one scene to
    near-duplicates."""
    return (collection.scene_threshold + collection.duplicate_threshold) / 2


async def _comparison(eyes: Eyes, work: _Work, pair: tuple[str, str]) -> Comparison:
    known = work.known.get(pair)
    if known is not None and known.look is not None:
        return known
    first, second = pair
    pictures = work.pictures.get(first), work.pictures.get(second)
    return await compared(eyes, work.items[first], work.items[second], *pictures)


async def compared(
    eyes: Eyes, first: Item, second: Item, one: Picture | None, other: Picture | None
) -> Comparison:
    """What is to be known of two pictures. Raises Unavailable."""
    bits, orientation = _apart(one, other)
    look = None
    # Of one that cannot be read, hash and vector are known all the same.
    with contextlib.suppress(*_UNREADABLE):
        look, orientation = await eyes.look(first.blob_key, second.blob_key, bits, orientation)
    return Comparison(first.name, second.name, bits, orientation, look)


def _apart(one: Picture | None, other: Picture | None) -> tuple[int | None, int]:
    if one is None or other is None or not (one.bits and other.bits):
        return None, 0
    return distance(one.bits, other.bits)


def _pair(one: str, other: str) -> tuple[str, str]:
    return min(one, other), max(one, other)
