"""Adapter and rules together: whatever becomes of a call, one post is at Buffer in the end."""

from datetime import datetime, timedelta

import pytest

from services.scheduler.domain.publication import PublicationState
from services.scheduler.domain.reconciliation import (
    Adopt,
    Decision,
    NeedsReview,
    RetryOnce,
    WaitUntil,
    reconcile,
)
from services.scheduler.domain.submission import after_submit_error
from services.scheduler.providers.base import (
    Channel,
    NotSent,
    OutcomeUnknown,
    PublishRequest,
)
from services.scheduler.providers.buffer import BufferPublisher
from tests.contract.buffer.conftest import Network, Time
from tests.support.buffer import BufferStandIn

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Worker:
    """Does with one publication what the rules say, until it is settled."""

    def __init__(
        self, publisher: BufferPublisher, channel: Channel, request: PublishRequest, time: Time
    ) -> None:
        self.publisher = publisher
        self.channel = channel
        self.request = request
        self.time = time
        self.looked_after: list[float] = []

    async def publish(self) -> Decision | str:
        """The id that ``submit`` gave, or the last decision after an unknown outcome."""
        first_at, retried_once, duplicate_refusal = self.time.now(), False, False
        while True:
            called_at = self.time.now()
            try:
                return (await self.publisher.submit(self.channel, self.request)).provider_post_id
            except (NotSent, OutcomeUnknown) as error:
                after = after_submit_error(
                    error, 1, called_at, after_unknown=retried_once, jitter=lambda: 0.0
                )
                duplicate_refusal = isinstance(error, NotSent)
            assert after.state is PublicationState.UNKNOWN
            assert after.next_attempt_at is not None
            decision = await self._look(
                called_at, first_at, after.next_attempt_at, retried_once, duplicate_refusal
            )
            if not isinstance(decision, RetryOnce):
                return decision
            retried_once = True

    async def _look(
        self,
        called_at: datetime,
        first_at: datetime,
        at: datetime,
        retried_once: bool,
        duplicate_refusal: bool,
    ) -> Decision:
        while True:
            await self.time.advance(max(0.0, (at - self.time.now()).total_seconds()))
            elapsed = self.time.now() - called_at
            self.looked_after.append(round(elapsed.total_seconds()))
            found = await self.publisher.find(self.channel, self.request, first_at)
            decision = reconcile(found, elapsed, retried_once, duplicate_refusal)
            if not isinstance(decision, WaitUntil):
                return decision
            at = called_at + decision.elapsed


@pytest.fixture
def worker(
    publisher: BufferPublisher,
    instagram: Channel,
    request_in_an_hour: PublishRequest,
    time: Time,
) -> Worker:
    return Worker(publisher, instagram, request_in_an_hour, time)


@pytest.mark.parametrize("kind", ["drop_after", "gateway_error", "late"])
async def test_a_post_whose_answer_was_lost_is_adopted(
    worker: Worker, buffer: BufferStandIn, network: Network, time: Time, kind: str
) -> None:
    if kind == "late":
        network.late = 1
    else:
        await buffer.admin.fault(kind)
    decision = await worker.publish()
    [post] = await buffer.admin.posts()
    assert decision == Adopt(post["id"])
    assert worker.looked_after == [15]
    assert await buffer.admin.calls() == {"received": 1, "processed": 1}
    await time.advance(3600)
    assert [p["status"] for p in await buffer.admin.posts()] == ["sent"]


async def test_a_call_that_never_arrived_is_made_once_more(
    worker: Worker, buffer: BufferStandIn
) -> None:
    await buffer.admin.fault("drop_before")
    post_id = await worker.publish()
    assert [post["id"] for post in await buffer.admin.posts()] == [post_id]
    assert worker.looked_after == [15, 60, 300]
    assert (await buffer.admin.calls())["received"] == 2


async def test_two_calls_that_never_arrived_are_for_a_person(
    worker: Worker, buffer: BufferStandIn
) -> None:
    await buffer.admin.fault("drop_before", times=2)
    decision = await worker.publish()
    assert isinstance(decision, NeedsReview)
    assert decision.reason == "OUTCOME_UNKNOWN"
    assert await buffer.admin.posts() == []
    assert (await buffer.admin.calls())["received"] == 2


async def test_a_second_call_whose_answer_was_lost_is_adopted(
    worker: Worker, buffer: BufferStandIn
) -> None:
    await buffer.admin.fault("drop_before")
    await buffer.admin.fault("drop_after")
    decision = await worker.publish()
    [post] = await buffer.admin.posts()
    assert decision == Adopt(post["id"])


async def test_a_second_call_refused_as_a_duplicate_of_nothing_is_for_a_person(
    worker: Worker, buffer: BufferStandIn
) -> None:
    await buffer.admin.fault("drop_before")
    await buffer.admin.fault("duplicate")
    decision = await worker.publish()
    assert isinstance(decision, NeedsReview)
    assert decision.reason == "DUPLICATE_NOT_FOUND"
    assert await buffer.admin.posts() == []


async def test_of_two_equal_posts_the_earlier_is_adopted_and_the_other_named(
    worker: Worker, buffer: BufferStandIn, time: Time
) -> None:
    await worker.publisher.submit(worker.channel, worker.request)
    await time.advance(1)
    await buffer.admin.fault("drop_after")
    decision = await worker.publish()
    first, second = sorted(post["id"] for post in await buffer.admin.posts())
    assert decision == Adopt(first, (second,))


async def test_a_later_post_with_the_same_caption_is_not_taken_for_this_one(
    worker: Worker, buffer: BufferStandIn
) -> None:
    other = PublishRequest(
        worker.request.text, worker.request.due_at + timedelta(days=1), worker.request.images
    )
    await worker.publisher.submit(worker.channel, other)
    await buffer.admin.fault("drop_before")
    post_id = await worker.publish()
    assert len(await buffer.admin.posts()) == 2
    assert post_id == (await buffer.admin.posts())[1]["id"]


@pytest.mark.parametrize("skew", [-1800.0, 1800.0])
async def test_a_clock_that_differs_from_ours_hides_no_post(
    worker: Worker, buffer: BufferStandIn, skew: float
) -> None:
    await buffer.admin.advance(skew)
    await buffer.admin.fault("drop_after")
    decision = await worker.publish()
    [post] = await buffer.admin.posts()
    assert decision == Adopt(post["id"])
    assert await buffer.admin.calls() == {"received": 1, "processed": 1}
