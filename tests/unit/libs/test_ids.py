import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
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


def test_sorts_even_while_the_clock_stands_or_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now, hour = time.time_ns(), 3_600_000_000_000
    made: list[str] = []
    for moment in (now, now, now - hour, now):
        monkeypatch.setattr(time, "time_ns", lambda moment=moment: moment)
        made += [uuid7() for _ in range(5)]
    assert made == sorted(made)


def test_threads_never_share_a_moment() -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: uuid7(), range(4000)))
    assert len({id[:18] for id in made}) == 4000
