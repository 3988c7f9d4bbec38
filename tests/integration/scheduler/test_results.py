"""What posts reached: read at the providers, kept look by look, compared."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, timedelta
from typing import Any

import pytest
import pytest_asyncio
from colonnade.scheduler.v1 import results_service_pb2 as pb
from colonnade.scheduler.v1 import scheduler_service_pb2
from colonnade.scheduler.v1.post_pb2 import PastPost, Post
from colonnade.scheduler.v1.results_pb2 import PillarResults, PublicationResults, ResultsSummary
from colonnade.scheduler.v1.results_service_pb2_grpc import (
    ResultsServiceStub,
    add_ResultsServiceServicer_to_server,
)

from libs.errors import InvalidArgument, NotFound
from services.scheduler.results_servicer import ResultsServicer
from services.scheduler.usecases.summarize_results import SummarizeResults
from services.scheduler.usecases.tasks import COLLECT_RESULTS
from tests.support.rpc import serve
from tests.support.scheduler_sites import Site
from tests.support.scheduler_world import World

pytestmark = pytest.mark.asyncio(loop_scope="package")

SERVICE = pb.DESCRIPTOR.services_by_name["ResultsService"]
HOUR, DAY = 3600.0, 86_400.0
Sites = Callable[[str], Site]


@pytest_asyncio.fixture(loop_scope="package")
async def results(world: World) -> AsyncIterator[ResultsServiceStub]:
    servicer = ResultsServicer(
        SummarizeResults(world.out.store, world.out.catalog, world.out.clock)
    )
    register = add_ResultsServiceServicer_to_server
    async with serve(servicer, SERVICE, register, ResultsServiceStub) as stub:
        yield stub


async def posted(world: World, **fields: Any) -> Post:
    post = await world.schedule(after=0, **fields)
    await world.work()
    await world.pass_time(60, step=20)
    found = await world.get(post)
    assert found.state == Post.STATE_POSTED
    return found


async def collect(world: World, after: float = 0.0) -> None:
    """Looks, ``after`` seconds from now."""
    if after:
        await world.advance(after)
    await world.tasks[COLLECT_RESULTS]()


async def reached(world: World, post: Post) -> PublicationResults | None:
    [publication] = (await world.get(post)).publications
    return publication.results if publication.HasField("results") else None


async def looks(world: World) -> int:
    [[count]] = await world.sql("SELECT count(*) FROM scheduler.post_results")
    return int(count)


async def test_numbers_are_read_at_each_age_and_the_newest_are_shown(
    world: World, site: Sites
) -> None:
    place = site("mastodon")
    await place.connect()
    post = await posted(world)
    [status] = place.stand_in.live
    await collect(world)
    assert await reached(world, post) is None
    for age, likes in ((HOUR, 3), (5 * HOUR, 5), (18 * HOUR, 8), (2 * DAY, 9), (4 * DAY, 9)):
        status.favourites, status.reblogs, status.replies = likes, 2, 1
        await collect(world, age)
        found = await reached(world, post)
        assert found is not None
        assert (found.likes, found.shares, found.comments) == (likes, 2, 1)
        assert not any(found.HasField(name) for name in ("reach", "impressions", "saves"))
        read_at = found.collect_time.ToDatetime(tzinfo=UTC)
        assert abs(read_at - world.now()) < timedelta(minutes=5)
    await collect(world, 23 * DAY)
    assert await looks(world) == 6
    asked = place.stand_in.calls["status"]
    await collect(world, 60 * DAY)
    assert (await looks(world), place.stand_in.calls["status"]) == (6, asked)
    listed = await world.stub.ListPosts(
        scheduler_service_pb2.ListPostsRequest(parent="personas/nora")
    )
    assert listed.posts[0].publications[0].results.likes == 9


async def test_between_two_looks_nobody_is_asked(world: World, site: Sites) -> None:
    place = site("mastodon")
    await place.connect()
    await posted(world)
    await collect(world, HOUR)
    asked = place.stand_in.calls["status"]
    await collect(world)
    await collect(world, HOUR)
    assert (await looks(world), place.stand_in.calls["status"]) == (1, asked)


async def test_bluesky_tells_the_counts_of_many_posts_in_one_call(
    world: World, site: Sites
) -> None:
    place = site("bluesky")
    await place.connect()
    first, second = await posted(world), await posted(world)
    uri = first.publications[0].provider_post_id
    place.stand_in.counts[uri] = {
        "likeCount": 7,
        "repostCount": 2,
        "quoteCount": 1,
        "bookmarkCount": 4,
    }
    # While the session lasts.
    await collect(world, 1.2 * HOUR)
    one, other = await reached(world, first), await reached(world, second)
    assert one is not None
    assert other is not None
    assert (one.likes, one.comments, one.shares, one.saves) == (7, 0, 3, 4)
    assert (other.likes, other.HasField("saves")) == (0, False)
    assert place.stand_in.calls["views"] == 1


async def test_what_is_no_count_stops_nobody_else(world: World, site: Sites) -> None:
    place = site("bluesky")
    await place.connect()
    post = await posted(world)
    counts = place.stand_in.counts[post.publications[0].provider_post_id] = {"likeCount": -1}
    await collect(world, 1.2 * HOUR)
    assert await reached(world, post) is None
    counts["likeCount"] = 1
    await collect(world, 0.3 * HOUR)
    assert await reached(world, post) is not None


async def test_instagram_leaves_out_what_it_does_not_tell(world: World, site: Sites) -> None:
    place = site("instagram")
    await place.connect()
    post = await posted(world)
    [media] = place.stand_in.live
    # Too few viewers: no numbers, and no reason to doubt the channel.
    await collect(world, HOUR)
    assert await reached(world, post) is None
    media.insights = {"reach": 90, "views": 140, "likes": 12, "saved": 0}
    await collect(world, 6 * HOUR)
    found = await reached(world, post)
    assert found is not None
    assert (found.reach, found.impressions, found.likes, found.saves) == (90, 140, 12, 0)
    assert found.HasField("saves")
    assert not found.HasField("comments")
    [[state]] = await world.sql("SELECT state FROM scheduler.channels")
    assert state == "connected"


async def test_buffer_tells_nothing_until_it_has_asked_the_network(world: World) -> None:
    await world.connect()
    post = await posted(world)
    id = post.publications[0].provider_post_id
    await collect(world, 6 * HOUR)
    assert await reached(world, post) is None
    metrics = {"reactions": 4, "comments": 1, "reposts": 2, "reach": 50, "engagementRate": 2.5}
    told = {"metrics": metrics, "metricsUpdatedAt": "2026-01-01T00:00:00.000Z"}
    await world.buffer.admin.change_post(id, **told)
    await collect(world, DAY)
    found = await reached(world, post)
    assert found is not None
    assert (found.likes, found.comments, found.shares, found.reach) == (4, 1, 2, 50)
    assert not found.HasField("saves")


async def test_a_post_that_is_gone_is_left_out_and_the_others_are_read(
    world: World, site: Sites
) -> None:
    place = site("mastodon")
    await place.connect()
    gone, there = await posted(world), await posted(world)
    place.stand_in.remove(gone.publications[0].provider_post_id)
    await collect(world, 2 * HOUR)
    assert await reached(world, gone) is None
    assert await reached(world, there) is not None
    assert (await world.get(gone)).state == Post.STATE_POSTED


async def test_a_provider_that_has_enough_is_asked_when_it_says(world: World, site: Sites) -> None:
    place = site("instagram")
    await place.connect()
    post = await posted(world)
    place.stand_in.live[0].insights = {"reach": 90}
    place.stand_in.fault("rate_limit", operation="insights", seconds=3000)
    await collect(world, HOUR)
    await collect(world, 1800)
    assert (await looks(world), place.stand_in.calls["insights"]) == (0, 1)
    await collect(world, 1800)
    found = await reached(world, post)
    assert found is not None
    assert found.reach == 90


async def test_a_key_that_may_not_read_numbers_stops_nothing(world: World, site: Sites) -> None:
    place = site("mastodon")
    await place.connect()
    post = await posted(world)
    token = place.stand_in.token
    place.stand_in.disconnect()
    await collect(world, HOUR)
    assert await reached(world, post) is None
    [[state]] = await world.sql("SELECT state FROM scheduler.channels")
    assert state == "connected"
    place.stand_in.token = token
    await collect(world, 7 * HOUR)
    assert await reached(world, post) is not None


async def test_who_tells_no_numbers_is_not_asked_again(world: World, site: Sites) -> None:
    place = site("webhook")
    await place.connect()
    post = await posted(world)
    for age in (HOUR, DAY, 40 * DAY):
        await collect(world, age)
    assert await reached(world, post) is None
    [[waiting]] = await world.sql(
        "SELECT count(*) FROM scheduler.result_looks WHERE next_time IS NOT NULL"
    )
    assert waiting == 0


async def test_two_workers_look_once(world: World, site: Sites) -> None:
    place = site("mastodon")
    await place.connect()
    await posted(world)
    await world.advance(HOUR)
    now = world.now()
    async with world.out.store.changing() as tx:
        await tx.results.watch(now - timedelta(days=30), now, timedelta(hours=1))
        [look] = await tx.results.claim(now, now + timedelta(minutes=30), 10)
        await tx.commit()
    asked = place.stand_in.calls["status"]
    await collect(world)
    assert place.stand_in.calls["status"] == asked
    assert look.provider_post_id in place.stand_in.statuses


async def test_imported_posts_with_a_made_up_id_are_not_looked_for(
    world: World, site: Sites
) -> None:
    place = site("mastodon")
    await place.connect()
    past = PastPost(external_id="old-1", photo=world.catalog.add_photo())
    past.channel = "personas/nora/channels/site"
    past.posted_time.FromDatetime(world.now() - timedelta(days=2))
    request = scheduler_service_pb2.ImportPostsRequest(parent="personas/nora", posts=[past])
    [result] = (await world.stub.ImportPosts(request)).results
    assert result.post.state == Post.STATE_POSTED
    await collect(world)
    assert "status" not in place.stand_in.calls


async def add_numbers(world: World, pillar: str, likes: list[int], age: timedelta) -> None:
    """Posts of a pillar, one a day, that had so many likes at that age."""
    await world.sql(
        """
        WITH made AS MATERIALIZED (
          SELECT gen_random_uuid() AS post, gen_random_uuid() AS publication, likes,
            CAST(:first AS timestamptz) + (day - 1) * interval '1 day' AS at
          FROM unnest(CAST(:likes AS bigint[])) WITH ORDINALITY AS numbers(likes, day)
        ), posts AS (
          INSERT INTO scheduler.posts (id, persona_id, photo, pillar, hashtags, state,
            scheduled_time, posted_time, prepare_time, create_time, update_time, version)
          SELECT post, 'nora', post::text, :pillar, '{}', 'posted', at, at, at, at, at, 1 FROM made
        ), publications AS (
          INSERT INTO scheduler.publications (id, post_id, persona_id, channel_id, provider,
            photo_sha256, due_time, media_token, state, posted_time, provider_post_id)
          SELECT publication, post, 'nora', 'site', 'mastodon', post::text, at, post::text,
            'posted', at, post::text FROM made
        )
        INSERT INTO scheduler.post_results (publication_id, collect_time, likes)
        SELECT publication, at + CAST(:age AS interval), likes FROM made
        """,
        pillar=pillar,
        first=world.now() - timedelta(days=100, minutes=len(pillar)),
        age=age,
        likes=likes,
    )


def summary_request(**fields: Any) -> pb.SummarizeResultsRequest:
    return pb.SummarizeResultsRequest(parent="personas/nora", **fields)


async def test_a_pillar_that_gets_more_is_told_and_nothing_is_changed(
    world: World, results: ResultsServiceStub
) -> None:
    more, less = world.catalog.add_pillar("more", 50), world.catalog.add_pillar("less", 50)
    age = timedelta(days=7)
    await add_numbers(world, more, [30 + day % 20 for day in range(40)], age)
    await add_numbers(world, less, [10 + day % 8 for day in range(40)], age)
    # Nobody knows what this one had after a week.
    await add_numbers(world, less, [1000], timedelta(hours=1))
    summary = (await results.SummarizeResults(summary_request())).summary
    assert summary.metric == ResultsSummary.METRIC_INTERACTIONS
    assert (summary.compared_posts, summary.unknown_posts, summary.age_hours) == (80, 1, 168)
    assert summary.confidence == pytest.approx(0.99)
    by_name = {pillar.pillar: pillar for pillar in summary.pillars}
    assert by_name[more].finding == PillarResults.FINDING_MORE
    assert by_name[less].finding == PillarResults.FINDING_LESS
    assert by_name[more].mean == pytest.approx(39.5)
    assert 2 < by_name[more].lift.low < by_name[more].lift.value < by_name[more].lift.high < 5
    weights = {w.pillar: w.suggested_weight for w in summary.suggestion.weights}
    assert sum(weights.values()) == 100
    assert 50 < weights[more] <= 58
    assert "Nothing is changed unless you change it" in summary.suggestion.reason
    assert world.catalog.pillars[more].weight == 50


async def test_too_few_posts_are_said_to_be_too_few(
    world: World, results: ResultsServiceStub
) -> None:
    one, other = world.catalog.add_pillar("one", 50), world.catalog.add_pillar("other", 50)
    summary = (await results.SummarizeResults(summary_request())).summary
    assert [pillar.posts for pillar in summary.pillars] == [0, 0]
    assert summary.suggestion.reason == "There are no numbers of posts of that age yet."
    await add_numbers(world, one, [50, 60, 70], timedelta(days=7))
    await add_numbers(world, other, [5, 9, 1], timedelta(days=7))
    summary = (await results.SummarizeResults(summary_request())).summary
    assert not summary.suggestion.weights
    assert "posts more of" in summary.suggestion.reason
    for pillar in summary.pillars:
        assert pillar.finding == PillarResults.FINDING_TOO_FEW_POSTS
        assert pillar.needed_posts > 0
        assert not pillar.HasField("lift")
    await add_numbers(world, one, [50] * 7, timedelta(days=7))
    summary = (await results.SummarizeResults(summary_request())).summary
    assert "posts more of Other " in summary.suggestion.reason


async def test_metric_age_and_window_are_what_was_asked_for(
    world: World, results: ResultsServiceStub
) -> None:
    pillar = world.catalog.add_pillar("one", 100)
    await add_numbers(world, pillar, [4, 6], timedelta(days=1))
    day = summary_request(age_hours=24, metric=ResultsSummary.METRIC_LIKES)
    assert (await results.SummarizeResults(day)).summary.pillars[0].mean == 5
    week = (await results.SummarizeResults(summary_request())).summary
    assert (week.compared_posts, week.unknown_posts) == (0, 2)
    reach = summary_request(age_hours=24, metric=ResultsSummary.METRIC_REACH)
    assert (await results.SummarizeResults(reach)).summary.compared_posts == 0
    late = summary_request(age_hours=24, window_days=30)
    assert (await results.SummarizeResults(late)).summary.unknown_posts == 0


async def test_bad_requests_are_refused(world: World, results: ResultsServiceStub) -> None:
    for bad in ({"window_days": 400}, {"age_hours": -1}, {"metric": 99}):
        with pytest.raises(InvalidArgument):
            await results.SummarizeResults(summary_request(**bad))
    with pytest.raises(NotFound):
        await results.SummarizeResults(pb.SummarizeResultsRequest(parent="personas/nobody"))
