"""Keeping a clustering up to date: identity, increments, removal, the stored state."""

import numpy as np
import pytest

from libs.agreement import adjusted_rand, singles
from libs.errors import InvalidArgument
from services.clustering.algorithms.clustering import Previous, RefitReason
from services.clustering.algorithms.engine import Engine, previous_of
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.state import State
from tests.unit.clustering.algorithms.samples import (
    Matrix,
    Sample,
    library,
    noise,
    themes,
    unit,
)
from tests.unit.clustering.algorithms.test_engine import agreement, labels_of

ENGINE = Engine()


def split(sample: Sample, first: int) -> tuple[Sample, Sample]:
    return sample.take(np.arange(first)), sample.take(np.arange(first, len(sample.ids)))


def in_steps(engine: Engine, sample: Sample, first: int, step: int, refit: bool = True):
    """Fits the first items, adds the rest step by step; yields every answer."""
    clustering = engine.fit(sample.ids[:first], sample.vectors[:first])
    yield clustering
    for start in range(first, len(sample.ids), step):
        part = slice(start, start + step)
        clustering = engine.update(clustering.state, sample.ids[part], sample.vectors[part])
        yield clustering
        if refit and clustering.refit:
            clustering = engine.refit(clustering.state)
            yield clustering


def test_a_rerun_on_the_same_items_changes_nothing():
    sample = library(600, seed=1)
    first = ENGINE.fit(sample.ids, sample.vectors)
    again = ENGINE.fit(sample.ids, sample.vectors, previous_of(first.state))
    assert again.labels() == first.labels()
    assert again.state.next_key == first.state.next_key
    assert again.diff.born == again.diff.retired == ()
    assert again.diff.split == again.diff.merged == {}
    assert ENGINE.refit(first.state).labels() == first.labels()


@pytest.mark.parametrize("by", ["fit", "update"])
def test_five_percent_more_items_keep_95_percent_of_the_members(by):
    old, new = split(library(630, seed=2), 600)
    before = ENGINE.fit(old.ids, old.vectors)
    if by == "update":
        after = ENGINE.update(before.state, new.ids, new.vectors)
    else:
        ids, vectors = [*old.ids, *new.ids], np.vstack([old.vectors, new.vectors])
        after = ENGINE.fit(ids, vectors, previous_of(before.state))
    kept = [after.labels().get(item) == key for item, key in before.labels().items()]
    assert np.mean(kept) >= 0.95


def test_an_update_with_nothing_new_changes_nothing():
    sample = library(500, seed=3)
    before = ENGINE.fit(sample.ids, sample.vectors)
    after = ENGINE.update(before.state, [], np.empty((0, 128)))
    assert [(g.key, g.members) for g in after.groups] == [(g.key, g.members) for g in before.groups]


def test_three_subjects_stay_three_groups_when_five_photos_come():
    old, new = split(themes(3, 9, within=0.6), 20)
    before = ENGINE.fit(old.ids, old.vectors)
    after = ENGINE.update(before.state, new.ids[:5], new.vectors[:5])
    assert len(before.groups) == 3
    assert {group.key for group in after.groups} == {group.key for group in before.groups}
    assert set(new.ids[:5]) <= set(after.labels())


def test_increments_agree_with_the_full_fit():
    sample = library(900, seed=4)
    *_, last = in_steps(ENGINE, sample, 300, 100)
    full = ENGINE.fit(sample.ids, sample.vectors)
    assert agreement(last, full, sample.ids) >= 0.95
    assert adjusted_rand(singles(labels_of(last, sample.ids)), singles(sample.truth)) >= 0.95


def test_without_any_refit_increments_stay_close():
    sample = library(900, seed=4)
    *_, last = in_steps(ENGINE, sample, 400, 250, refit=False)
    assert agreement(last, ENGINE.fit(sample.ids, sample.vectors), sample.ids) >= 0.9
    assert ENGINE.agreement(last.state) >= 0.9


@pytest.mark.parametrize("order", ["shuffled", "by group"])
def test_the_order_of_arrival_matters_little(order):
    sample = library(800, seed=5)
    chosen = np.random.default_rng(0).permutation(len(sample.ids))
    if order == "by group":
        chosen = np.argsort(sample.truth, kind="stable")
    arriving = sample.take(chosen)
    *_, last = in_steps(ENGINE, arriving, 300, 100)
    truth = singles(arriving.truth)
    assert adjusted_rand(singles(labels_of(last, arriving.ids)), truth) >= 0.94


