import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.clustering.algorithms.linkage import BayesFactor, agglomerate
from tests.unit.clustering.algorithms.samples import themes, unit

FACTOR = BayesFactor(0.4, 8.0)


def naive(sums, counts, factor, stop=0.0):
    """The definition, in the slowest way: always the best pair, the lower index on a tie."""
    live = {
        i: (np.array(s, dtype=float), float(n), [i])
        for i, (s, n) in enumerate(zip(sums, counts, strict=True))
    }
    while len(live) > 1:
        best = max(
            itertools.combinations(sorted(live), 2),
            key=lambda pair: factor.between(*live[pair[0]][:2], *live[pair[1]][:2]),
        )
        (a, n_a, m_a), (b, n_b, m_b) = live[best[0]], live[best[1]]
        if factor.between(a, n_a, b, n_b) < stop:
            break
        live[best[0]] = (a + b, n_a + n_b, m_a + m_b)
        del live[best[1]]
    return sorted(sorted(members) for _, _, members in live.values())


def groups_of(labels):
    return sorted(sorted(np.flatnonzero(labels == k).tolist()) for k in np.unique(labels))


@pytest.mark.parametrize("seed", range(4))
def test_equals_the_definition(seed):
    rows = themes(4, 6, dimensions=16, within=0.5, seed=seed).vectors
    counts = np.random.default_rng(seed).integers(1, 5, len(rows))
    sums = rows * counts[:, None]

    found = agglomerate(sums, counts, FACTOR)

    assert groups_of(found.labels) == naive(sums, counts, FACTOR)


def test_merge_scores_are_the_factors_of_the_groups_at_that_moment():
    rows = themes(3, 5, dimensions=16, seed=3).vectors
    sums, counts = rows.astype(float).copy(), np.ones(len(rows))
    for merge in agglomerate(rows, counts.copy(), FACTOR, stop=-1e9).merges:
        a, b = merge.first, merge.second
        expected = FACTOR.between(sums[a], counts[a], sums[b], counts[b])
        assert merge.score == pytest.approx(expected, abs=2e-5)
        sums[a] += sums[b]
        counts[a] += counts[b]
    assert counts.max() == len(rows)


def test_ties_go_to_the_lower_index():
    rows = np.eye(4, dtype=np.float32)[[0, 1, 0, 1, 0, 1]]

    first = agglomerate(rows, np.ones(6), FACTOR).merges[0]

    assert (first.first, first.second) == (0, 2)


def test_stop_leaves_only_pairs_below_it():
    rows = themes(5, 6, dimensions=32, within=0.5, seed=1).vectors
    strict = agglomerate(rows, np.ones(len(rows)), FACTOR, stop=0.3)
    assert all(merge.score >= 0.3 for merge in strict.merges)
    assert strict.labels.max() > agglomerate(rows, np.ones(len(rows)), FACTOR).labels.max()


@pytest.mark.parametrize("units", [0, 1])
def test_nothing_to_merge(units):
    found = agglomerate(np.ones((units, 3)), np.ones(units), FACTOR)
    assert found.merges == ()
    assert len(found.labels) == units


numbers = st.integers(1, 500)
cosines = st.floats(0.05, 0.95)


@given(n=numbers, m=numbers, rho=st.floats(0.1, 0.9), seed=st.integers(0, 1000))
@settings(max_examples=50)
def test_factor_is_symmetric(n, m, rho, seed):
    generator = np.random.default_rng(seed)
    a, b = generator.normal(size=(2, 8))
    factor = BayesFactor(rho, 8.0)
    assert factor.between(a, n, b, m) == pytest.approx(factor.between(b, m, a, n), rel=1e-9)


@given(n=numbers, length=st.floats(0.2, 1.0), rho=st.floats(0.1, 0.9), cap=st.floats(1, 50))
@settings(max_examples=50)
def test_joining_cosine_is_the_root_of_the_factor(n, length, rho, cap):
    factor = BayesFactor(rho, cap)
    cosine = float(factor.joining_cosine(n, length))
    if abs(cosine) > 1:
        return
    centre = np.array([n * length, 0.0])
    item = np.array([cosine, np.sqrt(1 - cosine**2)])
    assert factor.between(centre, n, item, 1) == pytest.approx(0.0, abs=1e-6)


def test_coarse_counts_start_at_one_and_stay_below_the_cap():
    assert FACTOR.coarse(1) == 1.0
    assert FACTOR.coarse(1e9) == pytest.approx(9.0)


def test_finer_granularity_never_gives_fewer_groups_in_the_mean():
    counts = []
    for rho in (0.2, 0.3, 0.4, 0.5, 0.6):
        found = [
            agglomerate(rows, np.ones(len(rows)), BayesFactor(rho, 8.0)).labels.max()
            for seed in range(5)
            if len(rows := unit(themes(8, 10, within=0.4, seed=seed).vectors))
        ]
        counts.append(np.mean(found))
    assert counts == sorted(counts)
    assert counts[-1] > counts[0]
