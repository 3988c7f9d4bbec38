"""Searching a scope by an item, a vector or words, with filters, in pages."""

import base64
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from libs.errors import FailedPrecondition, InvalidArgument, NotFound
from libs.rpc.paging import Key, PageRequest
from libs.vectors.index import AnyOf, Condition, Equals, InRange, VectorFilter, VectorIndex
from services.clustering.domain.facts import ItemFilter, query_words
from services.clustering.domain.generation import KEPT, Generation
from services.clustering.domain.item import (
    PHOTO,
    TEXT,
    Collection,
    Item,
    ItemState,
    modality_of,
)
from services.clustering.domain.ranking import Ranked, after, best_of_scenes, diverse
from services.clustering.ports import Store, TextReader, Transaction, Vector

DEEPEST = 1000
"""How many items all pages of one search have at most."""
# What is asked for beyond what is needed: some may be gone, put away, or of one scene.
_SPARE = 20
_PICTURE, _WORDS = "picture", "words"


@dataclass(frozen=True, slots=True)
class ItemQuery:
    """What is like an item of the scope; ``include_self``: the item is, too."""

    item: str
    include_self: bool = False


@dataclass(frozen=True, slots=True)
class VectorQuery:
    """What is near a vector of this model, revision and preprocessing; where they are not told, of
    the model in use."""

    vector: Vector
    model: str = ""
    revision: str = ""
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class TextQuery:
    """What a text describes."""

    text: str


Query = ItemQuery | VectorQuery | TextQuery