def test_order_inside_one_update_does_not_matter():
    old, new = split(library(700, seed=6), 600)
    state = ENGINE.fit(old.ids, old.vectors).state
    turned = new.shuffled(1)
    first = ENGINE.update(state, new.ids, new.vectors)
    second = ENGINE.update(state, turned.ids, turned.vectors)
    assert first.labels() == second.labels()


def test_a_new_theme_is_born_from_the_pool():
    sample, extra = (
        library(500, noise=0.1, seed=7),
        themes(1, 12, dimensions=128, within=0.7, seed=77),
    )
    ids = [f"new-{i:02d}" for i in range(12)]
    state = ENGINE.fit(sample.ids, sample.vectors).state

    waiting = ENGINE.update(state, ids[:2], extra.vectors[:2])
    grown = ENGINE.update(waiting.state, ids[2:], extra.vectors[2:])

    assert waiting.diff.born == ()
    assert set(ids[:2]) <= set(waiting.unclustered)
    assert len(grown.diff.born) == 1
    labels = grown.labels()
    assert {labels.get(item) for item in ids} == set(grown.diff.born)


@pytest.mark.parametrize("dimensions", [64, 128])
def test_noise_coming_in_founds_no_groups(dimensions):
    sample = noise(700, dimensions)
    *_, last = in_steps(Engine(Params(first_fit=5)), sample, 300, 100, refit=False)
    assert last.groups == ()


def test_a_copy_joins_its_photo_and_counts_no_weight():
    sample = library(500, seed=8)
    before = ENGINE.fit(sample.ids, sample.vectors)
    member = before.groups[0].members[0]
    place = sample.ids.index(member)

    after = ENGINE.update(before.state, ["copy"], sample.vectors[[place]])

    assert after.duplicates["copy"] == member
    assert after.labels()["copy"] == before.groups[0].key
    assert after.state.components.counts.sum() == before.state.components.counts.sum()


def test_added_and_removed_leaves_sums_as_recomputed():
    sample = library(600, seed=9)
    generator = np.random.default_rng(0)
    clustering = ENGINE.fit(sample.ids[:500], sample.vectors[:500])
    for _ in range(15):
        gone = generator.choice(500, 30, replace=False)
        clustering = ENGINE.update(clustering.state, [], [], [sample.ids[i] for i in gone])
        part = sample.take(gone)
        clustering = ENGINE.update(clustering.state, part.ids, part.vectors)

    state = clustering.state
    rows = state.epoch.transform(state.vectors.astype(np.float32))
    for number, total in enumerate(state.components.sums):
        exact = rows[state.labels == number].sum(axis=0, dtype=np.float64)
        cosine = exact @ total / np.linalg.norm(exact) / np.linalg.norm(total)
        assert cosine >= 0.9999
        assert state.components.counts[number] == (state.labels == number).sum()


def test_removed_items_are_gone_and_an_empty_group_retires():
    sample = themes(6, 12, seed=3)
    before = ENGINE.fit(sample.ids, sample.vectors)
    victim = before.groups[0]
    engine = Engine(Params(first_fit=5))

    after = engine.update(before.state, [], [], removed=[*victim.members, "never heard of"])

    assert victim.key in after.diff.retired
    assert not set(victim.members) & {*after.labels(), *after.unclustered}
    assert len(after.groups) == len(before.groups) - 1


def test_when_a_representative_goes_a_copy_stands_for_the_photo():
    sample = themes(6, 12, seed=4)
    ids = [*sample.ids, "z-copy-1", "z-copy-2"]
    vectors = np.vstack([sample.vectors, sample.vectors[[0, 0]]])
    before = ENGINE.fit(ids, vectors)
    after = Engine(Params(first_fit=5)).update(before.state, [], [], removed=[sample.ids[0]])
    assert after.duplicates == {"z-copy-2": "z-copy-1"}
    assert after.labels()["z-copy-1"] == before.labels()[sample.ids[0]]


def test_an_item_given_again_is_replaced():
    sample = themes(6, 12, seed=5)
    before = ENGINE.fit(sample.ids, sample.vectors)
    mover, target = before.groups[0].members[-1], before.groups[1]
    neighbour = sample.vectors[sample.ids.index(target.members[0])]
    after = Engine(Params(first_fit=5)).update(before.state, [mover], neighbour[None])
    assert after.labels()[mover] == target.key
    assert after.duplicates[mover] == target.members[0]


def test_a_rejected_item_may_come_again():
    sample = themes(4, 12, seed=6)
    before = ENGINE.fit(
        [*sample.ids[:-1], "x"], np.vstack([sample.vectors[:-1], np.zeros((1, 64))])
    )
    after = ENGINE.update(before.state, ["x"], sample.vectors[-1:])
    assert before.rejected == ("x",)
    assert after.rejected == ()
    assert "x" in after.labels()


