from datetime import timedelta

import pytest

from services.scheduler.domain.photo import Rights
from services.scheduler.domain.publication import CHANNEL_HELD, Problem, PublicationState
from services.scheduler.usecases.rights import FollowRights
from tests.support.clock import NOON
from tests.support.scheduler_fakes import (
    FakeStore,
    MemoryBlobs,
    a_channel,
    a_post,
    a_publication,
)
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState
PHOTO = "personas/nora/photos/1"
LATER = NOON + timedelta(hours=1)


@pytest.fixture
def follow(desk: Desk) -> FollowRights:
    publication = a_publication(NOON, due_at=LATER, next_attempt_at=LATER)
    desk.store.add(a_channel(NOON), a_post(NOON, publication))
    return FollowRights(desk.store, desk.clock, desk.pace)


@pytest.mark.parametrize(
    ("rights", "is_held"),
    [
        (Rights(), False),
        (Rights(held=True), True),
        (Rights(archived=True), True),
        (Rights(embargo_time=LATER), False),
        (Rights(embargo_time=LATER + timedelta(seconds=1)), True),
        (Rights(expire_time=LATER), True),
        (Rights(expire_time=LATER + timedelta(seconds=1)), False),
    ],
)
async def test_a_post_shows_at_once_what_will_hold_it(
    desk: Desk, follow: FollowRights, rights: Rights, is_held: bool
) -> None:
    await follow.changed("1", PHOTO, rights, 1)
    publication = desk.store.publication
    assert publication.state is S.READY
    assert bool(publication.state_reason) is is_held
    assert publication.next_attempt_at is not None
    assert publication.next_attempt_at <= LATER


class LastMoment(MemoryBlobs):
    """Has every picture; what looks for one finds afterwards that the photo is held."""

    store: FakeStore

    async def exists(self, key: str) -> bool:
        self.store.data.rights[PHOTO] = Rights(held=True), 1
        return True


async def test_the_check_that_counts_is_in_the_transaction_of_the_intent() -> None:
    """What becomes known after everything was prepared still keeps the call from being made."""
    blobs = LastMoment()
    desk = Desk(blobs=blobs)
    blobs.store = desk.store
    desk.store.add(a_channel(NOON), a_post(NOON))
    await desk.publish("pub")
    assert desk.publisher.submitted == []
    assert desk.store.data.attempts == {}
    publication = desk.store.publication
    assert (publication.state, publication.attempts) == (S.READY, 0)
    assert publication.next_attempt_at == NOON + desk.pace.channel_check_every


@pytest.mark.parametrize(
    "state", [S.SUBMITTING, S.UNKNOWN, S.RECONCILING, S.SCHEDULED, S.PUBLISHING, S.POSTED]
)
async def test_what_a_provider_has_or_may_have_is_left_alone(
    desk: Desk, follow: FollowRights, state: PublicationState
) -> None:
    publication = a_publication(NOON, state=state)
    desk.store.add(a_channel(NOON), a_post(NOON, publication))
    await follow.changed("1", PHOTO, Rights(held=True), 1)
    await follow.gone("2", PHOTO)
    assert desk.store.publication == publication


async def test_the_provider_s_wait_and_a_held_channel_are_not_forgotten(
    desk: Desk, follow: FollowRights
) -> None:
    for problem in (Problem("THROTTLED", "slow down"), Problem(CHANNEL_HELD, "disconnected")):
        waiting = a_publication(NOON, state=S.RETRY_WAIT, problem=problem, next_attempt_at=LATER)
        desk.store.add(a_channel(NOON), a_post(NOON, waiting))
        await follow.changed(problem.reason, PHOTO, Rights(held=True), 1)
        assert desk.store.publication == waiting
        await follow.changed(f"{problem.reason} 2", PHOTO, Rights(), 2)
        assert desk.store.publication == waiting


async def test_a_photo_in_no_post_is_remembered(desk: Desk, follow: FollowRights) -> None:
    before = desk.store.post
    await follow.changed("1", "personas/nora/photos/2", Rights(held=True), 4)
    assert desk.store.post == before
    assert desk.store.data.rights["personas/nora/photos/2"] == (Rights(held=True), 4)
