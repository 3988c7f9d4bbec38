"""The algorithms beside the mixture: golden answers, the same each time, limits."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.agreement import adjusted_rand, pairwise_f1, singles
from libs.errors import FailedPrecondition, InvalidArgument
from services.clustering.algorithms.clustering import Previous
from services.clustering.algorithms.others.k_means import KMeans
from services.clustering.algorithms.others.nearest import Nearest
from services.clustering.algorithms.others.port import GroupingAlgorithm
from services.clustering.algorithms.others.scikit import Agglomerative, Dbscan, Hdbscan
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.regroup import Regrouped, regroup, regroup_by_mixture
from tests.unit.clustering.algorithms.samples import Sample, themes, unit

NOTHING = Previous({}, next_key=1)
SAMPLE = themes(6, 20, within=0.6, seed=6)
ALL: dict[str, GroupingAlgorithm] = {
    "nearest": Nearest(0.5, least=4),
    "hdbscan": Hdbscan(least=4),
    "dbscan": Dbscan(0.5, least=4),
    "agglomerative": Agglomerative(0.3, least=4),
    "k-means": KMeans(6),
}


def group(algorithm: GroupingAlgorithm, sample: Sample, **more) -> Regrouped:
    return regroup(algorithm, sample.ids, sample.vectors, NOTHING, Params(), **more)


def labels_of(found: Regrouped, ids: list[str]) -> list[int]:
    owners = {item: n for n, each in enumerate(found.groups) for item in each.members}
    return [owners.get(item, -1) for item in ids]


def at_angles(*degrees: float) -> np.ndarray:
    """Unit vectors in a plane."""
    turned = np.radians(degrees)
    return np.stack([np.cos(turned), np.sin(turned)], axis=1).astype(np.float32)


def with_cosine(cosine: float) -> np.ndarray:
    """Two unit vectors with this cosine."""
    return np.array([[1, 0], [cosine, (1 - cosine**2) ** 0.5]], dtype=np.float32)


@pytest.mark.parametrize("name", ALL)
def test_themes_are_found_the_same_each_time_and_in_every_order(name):
    found = group(ALL[name], SAMPLE)
    assert adjusted_rand(singles(labels_of(found, SAMPLE.ids)), SAMPLE.truth) >= 0.95
    again, shuffled = group(ALL[name], SAMPLE), group(ALL[name], SAMPLE.shuffled(3))
    for other in (again, shuffled):
        assert [each.members for each in other.groups] == [each.members for each in found.groups]
        assert other.unclustered == found.unclustered


# Three directions with five vectors each, one vector between the first two, one apart.
GOLDEN = np.vstack(
    [
        unit(np.eye(8)[axis] + 0.25 * np.eye(8)[3:8] * (1 - 2 * (np.arange(5) % 2))[:, None])
        for axis in range(3)
    ]
    + [unit(np.eye(8)[0] + np.eye(8)[1])[None], unit(-np.eye(8)[:3].sum(axis=0))[None]]
)


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        (Nearest(0.78, least=4), "00000 11111 22222 . ."),
        (Nearest(0.65, least=4), "00000 11111 22222 0 ."),
        (Hdbscan(least=4), "00000 11111 22222 1 2"),
        (Dbscan(0.80, least=4), "00000 11111 22222 . ."),
        (Agglomerative(0.5, least=4), "00000 11111 22222 . ."),
        (Agglomerative(0.0, least=4), "00000 11111 22222 0 ."),
        (KMeans(4), "00000 11111 22222 0 3"),
    ],
)
def test_golden_vectors(algorithm, expected):
    ids = [f"photo-{number:02d}" for number in range(len(GOLDEN))]
    found = regroup(algorithm, ids, GOLDEN, NOTHING, Params())
    keys = {item: each.key for each in found.groups for item in each.members}
    told = "".join(f"{int(keys[item][1:]) - 1}" if item in keys else "." for item in ids)
    assert told == expected.replace(" ", "")


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("items", [0, 1, 3])
def test_too_few_items_make_no_group(name, items):
    found = group(ALL[name], SAMPLE.take(np.arange(items)))
    assert found.groups == ()
    assert len(found.unclustered) == items


@pytest.mark.parametrize("name", ALL)
def test_nothing_usable_and_equal_vectors(name):
    ids = [f"photo-{number}" for number in range(8)]
    vectors = np.zeros((8, 4), dtype=np.float32)
    vectors[2:] = [1.0, 0.0, 0.0, 0.0]
    vectors[1] = np.nan
    found = regroup(ALL[name], ids, vectors, NOTHING, Params())
    assert found.rejected == ("photo-0", "photo-1")
    assert found.groups == ()
    assert found.duplicates == dict.fromkeys(ids[3:], "photo-2")


def test_wrong_shapes_and_repeated_ids():
    with pytest.raises(InvalidArgument, match="ids"):
        regroup(ALL["nearest"], ["a", "a"], np.eye(2), NOTHING, Params())
    with pytest.raises(InvalidArgument, match="vectors"):
        regroup(ALL["nearest"], ["a"], np.eye(2), NOTHING, Params())


@pytest.mark.parametrize("name", ALL)
def test_copies_go_where_the_one_goes_that_stands_for_them(name):
    copies = Sample(
        [*SAMPLE.ids, *(f"{item}-copy" for item in SAMPLE.ids[:9])],
        np.vstack([SAMPLE.vectors, SAMPLE.vectors[:9]]),
        [*SAMPLE.truth, *SAMPLE.truth[:9]],
    )
    found = group(ALL[name], copies)
    assert found.duplicates == {f"{item}-copy": item for item in SAMPLE.ids[:9]}
    alone = [tuple(m for m in g.members if not m.endswith("-copy")) for g in found.groups]
    assert {frozenset(members) for members in alone} == {
        frozenset(each.members) for each in group(ALL[name], SAMPLE).groups
    }


def test_keys_are_carried_over_by_overlap():
    before = regroup_by_mixture(SAMPLE.ids, SAMPLE.vectors, NOTHING, Params())
    previous = Previous({each.key: each.members for each in before.groups}, before.next_key)
    after = regroup(ALL["agglomerative"], SAMPLE.ids, SAMPLE.vectors, previous, Params())
    owners = {item: each.key for each in before.groups for item in each.members}
    for each in after.groups:
        assert {owners[item] for item in each.members if item in owners} == {each.key}
    assert after.diff.born == after.diff.retired == ()


def test_too_many_items_are_refused():
    @dataclass(frozen=True)
    class Small(Nearest):
        most: ClassVar[int] = 100

    with pytest.raises(FailedPrecondition, match="at most") as refused:
        group(Small(0.5, least=4), SAMPLE)
    assert refused.value.reason == "TOO_MANY_ITEMS"


@pytest.mark.parametrize(("cosine", "labels"), [(0.7800, [0, 0]), (0.7799, [0, 1])])
def test_edge_of_the_threshold(cosine, labels):
    assert Nearest(0.78, least=2).group(with_cosine(cosine), seed=1).tolist() == labels


def test_the_larger_group_wins_a_tie_then_the_older_one():
    newcomer = at_angles(0)
    older, larger = at_angles(-20, -20), at_angles(20, 20, 20)
    rows = np.vstack([older, larger, newcomer])
    assert Nearest(0.9, least=2).group(rows, seed=1).tolist() == [0, 0, 1, 1, 1, 1]
    rows = np.vstack([older, larger[:2], newcomer])
    assert Nearest(0.9, least=2).group(rows, seed=1).tolist() == [0, 0, 1, 1, 0]


def test_three_nearest_members_may_vouch_where_the_centroid_is_far():
    """At 55 degrees the centroid is too far, at 70 the first members are, and they have a say."""
    for degrees, label in ((55, 0), (70, 1)):
        rows = at_angles(0, 0, 0, 0, 35, 35, 35, degrees)
        assert Nearest(0.78, least=2).group(rows, seed=1).tolist() == [0] * 7 + [label]


def test_items_join_in_the_order_in_which_they_came():
    ids, vectors = ["a", "b", "c"], at_angles(0, 36, 72)
    few = Params(min_size=2, near_duplicate=1.0)
    found = regroup(Nearest(0.8, least=2), ids, vectors, NOTHING, few, times=[1, 2, 3])
    assert [set(each.members) for each in found.groups] == [{"a", "b"}]
    found = regroup(Nearest(0.8, least=2), ids, vectors, NOTHING, few, times=[2, 3, 1])
    assert [set(each.members) for each in found.groups] == [{"b", "c"}]
    found = regroup(Nearest(0.8, least=2), ids, vectors, NOTHING, few, times=[1, 3, 2])
    assert [set(each.members) for each in found.groups] == [{"a", "b"}]


def test_nearest_on_labelled_themes():
    sample = themes(30, 12, dimensions=128, within=0.86, seed=4)
    found = group(Nearest(0.78, least=4), sample)
    assert pairwise_f1(singles(labels_of(found, sample.ids)), sample.truth) >= 0.9


@given(seed=st.integers(0, 10_000))
@settings(max_examples=25)
def test_the_order_of_the_input_changes_nothing(seed):
    sample = themes(5, 6, dimensions=16, within=0.75, seed=seed)
    times = [float(number % 4) for number in range(len(sample.ids))]
    of_id = dict(zip(sample.ids, times, strict=True))
    shuffled = sample.shuffled(seed)
    one = group(Nearest(0.7, least=2), sample, times=times)
    other = group(Nearest(0.7, least=2), shuffled, times=[of_id[item] for item in shuffled.ids])
    assert [each.members for each in one.groups] == [each.members for each in other.groups]
