from dataclasses import replace
from datetime import timedelta

import pytest

from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.post import PostState
from services.scheduler.domain.publication import Problem, PublicationState
from services.scheduler.domain.submission import FailureKind
from services.scheduler.providers.base import ReadFailed, RemotePost, RemoteState
from services.scheduler.usecases.confirm import first_look, next_look
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post
from tests.unit.scheduler.usecases.conftest import Desk

S, R = PublicationState, RemoteState


@pytest.fixture(autouse=True)
async def handed_over(desk: Desk) -> None:
    """A publication that is out at 12:00:30 if all goes well; it is time for the first look."""
    now = desk.clock.now()
    desk.store.add(a_channel(now), a_post(now))
    await desk.publish("pub")
    desk.clock.advance(32)


def remote(state: RemoteState, **fields: object) -> RemotePost:
    due_at = NOON + timedelta(seconds=30)
    post = RemotePost("remote-1", "acc", state, "Light", NOON, due_at=due_at)
    return replace(post, **fields)  # type: ignore[arg-type]


async def test_what_was_sent_is_posted(desk: Desk) -> None:
    sent_at = NOON + timedelta(seconds=31)
    link = "https://x.example/1"
    desk.publisher.statuses = [remote(R.SENT, sent_at=sent_at, external_link=link)]
    await desk.confirm("batch")
    publication = desk.store.publication
    assert publication.state is S.POSTED
    assert (publication.posted_at, publication.permalink) == (sent_at, link)
    assert publication.ended_at == desk.clock.now()
    assert publication.provider_state == "sent"
    assert desk.store.post.state is PostState.POSTED
    assert desk.store.post.posted_time == sent_at
    assert [state for state, _ in desk.store.data.events[-2:]] == ["posting", "posted"]
    assert desk.publisher.asked == [{"remote-1": NOON + timedelta(seconds=30)}]


async def test_what_is_being_sent_is_publishing_and_then_posted(desk: Desk) -> None:
    desk.publisher.statuses = [remote(R.SENDING)]
    await desk.confirm("batch")
    assert desk.store.publication.state is S.PUBLISHING
    assert desk.store.post.state is PostState.POSTING
    assert desk.store.publication.next_attempt_at == NOON + timedelta(seconds=35)
    desk.clock.advance(3)
    version = desk.store.post.version
    await desk.confirm("batch")
    assert desk.store.post.version == version
    assert desk.store.publication.next_attempt_at == NOON + timedelta(seconds=45)
    desk.clock.advance(10)
    desk.publisher.statuses = [remote(R.SENT)]
    await desk.confirm("batch")
    assert desk.store.publication.state is S.POSTED
    assert desk.store.publication.posted_at == desk.clock.now()


async def test_an_error_there_is_a_failure_here_in_the_providers_words(desk: Desk) -> None:
    desk.publisher.statuses = [remote(R.ERROR, error_message="too dark", support_url="https://s")]
    await desk.confirm("batch")
    publication = desk.store.publication
    assert publication.state is S.FAILED
    assert publication.problem == Problem("PUBLISH_FAILED", "too dark", support_uri="https://s")
    assert publication.provider_post_id == "remote-1"
    assert desk.store.post.state is PostState.FAILED


async def test_a_post_that_one_look_misses_is_looked_for_again(desk: Desk) -> None:
    await desk.confirm("batch")
    publication = desk.store.publication
    assert publication.state is S.SCHEDULED
    assert publication.provider_state == "missing"
    assert publication.next_attempt_at == desk.clock.now() + timedelta(seconds=60)
    desk.publisher.statuses = [remote(R.SCHEDULED)]
    desk.clock.advance(60)
    await desk.confirm("batch")
    assert desk.store.publication.provider_state == R.SCHEDULED


async def test_what_is_gone_there_is_for_a_person(desk: Desk) -> None:
    await desk.confirm("batch")
    desk.clock.advance(60)
    await desk.confirm("batch")
    publication = desk.store.publication
    assert publication.state is S.NEEDS_REVIEW
    assert publication.problem is not None
    assert publication.problem.reason == "REMOTE_DELETED"
    assert publication.next_attempt_at is None


