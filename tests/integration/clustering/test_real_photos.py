"""The engine on 442 real labelled photos: gates a little below what was measured.

Measured with the defaults: ARI .475, BCubed .642, purity .659, 25 groups for 27 labels, 3 %
unclustered, every most central photo of its group's majority (tests/bench/clustering_quality.py).
"""

from collections import Counter

import numpy as np
import pytest

from libs.agreement import adjusted_rand, bcubed, purity, singles
from services.clustering.algorithms.engine import Engine, previous_of
from services.clustering.algorithms.titles import Labels, make_titles
from tests.bench.hero_quality import SPOILED, Cluster, clusters, planted, precision
from tests.integration.clustering.labelled_photos import LabelledPhotos, load
from tests.support.clustering.stream import Stream
from tests.support.shared import SHARED, needs_shared

pytestmark = [needs_shared, pytest.mark.shared]

ENGINE = Engine()


@pytest.fixture(scope="module")
def photos() -> LabelledPhotos:
    return load(SHARED)


def labels_of(clustering, photos: LabelledPhotos) -> list[int]:
    keys = {group.key: number for number, group in enumerate(clustering.groups)}
    labels = clustering.labels()
    return [keys.get(labels.get(item, ""), -1) for item in photos.ids]


def some_labels(photos: LabelledPhotos, count: int, seed: int) -> LabelledPhotos:
    chosen = np.random.default_rng(seed).choice(sorted(set(photos.labels)), count, replace=False)
    return photos.take(np.flatnonzero(np.isin(photos.labels, chosen)))


def shuffled(photos: LabelledPhotos, seed: int) -> LabelledPhotos:
    return photos.take(np.random.default_rng(seed).permutation(len(photos.ids)))


def test_whole_collection(photos):
    found = ENGINE.fit(photos.ids, photos.vectors)
    labels = labels_of(found, photos)
    assert adjusted_rand(singles(labels), photos.labels) >= 0.43
    assert bcubed(singles(labels), photos.labels) >= 0.61
    assert purity(labels, photos.labels) >= 0.62
    assert 20 <= len(found.groups) <= 31
    assert len(found.unclustered) / len(photos.ids) <= 0.08


def test_a_few_themes_are_found_too(photos):
    """With a few themes most pairs are related; a null taken from pairs would hide all groups."""
    scores, purities, outside = [], [], []
    for seed in range(8):
        part = some_labels(photos, 6, seed)
        found = ENGINE.fit(part.ids, part.vectors)
        labels = labels_of(found, part)
        scores.append(bcubed(singles(labels), part.labels))
        purities.append(purity(labels, part.labels))
        outside.append(len(found.unclustered) / len(part.ids))
    assert np.mean(scores) >= 0.72
    assert np.mean(purities) >= 0.90
    assert np.mean(outside) <= 0.20


def test_shuffled_input_gives_the_same_groups(photos):
    turned = shuffled(photos, 1)
    first = ENGINE.fit(photos.ids, photos.vectors)
    again = ENGINE.fit(turned.ids, turned.vectors, previous_of(first))
    assert again.labels() == first.labels()


def test_the_most_central_photo_is_of_the_majority(photos):
    label = dict(zip(photos.ids, photos.labels, strict=True))
    groups = ENGINE.fit(photos.ids, photos.vectors).groups
    right = [
        label[group.members[0]] == Counter(map(label.get, group.members)).most_common(1)[0][0]
        for group in groups
    ]
    assert np.mean(right) >= 0.92


@pytest.mark.parametrize("seed", range(3))
def test_five_percent_more_photos_keep_95_percent_of_the_members(photos, seed):
    order = shuffled(photos, seed)
    old, new = order.take(np.arange(420)), order.take(np.arange(420, 441))
    before = Stream.of(ENGINE, old.ids, old.vectors)
    updated = before.update(new.ids, new.vectors)
    assert updated.refit_due is None
    after = updated.labels()
    kept = [after.get(item) == key for item, key in before.labels().items()]
    assert np.mean(kept) >= 0.95


@pytest.mark.parametrize("seed", range(3))
def test_photos_coming_in_steps_are_grouped_nearly_as_well(photos, seed):
    order = shuffled(photos, seed)
    stream, agreements = Stream.of(ENGINE, order.ids[:100], order.vectors[:100]), []
    for start in range(100, len(order.ids), 20):
        part = slice(start, start + 20)
        stream = stream.update(order.ids[part], order.vectors[part])
        if stream.refit_due:
            stream = stream.refit()
        agreements.append(stream.agreement())
    truth = dict(zip(order.ids, order.labels, strict=True))
    labels = [truth[item] for item in sorted(truth)]
    assert adjusted_rand(stream.numbered(), labels) >= 0.40
    assert bcubed(stream.numbered(), labels) >= 0.60
    # At times two photos more turn a fit around (.75 here), however often it is made.
    assert np.mean(agreements) >= 0.90


def test_folder_names_make_titles(photos):
    groups = ENGINE.fit(photos.ids, photos.vectors).groups
    titles = make_titles({g.key: [Labels(file_name=item) for item in g.members] for g in groups})
    by_members = {g.key: " ".join(g.members) for g in groups}
    assert len({title.casefold() for title in titles.values()}) == len(groups)
    words = {key: set(title.casefold().split()) - {"photos"} for key, title in titles.items()}
    named = [key for key, said in words.items() if said and all(w in by_members[key] for w in said)]
    assert len(named) == len(groups)


@pytest.fixture(scope="module")
def real_clusters(photos) -> list[Cluster]:
    return clusters(photos)


def test_heroes_show_what_their_cluster_shows(photos, real_clusters):
    """Where half of the members at least show one thing; measured: all 17."""
    found = precision(real_clusters, photos)
    assert found.clear >= 15
    assert found.clearly >= 0.85
    assert found.everywhere >= 0.75


@pytest.mark.parametrize("how", SPOILED)
def test_a_planted_copy_that_is_spoiled_is_never_the_hero(real_clusters, how):
    heroes = [planted(cluster, SPOILED[how]) for cluster in real_clusters]
    assert "planted" not in [hero.id for hero in heroes if hero]
    assert len(heroes) == len(real_clusters)
