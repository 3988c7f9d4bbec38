from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scheduler.domain.remote_check import (
    LONGEST_TEXT,
    SECOND_LOOK,
    WATCH_AFTER,
    Drift,
    RemoteCheck,
    next_check,
)
from tests.support.clock import NOON

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def check(**fields: object) -> RemoteCheck:
    return RemoteCheck(publication="pub", posted_at=NOON, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("now", "then"),
    [
        (NOON, NOON + HOUR),
        (NOON + HOUR, NOON + DAY),
        (NOON + timedelta(days=2), NOON + timedelta(days=3)),
        (NOON + timedelta(days=29), NOON + timedelta(days=30)),
        (NOON + timedelta(days=30), None),
    ],
)
def test_looks_become_rarer_and_end(now: datetime, then: datetime | None) -> None:
    assert next_check(NOON, now) == then


def test_what_reads_as_it_was_sent_is_unchanged() -> None:
    now = NOON + HOUR
    after = check().found("Light", True, now)
    assert (after.state, after.text, after.changed_at) == (Drift.UNCHANGED, "", None)
    assert (after.checked_at, after.next_at) == (now, NOON + DAY)


def test_another_text_is_an_edit_and_yet_another_is_news() -> None:
    first = check().found("Dark", False, NOON + HOUR)
    assert (first.state, first.text, first.changed_at) == (Drift.EDITED, "Dark", NOON + HOUR)
    same = first.found("Dark", False, NOON + DAY)
    assert not same.differs_from(first)
    assert same.changed_at == NOON + HOUR
    other = same.found("Darker", False, NOON + 3 * DAY)
    assert other.differs_from(same)
    assert other.changed_at == NOON + 3 * DAY


def test_of_a_text_only_so_much_is_kept_as_can_be() -> None:
    long = "a\0" + "b" * 20_000
    first = check().found(long, False, NOON + HOUR)
    assert first.text == "a" + "b" * (LONGEST_TEXT - 1)
    assert not first.found(long, False, NOON + DAY).differs_from(first)


def test_one_miss_is_no_removal_and_a_second_a_minute_later_is() -> None:
    now = NOON + HOUR
    missed = check().missed(now)
    assert (missed.state, missed.next_at) == (Drift.UNCHANGED, now + SECOND_LOOK)
    at_once = missed.missed(now + SECOND_LOOK / 2)
    assert at_once.state is Drift.UNCHANGED
    assert at_once.next_at == missed.next_at
    removed = at_once.missed(now + SECOND_LOOK)
    assert (removed.state, removed.missed_at) == (Drift.REMOVED, None)
    assert removed.changed_at == now + SECOND_LOOK
    assert removed.next_at == NOON + DAY


def test_a_miss_that_was_a_mistake_is_forgotten() -> None:
    found = check().missed(NOON + HOUR).found("Light", True, NOON + 2 * HOUR)
    assert found.state is Drift.UNCHANGED
    assert found.missed_at is None
    assert found.missed(NOON + DAY).state is Drift.UNCHANGED


def test_what_comes_back_is_unchanged_again() -> None:
    removed = check(state=Drift.REMOVED, changed_at=NOON)
    assert removed.missed(NOON + HOUR).changed_at == NOON
    back = removed.found("Light", True, NOON + HOUR)
    assert (back.state, back.changed_at) == (Drift.UNCHANGED, NOON + HOUR)


LOOKS = st.lists(
    st.tuples(st.integers(1, 90_000), st.sampled_from(["same", "other", "missed"])), max_size=12
)


@given(looks=LOOKS)
def test_whatever_the_looks_find(looks: list[tuple[int, str]]) -> None:
    """Only two misses a minute apart remove; a look is always planned while it is watched."""
    now, last = NOON, check()
    for seconds, found in looks:
        now += timedelta(seconds=seconds)
        before = last
        last = last.missed(now) if found == "missed" else last.found("x", found == "same", now)
        assert last.checked_at == now
        assert (last.changed_at == now) == last.differs_from(before)
        if last.state is Drift.REMOVED and before.state is not Drift.REMOVED:
            assert before.missed_at is not None
            assert now - before.missed_at >= SECOND_LOOK
        is_watched = now < NOON + WATCH_AFTER[-1]
        assert last.next_at is not None or not is_watched
        assert last.next_at is None or last.next_at > now
        assert (last.text == "") == (last.state is not Drift.EDITED)
