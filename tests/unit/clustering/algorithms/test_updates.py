"""Keeping a clustering up to date: identity, increments, removal, the stored memory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis.strategies import data, integers, lists, sampled_from

from libs.agreement import adjusted_rand, singles
from libs.errors import InvalidArgument
from services.clustering.algorithms.clustering import Previous, RefitReason
from services.clustering.algorithms.engine import Engine, previous_of
from services.clustering.algorithms.memory import Memory
from services.clustering.algorithms.params import Params
from services.clustering.algorithms.stepping import Shift
from tests.support.clustering.stream import Stream
from tests.unit.clustering.algorithms.samples import (
    Matrix,
    Sample,
    library,
    noise,
    themes,
    unit,
)

ENGINE = Engine()
QUICK = Engine(Params(first_fit=5))
GROWING = Engine(Params(growth_when_small=3.0))


def split(sample: Sample, first: int) -> tuple[Sample, Sample]:
    return sample.take(np.arange(first)), sample.take(np.arange(first, len(sample.ids)))


def in_steps(engine: Engine, sample: Sample, first: int, step: int, refit: bool = True):
    """Fits the first items, adds the rest step by step; yields every answer."""
    stream = Stream.of(engine, sample.ids[:first], sample.vectors[:first])
    yield stream
    for start in range(first, len(sample.ids), step):
        part = slice(start, start + step)
        stream = stream.update(sample.ids[part], sample.vectors[part])
        yield stream
        if refit and stream.refit_due:
            stream = stream.refit()
            yield stream


def against_truth(stream: Stream, sample: Sample) -> float:
    truth = dict(zip(sample.ids, sample.truth, strict=True))
    return adjusted_rand(stream.numbered(), singles([truth[item] for item in sorted(truth)]))


def test_a_rerun_on_the_same_items_changes_nothing():
    sample = library(600, seed=1)
    first = ENGINE.fit(sample.ids, sample.vectors)
    again = ENGINE.fit(sample.ids, sample.vectors, previous_of(first))
    assert again.labels() == first.labels()
    assert again.memory.next_key == first.memory.next_key
    assert again.diff.born == again.diff.retired == ()
    assert again.diff.split == again.diff.merged == {}


@pytest.mark.parametrize("by", ["fit", "update"])
def test_five_percent_more_items_keep_95_percent_of_the_members(by):
    old, new = split(library(630, seed=2), 600)
    before = Stream.of(ENGINE, old.ids, old.vectors)
    after = before.update(new.ids, new.vectors)
    if by == "fit":
        after = after.refit()
    kept = [after.labels().get(item) == key for item, key in before.labels().items()]
    assert np.mean(kept) >= 0.95


def test_an_update_with_nothing_new_changes_nothing():
    sample = library(500, seed=3)
    before = Stream.of(ENGINE, sample.ids, sample.vectors)
    after = before.update([], np.empty((0, 128)))
    assert after.groups == before.groups
    assert after.refit_due is None


def test_three_subjects_stay_three_groups_when_five_photos_come():
    old, new = split(themes(3, 9, within=0.6), 20)
    before = Stream.of(ENGINE, old.ids, old.vectors)
    after = before.update(new.ids[:5], new.vectors[:5])
    assert len(before.groups) == 3
    assert after.groups.keys() == before.groups.keys()
    assert set(new.ids[:5]) <= set(after.labels())


def test_increments_agree_with_the_full_fit():
    sample = library(900, seed=4)
    *_, last = in_steps(ENGINE, sample, 300, 100)
    assert last.agreement() >= 0.95
    assert against_truth(last, sample) >= 0.95


def test_without_any_refit_increments_stay_close():
    sample = library(900, seed=4)
    *_, last = in_steps(ENGINE, sample, 400, 250, refit=False)
    assert last.agreement() >= 0.9


@pytest.mark.parametrize("order", ["shuffled", "by group"])
def test_the_order_of_arrival_matters_little(order):
    sample = library(800, seed=5)
    chosen = np.random.default_rng(0).permutation(len(sample.ids))
    if order == "by group":
        chosen = np.argsort(sample.truth, kind="stable")
    arriving = sample.take(chosen)
    *_, last = in_steps(ENGINE, arriving, 300, 100)
    assert against_truth(last, arriving) >= 0.94


def test_order_inside_one_update_does_not_matter():
    old, new = split(library(700, seed=6), 600)
    before = Stream.of(ENGINE, old.ids, old.vectors)
    turned = new.shuffled(1)
    assert (
        before.update(new.ids, new.vectors).labels()
        == before.update(turned.ids, turned.vectors).labels()
    )


def test_a_new_theme_is_born_from_the_pool():
    sample, extra = (
        library(500, noise=0.1, seed=7),
        themes(1, 12, dimensions=128, within=0.7, seed=77),
    )
    ids = [f"new-{i:02d}" for i in range(12)]
    before = Stream.of(ENGINE, sample.ids, sample.vectors)

    waiting = before.update(ids[:2], extra.vectors[:2])
    grown = waiting.update(ids[2:], extra.vectors[2:])

    assert waiting.diff.born == ()
    assert set(ids[:2]) <= set(waiting.unclustered)
    assert len(grown.diff.born) == 1
    labels = grown.labels()
    assert {labels.get(item) for item in ids} == set(grown.diff.born)


@pytest.mark.parametrize("dimensions", [64, 128])
def test_noise_coming_in_founds_no_groups(dimensions):
    sample = noise(700, dimensions)
    *_, last = in_steps(Engine(Params(first_fit=5)), sample, 300, 100, refit=False)
    assert last.groups == {}


def test_a_copy_joins_its_photo_and_counts_no_weight():
    sample = library(500, seed=8)
    before = Stream.of(ENGINE, sample.ids, sample.vectors)
    member, key = next(iter(before.labels().items()))
    place = sample.ids.index(member)

    after = before.update(["copy"], sample.vectors[[place]])

    assert after.duplicates["copy"] == member
    assert after.labels()["copy"] == key
    assert after.memory.components.counts.sum() == before.memory.components.counts.sum()


def exact_sums(stream: Stream) -> dict[str, tuple[Matrix, int]]:
    """The sum and number of the distinct photos of each group, added up anew."""
    photos = {
        key: [stream.vectors[item] for item in items if item not in stream.duplicates]
        for key, items in stream.groups.items()
    }
    return {key: (np.sum(rows, axis=0), len(rows)) for key, rows in photos.items()}


def assert_exact(stream: Stream) -> None:
    memory, exact = stream.memory, exact_sums(stream)
    assert set(memory.keys.tolist()) == exact.keys()
    rows = {item: memory.epoch.transform(row[None])[0] for item, row in stream.vectors.items()}
    for number, key in enumerate(memory.keys.tolist()):
        total, count = exact[key]
        assert memory.components.counts[number] == count
        assert cosine(memory.sums[number], total) >= 0.9999
        inside = [i for i in stream.groups[key] if i not in stream.duplicates]
        projected = np.sum([rows[item] for item in inside], axis=0)
        assert cosine(memory.components.sums[number], projected) >= 0.9999


def cosine(one: Matrix, other: Matrix) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


def test_added_and_removed_leaves_sums_as_recomputed():
    sample = library(600, seed=9)
    generator = np.random.default_rng(0)
    stream = Stream.of(ENGINE, sample.ids[:500], sample.vectors[:500])
    for _ in range(15):
        gone = generator.choice(500, 30, replace=False)
        stream = stream.update([], [], [sample.ids[i] for i in gone])
        part = sample.take(gone)
        stream = stream.update(part.ids, part.vectors)
    assert_exact(stream)


def test_the_centroid_is_exact_after_ten_thousand_random_moves():
    sample = themes(4, 60, seed=8)
    stream = Stream.of(ENGINE, sample.ids, sample.vectors)
    keys, generator = sorted(stream.groups), np.random.default_rng(0)
    places, memory = dict(stream.places), stream.memory
    for _ in range(100):
        shifts = []
        for place in generator.choice(len(sample.ids), 100, replace=False).tolist():
            item = sample.ids[place]
            after = str(generator.choice([*keys, ""]))
            shifts.append(Shift(item, stream.vectors[item], places.get(item, ""), after))
            places[item] = after
        memory = ENGINE.step(memory, [], [], shifts).memory
    inside = {item: key for item, key in places.items() if key}
    assert_exact(replace(stream, places=inside, memory=Memory.from_bytes(memory.to_bytes())))


def test_removed_items_are_gone_and_an_empty_group_retires():
    sample = themes(6, 12, seed=3)
    before = Stream.of(QUICK, sample.ids, sample.vectors)
    victim, members = next(iter(before.groups.items()))

    after = before.update([], [], removed=[*members, "never heard of"])

    assert victim in after.diff.retired
    assert not set(members) & {*after.labels(), *after.unclustered}
    assert len(after.groups) == len(before.groups) - 1


def test_when_a_representative_goes_a_copy_stands_for_the_photo():
    sample = themes(6, 12, seed=4)
    ids = [*sample.ids, "z-copy-1", "z-copy-2"]
    vectors = np.vstack([sample.vectors, sample.vectors[[0, 0]]])
    before = Stream.of(QUICK, ids, vectors)
    after = before.update([], [], removed=[sample.ids[0]])
    assert_exact(after)
    assert after.duplicates == {"z-copy-2": "z-copy-1"}
    assert after.labels()["z-copy-1"] == before.labels()[sample.ids[0]]


def test_an_item_given_again_is_replaced():
    sample = themes(6, 12, seed=5)
    before = Stream.of(QUICK, sample.ids, sample.vectors)
    (_, [*_, mover]), (key, [target, *_]) = list(before.groups.items())[:2]
    after = before.update([mover], sample.vectors[[sample.ids.index(target)]])
    assert after.labels()[mover] == key
    assert after.duplicates[mover] == target
    assert_exact(after)


def test_a_rejected_item_may_come_again():
    sample = themes(4, 12, seed=6)
    before = Stream.of(
        ENGINE, [*sample.ids[:-1], "x"], np.vstack([sample.vectors[:-1], np.zeros((1, 64))])
    )
    after = before.update(["x"], sample.vectors[-1:])
    assert before.rejected == {"x"}
    assert after.rejected == set()
    assert "x" in after.labels()


def test_keys_are_never_used_again_and_redirects_never_turn_in_circles():
    generator = np.random.default_rng(1)
    sample = library(800, seed=10)
    ever: set[str] = set()
    alive: set[str] = set()
    for clustering in in_steps(
        ENGINE, sample.take(generator.permutation(len(sample.ids))), 200, 100
    ):
        keys = clustering.groups.keys()
        assert not (keys - alive) & ever
        assert set(clustering.diff.born) == keys - alive
        assert alive - keys == {
            *clustering.diff.retired,
            *clustering.diff.merged,
            *(set(clustering.diff.split) - keys),
        }
        assert set(clustering.diff.merged.values()) <= keys
        alive, ever = set(keys), ever | keys


def around(centre: Matrix, count: int, seed: int) -> Matrix:
    return unit(0.6**0.5 * centre + 0.4**0.5 * noise(count, 64, seed=seed).vectors)


def test_groups_merge_when_the_gap_between_them_fills():
    sample = themes(5, 15, within=0.6, seed=12)
    sides = unit(noise(1, 64, seed=2).vectors + 0.75 * noise(2, 64, seed=3).vectors)
    small = [f"a{i:02d}" for i in range(8)]
    large = [f"b{i:02d}" for i in range(12)]
    vectors = np.vstack([sample.vectors, around(sides[0], 8, 4), around(sides[1], 12, 5)])
    before = Stream.of(ENGINE, [*sample.ids, *small, *large], vectors)
    keys = {before.labels()[small[0]], before.labels()[large[0]]}
    between = around(unit(sides.sum(axis=0)[None])[0], 60, 6)

    after = before.update([f"c{i:02d}" for i in range(60)], between)

    assert len(keys) == 2
    [(gone, kept)] = after.diff.merged.items()
    assert {gone, kept} == keys
    assert {after.labels().get(item) for item in [*small, *large]} == {kept}


def test_growth_makes_a_refit_due():
    old, new = split(library(700, seed=11), 500)
    before = Stream.of(ENGINE, old.ids, old.vectors)
    assert before.update(new.ids[:26], new.vectors[:26]).refit_due is None
    assert before.update(new.ids[:27], new.vectors[:27]).refit_due is RefitReason.GROWTH
    assert before.update([], [], old.ids[:27]).refit_due is RefitReason.GROWTH


def test_items_of_another_kind_make_a_refit_due():
    sample, drift = library(600, noise=0.05, seed=12), noise(70, 128, seed=13)
    before = Stream.of(GROWING, sample.ids, sample.vectors)
    after = before.update([f"drift-{i:02d}" for i in range(70)], drift.vectors)
    assert after.refit_due is RefitReason.POOL


def test_groups_that_wander_off_make_a_refit_due():
    """Each newcomer is still taken by its group, but less and less like those that were fitted."""
    old, new = split(themes(6, 50, within=0.5, seed=14), 240)
    before = Stream.of(GROWING, old.ids, old.vectors)
    wandered = unit(new.vectors + 0.5 * unit(noise(60, 64, seed=15).vectors))
    assert before.update(new.ids, new.vectors).refit_due is None
    assert before.update(new.ids, wandered).refit_due is RefitReason.DRIFT


def test_a_stored_memory_goes_on_like_the_live_one():
    old, new = split(library(560, seed=13), 500)
    live = ENGINE.fit(old.ids, old.vectors).memory
    stored = Memory.from_bytes(live.to_bytes())
    first = ENGINE.step(live, new.ids, new.vectors)
    second = ENGINE.step(stored, new.ids, new.vectors)
    assert first.places == second.places
    assert first.outside == second.outside
    assert first.touched == second.touched
    assert first.memory.to_bytes() == second.memory.to_bytes()


@pytest.mark.parametrize("items", [0, 1, 3])
def test_a_memory_of_almost_nothing_can_be_stored_and_goes_on(items):
    sample = themes(3, 12)
    memory = ENGINE.fit(sample.ids[:items], sample.vectors[:items]).memory
    stored = Memory.from_bytes(memory.to_bytes())
    step = ENGINE.step(stored, sample.ids[items:], sample.vectors[items:])
    assert step.refit is RefitReason.SMALL
    assert step.outside == tuple(sample.ids[items:])


@pytest.mark.parametrize("data", [b"", b"not a memory", b"PK\x05\x06" + bytes(18)])
def test_bytes_that_are_no_memory_are_refused(data):
    with pytest.raises(InvalidArgument, match="full fit"):
        Memory.from_bytes(data)


def test_vectors_of_another_model_are_refused():
    sample = themes(3, 30)
    memory = ENGINE.fit(sample.ids, sample.vectors).memory
    with pytest.raises(InvalidArgument, match="dimensions"):
        ENGINE.step(memory, ["a"], np.ones((1, 32)))


def test_the_memory_does_not_grow_with_the_items():
    """Its size depends on groups, dimensions and the pool, and that has a limit."""
    engine = Engine(Params(first_fit=5, pool_max=150))
    sizes = []
    for each in (40, 120):
        sample = themes(5, each, dimensions=256, within=0.7, seed=16)
        memory = engine.fit(sample.ids, sample.vectors).memory
        sizes.append(len(memory.to_bytes()))
    assert sizes[1] < 1.1 * sizes[0]
    loose = noise(400, 256, seed=17)
    ids = [f"loose-{i:03d}" for i in range(400)]
    for start in range(0, 400, 20):
        part = slice(start, start + 20)
        memory = engine.step(memory, ids[part], loose.vectors[part]).memory
        assert len(memory.pool) <= 150
    assert set(memory.pool.ids.tolist()) <= set(ids)
    assert memory.history.came == 400


def test_a_group_that_is_there_again_is_made_of_its_photos():
    """As after a step back to a version that had it."""
    sample = themes(5, 20, seed=18)
    before = Stream.of(QUICK, sample.ids, sample.vectors)
    (lost, members), *_ = before.groups.items()
    away = [Shift(item, before.vectors[item], lost, "") for item in members]
    back = [Shift(item, before.vectors[item], "", lost) for item in members]
    without = QUICK.step(before.memory, [], [], away)
    again = QUICK.step(without.memory, [], [], back)
    assert without.retired == (lost,)
    assert len(without.memory.pool) == len(members)
    assert len(again.memory.pool) == 0
    assert_exact(replace(before, memory=again.memory))


@settings(max_examples=15)
@given(data())
def test_whatever_comes_and_goes_every_item_is_in_one_place_and_sums_are_exact(chooser):
    sample = library(400, seed=19)
    stream = Stream.of(QUICK, sample.ids[:250], sample.vectors[:250])
    waiting = list(range(250, 400))
    for _ in range(chooser.draw(integers(1, 4))):
        coming = chooser.draw(lists(sampled_from(waiting), unique=True, max_size=40))
        going = chooser.draw(lists(sampled_from(sorted(stream.vectors)), unique=True, max_size=40))
        part = sample.take(np.array(coming, dtype=np.int64))
        stream = stream.update(part.ids, part.vectors.reshape(-1, 128), going)
        here = {*stream.vectors}
        assert {*part.ids} <= here
        assert not {*going} - {*part.ids} & here
        assert stream.places.keys() <= here
        outside = set(stream.memory.pool.ids.tolist())
        assert outside == stream.unclustered - stream.duplicates.keys()
    assert_exact(stream)


def test_responsibilities_are_shares_of_the_best_groups():
    sample = themes(5, 20, within=0.7, seed=21)
    found = Stream.of(ENGINE, sample.ids, sample.vectors)
    loose = noise(1, 64, seed=22).vectors
    member, stranger = ENGINE.responsibilities(
        found.memory, np.vstack([sample.vectors[:1], loose]), best=3
    )
    key = found.labels()[sample.ids[0]]
    assert len(member.shares) == 3
    assert next(iter(member.shares)) == key
    assert member.shares[key] >= 0.6
    assert sum(member.shares.values()) + member.alone <= 1.0 + 1e-9
    assert max(stranger.shares.values()) < 0.6
    assert stranger.alone > max(stranger.shares.values())


def test_an_item_does_not_vouch_for_itself():
    sample = themes(3, 8, within=0.7, seed=24)
    found = ENGINE.fit(sample.ids, sample.vectors)
    labels, memory = found.labels(), found.memory
    row = next(row for row, id in enumerate(sample.ids) if id in labels)
    key, vector = labels[sample.ids[row]], sample.vectors[row : row + 1]
    (blind,) = ENGINE.responsibilities(memory, vector, own=[key])
    (vain,) = ENGINE.responsibilities(memory, vector)
    without = ENGINE.step(memory, [], [], [Shift(sample.ids[row], vector[0], key, "", gone=True)])
    (apart,) = ENGINE.responsibilities(without.memory, vector)
    assert blind.shares == pytest.approx(apart.shares, abs=1e-3)
    assert blind.alone == pytest.approx(apart.alone, abs=1e-3)
    assert blind.shares[key] < vain.shares[key]


def test_without_groups_everything_stands_alone():
    sample = noise(3, 64, seed=23)
    found = ENGINE.fit(sample.ids, sample.vectors)
    assert not found.groups
    for membership in ENGINE.responsibilities(found.memory, sample.vectors):
        assert (membership.shares, membership.alone) == ({}, 1.0)


def test_a_pinned_group_keeps_its_key_when_its_photos_are_shared_out():
    sample = themes(3, 12, seed=20)
    found = ENGINE.fit(sample.ids, sample.vectors)
    whole = found.groups[0].members
    previous = Previous({"g1": whole[:8], "g2": whole[8:]}, 3, frozenset({"g2"}))
    assert ENGINE.fit(sample.ids, sample.vectors, previous).labels()[whole[0]] == "g2"
