"""Times as people type them, and many photos at once."""

from datetime import UTC, datetime, timedelta, timezone
from typing import cast

import pytest
from colonnade.scheduler.v1 import scheduler_service_pb2 as pb
from colonnade.scheduler.v1.post_pb2 import Post, PostResult
from hypothesis import given
from hypothesis import strategies as st

from cli.connection import Suite
from cli.output import timestamp
from cli.posts import in_batches, result_line
from cli.times import moment, span
from libs.errors import InvalidArgument, NotFound
from libs.rpc.status import to_status

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def test_now_is_now() -> None:
    assert moment("now", NOW) == NOW


@given(st.integers(0, 999_999), st.sampled_from(sorted(UNITS)))
def test_a_span_counts_from_now(count: int, unit: str) -> None:
    assert moment(f"+{count}{unit}", NOW) == NOW + count * UNITS[unit]


def test_a_time_with_a_zone_is_itself() -> None:
    expected = datetime(2026, 12, 1, 15, 0, tzinfo=timezone(timedelta(hours=1)))
    assert moment("2026-12-01T15:00+01:00", NOW) == expected
    assert moment("2026-12-01T14:00Z", NOW) == expected


def test_a_time_without_a_zone_is_that_of_this_machine() -> None:
    given_time = moment("2026-12-01T15:00", NOW)
    assert given_time.tzinfo is not None
    assert given_time == datetime(2026, 12, 1, 15, 0).astimezone()


@pytest.mark.parametrize(
    "text", ["", "tomorrow", "+", "+h", "+1", "+1w", "-1h", "+1.5h", "+²h", "+9999999d", "15:00"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(InvalidArgument) as refused:
        moment(text, NOW)
    (violation,) = refused.value.violations
    assert violation.field == "at"
    assert "+90m" in violation.description
    assert repr(text) in violation.description


def test_a_span_is_typed_as_in_a_time_from_now() -> None:
    assert span("90m") == timedelta(minutes=90)
    assert span("2d") == timedelta(days=2)
    for text in ("", "+2d", "2w", "two"):
        with pytest.raises(InvalidArgument, match="90m, 6h or 2d"):
            span(text)


def test_each_result_is_one_line() -> None:
    photo = "personas/nora/photos/7"
    made = PostResult(photo=photo, post=Post(scheduled_time=timestamp(NOW)))
    assert result_line(made) == f"7 {NOW.astimezone():%Y-%m-%d %H:%M}"
    refused = PostResult(photo=photo, status=to_status(NotFound("photo", photo)))
    assert result_line(refused) == f"7 not scheduled: there is no photo named {photo}"


class Scheduler:
    """Schedules what it is given as it is told; refuses every photo that ends in 3."""

    def __init__(self) -> None:
        self.requests: list[pb.BatchCreatePostsRequest] = []

    @property
    def scheduler(self) -> "Scheduler":
        return self

    async def BatchCreatePosts(
        self, request: pb.BatchCreatePostsRequest
    ) -> pb.BatchCreatePostsResponse:
        self.requests.append(request)
        at, results = request.start_time.ToDatetime(UTC), []
        for post in request.posts:
            if post.photo.endswith("3"):
                status = to_status(NotFound("photo", post.photo))
                results.append(PostResult(photo=post.photo, status=status))
            else:
                made = Post(photo=post.photo, scheduled_time=timestamp(at))
                results.append(PostResult(photo=post.photo, post=made))
                at += request.spacing.ToTimedelta()
        return pb.BatchCreatePostsResponse(results=results)


async def test_more_photos_than_one_request_takes_go_on_where_it_ended() -> None:
    server = Scheduler()
    template = pb.BatchCreatePostsRequest(parent="personas/nora", caption="Light")
    template.start_time.FromDatetime(NOW)
    template.spacing.FromTimedelta(timedelta(hours=1))
    photos = [f"personas/nora/photos/{n}" for n in range(450)]
    results = await in_batches(cast(Suite, server), template, photos)
    assert [len(request.posts) for request in server.requests] == [200, 200, 50]
    assert {request.caption for request in server.requests} == {"Light"}
    assert [result.photo for result in results] == photos
    times = [r.post.scheduled_time.ToDatetime(UTC) for r in results if not r.status.code]
    assert times == [NOW + n * timedelta(hours=1) for n in range(405)]
