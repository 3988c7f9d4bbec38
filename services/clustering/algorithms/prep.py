"""Preparing vectors: unit length, the collection's own centre, its main axes, its null statistics.

Thresholds on a cosine only transfer between collections when unrelated pairs have cosine 0; they
do once the mean of the collection itself is taken out (a mean fitted elsewhere does not do).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Matrix = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_PCA_SAMPLE = 50_000
_NULL_PAIRS = 20_000
_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class Epoch:
    """A frozen transform: ``mean`` (d,), ``basis`` (d, D), mean and deviation of unrelated pairs.

    Vectors transformed in one epoch compare with each other only.
    """

    mean: Matrix
    basis: Matrix
    null_mean: float
    null_sd: float

    def transform(self, units: Matrix) -> Matrix:
        """(n, d) unit vectors to (n, D) centred, projected unit vectors; the mean gives 0."""
        return unit((units - self.mean) @ self.basis)


def unit(vectors: npt.ArrayLike) -> Matrix:
    """Each row divided by its Euclidean length; rows of (nearly) no length become zero."""
    rows = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    scale = np.divide(1.0, lengths, out=np.zeros_like(lengths), where=lengths > 1e-7)
    return np.asarray(rows * scale, dtype=np.float32)


def fit_epoch(units: Matrix, dimensions: int, seed: int) -> Epoch:
    """The epoch of a collection of (n, d) distinct unit vectors, one a burst."""
    sample = _sample(units, _PCA_SAMPLE, seed)
    mean = sample.sum(axis=0, dtype=np.float64) / max(len(sample), 1)
    basis = principal_axes(sample - mean.astype(np.float32), dimensions)
    centred = Epoch(mean.astype(np.float32), basis, 0.0, 1.0)
    null_mean, null_sd = null_statistics(centred.transform(sample), seed)
    return Epoch(centred.mean, basis, null_mean, null_sd)


def principal_axes(centred: Matrix, dimensions: int) -> Matrix:
    """(d, D) orthonormal main axes of centred rows, largest variance first, D at most the rank."""
    rows, columns = centred.shape
    data = centred.astype(np.float64)
    if rows <= columns:
        values, left = np.linalg.eigh(data @ data.T)
        axes = data.T @ left / np.sqrt(np.maximum(values, np.finfo(float).tiny))
    else:
        values, axes = np.linalg.eigh(data.T @ data)
    order = np.argsort(-values, kind="stable")[:dimensions]
    kept = order[values[order] > _RANK_TOLERANCE * max(values.max(initial=0.0), 1e-12)]
    return _signed(axes[:, kept]).astype(np.float32)


def _signed(axes: Doubles) -> Doubles:
    """Axes are defined up to their sign; fixing it makes runs repeatable on every machine."""
    if axes.shape[1] == 0:
        return axes
    strongest = np.abs(axes).argmax(axis=0)
    signs = np.sign(axes[strongest, np.arange(axes.shape[1])])
    return axes * np.where(signs == 0, 1.0, signs)


def null_statistics(rows: Matrix, seed: int) -> tuple[float, float]:
    """Median and 1.4826 × median absolute deviation of the cosines of random pairs of rows."""
    cosines = _pair_cosines(rows, seed)
    if cosines.size == 0:
        return 0.0, 1.0
    centre = float(np.median(cosines))
    return centre, 1.4826 * float(np.median(np.abs(cosines - centre)))


def _pair_cosines(rows: Matrix, seed: int) -> Doubles:
    count = len(rows)
    if count * (count - 1) // 2 <= _NULL_PAIRS:
        first, second = np.triu_indices(count, 1)
    else:
        generator = np.random.default_rng(seed)
        first = generator.integers(0, count, _NULL_PAIRS)
        second = (first + generator.integers(1, count, _NULL_PAIRS)) % count
    return np.asarray(np.einsum("ij,ij->i", rows[first], rows[second], dtype=np.float64))


def _sample(rows: Matrix, size: int, seed: int) -> Matrix:
    if len(rows) <= size:
        return rows
    chosen = np.random.default_rng(seed).choice(len(rows), size, replace=False)
    return rows[np.sort(chosen)]
