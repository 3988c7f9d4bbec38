"""Large fits cut into shards: how they are cut and in what order they come changes nothing."""

from dataclasses import replace
from functools import reduce
from itertools import pairwise
from operator import add
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from libs.errors import InvalidArgument
from services.clustering.algorithms.components import OUTSIDE, Null
from services.clustering.algorithms.large import (
    first_model,
    fit_large,
    further_model,
    moments_of,
    rounds_of,
    settled,
)
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.prep import fit_epoch, unit
from services.clustering.algorithms.reservoir import lowest, ranks_of
from services.clustering.algorithms.shards import (
    Measured,
    Outcome,
    Part,
    Recipe,
    all_measured,
    chosen,
    ids_of,
    joined,
    measured,
    ranks_of_ids,
    texts_of,
    units_of,
)
from services.clustering.algorithms.tally import Tally
from tests.support.clustering.bulk import points_like
from tests.unit.clustering.algorithms.samples import library

SMALL = Params(direct_max=400, sample=1_000, micro_clusters=300)
ITEMS = 1_000
IDS = ids_of(points_like(ITEMS, seed=1))
VECTORS = library(ITEMS + 100, seed=4).vectors[:ITEMS]
EPOCH = fit_epoch(units_of(VECTORS), 128, seed=1)
PAIRS = Null(EPOCH.null_mean, EPOCH.null_sd)


def model():
    """A model that leaves many out: it saw every fifth row."""
    rows = EPOCH.transform(units_of(VECTORS))[::5]
    return first_model(rows, PAIRS, SMALL, ITEMS)


RECIPE = Recipe(EPOCH, model())
FEW = settings(max_examples=15)
BOUNDS = st.lists(st.integers(0, ITEMS), max_size=6).map(lambda cuts: [0, *sorted(cuts), ITEMS])


def shards(bounds):
    """What each shard chooses."""
    return [
        joined(RECIPE, [chosen(RECIPE, IDS[low:high], VECTORS[low:high])] if high > low else [])
        for low, high in pairwise(bounds)
    ]


WHOLE = shards([0, ITEMS])[0]


@FEW
@given(bounds=BOUNDS, order=st.randoms(use_true_random=False))
def test_shards_however_cut_and_in_whatever_order_choose_the_same(bounds, order):
    parts = shards(bounds)
    order.shuffle(parts)
    places = np.argsort(np.concatenate([part.ids for part in parts]))
    labels = np.concatenate([part.labels for part in parts])[places]
    assert labels.tolist() == WHOLE.labels.tolist()
    for name in ("tally", "centres"):
        tally = reduce(add, (getattr(part, name) for part in parts))
        assert tally.counts.tolist() == getattr(WHOLE, name).counts.tolist()
        np.testing.assert_allclose(tally.sums, getattr(WHOLE, name).sums, atol=1e-4)


@FEW
@given(bounds=BOUNDS, size=st.integers(1, 80), order=st.randoms(use_true_random=False))
def test_the_sample_of_what_is_outside_is_that_of_the_whole(bounds, size, order):
    outside = [part.outside for part in shards(bounds)]
    order.shuffle(outside)
    sampled = IDS[:0]
    for ids in outside:
        both = np.sort(np.concatenate([sampled, ids]))
        sampled = both[lowest(ranks_of_ids(both, 7), size)]
    whole = WHOLE.outside
    assert sampled.tolist() == whole[lowest(ranks_of_ids(whole, 7), size)].tolist()
    assert len(sampled) == min(size, len(whole))


def outcome():
    places, left = settled(WHOLE.tally, RECIPE.model.acceptance, SMALL)
    return Outcome(EPOCH, places, left, unit(WHOLE.centres.moved(places, len(left.counts)).sums))


OUTCOME = outcome()


@FEW
@given(bounds=BOUNDS)
def test_shards_measure_what_the_whole_measures(bounds):
    groups = len(OUTCOME.tally.counts)
    whole = measured(OUTCOME, IDS, WHOLE.labels, VECTORS)
    parts = [
        measured(OUTCOME, IDS[low:high], WHOLE.labels[low:high], VECTORS[low:high])
        for low, high in pairwise(bounds)
        if high > low
    ]
    found = all_measured(groups, parts)
    assert found.labels.tolist() == whole.labels.tolist()
    np.testing.assert_allclose(found.similarities, whole.similarities, atol=1e-6)
    components = found.moments.components(OUTCOME.tally)
    assert components.counts.tolist() == found.moments.counts.tolist()
    for group in range(groups):
        members = EPOCH.transform(units_of(VECTORS[whole.labels == group]))
        alone = moments_of(members, np.zeros(len(members), dtype=np.int64), _only(group))
        assert components.means[group] == pytest.approx(alone.firsts[0] / len(members), abs=1e-5)


def _only(group):
    return Tally(OUTCOME.tally.sums[group : group + 1], OUTCOME.tally.counts[group : group + 1])


