import numpy as np
import pytest

from services.clustering.algorithms.components import Null
from services.clustering.algorithms.linkage import BayesFactor, agglomerate
from services.clustering.algorithms.prep import fit_epoch
from services.clustering.algorithms.significance import Dendrogram, is_significant, within_null
from tests.unit.clustering.algorithms.samples import noise, themes, unit

FACTOR = BayesFactor(0.4, 8.0)


def prepare(rows):
    epoch = fit_epoch(rows, 128, seed=1)
    prepared = epoch.transform(rows)
    tree = agglomerate(prepared, np.ones(len(rows)), FACTOR)
    return prepared, tree, Null(epoch.null_mean, epoch.null_sd)


def significant(rows, min_cohesion=0.23):
    prepared, tree, pairs = prepare(rows)
    null = within_null(prepared, tree.labels, pairs, seed=1)
    dendrogram = Dendrogram(prepared.astype(np.float64), np.ones(len(rows)), tree)
    return dendrogram.significant(null, len(rows), 4, min_cohesion)


@pytest.mark.parametrize("seed", range(3))
def test_the_bound_holds_on_noise_even_for_the_best_looking_groups(seed):
    assert significant(noise(400, 64, seed=seed).vectors, min_cohesion=0.0).max() == -1


def test_more_to_pick_from_makes_a_coincidence_likelier():
    null = Null(0.0, 0.1)
    assert is_significant(2.2, 5, null, population=20)
    assert not is_significant(2.2, 5, null, population=10_000)
    assert not is_significant(1.0, 5, null, population=5)


def test_the_noise_within_groups_is_seen_behind_two_themes():
    """Half of the pairs of two themes are related: their spread says nothing of the noise."""
    prepared, tree, pairs = prepare(themes(2, 20, within=0.6).vectors)
    null = within_null(prepared, tree.labels, pairs, seed=1)
    assert pairs.sd > 0.3
    assert null.sd < 0.25


def test_on_noise_both_nulls_agree():
    prepared, tree, pairs = prepare(noise(500, 64).vectors)
    null = within_null(prepared, tree.labels, pairs, seed=1)
    assert null.sd == pytest.approx(pairs.sd, rel=0.05)


def broad(groups: int) -> np.ndarray:
    """Three tight themes, and 60 items of a broad one with ``groups`` finer ones in it."""
    generator = np.random.default_rng(3)
    tight = themes(3, 15, dimensions=128, within=0.7, seed=5).vectors
    centre = unit(generator.normal(size=(1, 128)))
    own = unit(generator.normal(size=(60, 128)))
    if groups:
        fine = unit(generator.normal(size=(groups, 128)))
        own = unit(0.7 * fine[np.arange(60) % groups] + 0.7 * own)
    return np.vstack([tight, unit(0.18**0.5 * centre + 0.82**0.5 * own)])


def test_a_broad_group_falls_into_its_parts():
    labels = significant(broad(4))
    parts = labels[45:].reshape(-1, 4)
    assert all(len(set(parts[:, part].tolist()) - {-1}) == 1 for part in range(4))
    assert len(set(labels[45:].tolist()) - {-1}) == 4


def test_noise_around_a_broad_theme_has_no_parts():
    labels = significant(broad(0))
    assert (labels[45:] >= 0).mean() <= 0.1
    assert len(set(labels[:45].tolist())) == 3
