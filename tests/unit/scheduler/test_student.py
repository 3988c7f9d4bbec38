import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.student import critical, two_sided


@pytest.mark.parametrize(
    ("probability", "freedom", "value"),
    # Published tables of the distribution.
    [
        (0.05, 1, 12.706),
        (0.05, 10, 2.228),
        (0.01, 10, 3.169),
        (0.05, 30, 2.042),
        (0.001, 120, 3.373),
        (0.5, 5, 0.727),
    ],
)
def test_the_critical_values_are_those_of_the_tables(
    probability: float, freedom: int, value: float
) -> None:
    assert critical(probability, freedom) == pytest.approx(value, abs=0.0006)


@given(st.floats(0.0001, 0.9999), st.integers(1, 2000))
def test_beyond_the_critical_value_lies_the_probability(probability: float, freedom: int) -> None:
    assert two_sided(critical(probability, freedom), freedom) == pytest.approx(
        probability, rel=1e-6
    )


@given(st.floats(-50, 50), st.integers(1, 500))
def test_it_is_a_probability_and_the_same_on_both_sides(t: float, freedom: int) -> None:
    assert 0.0 <= two_sided(t, freedom) <= 1.0
    assert two_sided(t, freedom) == two_sided(-t, freedom)


def test_one_degree_is_the_cauchy_distribution() -> None:
    assert two_sided(1.0, 1) == pytest.approx(0.5)
    assert two_sided(0.0, 7) == pytest.approx(1.0)
