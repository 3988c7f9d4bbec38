"""Scores of vectors: known answers, and the same each time."""

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from libs.k_means import spherical_k_means
from services.embedding.scores import Vectors, grouping, retrieval


def units(rows: NDArray[np.float64]) -> Vectors:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def blobs(seed: int, noise: float) -> tuple[Vectors, list[str]]:
    """Four directions with ten vectors about each."""
    random = np.random.default_rng(seed)
    rows = np.repeat(np.eye(4, 16), 10, axis=0) + random.normal(0, noise, (40, 16))
    return units(rows), [label for label in "abcd" for _ in range(10)]


def test_what_lies_apart_is_found_and_grouped_without_a_mistake() -> None:
    vectors, labels = blobs(0, 0.05)
    found, groups = retrieval(vectors, labels), grouping(vectors, labels)
    assert (found.recall1, found.recall5, found.knn5) == (1.0, 1.0, 1.0)
    assert found.mean_average_precision == pytest.approx(1.0)
    assert (groups.purity, groups.nmi, groups.ari) == pytest.approx((1.0, 1.0, 1.0))


def test_a_small_case_by_hand() -> None:
    # On a circle, in degrees: a0 and a1 have b0 between them, b1 is far away.
    degrees = np.radians([0, 20, 9, 90])
    vectors = units(np.stack([np.cos(degrees), np.sin(degrees)], axis=1))
    found = retrieval(vectors, ["a", "a", "b", "b"])
    # a0: b0, a1; a1: b0, a0; b0: a0, a1, b1; b1: a1, b0.
    assert found.recall1 == 0.0
    assert found.recall5 == 1.0
    assert found.mean_average_precision == pytest.approx((1 / 2 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    assert found.knn5 == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_average_precision_is_that_of_scikit_learn(seed: int) -> None:
    vectors, labels = blobs(seed, 0.4)
    cosines, named = vectors @ vectors.T, np.array(labels)
    expected = []
    for position, label in enumerate(labels):
        others = np.arange(len(labels)) != position
        expected.append(average_precision_score(named[others] == label, cosines[position, others]))
    found = retrieval(vectors, labels).mean_average_precision
    assert found == pytest.approx(float(np.mean(expected)))
    assert 0.4 < found < 0.99


def test_the_same_seed_gives_the_same_groups() -> None:
    vectors, labels = blobs(1, 0.5)
    first, again = (spherical_k_means(vectors, 4, np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, again)
    assert grouping(vectors, labels) == grouping(vectors, labels)


def test_another_seed_gives_about_the_same_scores() -> None:
    vectors, labels = blobs(2, 0.3)
    found = [grouping(vectors, labels, seed).nmi for seed in range(5)]
    assert max(found) - min(found) < 0.1


def test_equal_vectors_end_in_one_group_and_break_nothing() -> None:
    vectors = units(np.ones((12, 8)))
    assert set(spherical_k_means(vectors, 3, np.random.default_rng(0)).tolist()) == {0}
    assert grouping(vectors, list("aabbccaabbcc")).purity == pytest.approx(1 / 3)
