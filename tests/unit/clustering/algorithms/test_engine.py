"""What every fit must do, whatever the data."""

from collections import Counter

import numpy as np
import pytest

from libs.agreement import adjusted_rand, bcubed, singles
from libs.errors import InvalidArgument
from services.clustering.algorithms.clustering import Clustering
from services.clustering.algorithms.engine import Engine
from services.clustering.algorithms.params import Params
from tests.unit.clustering.algorithms.samples import (
    Sample,
    library,
    named,
    noise,
    themes,
    unit,
)

ENGINE = Engine()


def fit(sample: Sample, engine: Engine = ENGINE) -> Clustering:
    return engine.fit(sample.ids, sample.vectors)


def labels_of(clustering: Clustering, ids: list[str]) -> list[int]:
    keys = {group.key: number for number, group in enumerate(clustering.groups)}
    labels = clustering.labels()
    return [keys[labels[item]] if item in labels else -1 for item in ids]


def agreement(a: Clustering, b: Clustering, ids: list[str]) -> float:
    return adjusted_rand(singles(labels_of(a, ids)), singles(labels_of(b, ids)))


def against_truth(clustering: Clustering, sample: Sample) -> float:
    return adjusted_rand(singles(labels_of(clustering, sample.ids)), singles(sample.truth))


@pytest.mark.parametrize(("groups", "each"), [(3, 4), (2, 15), (3, 7), (6, 20), (12, 10)])
def test_themes_are_found_in_small_collections(groups, each):
    sample = themes(groups, each, within=0.6, seed=groups)
    found = fit(sample)
    assert len(found.groups) == groups
    assert against_truth(found, sample) >= 0.95


def test_two_antipodal_groups():
    centre = unit(np.random.default_rng(0).normal(size=(1, 64)))
    spread = 0.5 * noise(30, 64).vectors
    sample = named(
        unit(np.vstack([centre + spread[:15], spread[15:] - centre])), [0] * 15 + [1] * 15
    )
    assert against_truth(fit(sample), sample) == 1.0


def test_uneven_library_with_structured_noise():
    sample = library(1_500, seed=3)
    found = fit(sample)
    truth = np.array(sample.truth)
    labels = np.array(labels_of(found, sample.ids))
    assert against_truth(found, sample) >= 0.98
    assert (labels[truth < 0] < 0).mean() >= 0.95
    assert (labels[truth >= 0] < 0).mean() <= 0.02


@pytest.mark.parametrize("dimensions", [64, 128, 256])
def test_pure_noise_has_no_groups(dimensions):
    sample = noise(700, dimensions)
    found = fit(sample)
    assert found.groups == ()
    assert len(found.unclustered) == 700


@pytest.mark.parametrize("items", [0, 1, 2, 3])
def test_fewer_items_than_a_group_needs(items):
    sample = noise(items, 16)
    found = fit(sample)
    assert found.groups == ()
    assert found.unclustered == tuple(sample.ids)
    assert ENGINE.step(found.memory, [], []).places == {}


def test_all_items_equal_are_one_unclustered_photo():
    vectors = np.tile(noise(1, 16).vectors, (20, 1))
    ids = [f"p{i:02d}" for i in range(20)]
    found = ENGINE.fit(ids, vectors)
    assert found.groups == ()
    assert found.duplicates == dict.fromkeys(ids[1:], "p00")


def test_zero_and_broken_vectors_are_rejected_and_change_nothing():
    sample = themes(3, 10)
    broken = np.zeros((3, 64), dtype=np.float32)
    broken[1, 5], broken[2] = np.nan, np.inf
    found = ENGINE.fit([*sample.ids, "a", "b", "c"], np.vstack([sample.vectors, broken]))
    assert found.rejected == ("a", "b", "c")
    assert found.labels() == fit(sample).labels()


def test_every_item_is_in_exactly_one_place():
    sample = library(500, seed=1)
    found = fit(sample)
    places = [m for group in found.groups for m in group.members]
    places += [*found.unclustered, *found.rejected]
    assert Counter(places) == Counter(sample.ids)


def test_order_of_the_input_does_not_matter():
    sample = library(350, seed=2)
    found, again = fit(sample), fit(sample.shuffled(4))
    assert [(g.key, g.members, g.similarities) for g in found.groups] == [
        (g.key, g.members, g.similarities) for g in again.groups
    ]
    assert found.unclustered == again.unclustered


