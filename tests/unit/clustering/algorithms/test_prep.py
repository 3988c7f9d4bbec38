import numpy as np
import pytest

from services.clustering.algorithms.prep import fit_epoch, null_statistics, principal_axes, unit
from tests.unit.clustering.algorithms.samples import noise, themes


def test_unit_rows_have_length_one_and_zero_stays_zero():
    rows = unit(np.array([[3.0, 4.0], [0.0, 0.0]]))
    assert rows[0] == pytest.approx([0.6, 0.8])
    assert rows[1].tolist() == [0.0, 0.0]


@pytest.mark.parametrize("shape", [(30, 80), (80, 30)])
def test_axes_are_orthonormal_and_in_order_of_variance(shape):
    rows = np.random.default_rng(0).normal(size=shape) * np.linspace(3, 1, shape[1])
    centred = (rows - rows.mean(axis=0)).astype(np.float32)

    axes = principal_axes(centred, 20)

    assert axes.T @ axes == pytest.approx(np.eye(20), abs=1e-4)
    variances = (centred @ axes).var(axis=0)
    assert np.all(np.diff(variances) <= 1e-3)
    exact = np.linalg.svd(centred, compute_uv=False)[:20] ** 2 / len(rows)
    assert variances == pytest.approx(exact, rel=1e-3)


def test_no_more_axes_than_the_rank():
    rows = unit(np.random.default_rng(1).normal(size=(5, 40)))
    assert fit_epoch(rows, 128, seed=1).basis.shape == (40, 4)


def test_equal_rows_have_no_axes_and_become_zero():
    rows = np.tile(unit(np.ones((1, 6))), (9, 1))
    epoch = fit_epoch(rows, 128, seed=1)
    assert epoch.transform(rows).shape == (9, epoch.basis.shape[1])
    assert np.abs(epoch.transform(rows)).max(initial=0.0) == 0.0


def test_unrelated_pairs_are_centred_whatever_the_common_part_is():
    rows = unit(noise(600, 64).vectors + 3.0)
    epoch = fit_epoch(rows, 64, seed=1)
    assert rows[0] @ rows[1] > 0.9
    assert epoch.null_mean == pytest.approx(0.0, abs=0.02)
    assert epoch.null_sd == pytest.approx(1 / 8, rel=0.1)


def test_null_statistics_of_one_row_and_of_many():
    assert null_statistics(np.ones((1, 3), dtype=np.float32), 1) == (0.0, 1.0)
    centre, spread = null_statistics(noise(3000, 100).vectors, 1)
    assert centre == pytest.approx(0.0, abs=0.01)
    assert spread == pytest.approx(0.1, rel=0.05)


def test_full_transform_keeps_the_geometry_of_the_centred_rows():
    rows = themes(3, 10, dimensions=20).vectors
    epoch = fit_epoch(rows, 20, seed=1)
    centred = unit(rows - epoch.mean)
    prepared = epoch.transform(rows)
    assert prepared @ prepared.T == pytest.approx(centred @ centred.T, abs=1e-4)
