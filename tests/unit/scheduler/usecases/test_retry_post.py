"""Trying again, at another time, what is in doubt."""

from dataclasses import replace
from datetime import timedelta

import pytest

from libs.rpc.requests import RequestKey
from services.scheduler.domain.channel import Provider
from services.scheduler.domain.photo import Rights
from services.scheduler.domain.publication import PublicationState
from services.scheduler.providers.base import OutcomeUnknown, RemotePost
from services.scheduler.usecases.retry_post import RetryPost
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post, a_publication
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState
DIRECT = Provider.MASTODON
LONG_AFTER = timedelta(hours=1)
TOMORROW = NOON + timedelta(days=1)
ONCE = RequestKey("", "RetryPost", "")


@pytest.fixture
def retry(desk: Desk) -> RetryPost:
    return RetryPost(desk.store, desk.catalog, desk.clock, desk.pace)


@pytest.fixture(autouse=True)
async def in_doubt(desk: Desk) -> None:
    """A publication that its server publishes when called; the call at noon was lost."""
    publication = a_publication(NOON, provider=DIRECT)
    desk.store.add(a_channel(NOON, provider=DIRECT), a_post(NOON, publication))
    desk.publisher.answers = [OutcomeUnknown("lost")]
    await desk.publish("pub")
    desk.clock.advance(LONG_AFTER)


async def to_review(desk: Desk) -> None:
    publication = desk.store.publication
    reconciling = publication.moved(S.RECONCILING, desk.clock.now())
    reviewed = reconciling.moved(S.NEEDS_REVIEW, desk.clock.now(), next_attempt_at=None)
    desk.store.add(desk.store.channel, replace(desk.store.post, publications=(reviewed,)))


@pytest.mark.parametrize("is_reviewed", [False, True])
async def test_what_is_not_found_goes_out_at_its_new_time_and_not_before(
    desk: Desk, retry: RetryPost, is_reviewed: bool
) -> None:
    if is_reviewed:
        await to_review(desk)
    await retry(desk.store.post.key, TOMORROW, ONCE)
    await desk.reconcile("pub")
    publication = desk.store.publication
    assert (publication.state, publication.next_attempt_at) == (S.RETRY_WAIT, TOMORROW)
    await desk.publish("pub")
    assert len(desk.publisher.submitted) == 1
    desk.clock.advance(TOMORROW - desk.clock.now())
    await desk.publish("pub")
    assert len(desk.publisher.submitted) == 2


async def test_rights_are_those_of_the_moment_at_which_it_goes_out(desk: Desk) -> None:
    """However it came to be called before its time: its photo may not be seen yet."""
    early = a_publication(desk.clock.now(), provider=DIRECT, due_at=TOMORROW)
    desk.store.add(desk.store.channel, a_post(NOON, early))
    desk.store.data.rights[desk.store.post.photo] = Rights(embargo_time=TOMORROW), 1
    await desk.publish("pub")
    assert len(desk.publisher.submitted) == 1
    assert desk.store.publication.state_reason


async def test_a_look_in_flight_does_not_bring_the_old_time_back(
    desk: Desk, retry: RetryPost
) -> None:
    inner = desk.publisher.find

    async def slow(*arguments: object) -> list[RemotePost]:
        desk.publisher.find = inner  # type: ignore[method-assign]
        await retry(desk.store.post.key, TOMORROW, ONCE)
        return []

    desk.publisher.find = slow  # type: ignore[method-assign,assignment]
    await desk.reconcile("pub")
    assert desk.store.publication.due_at == TOMORROW
    assert desk.store.publication.state is S.RECONCILING
    await desk.reconcile("pub")
    assert desk.store.publication.next_attempt_at == TOMORROW
