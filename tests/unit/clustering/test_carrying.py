"""Keys by counts are those that the items themselves give."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.identity import carry_keys, compare
from services.clustering.domain.carrying import Overlap, Standing, carry_over

ITEMS = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 5)), max_size=60)


def groups_of(labels: list[int]) -> dict[int, tuple[str, ...]]:
    """The items of each group."""
    found: dict[int, list[str]] = {}
    for item, label in enumerate(labels):
        if label >= 0:
            found.setdefault(label, []).append(f"item {item}")
    return {label: tuple(items) for label, items in sorted(found.items())}


@given(ITEMS, st.sets(st.integers(0, 4)))
def test_counts_say_what_the_items_say(items: list[tuple[int, int]], named: set[int]) -> None:
    before = {f"g{old + 1}": those for old, those in groups_of([old for old, _ in items]).items()}
    after = list(groups_of([new for _, new in items]).values())
    pinned = frozenset(f"g{old + 1}" for old in named)
    owner = {item: key for key, those in before.items() for item in those}
    overlaps = [
        Overlap(group, f"id of {key}", count)
        for group, those in enumerate(after)
        for key, count in Counter(owner[item] for item in those if item in owner).items()
    ]
    standing = [Standing(f"id of {key}", key, len(those)) for key, those in before.items()]

    found = carry_over([*map(len, after)], overlaps, standing, 6, pinned)

    keys, next_key = carry_keys(after, Previous(before, 6, pinned))
    now = dict(zip(keys, after, strict=True))
    assert (list(found.keys), found.next_key) == (keys, next_key)
    assert found.diff == compare(before, now)
    for key, members in now.items():
        assert found.changed[key] == len({*members} ^ {*before.get(key, ())})


def test_members_of_other_clusters_do_not_count() -> None:
    found = carry_over([5], [Overlap(0, "made by people", 5)], [], 3, ())
    assert (found.keys, found.next_key, found.diff.born) == (("g3",), 4, ("g3",))