@pytest.mark.parametrize("state", [R.SCHEDULED, R.DRAFT, R.NEEDS_APPROVAL])
async def test_what_waits_there_is_asked_for_again(desk: Desk, state: RemoteState) -> None:
    desk.publisher.statuses = [remote(state)]
    await desk.confirm("batch")
    publication = desk.store.publication
    assert publication.state is S.SCHEDULED
    assert publication.provider_state == state
    assert publication.next_attempt_at == NOON + timedelta(seconds=35)


async def test_another_time_there_is_heeded(desk: Desk) -> None:
    later = NOON + timedelta(hours=5)
    desk.publisher.statuses = [remote(R.SCHEDULED, due_at=later)]
    await desk.confirm("batch")
    assert desk.store.publication.remote_due_at == later
    assert desk.store.publication.next_attempt_at == later + timedelta(seconds=2)


async def test_nobody_is_asked_before_it_is_time_nor_for_others(desk: Desk) -> None:
    await desk.confirm("another batch")
    desk.clock.advance(-1)
    await desk.confirm("batch")
    assert desk.publisher.asked == []


async def test_reads_wait_when_requests_are_short(desk: Desk) -> None:
    desk.publisher.has_reserve = False
    await desk.confirm("batch")
    assert desk.publisher.asked == []
    assert desk.store.publication.next_attempt_at == desk.clock.now() + timedelta(minutes=15)


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (ReadFailed(FailureKind.NOT_SENT, "no route"), 60),
        (ReadFailed(FailureKind.THROTTLED, "wait", retry_after=900), 900),
        (ReadFailed(FailureKind.AUTH, "key revoked"), 60),
    ],
)
async def test_a_read_that_fails_changes_no_state(desk: Desk, error: ReadFailed, wait: int) -> None:
    desk.publisher.statuses = error
    await desk.confirm("batch")
    publication = desk.store.publication
    assert publication.state is S.SCHEDULED
    assert publication.next_attempt_at == desk.clock.now() + timedelta(seconds=wait)
    is_paused = desk.store.channel.state is ChannelState.NEEDS_ATTENTION
    assert is_paused is (error.kind is FailureKind.AUTH)


async def test_what_is_late_is_pointed_out_once(desk: Desk) -> None:
    desk.publisher.statuses = [remote(R.SCHEDULED)]
    desk.clock.advance(timedelta(hours=2))
    await desk.confirm("batch")
    assert "has not sent it yet" in desk.store.publication.state_reason
    version = desk.store.post.version
    desk.clock.advance(timedelta(hours=3))
    await desk.confirm("batch")
    assert len(desk.publisher.asked) == 2
    assert desk.store.post.version == version


def test_the_looks_are_soon_after_the_time_then_rarer() -> None:
    assert first_look(NOON, NOON - timedelta(minutes=1)) == NOON + timedelta(seconds=2)
    assert first_look(NOON, NOON + timedelta(minutes=1)) == NOON + timedelta(seconds=62)
    looks, now = [], first_look(NOON, NOON)
    while now < NOON + timedelta(days=4):
        looks.append((now - NOON).total_seconds())
        now = next_look(NOON, now)
    assert looks[:8] == [2, 5, 15, 60, 180, 600, 1800, 7200]
    assert [look / 3600 for look in looks[8:]] == [4, 8, 16, 32, 56, 80]


async def test_an_answer_about_a_publication_that_went_its_way_is_dropped(desk: Desk) -> None:
    inner = desk.publisher.status

    async def slow(*arguments: object) -> list[RemotePost]:
        desk.publisher.status = inner  # type: ignore[method-assign]
        desk.publisher.statuses = [remote(R.SENT)]
        await desk.confirm("batch")
        return [remote(R.ERROR)]

    desk.publisher.status = slow  # type: ignore[method-assign,assignment]
    await desk.confirm("batch")
    assert desk.store.publication.state is S.POSTED
    assert desk.store.post.state is PostState.POSTED
