import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.clustering.algorithms.quality import (
    GAIN,
    SCENE,
    Group,
    Scale,
    Verdict,
    unrelated_cosine,
    verdict_of,
)

RAW = Scale()


def around(centre: int, count: int, cosine: float, seed: int = 0, dimension: int = 64):
    """Unit rows, any two of which have about this cosine."""
    noise = np.random.default_rng(seed).normal(size=(count, dimension))
    noise /= np.linalg.norm(noise, axis=1, keepdims=True)
    rows = cosine**0.5 * np.eye(dimension)[centre] + (1 - cosine) ** 0.5 * noise
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.mark.parametrize(
    ("cohesion", "verdict"),
    [
        (1.0, Verdict.TIGHT),
        (0.85, Verdict.TIGHT),
        (0.849, Verdict.MODERATE),
        (0.70, Verdict.MODERATE),
        (0.699, Verdict.LOOSE),
        (-0.2, Verdict.LOOSE),
    ],
)
def test_verdicts(cohesion, verdict):
    assert verdict_of(cohesion) is verdict


@given(st.integers(1, 20), st.integers(0, 9))
def test_cohesion_and_likeness_are_those_of_all_pairs(count, seed):
    rows = np.random.default_rng(seed).normal(size=(count, 5))
    group = Group.of(rows, RAW)
    gram = group.rows @ group.rows.T
    others = ~np.eye(count, dtype=bool)
    assert group.cohesion == pytest.approx(gram[others].mean() if count > 1 else 1.0, abs=1e-5)
    means = [gram[row][others[row]].mean() if count > 1 else 1.0 for row in range(count)]
    assert group.member_likeness() == pytest.approx(means, abs=1e-5)


def test_photos_are_measured_from_unrelated_ones_to_shots_of_one_scene():
    scale = Scale.of_photos(0.3, 0.7)
    assert scale.likeness([0.3, 0.7]) == pytest.approx([0.0, SCENE])
    assert scale.likeness([-1.0, 1.0]) == pytest.approx([-1.0, 1.0])
    # A model that cannot tell scenes from strangers does not blow everything up.
    assert Scale.of_photos(0.7, 0.7).slope == pytest.approx(SCENE / 0.05)


NOBODY = np.empty((0, 2))


def test_groups_tell_what_unrelated_ones_are_like():
    assert unrelated_cosine(np.eye(8), np.ones((9, 8))) == pytest.approx(0.0, abs=1e-6)
    assert unrelated_cosine(np.ones((8, 2)), NOBODY) == pytest.approx(1.0)


def test_where_most_are_related_the_others_tell_it():
    # Seven groups are too few; of two subjects, half of the pairs are related.
    sample = np.vstack([around(0, 20, 0.8), around(1, 20, 0.8, seed=1)])
    assert unrelated_cosine(np.ones((7, 64)), sample) == pytest.approx(0.0, abs=0.1)
    assert unrelated_cosine(NOBODY, np.ones((1, 2))) == 0.0
    assert unrelated_cosine(NOBODY, NOBODY) == 0.0


def test_what_does_not_belong_is_found():
    rows = np.vstack([around(0, 20, 0.8), around(1, 2, 0.8, seed=1)])
    assert sorted(Group.of(rows, RAW).outliers()) == [20, 21]


def test_a_loose_group_is_not_half_outliers():
    group = Group.of(around(0, 40, 0.4), RAW)
    assert (group.member_likeness() < 0.6).all()
    assert len(group.outliers()) <= 3


def test_two_groups_in_one_are_proposed_to_be_split():
    rows = np.vstack([around(0, 12, 0.8), around(1, 8, 0.8, seed=1)])
    split = Group.of(rows, RAW).split()
    assert split.smaller.tolist() == [False] * 12 + [True] * 8
    assert split.gain >= GAIN
    assert min(split.cohesion, split.rest_cohesion) > 0.7


def test_a_split_is_not_proposed_where_it_gains_nothing():
    assert Group.of(around(0, 20, 0.8), RAW).split() is None
    assert Group.of(around(0, 400, 0.5), RAW).split() is None
    assert Group.of(around(0, 3, 0.1), RAW).split() is None
    assert Group.of(np.tile([1.0, 0.0], (6, 1)), Scale(0.9, 0.1)).split() is None


@given(st.integers(4, 30), st.integers(0, 20))
def test_a_split_has_two_parts_and_gains_enough(count, seed):
    split = Group.of(np.random.default_rng(seed).normal(size=(count, 3)), RAW).split()
    if split is not None:
        assert 2 <= split.smaller.sum() <= count / 2
        assert split.gain >= GAIN


def test_halves_of_one_group_should_be_one_and_two_groups_not():
    one, other = Group.of(around(0, 20, 0.7), RAW), Group.of(around(0, 20, 0.7, seed=1), RAW)
    kin = one.kinship(other)
    assert kin.merge
    assert kin.likeness == pytest.approx(0.7, abs=0.05)
    strangers = one.kinship(Group.of(around(1, 20, 0.7, seed=2), RAW))
    assert not strangers.merge
    assert strangers.likeness < 0.1
    assert strangers.joint_cohesion < kin.joint_cohesion
