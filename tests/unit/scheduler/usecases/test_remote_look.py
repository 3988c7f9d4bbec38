from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from services.scheduler.domain.post import PostState
from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.remote_check import Drift
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Sent
from services.scheduler.providers.base import Channel as Account
from services.scheduler.providers.base import ReadFailed, RemotePost, RemoteState
from services.scheduler.usecases.remote_look import RemoteLook, Seen
from services.scheduler.usecases.tasks import CHECK_REMOTE
from services.scheduler.usecases.watch_remote import CheckRemote, WatchRemote
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post, a_publication
from tests.unit.scheduler.usecases.conftest import Desk

HOUR = 3600.0
OUT = RemotePost("remote-1", "acc", RemoteState.SENT, "Light", NOON)


@pytest.fixture(autouse=True)
def posted(desk: Desk) -> None:
    """A post that went out at noon."""
    publication = a_publication(
        NOON,
        state=PublicationState.POSTED,
        provider_post_id="remote-1",
        posted_at=NOON,
        attempts=1,
        next_attempt_at=None,
    )
    desk.store.add(a_channel(NOON), a_post(NOON, publication, state=PostState.POSTED))


async def look(desk: Desk) -> Seen:
    sent = Sent(desk.store.publication, "Light")
    [seen] = await RemoteLook(desk.store, desk.accounts, desk.clock)(desk.store.channel, [sent])
    return seen


async def test_a_post_as_it_was_sent_is_no_news(desk: Desk) -> None:
    desk.publisher.statuses = [OUT]
    seen = await look(desk)
    assert (seen.is_told, seen.is_news, seen.differs) == (True, False, False)
    assert desk.store.data.events == []
    assert desk.store.post.version == 1


async def test_an_edit_is_told_once_and_leaves_the_post_posted(desk: Desk) -> None:
    desk.publisher.statuses = [replace(OUT, text="Dark")]
    assert (await look(desk)).is_news
    assert not (await look(desk)).is_news
    assert desk.store.data.events == [("posted", 2)]
    assert desk.store.data.moves == [("remote", "pub", Drift.EDITED)]
    assert desk.store.publication.state is PublicationState.POSTED
    assert desk.store.publication.posted_at == NOON


async def test_what_the_provider_does_not_tell_is_asked_for_at_the_next_time(desk: Desk) -> None:
    desk.publisher.statuses = [replace(OUT, state=RemoteState.SENDING, text="")]
    desk.clock.advance(HOUR)
    assert not (await look(desk)).is_told
    remote = desk.store.publication.remote
    assert remote is not None
    assert (remote.state, remote.checked_at) == (Drift.UNCHANGED, None)
    assert remote.next_at == NOON + timedelta(days=1)


async def test_a_miss_counts_as_missing_until_the_second_look(desk: Desk) -> None:
    seen = await look(desk)
    assert (seen.is_missing, seen.is_news) == (True, False)
    desk.clock.advance(60)
    seen = await look(desk)
    assert (seen.is_missing, seen.is_news, seen.differs) == (False, True, True)


async def test_two_questions_at_once_are_one_look_however_long_the_answer_takes(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    quick = desk.publisher.status

    async def slow(channel: Account, posts: Mapping[str, datetime]) -> list[RemotePost]:
        answer = await quick(channel, posts)
        monkeypatch.setattr(desk.publisher, "status", quick)
        assert (await look(desk)).is_missing
        desk.clock.advance(90)
        return answer

    monkeypatch.setattr(desk.publisher, "status", slow)
    assert (await look(desk)).is_missing


async def test_requests_that_are_needed_for_sending_are_left(desk: Desk) -> None:
    desk.publisher.has_reserve = False
    with pytest.raises(ReadFailed) as raised:
        await look(desk)
    assert raised.value.kind is FailureKind.THROTTLED
    assert desk.publisher.asked == []


async def test_a_worker_is_told_of_what_is_due_and_looks_at_it(desk: Desk) -> None:
    watch = WatchRemote(desk.store, desk.queue, desk.clock)
    look = RemoteLook(desk.store, desk.accounts, desk.clock)
    check = CheckRemote(desk.store, look, desk.care, desk.clock)
    await watch()
    assert desk.queue.sent == []
    desk.clock.advance(timedelta(hours=1).total_seconds())
    await watch()
    assert desk.queue.sent == [(CHECK_REMOTE, "batch")]
    desk.publisher.statuses = [OUT]
    await check("batch")
    remote = desk.store.publication.remote
    assert remote is not None
    assert remote.next_at == NOON + timedelta(days=1)
    await check("batch")
    assert len(desk.publisher.asked) == 1
