from dataclasses import replace
from datetime import timedelta

from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.usecases.recording import record
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post, a_publication
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState


async def recorded(desk: Desk, before: Post, *publications: Publication) -> Post:
    desk.store.add(a_channel(NOON), before)
    async with desk.store.changing() as tx:
        after = await record(tx, before, publications, NOON)
        await tx.commit()
    stored = desk.store.data.posts[before.key]
    assert stored == after
    return after


async def test_a_post_takes_every_move_on_the_way(desk: Desk) -> None:
    before = a_post(NOON, a_publication(NOON, state=S.SCHEDULED, provider_post_id="1"))
    posted_at = NOON + timedelta(seconds=1)
    posted = before.publications[0].moved(S.POSTED, NOON, posted_at=posted_at)
    after = await recorded(desk, before, posted)
    assert after.state is PostState.POSTED
    assert after.posted_time == posted_at
    assert after.version == 3
    assert desk.store.data.moves == [
        ("publication", "scheduled", "posted"),
        ("post", "scheduled", "posting"),
        ("post", "posting", "posted"),
    ]
    assert desk.store.data.events == [("posting", 2), ("posted", 3)]


async def test_a_change_without_a_move_is_a_version_but_no_event(desk: Desk) -> None:
    before = a_post(NOON)
    after = await recorded(desk, before, replace(before.publications[0], state_reason="waits"))
    assert (after.state, after.version) == (PostState.SCHEDULED, 2)
    assert desk.store.data.events == []
    assert desk.store.data.moves == []


async def test_nothing_new_changes_nothing(desk: Desk) -> None:
    before = a_post(NOON)
    assert await recorded(desk, before, before.publications[0]) is before


async def test_a_post_is_posted_when_its_last_publication_is(desk: Desk) -> None:
    first_at, last_at = NOON - timedelta(hours=2), NOON - timedelta(hours=1)
    first = a_publication(NOON, id="a", state=S.POSTED, provider_post_id="1", posted_at=last_at)
    last = a_publication(NOON, id="b", state=S.PUBLISHING, provider_post_id="2")
    before = a_post(NOON, first, last, state=PostState.POSTING)
    after = await recorded(desk, before, last.moved(S.POSTED, NOON, posted_at=first_at))
    assert after.posted_time == last_at
    assert after.publications[0] == first
