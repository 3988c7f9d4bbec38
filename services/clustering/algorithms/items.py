"""The items as they come in: checked, sorted, of unit length, copies found."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from libs.errors import InvalidArgument
from services.clustering.algorithms.memory import Halves, Texts
from services.clustering.algorithms.prep import Matrix, unit


@dataclass(frozen=True, slots=True, eq=False)
class Items:
    """Usable items sorted by id with half-precision unit vectors, and the ids of the others."""

    ids: Texts
    vectors: Halves
    rejected: Texts


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Usable items sorted by id with their vectors as they came, and the ids of the others."""

    ids: Texts
    vectors: Matrix
    rejected: Texts


def read_items(ids: Sequence[str], vectors: npt.ArrayLike) -> Items:
    """Checks and sorts; rows that are zero or not finite are put aside as ``rejected``.

    Raises InvalidArgument for repeated ids and wrong shapes.
    """
    rows = read_rows(ids, vectors)
    return Items(rows.ids, halves(rows.vectors), rows.rejected)


def read_rows(ids: Sequence[str], vectors: npt.ArrayLike) -> Rows:
    """The same in single precision."""
    rows = np.asarray(vectors, dtype=np.float32)
    rows = rows.reshape(0, 0) if rows.size == 0 and not ids else rows
    if rows.ndim != 2 or len(rows) != len(ids):
        raise InvalidArgument.of(
            "vectors", f"have shape {rows.shape}; give one row for each of the {len(ids)} ids"
        )
    names = texts(ids)
    if len(np.unique(names)) != len(names):
        raise InvalidArgument.of("ids", "contain an id twice; give each item once")
    order = np.argsort(names, kind="stable")
    names, rows = names[order], rows[order]
    usable = np.asarray(np.isfinite(rows).all(axis=1) & (rows != 0).any(axis=1))
    return Rows(names[usable], rows[usable], names[~usable])


def texts(values: Sequence[str]) -> Texts:
    """An array of strings, also when there are none."""
    return np.array(values, dtype=np.str_) if len(values) else np.empty(0, dtype="<U1")


def halves(rows: Matrix) -> Halves:
    """Unit vectors in half precision, which changes no group but halves the memory."""
    largest = np.abs(rows).max(axis=1, keepdims=True, initial=0.0)
    return unit(rows / np.maximum(largest, np.finfo(np.float32).tiny)).astype(np.float16)


def floats(vectors: Halves) -> Matrix:
    """Stored vectors for computing: single precision, unit length again."""
    return unit(vectors.astype(np.float32))
