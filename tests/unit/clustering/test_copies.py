from itertools import permutations

from services.clustering.domain.copies import find_copies
from services.clustering.domain.item import Pair


def test_a_newcomer_is_a_copy_of_the_nearest_item_that_is_none() -> None:
    pairs = [Pair.of("n1", "old", 0.98), Pair.of("n1", "older", 0.99), Pair.of("n2", "n1", 1.0)]
    assert find_copies(["n1", "n2"], pairs, 0.97, ()) == {"n1": "older"}
    assert find_copies(["n1", "n2"], pairs, 0.97, {"old", "older"}) == {"n2": "n1"}


def test_below_the_threshold_nobody_is_a_copy() -> None:
    pairs = [Pair.of("n1", "old", 0.9699)]
    assert find_copies(["n1"], pairs, 0.97, ()) == {}


def test_the_order_of_the_pairs_does_not_matter() -> None:
    pairs = [Pair.of("a", "b", 0.98), Pair.of("b", "c", 0.98), Pair.of("a", "c", 0.98)]
    for turned in permutations(pairs):
        assert find_copies(["a", "b", "c"], turned, 0.97, ()) == {"b": "a", "c": "a"}
