"""Finding near-duplicates, so that a burst of shots counts as one photo.

Every burst would otherwise become a dense group of its own and drag mean and thresholds along.
"""

import numpy as np

from services.clustering.algorithms.linkage import Indices
from services.clustering.algorithms.prep import Matrix

_ROWS_AT_ONCE = 512
_ROUNDING = 1e-6


def collapse(units: Matrix, threshold: float, exact_max: int, seed: int) -> Indices:
    """(n,) index of each row's representative; a representative is its own.

    The leader pass: in order, a row is a copy of the nearest earlier leader when their cosine is
    at least ``threshold``, else it becomes a leader. Above ``exact_max`` rows only leaders in the
    two nearest of about sqrt(n) cells are looked at.
    """
    if len(units) <= exact_max:
        leaders = Leaders(units[:0], threshold)
        found = leaders.add(units)
        return leaders.positions[found]
    return _collapse_in_cells(units, threshold, seed)


class Leaders:
    """Leaders so far; ``positions`` are the numbers of the added rows that became one, -1 for the
    known ones.
    """

    def __init__(self, known: Matrix, threshold: float) -> None:
        self._known = known
        self._fresh = known[:0]
        self._threshold = threshold - _ROUNDING
        self._added = 0
        self.positions: Indices = np.full(len(known), -1, dtype=np.int64)

    def add(self, units: Matrix) -> Indices:
        """(n,) number of each row's leader, known ones first, then new ones as they came."""
        parts = [
            self._add_block(units[start : start + _ROWS_AT_ONCE])
            for start in range(0, len(units), _ROWS_AT_ONCE)
        ]
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    def _add_block(self, block: Matrix) -> Indices:
        found, closeness = self._nearest(block)
        within = block @ block.T
        leaders = len(self.positions)
        fresh: list[int] = []
        for row in range(len(block)):
            if fresh and (inner := within[row, fresh]).max() > closeness[row]:
                closeness[row], found[row] = inner.max(), leaders + int(inner.argmax())
            if closeness[row] < self._threshold:
                found[row] = leaders + len(fresh)
                fresh.append(row)
        self._fresh = np.vstack([self._fresh, block[fresh]])
        self.positions = np.append(self.positions, self._added + np.array(fresh, dtype=np.int64))
        self._added += len(block)
        return found

    def _nearest(self, block: Matrix) -> tuple[Indices, Matrix]:
        """The nearest leader of each row, the earlier one on a tie, and its cosine."""
        old, close_old = _nearest(block, self._known)
        new, close_new = _nearest(block, self._fresh)
        newer = close_new > close_old
        nearest = np.where(newer, new + len(self._known), old)
        return nearest, np.where(newer, close_new, close_old)


def _nearest(rows: Matrix, others: Matrix) -> tuple[Indices, Matrix]:
    if len(others) == 0:
        return np.zeros(len(rows), dtype=np.int64), np.full(len(rows), -2.0, dtype=np.float32)
    cosines = rows @ others.T
    nearest = cosines.argmax(axis=1)
    return nearest.astype(np.int64), cosines[np.arange(len(rows)), nearest]


def _collapse_in_cells(units: Matrix, threshold: float, seed: int) -> Indices:
    cells = _two_cells(units, seed)
    found = np.arange(len(units))
    members: dict[int, list[int]] = {}
    for row in range(len(units)):
        near = [*members.get(int(cells[row, 0]), ()), *members.get(int(cells[row, 1]), ())]
        if near:
            cosines = units[near] @ units[row]
            best = int(cosines.argmax())
            if cosines[best] >= threshold - _ROUNDING:
                found[row] = near[best]
                continue
        members.setdefault(int(cells[row, 0]), []).append(row)
    return found


def _two_cells(units: Matrix, seed: int) -> Indices:
    count = int(np.sqrt(len(units)))
    centres = units[np.random.default_rng(seed).choice(len(units), count, replace=False)]
    cells = np.empty((len(units), 2), dtype=np.int64)
    for start in range(0, len(units), 8_192):
        part = slice(start, start + 8_192)
        cells[part] = np.argpartition(-(units[part] @ centres.T), 1, axis=1)[:, :2]
    return cells
