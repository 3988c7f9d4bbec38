"""How alike texts are."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.text.similarity import DIMENSIONS, Texts, similarity, vector_of

COFFEE = "A cup of coffee on a wooden table, steam rising, soft window light from the left."


def test_a_text_is_itself() -> None:
    assert similarity(COFFEE, COFFEE) == pytest.approx(1.0)
    assert similarity(COFFEE, COFFEE.upper() + "!!") == pytest.approx(1.0)


def test_the_nearer_the_words_the_higher_the_number() -> None:
    texts = [
        "Cups of coffee on a wooden table, steam rising, in soft window light from the left.",
        "A cup of tea on a wooden table, steam rising, soft window light from the left.",
        "A cup of tea on a stone wall, the sea behind, hard light from the left.",
        "A bicycle in the rain at night.",
    ]
    numbers = [similarity(COFFEE, text) for text in texts]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 0.92 > numbers[1] > 0.6 > numbers[2] > numbers[3]
    assert abs(numbers[3]) < 0.1


def test_the_order_of_words_counts() -> None:
    assert similarity("man bites dog", "dog bites man") < 0.99


def test_a_text_without_words_is_like_nothing() -> None:
    assert similarity("", "") == 0.0
    assert similarity("the of and", COFFEE) == 0.0
    assert Texts().closest(COFFEE) == 0.0


def test_the_closest_of_many_is_found() -> None:
    texts = Texts(["A bicycle in the rain."])
    before = texts.closest(COFFEE)
    texts.add(COFFEE)
    assert before < 0.2
    assert texts.closest(COFFEE) == pytest.approx(1.0)


@given(st.text(), st.text())
def test_any_two_texts_compare_both_ways_alike(one: str, other: str) -> None:
    vector = vector_of(one)
    assert vector.shape == (DIMENSIONS,)
    assert np.linalg.norm(vector) == pytest.approx(1.0, abs=1e-5) or not vector.any()
    assert -1.001 <= similarity(one, other) <= 1.001
    assert similarity(one, other) == pytest.approx(similarity(other, one), abs=1e-6)


def test_the_numbers_are_the_same_everywhere() -> None:
    """Python's own hashes differ from process to process; these must not."""
    places = np.flatnonzero(vector_of("blue door"))
    assert len(places) > 5
    assert similarity("blue door", "blue wall") == pytest.approx(0.36, abs=0.05)