@pytest.mark.parametrize("change", ["rotated", "scaled", "half precision"])
def test_exact_invariances(change):
    sample = library(350, seed=5)
    rotation = np.linalg.qr(np.random.default_rng(0).normal(size=(128, 128)))[0]
    vectors = {
        "rotated": sample.vectors @ rotation,
        "scaled": sample.vectors * 7.0,
        "half precision": sample.vectors.astype(np.float16),
    }[change]
    changed = Sample(sample.ids, vectors.astype(np.float32), sample.truth)
    assert agreement(fit(sample), fit(changed), sample.ids) >= 0.999


def test_duplicates_change_nothing_but_their_own_place():
    sample = library(350, seed=6)
    copies = Sample([f"{item}-copy" for item in sample.ids], sample.vectors, sample.truth)
    both = ENGINE.fit([*sample.ids, *copies.ids], np.vstack([sample.vectors, copies.vectors]))
    alone = fit(sample)
    assert agreement(alone, both, sample.ids) == 1.0
    labels = both.labels()
    assert all(labels.get(item) == labels.get(f"{item}-copy") for item in sample.ids)
    assert both.duplicates == {f"{item}-copy": item for item in sample.ids}


def test_a_burst_is_no_group():
    sample = themes(4, 12)
    burst = unit(noise(1, 64, seed=8).vectors + 0.01 * noise(30, 64, seed=9).vectors)
    ids = [f"burst-{i:02d}" for i in range(30)]
    found = ENGINE.fit([*sample.ids, *ids], np.vstack([sample.vectors, burst]))
    assert not set(ids) & set(found.labels())
    assert {found.duplicates[item] for item in ids[1:]} == {"burst-00"}


def test_noise_added_leaves_the_groups_alone():
    sample = library(600, noise=0.0, seed=7)
    extra = noise(120, 128, seed=3)
    found = ENGINE.fit(
        [*sample.ids, *(f"noise-{i}" for i in range(120))],
        np.vstack([sample.vectors, extra.vectors]),
    )
    assert agreement(fit(sample), found, sample.ids) >= 0.98
    assert sum(item.startswith("noise") for item in found.labels()) <= 2


def test_a_far_new_group_leaves_the_others_alone():
    sample = themes(6, 20, seed=11)
    far = themes(1, 15, seed=99)
    found = ENGINE.fit(
        [*sample.ids, *(f"far-{i}" for i in range(15))], np.vstack([sample.vectors, far.vectors])
    )
    assert agreement(fit(sample), found, sample.ids) >= 0.98
    assert any(all(m.startswith("far") for m in group.members) for group in found.groups)


def test_similarities_are_cosines_to_the_centroid_in_descending_order():
    sample = themes(3, 12)
    vectors = dict(zip(sample.ids, sample.vectors, strict=True))
    for group in fit(sample).groups:
        assert np.linalg.norm(group.centroid) == pytest.approx(1.0, abs=1e-5)
        expected = [float(vectors[item] @ group.centroid) for item in group.members]
        assert list(group.similarities) == pytest.approx(expected, abs=1e-3)
        assert list(group.similarities) == sorted(group.similarities, reverse=True)
        mean = unit(np.mean([vectors[item] for item in group.members], axis=0)[None])[0]
        assert group.centroid == pytest.approx(mean, abs=1e-3)


def test_granularity_decides_whether_related_themes_are_one_group():
    generator = np.random.default_rng(8)
    broad = unit(generator.normal(size=(3, 64)))
    fine = unit(broad[np.arange(9) // 3] + 0.6 * unit(generator.normal(size=(9, 64))))
    truth = np.repeat(np.arange(9), 15)
    sample = named(unit(fine[truth] + 0.8 * noise(135, 64).vectors), truth.tolist())
    counts = [len(fit(sample, Engine(Params(granularity=rho))).groups) for rho in (0.25, 0.6)]
    assert counts == [3, 9]


def test_quality_counts_items_and_pairs():
    sample = library(600, seed=9)
    labels = labels_of(fit(sample), sample.ids)
    assert bcubed(singles(labels), singles(sample.truth)) >= 0.93


@pytest.mark.parametrize(
    ("ids", "vectors", "field"),
    [
        (["a", "a"], np.eye(2), "ids"),
        (["a"], np.eye(2), "vectors"),
        (["a", "b"], np.ones(2), "vectors"),
    ],
)
def test_wrong_input_is_refused(ids, vectors, field):
    with pytest.raises(InvalidArgument) as caught:
        ENGINE.fit(ids, vectors)
    assert caught.value.violations[0].field == field


def test_params_out_of_range_are_refused():
    with pytest.raises(InvalidArgument, match="granularity"):
        Params(granularity=1.0)