def test_keys_are_never_used_again_and_redirects_never_turn_in_circles():
    generator = np.random.default_rng(1)
    sample = library(800, seed=10)
    ever: set[str] = set()
    alive: set[str] = set()
    for clustering in in_steps(
        ENGINE, sample.take(generator.permutation(len(sample.ids))), 200, 100
    ):
        keys = {group.key for group in clustering.groups}
        assert not (keys - alive) & ever
        assert set(clustering.diff.born) == keys - alive
        assert alive - keys == {
            *clustering.diff.retired,
            *clustering.diff.merged,
            *(set(clustering.diff.split) - keys),
        }
        assert set(clustering.diff.merged.values()) <= keys
        alive, ever = keys, ever | keys


def around(centre: Matrix, count: int, seed: int) -> Matrix:
    return unit(0.6**0.5 * centre + 0.4**0.5 * noise(count, 64, seed=seed).vectors)


def test_groups_merge_when_the_gap_between_them_fills():
    sample = themes(5, 15, within=0.6, seed=12)
    sides = unit(noise(1, 64, seed=2).vectors + 0.75 * noise(2, 64, seed=3).vectors)
    small = [f"a{i:02d}" for i in range(8)]
    large = [f"b{i:02d}" for i in range(12)]
    vectors = np.vstack([sample.vectors, around(sides[0], 8, 4), around(sides[1], 12, 5)])
    before = ENGINE.fit([*sample.ids, *small, *large], vectors)
    keys = {before.labels()[small[0]], before.labels()[large[0]]}
    between = around(unit(sides.sum(axis=0)[None])[0], 60, 6)

    after = ENGINE.update(before.state, [f"c{i:02d}" for i in range(60)], between)

    assert len(keys) == 2
    [(gone, kept)] = after.diff.merged.items()
    assert {gone, kept} == keys
    assert {after.labels().get(item) for item in [*small, *large]} == {kept}


def test_growth_makes_a_refit_due():
    old, new = split(library(700, seed=11), 500)
    state = ENGINE.fit(old.ids, old.vectors).state
    assert ENGINE.update(state, new.ids[:40], new.vectors[:40]).refit is None
    assert ENGINE.update(state, new.ids[:140], new.vectors[:140]).refit is RefitReason.GROWTH


def test_items_of_another_kind_make_a_refit_due():
    sample, drift = library(600, noise=0.05, seed=12), noise(70, 128, seed=13)
    state = ENGINE.fit(sample.ids, sample.vectors).state
    after = ENGINE.update(state, [f"drift-{i:02d}" for i in range(70)], drift.vectors)
    assert after.refit is RefitReason.POOL


def test_a_stored_state_goes_on_like_the_live_one():
    old, new = split(library(560, seed=13), 500)
    live = ENGINE.fit(old.ids, old.vectors).state
    stored = State.from_bytes(live.to_bytes())
    first = ENGINE.update(live, new.ids, new.vectors)
    second = ENGINE.update(stored, new.ids, new.vectors)
    assert first.labels() == second.labels()
    assert first.unclustered == second.unclustered
    assert [g.similarities for g in first.groups] == [g.similarities for g in second.groups]


@pytest.mark.parametrize("items", [0, 1, 3])
def test_a_state_of_almost_nothing_can_be_stored_and_goes_on(items):
    sample = themes(3, 12)
    state = ENGINE.fit(sample.ids[:items], sample.vectors[:items]).state
    after = ENGINE.update(
        State.from_bytes(state.to_bytes()), sample.ids[items:], sample.vectors[items:]
    )
    assert after.labels() == ENGINE.fit(sample.ids, sample.vectors).labels()


@pytest.mark.parametrize("data", [b"", b"not a state", b"PK\x05\x06" + bytes(18)])
def test_bytes_that_are_no_state_are_refused(data):
    with pytest.raises(InvalidArgument, match="full fit"):
        State.from_bytes(data)


def test_vectors_of_another_model_are_refused():
    sample = themes(3, 30)
    state = ENGINE.fit(sample.ids, sample.vectors).state
    with pytest.raises(InvalidArgument, match="dimensions"):
        ENGINE.update(state, ["a"], np.ones((1, 32)))


def test_a_pinned_group_keeps_its_key_when_its_photos_are_shared_out():
    sample = themes(3, 12, seed=20)
    found = ENGINE.fit(sample.ids, sample.vectors)
    whole = found.groups[0].members
    previous = Previous({"g1": whole[:8], "g2": whole[8:]}, 3, frozenset({"g2"}))
    assert ENGINE.fit(sample.ids, sample.vectors, previous).labels()[whole[0]] == "g2"
