"""Telling others which photos are the same picture, or an edit of it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping

from services.clustering.domain.item import Pair
from services.clustering.domain.verdict import Thresholds, Verdict, is_seen_again, verdict_of
from services.clustering.ports import Transaction
from services.clustering.usecases.evidence import evidence_of, of_model

_SAME = (Verdict.DUPLICATE, Verdict.VARIANT)


async def tell_copies(tx: Transaction, names: Iterable[str], thresholds: Thresholds) -> None:
    """Tells of each of these photos all that it is a copy of now, unless that is and was nothing.

    Their scope must be locked, so that what is told last is what is true last.
    """
    chosen = sorted(set(names))
    copies = await _copies(tx, chosen, thresholds)
    versions = await tx.pictures.count_tellings(chosen, [name for name in chosen if copies[name]])
    for name, version in sorted(versions.items()):
        tx.announce.copies_found(name, copies[name], version)


async def _copies(
    tx: Transaction, names: list[str], thresholds: Thresholds
) -> Mapping[str, Mapping[str, Verdict]]:
    """What each of the photos is a copy of; people stand above the evidence."""
    compared = {(each.first, each.second): each for each in await tx.comparisons.of(names)}
    decided = {(each.first, each.second): each.decision for each in await tx.reviews.of(names)}
    collection = await tx.collections.active()
    near = await tx.pairs.of(collection.name, names) if collection else list[Pair]()
    cosines = {(pair.first, pair.second): pair.score for pair in near}
    keys = compared.keys() | decided.keys()
    items = await tx.items.many({name for key in keys for name in key})
    thresholds = of_model(thresholds, collection)
    found: dict[str, dict[str, Verdict]] = defaultdict(dict)
    for key in keys:
        first, second = key
        if first not in items or second not in items:
            continue
        if key in decided:
            verdict = decided[key]
            is_same = verdict in _SAME
        else:
            cosine = cosines.get(key)
            evidence = evidence_of(compared[key], cosine, items[first], items[second])
            verdict = verdict_of(evidence, thresholds)
            is_same = is_seen_again(verdict, evidence)
        if is_same:
            found[first][second] = found[second][first] = verdict
    return found
