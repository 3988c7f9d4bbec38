import numpy as np
import pytest

from services.clustering.algorithms.components import Components, follow, renumber, summarise
from services.clustering.algorithms.linkage import BayesFactor
from services.clustering.algorithms.merging import factors_to_all, merge_close
from tests.unit.clustering.algorithms.samples import themes

FACTOR = BayesFactor(0.4, 8.0)


def parts(sizes: list[int], within: float = 0.6) -> Components:
    """One theme of which each part is taken for a group of its own."""
    rows = themes(1, sum(sizes), within=within).vectors
    return summarise(rows, np.repeat(np.arange(len(sizes)), sizes))


def test_factors_are_those_of_the_definition():
    groups = summarise(themes(4, 10, seed=2).vectors, np.repeat(np.arange(8), 5))
    for index in range(8):
        for other, score in enumerate(factors_to_all(groups, index, FACTOR)):
            expected = FACTOR.between(
                groups.sums[index], groups.counts[index], groups.sums[other], groups.counts[other]
            )
            assert score == (-np.inf if other == index else pytest.approx(expected, abs=1e-9))


@pytest.mark.parametrize(
    ("sizes", "gone_to"),
    [([10, 6], {1: 0}), ([6, 10], {0: 1}), ([8, 8], {1: 0}), ([5, 9, 6], {0: 1, 2: 1})],
)
def test_the_larger_survives_and_the_older_on_a_tie(sizes, gone_to):
    groups, found = merge_close(parts(sizes), np.arange(len(sizes)), FACTOR, 0.02, 0.2)
    assert found == gone_to
    assert groups.counts[next(iter(gone_to.values()))] == sum(sizes)
    assert all(groups.counts[gone] == 0 for gone in gone_to)


def test_only_touched_groups_are_looked_at():
    groups, gone_to = merge_close(parts([5, 5, 5, 5]), np.array([], dtype=int), FACTOR, 0.02, 0.2)
    assert gone_to == {}
    assert groups.counts.tolist() == [5, 5, 5, 5]


def test_a_margin_or_a_loose_result_prevents_merging():
    groups = parts([8, 8], within=0.4)
    touched = np.arange(2)
    assert merge_close(groups, touched, FACTOR, 1e9, 0.2)[1] == {}
    assert merge_close(groups, touched, FACTOR, 0.02, 0.9)[1] == {}
    assert merge_close(groups, touched, FACTOR, 0.02, 0.2)[1] == {1: 0}


def test_labels_follow_merges():
    labels = np.array([0, 1, 2, -1, 2])
    assert follow(labels, {1: 2}, np.array([True, False, True])).tolist() == [0, 1, 1, -1, 1]
    assert renumber(labels, np.array([False, True, True])).tolist() == [-1, 0, 1, -1, 1]


def test_cohesion_is_the_mean_cosine_of_all_pairs():
    rows = themes(1, 12, within=0.5).vectors
    pairs = (rows @ rows.T)[np.triu_indices(12, 1)]
    found = summarise(rows, np.zeros(12, dtype=int)).cohesions()
    assert found == pytest.approx([pairs.mean()], abs=1e-6)
