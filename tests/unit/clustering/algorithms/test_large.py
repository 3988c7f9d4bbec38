"""Collections above ``direct_max``, with the limits turned down so that small samples get there."""

import numpy as np
import pytest

from libs.agreement import adjusted_rand, singles
from services.clustering.algorithms.components import Null
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.large import fit_large, micro_clusters
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import fit_epoch
from tests.unit.clustering.algorithms.samples import library, noise
from tests.unit.clustering.algorithms.test_engine import agreement, labels_of

SMALL = Params(direct_max=400, sample=1_000, micro_clusters=300)


def in_shards(rows, size):
    return lambda: (rows[start : start + size] for start in range(0, len(rows), size))


def prepared(sample):
    epoch = fit_epoch(sample.vectors, 128, seed=1)
    return epoch.transform(sample.vectors), Null(epoch.null_mean, epoch.null_sd)


def test_a_sample_and_a_second_look_find_all_groups():
    sample = library(1_800, seed=1)
    found = Engine(SMALL).fit(sample.ids, sample.vectors)
    truth = singles(sample.truth)
    assert adjusted_rand(singles(labels_of(found, sample.ids)), truth) >= 0.95
    assert len(found.groups) == pytest.approx(len(set(sample.truth)) - 1, abs=10)


def test_agrees_with_the_direct_fit():
    sample = library(1_500, seed=2)
    large = Engine(SMALL).fit(sample.ids, sample.vectors)
    assert agreement(large, Engine().fit(sample.ids, sample.vectors), sample.ids) >= 0.95


def test_the_order_of_the_input_does_not_matter():
    sample = library(1_500, seed=3)
    turned = sample.shuffled(1)
    first = Engine(SMALL).fit(sample.ids, sample.vectors)
    assert Engine(SMALL).fit(turned.ids, turned.vectors).labels() == first.labels()


@pytest.mark.parametrize("size", [100, 1_199, 5_000])
def test_the_size_of_shards_does_not_matter(size):
    rows, null = prepared(library(1_200, seed=4))
    whole = fit_large(in_shards(rows, 700), len(rows), null, SMALL)
    parts = fit_large(in_shards(rows, size), len(rows), null, SMALL)
    assert parts.labels.tolist() == whole.labels.tolist()
    assert parts.components.sums == pytest.approx(whole.components.sums, abs=1e-6)


def test_a_small_group_that_the_sample_missed_is_found_in_the_second_round():
    sample = library(1_800, noise=0.1, seed=5)
    rows, null = prepared(sample)
    params = Params(direct_max=400, sample=400, micro_clusters=300)
    one = Params(direct_max=400, sample=400, micro_clusters=300, rounds=0)
    assert len(fit_large(in_shards(rows, 500), len(rows), null, params).components) > len(
        fit_large(in_shards(rows, 500), len(rows), null, one).components
    )


def test_components_are_those_of_the_labelled_rows():
    rows, null = prepared(library(1_500, seed=6))
    fit = fit_large(in_shards(rows, 400), len(rows), null, SMALL)
    for label in range(len(fit.components)):
        members = rows[fit.labels == label]
        assert fit.components.counts[label] == len(members)
        assert fit.components.sums[label] == pytest.approx(members.sum(axis=0), abs=1e-4)


def test_noise_has_no_groups():
    sample = noise(1_500, 128)
    assert Engine(SMALL).fit(sample.ids, sample.vectors).groups == ()


def test_micro_clusters_leave_out_what_is_far_from_all():
    rows, _ = prepared(library(1_200, seed=7))
    units = micro_clusters(rows, SMALL)
    taken = units.of >= 0
    assert 0.5 < taken.mean() < 1.0
    assert units.counts.sum() == taken.sum()
    for unit in range(len(units.counts)):
        assert units.sums[unit] == pytest.approx(rows[units.of == unit].sum(axis=0), abs=1e-4)
    assert np.all(units.counts > 0)