def test_a_second_look_adds_groups_and_keeps_what_was_chosen():
    rows = EPOCH.transform(units_of(VECTORS))
    places = np.searchsorted(IDS, WHOLE.outside)
    more = further_model(RECIPE.model, rows[places], SMALL, len(places))
    assert more is not None and len(more.components) > len(RECIPE.model.components)
    later = chosen(Recipe(EPOCH, more), WHOLE.outside, VECTORS[places])
    revised = WHOLE.revised(later)
    kept = WHOLE.labels != OUTSIDE
    assert (revised.labels[kept] == WHOLE.labels[kept]).all()
    assert (revised.looks, len(revised.outside)) == (2, len(later.outside))
    inside = revised.labels >= 0
    everything = Tally.of(rows, np.where(inside, revised.labels, OUTSIDE), len(more.components))
    assert revised.tally.counts.tolist() == everything.counts.tolist()
    np.testing.assert_allclose(revised.tally.sums, everything.sums, atol=1e-4)


def test_step_by_step_finds_what_the_large_fit_finds():
    rows = EPOCH.transform(units_of(VECTORS))
    whole = fit_large(lambda: [rows], ITEMS, PAIRS, SMALL)
    first = first_model(rows, PAIRS, SMALL, ITEMS)
    part = chosen(Recipe(EPOCH, first), IDS, VECTORS)
    for _ in range(rounds_of(len(part.outside), ITEMS, SMALL)):
        places = np.searchsorted(IDS, part.outside)
        more = further_model(first, rows[places], SMALL, len(places))
        if more is None:
            break
        first = more
        part = part.revised(chosen(Recipe(EPOCH, more), part.outside, VECTORS[places]))
    places, left = settled(part.tally, first.acceptance, SMALL)
    assert np.append(places, OUTSIDE)[part.labels].tolist() == whole.labels.tolist()
    assert left.counts.tolist() == whole.components.counts.tolist()


def test_bytes_hold_everything():
    recipe = Recipe.from_bytes(RECIPE.to_bytes())
    part, again = (chosen(each, IDS[:50], VECTORS[:50]) for each in (RECIPE, recipe))
    assert again.labels.tolist() == part.labels.tolist()
    read = Part.from_bytes(part.to_bytes())
    assert (read.ids.tolist(), read.labels.tolist(), read.looks) == (
        part.ids.tolist(),
        part.labels.tolist(),
        1,
    )
    np.testing.assert_array_equal(read.tally.sums, part.tally.sums)
    np.testing.assert_allclose(read.centres.sums, part.centres.sums, atol=1e-5)
    outcome_ = Outcome.from_bytes(OUTCOME.to_bytes())
    one = measured(OUTCOME, part.ids, part.labels, VECTORS[:50])
    other = measured(outcome_, part.ids, part.labels, VECTORS[:50])
    back = Measured.from_bytes(other.to_bytes())
    assert back.labels.tolist() == one.labels.tolist()
    np.testing.assert_allclose(back.similarities, one.similarities, atol=1e-6)
    np.testing.assert_array_equal(back.moments.seconds, one.moments.seconds)


@pytest.mark.parametrize("kind", [Recipe, Part, Outcome, Measured])
@pytest.mark.parametrize("data", [b"", b"nonsense", b"PK\x03\x04"])
def test_other_bytes_are_refused(kind, data):
    with pytest.raises(InvalidArgument):
        kind.from_bytes(data)


@given(st.lists(st.uuids(), max_size=20))
def test_ids_are_the_texts_they_were_and_sort_like_them(uuids):
    texts = [str(each) for each in uuids]
    ids = ids_of(texts)
    assert texts_of(ids) == texts
    assert texts_of(np.sort(ids)) == sorted(texts)


def test_ids_that_end_in_zeros_stay_what_they_are():
    texts = [str(UUID(int=number << 64)) for number in (0, 1, 255, 256)]
    assert texts_of(np.sort(ids_of(texts))) == sorted(texts)


@given(st.sets(st.integers(0, 2**64 - 1), max_size=200), st.integers(0, 50), st.integers(0, 9))
def test_a_sample_depends_on_the_numbers_alone(numbers, size, seed):
    known = np.array(sorted(numbers), dtype=np.uint64)
    turned = known[::-1]
    chosen_ = known[lowest(ranks_of(known, seed), size)]
    assert set(chosen_) == set(turned[lowest(ranks_of(turned, seed), size)])
    assert len(chosen_) == min(size, len(known))


def test_samples_are_even():
    numbers = np.arange(100_000, dtype=np.uint64)
    taken = lowest(ranks_of(numbers, 3), 10_000)
    counts = np.histogram(taken, bins=10)[0]
    assert counts.min() > 900 and counts.max() < 1_100
    other = lowest(ranks_of(numbers, 4), 10_000)
    assert len(np.intersect1d(taken, other)) < 1_300


def test_groups_that_are_small_or_loose_or_close_do_not_stay_as_they_are():
    near, far = np.eye(8)[0], np.eye(8)[1]
    tally = Tally(
        np.array([near * 9.5, near * 18.5, far * 2.0, np.ones(8) * 0.8]),
        np.array([10.0, 20.0, 2.0, 12.0]),
    )
    params = replace(SMALL, min_size=4)
    places, left = settled(tally, RECIPE.model.acceptance, params)
    assert places.tolist() == [0, 0, OUTSIDE, OUTSIDE]
    assert left.counts.tolist() == [30.0]
    np.testing.assert_allclose(left.sums, [near * 28.0])
