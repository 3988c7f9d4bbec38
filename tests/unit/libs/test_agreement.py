import numpy as np
import pytest
from sklearn.metrics import normalized_mutual_info_score

from libs.agreement import (
    adjusted_rand,
    bcubed,
    normalised_information,
    pairwise_f1,
    purity,
    singles,
)

TRUTH = ["a", "a", "a", "b", "b", "b"]


@pytest.mark.parametrize(
    ("found", "rand", "f1", "b3", "pure"),
    [
        pytest.param([5, 5, 5, 2, 2, 2], 1.0, 1.0, 1.0, 1.0, id="equal"),
        pytest.param([0] * 6, 0.0, 12 / 21, 2 / 3, 0.5, id="all together"),
        pytest.param([0, 1, 2, 3, 4, 5], 0.0, 0.0, 0.5, 1.0, id="all apart"),
        pytest.param(
            [0, 0, 1, 1, 2, 2], 0.24242424, 4 / 9, 2 * 5 / 6 * 5 / 9 / (25 / 18), 5 / 6, id="3"
        ),
    ],
)
def test_known_values(found, rand, f1, b3, pure):
    assert adjusted_rand(found, TRUTH) == pytest.approx(rand)
    assert pairwise_f1(found, TRUTH) == pytest.approx(f1)
    assert bcubed(found, TRUTH) == pytest.approx(b3)
    assert purity(found, TRUTH) == pytest.approx(pure)


def test_unclustered_items_become_groups_of_one():
    assert singles([0, -1, 1, -1]) == [0, 3, 1, 5]
    assert singles([]) == []


def test_purity_looks_at_clustered_items_only():
    assert purity([0, 0, -1, -1, 1, 1], TRUTH) == 1.0
    assert purity([-1] * 6, TRUTH) == 0.0


@pytest.mark.parametrize("seed", range(5))
def test_normalised_information_is_that_of_scikit_learn(seed):
    random = np.random.default_rng(seed)
    found, truth = random.integers(0, 4, 60).tolist(), random.integers(0, 5, 60).tolist()
    expected = normalized_mutual_info_score(truth, found)
    assert normalised_information(found, truth) == pytest.approx(expected)


def test_normalised_information_of_the_extremes():
    assert normalised_information([1, 1, 0, 0], ["a", "a", "b", "b"]) == pytest.approx(1.0)
    assert normalised_information([0, 1, 0, 1], ["a", "a", "b", "b"]) == pytest.approx(0.0)
    assert normalised_information([0, 0], ["a", "a"]) == 1.0
