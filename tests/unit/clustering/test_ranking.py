import numpy as np
from hypothesis import given
from hypothesis import strategies as some

from services.clustering.domain.item import Item
from services.clustering.domain.ranking import Ranked, after, best_of_scenes, diverse
from tests.support.clustering.photos import NOON, axis, tilted

NOTHING_SHOWN = np.zeros((1, len(axis(0))), np.float32)


def ranked(score: float, point: str, scene: str = "") -> Ranked:
    item = Item(point, point, "personas/p", "", (), NOON, 1, None, NOON, scene=scene)
    return Ranked(score, item)


def points(found: list[Ranked]) -> list[str]:
    return [one.item.point_id for one in found]


@given(
    scores=some.lists(some.sampled_from([0.1, 0.5, 0.9]), max_size=30),
    size=some.integers(1, 7),
)
def test_pages_show_each_once_in_order(scores: list[float], size: int) -> None:
    whole = sorted((ranked(s, f"{n:03}") for n, s in enumerate(scores)), key=lambda one: one.key)
    shown: list[Ranked] = []
    last = None
    while page := after(whole, last)[:size]:
        shown += page
        last = (page[-1].score, page[-1].item.point_id)
    assert points(shown) == points(whole)


def test_the_best_of_each_scene_stays() -> None:
    found = [ranked(0.9, "a", "s"), ranked(0.8, "b", "s"), ranked(0.7, "c"), ranked(0.6, "d")]
    assert points(best_of_scenes(found)) == ["a", "c", "d"]


def test_diversity_turns_from_score_to_difference() -> None:
    found = [ranked(0.99, "near"), ranked(0.98, "copy"), ranked(0.5, "other")]
    vectors = np.stack([axis(0), tilted(0, 0.99, 1), axis(2)])
    assert points(diverse(found, vectors, NOTHING_SHOWN, 0.0, 2)) == ["near", "copy"]
    assert points(diverse(found, vectors, NOTHING_SHOWN, 0.5, 2)) == ["near", "other"]
    assert points(diverse(found, vectors, NOTHING_SHOWN, 0.5, 9)) == ["near", "other", "copy"]


def test_what_was_shown_before_counts() -> None:
    found = [ranked(0.98, "copy"), ranked(0.5, "other")]
    vectors = np.stack([tilted(0, 0.99, 1), axis(2)])
    assert points(diverse(found, vectors, axis(0)[np.newaxis], 0.5, 1)) == ["other"]


def test_nothing_is_nothing() -> None:
    assert diverse([], NOTHING_SHOWN, NOTHING_SHOWN, 0.5, 3) == []
