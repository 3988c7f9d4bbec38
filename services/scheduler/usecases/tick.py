"""The look for something to do, every few seconds."""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from libs.jobs.queue import JobQueue
from services.scheduler.domain.names import CHANNEL, POST
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.domain.timing import MAX_LATENESS, is_missed
from services.scheduler.ports import Claim, Store
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.publish_several import bundles
from services.scheduler.usecases.recording import record
from services.scheduler.usecases.tasks import (
    CHECK_CHANNEL,
    CONFIRM,
    PREPARE,
    PUBLISH,
    QUEUE,
    RECONCILE,
)

_S = PublicationState
_TASKS = {
    _S.READY: PUBLISH,
    _S.RETRY_WAIT: PUBLISH,
    _S.SUBMITTING: RECONCILE,
    _S.UNKNOWN: RECONCILE,
    _S.RECONCILING: RECONCILE,
    _S.SCHEDULED: CONFIRM,
    _S.PUBLISHING: CONFIRM,
}
_LATE: Final = timedelta(minutes=1)
# More would only wait in the queue.
_MOST_BATCHES: Final = 5
_OVERDUE = "its time passed more than 24 hours ago, so it was not sent; retry it to send it now"


class Tick:
    """Finds what is due, longest waiting first, and tells the workers of it."""

    def __init__(self, store: Store, queue: JobQueue, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock
        self._pace = pace

    async def __call__(self) -> None:
        """One look; takes a bounded number of rows of each kind."""
        await self._miss_overdue()
        claims = await self._claim()
        announced = _announced(claims, self._clock.now())
        for task, id in (*announced, *await self._others()):
            await self._queue.enqueue(task, id, QUEUE)

    async def _claim(self) -> list[Claim]:
        """Whoever finds a full batch looks for more, so that a rush waits for no other look."""
        limit = self._pace.claim_batch
        claims: list[Claim] = []
        for _ in range(_MOST_BATCHES):
            now = self._clock.now()
            async with self._store.changing() as tx:
                found = await tx.publications.claim(now, now + self._pace.claim_lease, limit)
                await tx.commit()
            claims += found
            if len(found) < limit:
                break
        return claims

    async def _others(self) -> list[tuple[str, str]]:
        now, limit = self._clock.now(), self._pace.claim_batch
        again_at = now + self._pace.channel_check_every
        async with self._store.changing() as tx:
            channels = await tx.channels.to_check(now, again_at, limit)
            posts = await tx.posts.unprepared(now, now + self._pace.claim_lease, limit)
            await tx.commit()
        return [
            *((CHECK_CHANNEL, CHANNEL.format(*key)) for key in channels),
            *((PREPARE, POST.format(*key)) for key in posts),
        ]

    async def _miss_overdue(self) -> None:
        before = self._clock.now() - MAX_LATENESS
        async with self._store.reading() as view:
            overdue = await view.publications.overdue(before, self._pace.claim_batch)
        for publication in overdue:
            await self._miss(publication)

    async def _miss(self, id: str) -> None:
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(id)
            if post is None:
                return
            publication, now = post.publication(id), self._clock.now()
            is_waiting = publication.state in (_S.READY, _S.RETRY_WAIT)
            # What may be out is not to be taken for what was never sent.
            may_be_out = publication.is_in_blind_doubt
            if is_waiting and is_missed(publication.due_at, now) and not may_be_out:
                await record(tx, post, [_missed(publication, now)], now)
                await tx.commit()


def _missed(publication: Publication, now: datetime) -> Publication:
    why = f"{_OVERDUE}; {publication.state_reason}" if publication.state_reason else _OVERDUE
    return publication.moved(_S.MISSED, now, next_attempt_at=None, problem=Problem("OVERDUE", why))


def _announced(claims: Sequence[Claim], now: datetime) -> Iterator[tuple[str, str]]:
    """The tasks for the claims; all that are asked for in one query are one task.

    Of a bundle, nobody knows what goes out first, so what is late goes alone, oldest first.
    """
    due = [claim for claim in claims if _TASKS.get(claim.state) == PUBLISH]
    late = [claim for claim in due if claim.due_at < now - _LATE]
    yield from ((PUBLISH, each.publication) for each in sorted(late, key=lambda it: it.due_at))
    on_time = [claim.publication for claim in due if claim.due_at >= now - _LATE]
    yield from ((PUBLISH, bundle) for bundle in bundles(on_time))
    tasks = (
        (task, claim.batch if task == CONFIRM else claim.publication)
        for claim in claims
        if (task := _TASKS.get(claim.state)) not in (None, PUBLISH)
    )
    yield from dict.fromkeys(tasks)
