import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from services.clustering.algorithms.representatives import representatives
from tests.unit.clustering.algorithms.samples import unit


def test_the_most_central_comes_first_and_no_two_are_much_alike():
    generator = np.random.default_rng(3)
    rows = unit(np.eye(1, 40) + 0.12 * generator.normal(size=(12, 40)))
    copies = unit(rows[:4] + 0.001 * generator.normal(size=(4, 40)))
    ids = [*(f"item {n}" for n in range(12)), *(f"item {n}" for n in range(4))]
    chosen = representatives([f"{id}#{n}" for n, id in enumerate(ids)], [*rows, *copies], 6)
    originals = [name.partition("#")[0] for name in chosen]
    assert len(set(originals)) == 6
    relevance = rows @ unit(np.sum([*rows, *copies], axis=0, keepdims=True))[0]
    assert originals[0] == ids[int(relevance.argmax())]


def test_of_few_all_are_chosen():
    assert representatives([], np.empty((0, 2)), 10) == []
    assert representatives(["a"], np.ones((1, 2)), 10) == ["a"]
    assert sorted(representatives(["a", "b"], np.eye(2), 10)) == ["a", "b"]


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_each_is_chosen_once_and_always_the_same(count, most, seed):
    rows = np.random.default_rng(seed).normal(size=(count, 4))
    ids = [str(number) for number in range(count)]
    chosen = representatives(ids, rows, most)
    assert len(chosen) == len(set(chosen)) == min(count, most)
    assert representatives(ids, rows, most) == chosen
