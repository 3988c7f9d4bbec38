"""Sets of duplicates, what people decide about them, and how well the verdicts agree with that."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, replace

from libs.clock import Clock
from libs.errors import InvalidArgument, NotFound
from libs.ids import uuid7
from libs.rpc.paging import Page, PageRequest
from libs.rpc.requests import RequestKey
from libs.vectors.index import VectorIndex
from services.clustering.domain.duplicate_quality import Quality, quality
from services.clustering.domain.duplicate_sets import (
    DuplicateSet,
    KnownPair,
    Worth,
    duplicate_sets,
)
from services.clustering.domain.facts import Usage
from services.clustering.domain.item import Item
from services.clustering.domain.verdict import Thresholds, Verdict, verdict_of
from services.clustering.ports import Store, Transaction
from services.clustering.ports.duplicates import Judged, Review
from services.clustering.usecases.comparing import Eyes, compared
from services.clustering.usecases.evidence import evidence_of, of_model
from services.clustering.usecases.telling_copies import tell_copies


@dataclass(frozen=True, slots=True)
class Listed:
    """Sets, the photos in them, the thresholds that were used, and how many photos are still to be
    compared."""

    sets: Sequence[DuplicateSet]
    worths: dict[str, Worth]
    thresholds: Thresholds
    waiting: int
    next_key: tuple[int, int, str] | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """Two items, what is known of them, the verdict, and what a person decided."""

    pair: KnownPair
    verdict: Verdict


@dataclass(frozen=True, slots=True)
class _Scope:
    """All pairs of a scope about which anything is known, and the photos in them."""

    pairs: Sequence[KnownPair]
    worths: dict[str, Worth]
    thresholds: Thresholds
    waiting: int


async def all_sets(
    store: Store, scope: str, thresholds: Thresholds, *, reviewed: bool = False
) -> Listed:
    """All sets of a scope, in the order of lists. ``scene_cosine`` is taken from the model."""
    async with store.read() as tx:
        known = await _known(tx, scope, thresholds)
    sets = duplicate_sets(known.pairs, known.worths, known.thresholds, reviewed=reviewed)
    return Listed(sets, known.worths, known.thresholds, known.waiting)


async def list_sets(
    store: Store,
    scope: str,
    thresholds: Thresholds,
    verdicts: Sequence[Verdict],
    page: PageRequest,
    *,
    reviewed: bool,
) -> Listed:
    """A page of the sets of a scope with one of the verdicts, or of all if there are none."""
    listed = await all_sets(store, scope, thresholds, reviewed=reviewed)
    sets = [each for each in listed.sets if not verdicts or each.verdict in verdicts]
    if page.after:
        place, size, keeper = page.after
        after = int(place), int(size), str(keeper)
        sets = [each for each in sets if each.key > after]
    following = sets[page.size - 1].key if len(sets) > page.size else None
    return replace(listed, sets=sets[: page.size], next_key=following)


async def get_set(
    store: Store, scope: str, verdict: Verdict, keeper: str, thresholds: Thresholds
) -> Listed:
    """The set of that verdict and keeper, as lists show it. Raises NotFound."""
    for reviewed in (False, True):
        listed = await all_sets(store, scope, thresholds, reviewed=reviewed)
        sets = [s for s in listed.sets if (s.verdict, s.keeper) == (verdict, keeper)]
        if sets:
            return replace(listed, sets=sets)
    raise NotFound("duplicate set", set_name(scope, verdict, keeper))


async def explain_pair(
    store: Store,
    index: VectorIndex,
    eyes: Eyes,
    scope: str,
    names: tuple[str, str],
    thresholds: Thresholds,
) -> Explained:
    """What is known of any two photos of a scope; what is not known yet is found out now.

    Raises NotFound for a photo of no or another scope, InvalidArgument for one photo twice,
    Unavailable.
    """
    first, second = sorted(names)
    _require_two(first, second)
    async with store.read() as tx:
        items = await _existing(tx, scope, (first, second))
        thresholds = of_model(thresholds, await tx.collections.active())
        known = await tx.comparisons.of([first])
        pictures = await tx.pictures.of([first, second])
        reviews = await tx.reviews.of([first])
    comparison = next((each for each in known if each.second == second), None)
    decision = next((each.decision for each in reviews if each.second == second), None)
    if comparison is None or comparison.look is None:
        both = (pictures.get(name) for name in (first, second))
        comparison = await compared(eyes, items[first], items[second], *both)
    cosine = await _cosine(index, items[first], items[second])
    evidence = evidence_of(comparison, cosine, items[first], items[second])
    pair = KnownPair(first, second, evidence, decision)
    return Explained(pair, verdict_of(evidence, thresholds))


async def review_pairs(
    store: Store,
    clock: Clock,
    scope: str,
    decisions: Sequence[tuple[str, str, Verdict]],
    thresholds: Thresholds,
    request: RequestKey,
) -> list[Review]:
    """Stores what a person decided, of each pair the last; one review a decision, in order.

    Tells what the photos are copies of from now on, by ``thresholds`` where nobody decided.

    Raises NotFound for a photo of no or another scope, InvalidArgument for one photo twice.
    """
    now = clock.now()
    wanted = [
        Review(uuid7(), scope, min(one, other), max(one, other), decision, now)
        for one, other, decision in decisions
    ]
    for review in wanted:
        _require_two(review.first, review.second)
    pairs = [(review.first, review.second) for review in wanted]
    names = {name for pair in pairs for name in pair}
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            stored = {(each.first, each.second): each for each in await tx.reviews.of(names)}
            return [stored[pair] for pair in pairs if pair in stored]
        await tx.items.lock([scope])
        await _existing(tx, scope, sorted(names))
        stored = dict(await tx.reviews.put(wanted))
        await tx.pictures.again(pairs)
        await tell_copies(tx, names, thresholds)
        await tx.requests.record(request.id, scope)
        await tx.commit()
    return [stored[pair] for pair in pairs]


async def list_reviews(store: Store, scope: str, page: PageRequest) -> Page[Review]:
    """What people decided in a scope, oldest first."""
    async with store.read() as tx:
        return await tx.reviews.list(scope, page)


async def delete_review(
    store: Store, scope: str, id: str, thresholds: Thresholds, request: RequestKey
) -> None:
    """Takes a decision back; what the photos are is up to ``thresholds`` again. Raises NotFound."""
    async with store.begin() as tx:
        if await tx.requests.claim(request.id, request.method, request.fingerprint) is not None:
            return
        await tx.items.lock([scope])
        pair = await tx.reviews.delete(scope, id)
        if pair is None:
            raise NotFound("duplicate review", review_name(scope, id))
        await tell_copies(tx, pair, thresholds)
        await tx.requests.record(request.id, scope)
        await tx.commit()


async def evaluate(store: Store, scope: str, thresholds: Thresholds) -> tuple[Quality, Thresholds]:
    """How the verdicts agree with the reviews of a scope, and the thresholds that were used."""
    async with store.read() as tx:
        known = await _known(tx, scope, thresholds)
    return quality(known.pairs, known.thresholds), known.thresholds


def set_name(scope: str, verdict: Verdict, keeper: str) -> str:
    """The resource name of a set."""
    return f"{scope}/duplicateSets/{verdict.value}-{keeper.rpartition('/')[2]}"


def review_name(scope: str, id: str) -> str:
    """The resource name of a review."""
    return f"{scope}/duplicateReviews/{id}"


def pair_name(scope: str, first: str, second: str) -> str:
    """The resource name of a pair."""
    ids = (name.rpartition("/")[2] for name in (first, second))
    return f"{scope}/duplicatePairs/{'_'.join(ids)}"


async def _known(tx: Transaction, scope: str, thresholds: Thresholds) -> _Scope:
    judged = {(each.first, each.second): each for each in await tx.comparisons.judged(scope)}
    cosines: dict[tuple[str, str], float] = {}
    collection = await tx.collections.active()
    if collection is not None:
        near = await tx.pairs.above(collection.name, scope, collection.pair_floor)
        cosines = {(pair.first, pair.second): pair.score for pair in near}
    keys = sorted(judged.keys() | cosines.keys())
    items = await tx.items.many({name for pair in keys for name in pair})
    pairs = []
    for first, second in keys:
        if first in items and second in items:
            each = judged.get((first, second), Judged(first, second, None, None))
            cosine = cosines.get((first, second))
            evidence = evidence_of(each.comparison, cosine, items[first], items[second])
            pairs.append(KnownPair(first, second, evidence, each.decision))
    posted = await tx.items.posted(items)
    kept = [item for item in items.values() if not item.archived]
    worths = {item.name: _worth(item, posted) for item in kept}
    thresholds = of_model(thresholds, collection)
    return _Scope(pairs, worths, thresholds, await tx.pictures.waiting(scope))


def _worth(item: Item, posted: Set[str]) -> Worth:
    scheduled = item.usage is Usage.SCHEDULED
    return Worth(
        item.name, item.name in posted, scheduled, item.pixels, item.quality, item.create_time
    )


async def _existing(tx: Transaction, scope: str, names: Sequence[str]) -> dict[str, Item]:
    items = await tx.items.many(names)
    for name in names:
        if name not in items or items[name].scope != scope:
            raise NotFound("photo", name)
    return items


def _require_two(first: str, second: str) -> None:
    if first == second:
        raise InvalidArgument.of("second", "must be another photo than the first")


async def _cosine(index: VectorIndex, first: Item, second: Item) -> float | None:
    if not first.collection or first.collection != second.collection:
        return None
    points = await index.retrieve(first.collection, [first.point_id, second.point_id])
    if len(points) != len((first, second)):
        return None
    return float(points[0].vector @ points[1].vector)
