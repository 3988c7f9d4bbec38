from hypothesis import given, settings

from services.clustering.domain.duplicates import DuplicateGroup, duplicate_groups
from services.clustering.domain.item import Neighbour, Pair
from tests.unit.clustering.test_item import PAIRS


def by_name(name: str) -> tuple[object, ...]:
    return (name,)


def test_no_pairs_make_no_groups() -> None:
    assert duplicate_groups([], by_name) == []


def test_the_best_is_kept_and_the_others_follow_nearest_first() -> None:
    pairs = [Pair("a", "b", 0.97), Pair("a", "c", 0.99), Pair("b", "c", 0.98)]
    kept = duplicate_groups(pairs, lambda name: (-ord(name),))
    assert kept == [DuplicateGroup("c", (Neighbour("a", 0.99), Neighbour("b", 0.98)))]


def test_a_chain_of_small_steps_is_no_group() -> None:
    pairs = [Pair("a", "b", 0.98), Pair("b", "c", 0.98), Pair("c", "d", 0.98)]
    groups = duplicate_groups(pairs, by_name)
    assert groups == [
        DuplicateGroup("a", (Neighbour("b", 0.98),)),
        DuplicateGroup("c", (Neighbour("d", 0.98),)),
    ]


def test_the_largest_group_comes_first() -> None:
    pairs = [Pair("a", "b", 0.99), Pair("x", "y", 0.97), Pair("x", "z", 0.97)]
    assert [group.keeper for group in duplicate_groups(pairs, by_name)] == ["x", "a"]


@settings(max_examples=100)
@given(pairs=PAIRS)
def test_nothing_is_in_two_groups_and_all_are_near_their_keeper(pairs: list[Pair]) -> None:
    near = {(pair.first, pair.second): pair.score for pair in pairs}
    seen: list[str] = []
    for group in duplicate_groups(pairs, by_name):
        seen += [group.keeper, *(duplicate.name for duplicate in group.duplicates)]
        for duplicate in group.duplicates:
            pair = Pair.of(group.keeper, duplicate.name, duplicate.score)
            assert near[(pair.first, pair.second)] == pair.score
    assert len(seen) == len(set(seen))
    # Whoever is left over has no near item that is left over as well.
    assert all(pair.first in seen or pair.second in seen for pair in pairs)
