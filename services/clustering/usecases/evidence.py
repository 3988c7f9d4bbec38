"""What is known of two photos, put together for a verdict."""

from dataclasses import replace

from services.clustering.domain.item import Collection, Item
from services.clustering.domain.verdict import Evidence, Thresholds
from services.clustering.ports.duplicates import Comparison


def evidence_of(
    comparison: Comparison | None, cosine: float | None, first: Item, second: Item
) -> Evidence:
    """What is known of two items."""
    seconds = None
    if first.taken_time is not None and second.taken_time is not None:
        seconds = abs((first.taken_time - second.taken_time).total_seconds())
    return Evidence(
        cosine=cosine,
        distance=comparison.distance if comparison else None,
        orientation=comparison.orientation if comparison else 0,
        look=comparison.look if comparison else None,
        seconds_apart=seconds,
        pixels=min(first.pixels, second.pixels),
    )


def of_model(thresholds: Thresholds, collection: Collection | None) -> Thresholds:
    """``thresholds`` with what belongs to the model of a collection."""
    if collection is None:
        return thresholds
    return replace(thresholds, scene_cosine=collection.scene_threshold)
