from dataclasses import replace
from datetime import timedelta

import pytest

from services.scheduler.domain.channel import ChannelState
from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import PublicationState
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.tick import Tick
from tests.support.clock import NOON
from tests.support.scheduler_fakes import a_channel, a_post, a_publication
from tests.unit.scheduler.usecases.conftest import Desk

S = PublicationState


def post(number: int, **fields: object) -> Post:
    id = f"post-{number}"
    fields = {"state": S.READY, "provider_post_id": "", **fields}
    publication = a_publication(NOON, id=f"pub-{number}", post=id, **fields)
    return a_post(NOON, publication, id=id)


@pytest.mark.parametrize(
    ("state", "task"),
    [
        (S.READY, ("scheduler.publish", "pub-0")),
        (S.RETRY_WAIT, ("scheduler.publish", "pub-0")),
        (S.SUBMITTING, ("scheduler.reconcile", "pub-0")),
        (S.UNKNOWN, ("scheduler.reconcile", "pub-0")),
        (S.RECONCILING, ("scheduler.reconcile", "pub-0")),
        (S.SCHEDULED, ("scheduler.confirm", "batch")),
        (S.PUBLISHING, ("scheduler.confirm", "batch")),
    ],
)
async def test_what_is_due_is_announced_by_its_state(
    desk: Desk, state: PublicationState, task: tuple[str, str]
) -> None:
    desk.store.add(a_channel(NOON), post(0, state=state))
    await desk.tick()
    await desk.tick()
    assert desk.queue.sent == [task]
    desk.clock.advance(60)
    await desk.tick()
    assert desk.queue.sent == [task, task]


async def test_longest_waiting_first(desk: Desk) -> None:
    ages = (3, 9, 1, 7)
    posts = [post(n, next_attempt_at=NOON - timedelta(seconds=age)) for n, age in enumerate(ages)]
    desk.store.add(a_channel(NOON), *posts, post(9, next_attempt_at=NOON + timedelta(seconds=1)))
    tick = Tick(desk.store, desk.queue, desk.clock, Pace(claim_batch=3))
    await tick()
    assert desk.queue.sent == [("scheduler.publish", "pub-1 pub-3 pub-0 pub-2")]


async def test_what_is_late_goes_alone_and_oldest_first(desk: Desk) -> None:
    for number, late in enumerate((61, 3600, 60, 600)):
        # All were held until now.
        due_at = NOON - timedelta(seconds=late)
        desk.store.add(a_channel(NOON), post(number, due_at=due_at, next_attempt_at=NOON))
    await desk.tick()
    announced = [id for _, id in desk.queue.sent]
    assert announced == ["pub-1", "pub-3", "pub-0", "pub-2"]


async def test_a_rush_is_taken_in_one_look_but_not_all_that_there_may_be(desk: Desk) -> None:
    posts = [post(n, next_attempt_at=NOON - timedelta(seconds=60 - n)) for n in range(24)]
    desk.store.add(a_channel(NOON), *posts)
    tick = Tick(desk.store, desk.queue, desk.clock, Pace(claim_batch=4))
    await tick()
    announced = [ids.split() for _, ids in desk.queue.sent]
    assert [len(ids) for ids in announced] == [8, 8, 4]
    assert [id for ids in announced for id in ids] == [f"pub-{n}" for n in range(20)]
    await tick()
    assert desk.queue.sent[3:] == [("scheduler.publish", "pub-20 pub-21 pub-22 pub-23")]


async def test_what_is_asked_for_together_is_announced_once(desk: Desk) -> None:
    posts = [post(n, state=S.SCHEDULED, provider_post_id=str(n)) for n in range(3)]
    desk.store.add(a_channel(NOON), *posts)
    await desk.tick()
    assert desk.queue.sent == [("scheduler.confirm", "batch")]


async def test_a_broker_that_is_away_costs_nothing_but_time(desk: Desk) -> None:
    desk.store.add(a_channel(NOON), post(0))
    desk.queue.is_away = True
    await desk.tick()
    desk.queue.is_away = False
    desk.clock.advance(60)
    await desk.tick()
    assert desk.queue.sent == [("scheduler.publish", "pub-0")]


@pytest.mark.parametrize("state", [S.READY, S.RETRY_WAIT])
@pytest.mark.parametrize(("hours", "is_missed"), [(24, False), (24.01, True)])
async def test_what_is_a_day_late_is_missed_even_if_it_is_held(
    desk: Desk, state: PublicationState, hours: float, is_missed: bool
) -> None:
    held = post(0, state=state, due_at=NOON - timedelta(hours=hours), next_attempt_at=None)
    desk.store.add(a_channel(NOON), held)
    await desk.tick()
    [found] = desk.store.data.posts.values()
    [publication] = found.publications
    assert (publication.state is S.MISSED) is is_missed
    assert found.state is (PostState.FAILED if is_missed else PostState.SCHEDULED)
    if is_missed:
        assert publication.problem is not None
        assert publication.problem.reason == "OVERDUE"
        assert publication.ended_at == NOON
    assert desk.queue.sent == []


async def test_what_a_provider_has_is_never_missed(desk: Desk) -> None:
    due_at = NOON - timedelta(days=2)
    desk.store.add(a_channel(NOON), post(0, state=S.UNKNOWN, due_at=due_at))
    await desk.tick()
    assert desk.queue.sent == [("scheduler.reconcile", "pub-0")]


async def test_channels_are_checked_and_pictures_prepared_now_and_then(desk: Desk) -> None:
    channel = a_channel(NOON, state=ChannelState.NEEDS_ATTENTION, check_at=NOON)
    waiting = replace(post(0, next_attempt_at=None), media=None)
    desk.store.add(channel, waiting)
    desk.store.data.prepare_at[waiting.key] = NOON
    await desk.tick()
    await desk.tick()
    check = ("scheduler.check_channel", "personas/nora/channels/insta")
    prepare = ("scheduler.prepare", "personas/nora/posts/post-0")
    assert desk.queue.sent == [check, prepare]
    desk.clock.advance(60)
    await desk.tick()
    assert desk.queue.sent[2:] == [prepare]
    desk.clock.advance(1740)
    await desk.tick()
    assert check in desk.queue.sent[3:]
