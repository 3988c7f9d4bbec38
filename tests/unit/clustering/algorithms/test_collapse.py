import numpy as np
import pytest

from services.clustering.algorithms.collapse import Leaders, collapse
from tests.unit.clustering.algorithms.samples import noise, themes, unit


def test_copies_go_to_the_first_of_them():
    base = noise(40, 64).vectors
    copies = unit(base[:10] + 0.01 * noise(10, 64, seed=1).vectors)

    found = collapse(np.vstack([base, copies]), 0.97, 1_000, seed=1)

    assert found[:40].tolist() == list(range(40))
    assert found[40:].tolist() == list(range(10))


def test_threshold_is_inclusive():
    rows = np.array([[1.0, 0.0], [0.8, 0.6]], dtype=np.float32)
    assert collapse(rows, 0.80, 10, seed=1).tolist() == [0, 0]
    assert collapse(rows, 0.801, 10, seed=1).tolist() == [0, 1]


def test_the_nearest_leader_is_taken():
    rows = unit(np.array([[1.0, 0.0], [0.0, 1.0], [0.6, 0.8]]))
    assert collapse(rows, 0.55, 10, seed=1).tolist() == [0, 1, 1]


def test_blocks_give_the_same_as_one_row_at_a_time():
    rows = themes(60, 20, dimensions=8, within=0.97, seed=2).vectors
    leaders: list[int] = []
    expected = []
    for row in range(len(rows)):
        cosines = rows[leaders] @ rows[row]
        if leaders and cosines.max() >= 0.95:
            expected.append(leaders[int(cosines.argmax())])
        else:
            leaders.append(row)
            expected.append(row)
    assert collapse(rows, 0.95, 10_000, seed=1).tolist() == expected


def test_many_rows_in_cells_find_nearly_every_copy():
    base = themes(30, 20, within=0.6, seed=4).vectors
    copies = unit(base + 0.008 * noise(len(base), 64, seed=5).vectors)
    found = collapse(np.vstack([base, copies]), 0.97, exact_max=100, seed=1)
    assert np.mean(found[len(base) :] == np.arange(len(base))) > 0.98
    assert np.mean(found[: len(base)] == np.arange(len(base))) == 1.0


def test_known_leaders_come_first():
    known = noise(5, 32).vectors
    leaders = Leaders(known, 0.97)
    assert leaders.add(np.vstack([known[3], noise(1, 32, seed=9).vectors[0]])).tolist() == [3, 5]
    assert leaders.positions[5:].tolist() == [1]


def test_nothing_to_collapse():
    assert collapse(np.empty((0, 4), dtype=np.float32), 0.9, 10, seed=1).tolist() == []


@pytest.mark.parametrize("copies", [2, 50])
def test_equal_rows_are_one_photo(copies):
    rows = np.tile(noise(1, 16).vectors, (copies, 1))
    assert set(collapse(rows, 1.0, 1_000, seed=1).tolist()) == {0}
