from dataclasses import replace
from datetime import timedelta

import pytest

from libs.errors import Unavailable
from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.names import Key
from services.scheduler.usecases.create_post import CreatePost, NewPost
from services.scheduler.usecases.placing import Placing
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel
from tests.unit.scheduler.usecases.conftest import Desk

ONCE = RequestKey("", "CreatePost", "")
NEW = NewPost("nora", "personas/nora/photos/1", NOON + timedelta(hours=1), "Light", ("tea",))


@pytest.fixture
def create(desk: Desk) -> CreatePost:
    desk.store.add(a_channel(NOON))
    placing = Placing(desk.accounts, desk.clock, desk.pace)
    return CreatePost(desk.store, desk.catalog, desk.queue, desk.clock, placing)


async def test_a_post_takes_from_the_photo_what_is_not_given(
    desk: Desk, create: CreatePost
) -> None:
    post = await create(NEW, ONCE)
    assert post == desk.store.post
    assert post.final_text == "Light\n\n#tea"
    assert post.alt_text == "a cup"
    assert post.pillar == "personas/nora/pillars/tea"
    [publication] = post.publications
    assert publication.due_at == NEW.scheduled_time
    assert publication.next_attempt_at == NOON + timedelta(minutes=59)
    assert publication.photo_sha256 == "ab"
    assert desk.store.data.events == [("scheduled", 1)]
    assert desk.store.data.moves == [("post", "", "scheduled")]
    own = await create(replace(NEW, alt_text="my words"), ONCE)
    assert own.alt_text == "my words"
    assert own.publications[0].media_token != publication.media_token


async def test_its_picture_is_asked_for_when_it_is_there(desk: Desk, create: CreatePost) -> None:
    post = await create(NEW, ONCE)
    assert desk.queue.sent == [("scheduler.prepare", post.name)]
    assert desk.store.data.prepare_at[post.key] == NOON + timedelta(seconds=30)
    await desk.media.prepare(post.name)
    assert desk.store.post.media is not None
    assert desk.store.post.version == post.version
    desk.queue.is_away = True
    await create(NEW, ONCE)
    assert len(desk.store.data.posts) == 2


async def test_the_catalog_is_asked_before_anything_is_written(
    desk: Desk, create: CreatePost
) -> None:
    desk.catalog.is_down = True
    with pytest.raises(Unavailable):
        await create(NEW, RequestKey("id", "CreatePost", "f"))
    assert desk.store.data.posts == {}
    assert desk.store.data.requests == {}
    assert desk.queue.sent == []


async def test_a_repeated_request_asks_nobody(desk: Desk, create: CreatePost) -> None:
    request = RequestKey("id", "CreatePost", "f")
    post = await create(NEW, request)
    desk.catalog.is_down = True
    assert await create(NEW, request) == post
    assert len(desk.queue.sent) == 1


async def test_unnamed_channels_are_those_that_work(desk: Desk, create: CreatePost) -> None:
    desk.store.add(a_channel(NOON, id="masto"))
    desk.store.add(a_channel(NOON, id="broken", state=ChannelState.NEEDS_ATTENTION))
    post = await create(NEW, ONCE)
    assert [p.channel for p in post.publications] == ["insta", "masto"]
    named = await create(replace(NEW, channels=(Key("nora", "masto"),)), ONCE)
    assert [p.channel for p in named.publications] == ["masto"]