@dataclass(frozen=True, slots=True)
class Wishes:
    """What else is wanted of a search; see SearchItemsRequest in the contract."""

    chosen: ItemFilter = field(default_factory=ItemFilter)
    min_score: float | None = None
    diversity: float = 0.0
    one_per_scene: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A page of what was found; ``generation`` is where vectors were compared, None if none were.

    ``next_key`` goes into the token of the page after it.
    """

    hits: Sequence[Ranked]
    by_words: bool
    generation: Generation | None
    next_key: tuple[Key, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Pages:
    """Where a page begins: after what was ``shown`` (the last of it, or all where it was mixed)."""

    collection: str = ""
    mode: str = ""
    count: int = 0
    last: tuple[float, str] | None = None
    shown: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Aim:
    """A vector to look for in a generation, and the points to leave out."""

    generation: Generation
    vector: Vector
    without: tuple[str, ...] = ()


async def search_items(
    store: Store,
    index: VectorIndex,
    reader: TextReader,
    scope: str,
    query: Query,
    wishes: Wishes,
    page: PageRequest,
) -> Found:
    """A page of the items of a scope that fit a query, the best first.

    All pages of a search come from the generation that was active at its first one. Raises
    InvalidArgument (OTHER_GENERATION, WRONG_DIMENSION), NotFound for an item of no or another
    scope, FailedPrecondition (NOT_EMBEDDED) for one without a vector.
    """
    start = _pages(page)
    try:
        return await _search(store, index, reader, scope, query, wishes, page.size, start)
    except _Dropped:
        if start.collection:
            raise InvalidArgument.of(
                "page_token", "is of vectors that are gone by now; search again without it"
            ) from None
        # Another generation took its place while it was searched.
        return await _search(store, index, reader, scope, query, wishes, page.size, start)


class _Dropped(Exception):
    """The collection is gone."""


async def _search(
    store: Store,
    index: VectorIndex,
    reader: TextReader,
    scope: str,
    query: Query,
    wishes: Wishes,
    size: int,
    start: _Pages,
) -> Found:
    async with store.read() as tx:
        generation = await _generation(tx, scope, start)
        if generation is None and not isinstance(query, TextQuery):
            await _check_unembedded(tx, scope, query)
            return Found([], by_words=False, generation=None)
    if start.mode != _WORDS and generation is not None:
        aim = await aim_at(store, index, reader, scope, query, generation)
        if aim is not None:
            return await _by_picture(store, index, scope, aim, wishes, size, start)
    assert isinstance(query, TextQuery), "only texts may have no vector"
    return await _by_words(store, scope, query.text, wishes, size, start)


async def aim_at(
    store: Store,
    index: VectorIndex,
    reader: TextReader,
    scope: str,
    query: Query,
    generation: Generation,
) -> Aim | None:
    """The vector of a query in a generation; None for a text that its model cannot read."""
    collection = generation.collection
    match query:
        case ItemQuery(name, include_self):
            async with store.read() as tx:
                item = await _item(tx, scope, name, collection)
            vector = await _vector_of(index, item, collection)
            return Aim(generation, vector, () if include_self else (item.point_id,))
        case VectorQuery():
            _check_vector(query, collection)
            return Aim(generation, query.vector)
        case TextQuery(text):
            read = await reader.embed_text(collection, text, scope)
            return None if read is None else Aim(generation, read)


async def nearest(
    store: Store,
    index: VectorIndex,
    scope: str,
    aim: Aim,
    wishes: Wishes,
    limit: int,
) -> list[Ranked]:
    """Up to ``limit`` of the items that a search finds, in its order; fewer if there are no more
    that are nearer than ``limit`` others."""
    try:
        hits = await index.search(
            aim.generation.collection.name,
            aim.vector,
            limit,
            filter=_filter(scope, wishes.chosen).excluding(aim.without),
            min_score=wishes.min_score,
        )
    except NotFound as error:
        raise _Dropped from error
    async with store.read() as tx:
        items = await tx.items.by_points([hit.id for hit in hits], aim.generation.collection.name)
    # A vector may be there a moment before its item is ready, after it is deleted, or beside an
    # older description of it.
    ranked = [
        Ranked(hit.score, items[hit.id])
        for hit in hits
        if hit.id in items and _fits(items[hit.id], scope, wishes.chosen)
    ]
    return sorted(ranked, key=lambda one: one.key)


async def _by_picture(
    store: Store,
    index: VectorIndex,
    scope: str,
    aim: Aim,
    wishes: Wishes,
    size: int,
    start: _Pages,
) -> Found:
    async def rank(limit: int) -> list[Ranked]:
        return await nearest(store, index, scope, aim, wishes, limit)

    name = aim.generation.collection.name
    if wishes.diversity:
        hits, more = await _mixed(index, aim, rank, wishes, size, start)
        shown = (*start.shown, *(hit.item.point_id for hit in hits))
        key: tuple[Key, ...] = (name, _PICTURE, len(shown), 0.0, "", _packed(shown))
    else:
        hits, more = await _in_order(rank, wishes, size, start)
        key = _key(name, _PICTURE, hits, start)
    return Found(hits, by_words=False, generation=aim.generation, next_key=key if more else None)


async def _by_words(
    store: Store, scope: str, text: str, wishes: Wishes, size: int, start: _Pages
) -> Found:
    words = query_words(text)

    async def rank(limit: int) -> list[Ranked]:
        async with store.read() as tx:
            found = await tx.words.find(scope, words, wishes.chosen, wishes.min_score, limit)
        return [Ranked(score, item, written) for item, score, written in found]

    hits, more = await _in_order(rank, wishes, size, start)
    key = _key("", _WORDS, hits, start)
    return Found(hits, by_words=True, generation=None, next_key=key if more else None)


async def _in_order(
    rank: Callable[[int], Awaitable[list[Ranked]]], wishes: Wishes, size: int, start: _Pages
) -> tuple[list[Ranked], bool]:
    """The page after the last one shown, and whether there is another."""
    size = min(size, DEEPEST - start.count)
    limit = min(DEEPEST, start.count + size + _SPARE)
    while True:
        ranked = await rank(limit)
        if wishes.one_per_scene:
            ranked = best_of_scenes(ranked)
        rest = after(ranked, start.last)
        if len(rest) > size or limit == DEEPEST:
            more = len(rest) > size and start.count + size < DEEPEST
            return rest[:size], more
        limit = min(DEEPEST, limit * 4)


async def _mixed(
    index: VectorIndex,
    aim: Aim,
    rank: Callable[[int], Awaitable[list[Ranked]]],
    wishes: Wishes,
    size: int,
    start: _Pages,
) -> tuple[list[Ranked], bool]:
    """The next page of those that are both near and unlike what was shown before them."""
    size = min(size, DEEPEST - start.count)
    pool = await rank(min(DEEPEST, start.count + 5 * size + _SPARE))
    points = [one.item.point_id for one in pool]
    # What was shown counts even if it is no longer among the nearest.
    wanted = [*start.shown, *(point for point in points if point not in set(start.shown))]
    stored = {
        point.id: point.vector
        for point in await index.retrieve(aim.generation.collection.name, wanted)
    }
    shown = np.stack([stored[p] for p in start.shown if p in stored] or [np.zeros_like(aim.vector)])
    scenes = {one.item.scene for one in pool if one.item.point_id in start.shown}
    rest = [
        one for one in pool if one.item.point_id not in start.shown and one.item.point_id in stored
    ]
    if wishes.one_per_scene:
        rest = [one for one in best_of_scenes(rest) if one.item.scene not in scenes]
    vectors = np.stack([stored[one.item.point_id] for one in rest] or [np.zeros_like(aim.vector)])
    chosen = diverse(rest, vectors, shown, wishes.diversity, size)
    more = len(rest) > len(chosen) and start.count + len(chosen) < DEEPEST
    return chosen, more


def _filter(scope: str, chosen: ItemFilter) -> VectorFilter:
    conditions: list[Condition] = [Equals("scope", scope)]
    if chosen.pillars:
        conditions.append(AnyOf("pillar", chosen.pillars))
    conditions += [Equals("tags", tag) for tag in chosen.all_tags]
    if chosen.any_tags:
        conditions.append(AnyOf("tags", chosen.any_tags))
    if chosen.usages:
        conditions.append(AnyOf("usage", tuple(usage.value for usage in chosen.usages)))
    if chosen.from_time is not None or chosen.to_time is not None:
        first = chosen.from_time.timestamp() if chosen.from_time else None
        end = chosen.to_time.timestamp() if chosen.to_time else None
        conditions.append(InRange("created", first, end))
    if chosen.min_quality is not None:
        conditions.append(InRange("quality", chosen.min_quality, None))
    # Vectors of before there was a description have no such field and must not be lost.
    unless = () if chosen.include_archived else (Equals("archived", "yes"),)
    return VectorFilter(tuple(conditions), unless=unless)


def _fits(item: Item, scope: str, chosen: ItemFilter) -> bool:
    return (
        item.state is ItemState.READY
        and item.scope == scope
        and (not chosen.pillars or item.pillar in chosen.pillars)
        and set(chosen.all_tags) <= set(item.tags)
        and (not chosen.any_tags or not set(chosen.any_tags).isdisjoint(item.tags))
        and (not chosen.usages or item.usage in chosen.usages)
        and (chosen.from_time is None or item.create_time >= chosen.from_time)
        and (chosen.to_time is None or item.create_time < chosen.to_time)
        and _is_good(item.quality, chosen.min_quality)
        and (chosen.include_archived or not item.archived)
    )


def _is_good(quality: float | None, least: float | None) -> bool:
    return least is None or (quality is not None and quality >= least)


async def _generation(tx: Transaction, scope: str, start: _Pages) -> Generation | None:
    modality = modality_of(scope)
    if not start.collection:
        return await tx.generations.active(modality)
    found = await tx.generations.of_collection(start.collection)
    if found is None or found.state not in KEPT or found.collection.modality is not modality:
        raise _Dropped
    return found


async def _check_unembedded(tx: Transaction, scope: str, query: ItemQuery | VectorQuery) -> None:
    """Where nothing has a vector yet, an item that exists has none either."""
    if isinstance(query, ItemQuery):
        raise _not_embedded(await _existing(tx, scope, query.item, None))
    _check_finite(query.vector)


async def _item(tx: Transaction, scope: str, name: str, collection: Collection) -> Item:
    item = await _existing(tx, scope, name, collection.name)
    if item.state is not ItemState.READY:
        raise _not_embedded(item)
    return item


async def _existing(tx: Transaction, scope: str, name: str, collection: str | None) -> Item:
    if not (PHOTO.fits(name) or TEXT.fits(name)):
        raise InvalidArgument.of("item", f"must look like {PHOTO.template} or {TEXT.template}")
    item = (await tx.items.many([name], collection)).get(name)
    if item is None or item.scope != scope:
        raise NotFound("item", name)
    return item


def _not_embedded(item: Item) -> FailedPrecondition:
    if item.state is ItemState.QUARANTINED:
        text = f"no vector can be made of {item.name}"
    else:
        text = f"{item.name} has no vector yet; try again in a moment"
    return FailedPrecondition(text, reason="NOT_EMBEDDED")


async def _vector_of(index: VectorIndex, item: Item, collection: Collection) -> Vector:
    try:
        points = await index.retrieve(collection.name, [item.point_id])
    except NotFound as error:
        raise _Dropped from error
    if not points:
        raise FailedPrecondition(
            f"the vector of {item.name} is not there yet", reason="NOT_EMBEDDED"
        )
    return points[0].vector


def _check_finite(vector: Vector) -> None:
    if not (np.isfinite(vector).all() and vector.any()):
        raise InvalidArgument.of("vector.data", "must hold finite numbers, not all of them zero")


def _check_vector(query: VectorQuery, collection: Collection) -> None:
    for part in ("model", "revision", "fingerprint"):
        given, used = getattr(query, part), getattr(collection, part)
        if given not in ("", used):
            raise InvalidArgument.of(
                f"vector.{part}",
                f"is {given}, but {collection.modality} are embedded with {collection.model} "
                f"{collection.revision} {collection.fingerprint}; embed it with that model",
                reason="OTHER_GENERATION",
            )
    _check_finite(query.vector)
    if len(query.vector) != collection.dimension:
        raise InvalidArgument.of(
            "vector.dimension",
            f"is {len(query.vector)}, but vectors of {collection.model} have "
            f"{collection.dimension}",
            reason="WRONG_DIMENSION",
        )


def _pages(page: PageRequest) -> _Pages:
    if page.after is None:
        return _Pages()
    collection, mode, count, score, point, shown = page.after
    last = (float(score), str(point)) if point else None
    return _Pages(str(collection), str(mode), int(count), last, _unpacked(str(shown)))


def _key(name: str, mode: str, hits: Sequence[Ranked], start: _Pages) -> tuple[Key, ...]:
    score, point = (hits[-1].score, hits[-1].item.point_id) if hits else (0.0, "")
    return (name, mode, start.count + len(hits), score, point, "")


def _packed(points: Sequence[str]) -> str:
    return base64.b64encode(b"".join(uuid.UUID(point).bytes for point in points)).decode()


def _unpacked(text: str) -> tuple[str, ...]:
    data = base64.b64decode(text)
    return tuple(str(uuid.UUID(bytes=data[at : at + 16])) for at in range(0, len(data), 16))
