"""What is particular to Postiz: drafts, and a door through which a post could go out twice."""

from datetime import timedelta

import pytest

from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import (
    Channel,
    NotSent,
    Publisher,
    RemoteState,
)
from tests.contract.providers.sides import PostizSide, Side, Time, only_channel
from tests.contract.providers.worker import Worker
from tests.support.postiz import BLUESKY_ID, MASTODON_ID, PostizStandIn
from tests.support.stand_ins.windows import Quota

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.parametrize("running_side", ["postiz"], indirect=True, scope="module"),
]


@pytest.fixture
def server(side: Side) -> PostizStandIn:
    assert isinstance(side, PostizSide)
    stand_in: PostizStandIn = side.stand_in
    return stand_in


async def test_what_is_published_is_never_scheduled_again(
    worker: Worker, server: PostizStandIn, time: Time
) -> None:
    """Postiz would publish it a second time."""
    id = await worker.attempt()
    await time.advance(120)
    assert server.posts[str(id)].state == "PUBLISHED"
    assert await worker.attempt() == id
    assert len(server.posts[str(id)].published) == 1
    assert server.calls["publish"] == 1


async def test_a_draft_of_an_earlier_attempt_is_scheduled_not_made_again(
    worker: Worker, server: PostizStandIn
) -> None:
    server.fault("refuse")
    assert not isinstance(await worker.attempt(), str)
    worker.started_at = None  # the same moment, so that its date still holds
    id = await worker.attempt()
    assert [post.id for post in server.live] == [id]
    assert server.calls["draft"] == 1


async def test_a_draft_whose_time_has_passed_is_left_and_another_made(
    worker: Worker, server: PostizStandIn, time: Time
) -> None:
    server.fault("refuse")
    await worker.attempt()
    await time.advance(600)
    id = await worker.attempt()
    assert [post.id for post in server.live] == [id]
    assert server.calls["draft"] == 2
    assert server.live[0].date > time.now()


async def test_a_channel_that_is_disconnected_at_postiz_fails_visibly(
    worker: Worker, publisher: Publisher, channel: Channel, server: PostizStandIn, time: Time
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    server.integrations[MASTODON_ID].is_disabled = True
    await time.advance(120)
    [post] = await publisher.status(channel, {id: worker.request.due_at})
    assert post.state is RemoteState.ERROR
    assert post.error_message
    remotes = {remote.id: remote for remote in await publisher.channels(channel.credentials)}
    assert remotes[MASTODON_ID].is_disconnected
    assert not remotes[BLUESKY_ID].is_disconnected


async def test_a_post_that_people_gave_another_time_is_found(
    worker: Worker, publisher: Publisher, channel: Channel, server: PostizStandIn, time: Time
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    post = server.posts[id]
    post.date = post.date.replace(year=post.date.year + 1)
    [found] = await publisher.status(channel, {id: worker.request.due_at})
    assert (found.state, found.due_at) == (RemoteState.SCHEDULED, post.date)


async def test_a_post_is_withdrawn_and_one_that_is_gone_passes(
    worker: Worker, publisher: Publisher, channel: Channel, server: PostizStandIn
) -> None:
    id = await worker.publish()
    assert isinstance(id, str)
    await publisher.withdraw(channel, id)
    await publisher.withdraw(channel, id)
    assert server.posts == {}
    assert server.calls["delete"] == 1


async def test_a_plan_that_is_used_up_is_a_refusal(worker: Worker, server: PostizStandIn) -> None:
    server.quotas["posts"] = Quota(0, 3600)
    error = await worker.attempt()
    assert isinstance(error, NotSent)
    assert error.kind is FailureKind.THROTTLED
    assert server.posts == {}


async def test_the_limits_are_those_that_postiz_tells(
    publisher: Publisher, channel: Channel, server: PostizStandIn
) -> None:
    assert channel.limits == {"max_text": 500}
    server.integrations[MASTODON_ID].max_length = 11_000
    larger = await only_channel(publisher, channel.credentials)
    assert larger.limits == {"max_text": 11_000}


async def test_a_post_that_people_moved_while_its_answer_was_lost_is_not_made_again(
    worker: Worker, publisher: Publisher, channel: Channel, server: PostizStandIn, time: Time
) -> None:
    started_at = time.now()
    server.fault("drop_after")
    assert not isinstance(await worker.attempt(), str)
    [post] = server.live
    post.date += timedelta(days=30)
    [found] = await publisher.find(channel, worker.request, started_at)
    assert (found.id, found.due_at) == (post.id, post.date)
    assert await worker.attempt() == post.id
    assert server.calls["draft"] == 1
