"""Comparing two generations without labels: by what each finds near the same photos."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from libs.vectors.index import VectorFilter, VectorIndex
from services.clustering.domain.generation import Comparison, Generation
from services.clustering.domain.item import Collection, Item
from services.clustering.ports import Store

SAMPLE = 500
NEAREST = 10
_BATCH = 50
_Near = Mapping[str, Sequence[Item]]


async def compare_generations(
    store: Store, index: VectorIndex, generation: Generation
) -> Comparison | None:
    """How a generation compares with the active one; None when there is no other to compare with,
    or no photo in both."""
    async with store.read() as tx:
        other = await tx.generations.active(generation.collection.modality)
        if other is None or other.id == generation.id:
            return None
        ours, theirs = generation.collection, other.collection
        items = await tx.items.many(await tx.generations.sample(ours.name, theirs.name, SAMPLE))
    if not items:
        return None
    near = await _near(store, index, ours, items.values())
    other_near = await _near(store, index, theirs, items.values())
    pairs = await _duplicates(store, ours, items)
    other_pairs = await _duplicates(store, theirs, items)
    return Comparison(
        generation=other.name,
        sample=len(items),
        neighbour_overlap=_overlap(near, other_near),
        pillar_agreement=_agreement(items, near),
        other_pillar_agreement=_agreement(items, other_near),
        common_duplicates=len(pairs & other_pairs),
        new_duplicates=len(pairs - other_pairs),
        lost_duplicates=len(other_pairs - pairs),
    )


async def _near(
    store: Store, index: VectorIndex, collection: Collection, items: Iterable[Item]
) -> dict[str, list[Item]]:
    """The nearest items of each, best first."""
    points = {item.point_id: item for item in items}
    found: dict[str, list[str]] = {}
    for scope in sorted({item.scope for item in points.values()}):
        here = sorted(point for point, item in points.items() if item.scope == scope)
        for start in range(0, len(here), _BATCH):
            stored = await index.retrieve(collection.name, here[start : start + _BATCH])
            if not stored:
                continue  # deleted meanwhile
            answers = await index.search_batch(
                collection.name,
                np.stack([point.vector for point in stored]),
                NEAREST + 1,
                filter=VectorFilter.where(scope=scope),
            )
            for point, hits in zip(stored, answers, strict=True):
                others = [hit.id for hit in hits if hit.id != point.id]
                found[points[point.id].name] = others[:NEAREST]
    async with store.read() as tx:
        known = await tx.items.by_points(sorted({id for ids in found.values() for id in ids}))
    return {name: [known[id] for id in ids if id in known] for name, ids in found.items()}


async def _duplicates(
    store: Store, collection: Collection, items: Iterable[str]
) -> set[tuple[str, str]]:
    """The pairs with a photo of the sample that are near-duplicates by the model's threshold."""
    async with store.read() as tx:
        pairs = await tx.pairs.of(collection.name, items)
    return {(p.first, p.second) for p in pairs if p.score >= collection.duplicate_threshold}


def _overlap(near: _Near, other: _Near) -> float:
    """The mean share of nearest photos that both name, of those photos that have any."""
    shares = [
        len({item.name for item in near[name]} & {item.name for item in other[name]})
        / max(len(near[name]), len(other[name]))
        for name in near.keys() & other.keys()
        if near[name] or other[name]
    ]
    return float(np.mean(shares)) if shares else 1.0


def _agreement(items: Mapping[str, Item], near: _Near) -> float | None:
    """The mean share of nearest photos in the same pillar, of photos that have one."""
    shares = [
        sum(other.pillar == items[name].pillar for other in others) / len(others)
        for name, others in near.items()
        if others and items[name].pillar
    ]
    return float(np.mean(shares)) if shares else None
