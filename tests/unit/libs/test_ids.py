import time
import uuid

from hypothesis import given
from hypothesis import strategies as st

from libs.ids import uuid7


def test_is_a_version_7_uuid_in_lower_case() -> None:
    value = uuid7()
    parsed = uuid.UUID(value)
    assert value == str(parsed) == value.lower()
    assert (parsed.version, parsed.variant) == (7, uuid.RFC_4122)


def test_carries_the_time_in_milliseconds() -> None:
    before = time.time_ns() // 1_000_000
    value = uuid.UUID(uuid7())
    assert before <= value.int >> 80 <= time.time_ns() // 1_000_000


@given(st.integers(2, 300))
def test_sorts_in_the_order_of_making(count: int) -> None:
    made = [uuid7() for _ in range(count)]
    assert made == sorted(made)
    assert len(set(made)) == count
