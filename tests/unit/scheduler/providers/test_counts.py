"""What providers tell of what posts reached: never more than they say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from services.scheduler.domain.counts import Counts
from services.scheduler.providers import buffer_answers, instagram_answers
from services.scheduler.providers.buffer import _stretches

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def post(updated_at: str | None, **values: float) -> dict[str, Any]:
    metrics = [{"type": name, "value": value} for name, value in values.items()]
    return {"id": "1", "metricsUpdatedAt": updated_at, "metrics": metrics}


def test_buffer_tells_nothing_before_it_asked_the_network() -> None:
    assert buffer_answers.counts_of(post(None, reactions=0)) is None
    untold = {**post("2026-03-02T12:00:00Z"), "metrics": None}
    assert buffer_answers.counts_of(untold) == Counts()


def test_buffers_words_become_ours() -> None:
    told = post("2026-03-02T12:00:00Z", reactions=7.0, shares=1, reposts=2, views=90, clicks=4)
    assert buffer_answers.counts_of(told) == Counts(impressions=90, likes=7, shares=3)
    both = post("2026-03-02T12:00:00Z", impressions=80, views=90)
    assert buffer_answers.counts_of(both) == Counts(impressions=80)


def test_posts_of_the_same_time_are_one_query() -> None:
    day = timedelta(days=1)
    times = [NOON + 7 * day, NOON, NOON + day / 2, NOON + 7.5 * day]
    assert _stretches(times) == [
        (NOON, NOON + day / 2),
        (NOON + 7 * day, NOON + 7.5 * day),
    ]


def test_instagram_leaves_out_what_it_does_not_know() -> None:
    data: list[dict[str, Any]] = [
        {"name": "reach", "values": [{"value": 12}]},
        {"name": "saved", "values": [{"value": 0}]},
        {"name": "likes", "values": []},
        {"name": "follows", "values": [{"value": 3}]},
    ]
    assert instagram_answers.counts_of(data) == Counts(reach=12, saves=0)
    assert instagram_answers.counts_of([]) is None


@pytest.mark.parametrize("value", [-1, 2**63, 1.5, "12"])
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="is no count"):
        Counts(likes=value)


@pytest.mark.parametrize(
    ("code", "subcode", "is_untold"),
    [(10, None, True), (100, 33, True), (100, None, True), (190, None, False), (4, None, False)],
)
def test_no_insights_is_not_a_broken_key(code: int, subcode: int | None, is_untold: bool) -> None:
    error = {"message": "no", "code": code, "error_subcode": subcode}
    failure = instagram_answers.failure_of(httpx.Response(400, json={"error": error}))
    assert failure is not None
    assert instagram_answers.is_untold(failure) is is_untold
