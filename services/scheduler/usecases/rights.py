"""Keeping posts from going out whose photos may not."""

from dataclasses import replace
from datetime import datetime
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.photo import Obstacle, Rights, Rule
from services.scheduler.domain.publication import (
    RIGHTS_HELD,
    Problem,
    Publication,
    PublicationState,
)
from services.scheduler.ports import Store
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import record

CONSUMER: Final = "scheduler"
# Nothing is told of a photo after it is gone.
_LAST_VERSION: Final = 2**62
_S = PublicationState
_WAITING: Final = (_S.READY, _S.RETRY_WAIT)


def held_back(
    publication: Publication, photo: str, obstacle: Obstacle, again_at: datetime, now: datetime
) -> Publication:
    """The waiting publication, held until ``again_at`` at least; failed if the photo is gone."""
    message = f"{photo} {obstacle.message}"
    if obstacle.rule is Rule.DELETED:
        problem = Problem("PHOTO_DELETED", message)
        return publication.moved(
            _S.FAILED, now, state_reason=message, next_attempt_at=None, problem=problem
        )
    problem = Problem(RIGHTS_HELD, message, retryable=True)
    return replace(publication, next_attempt_at=again_at, state_reason=message, problem=problem)


class FollowRights:
    """Takes note of what the catalog tells about photos' rights.

    Posts that wait show at once that they will be held; whether one goes out is decided when it is
    due. Once the rights hold again, what was held goes on.
    """

    def __init__(self, store: Store, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace

    async def changed(self, event: str, photo: str, rights: Rights, version: int) -> None:
        """The photo has these rights now; an older ``version`` than is known changes nothing."""
        async with self._store.changing() as tx:
            is_news = await tx.inbox.first_time(event, CONSUMER)
            if is_news and rights.deleted:
                await tx.copies.forget(photo)
            if is_news and await tx.rights.note(photo, rights, version):
                post = await tx.posts.locked_of_photo(photo)
                if post is not None:
                    now = self._clock.now()
                    changed = [self._follow(p, photo, rights, now) for p in post.publications]
                    await record(tx, post, changed, now)
            await tx.commit()

    async def gone(self, event: str, photo: str) -> None:
        """The photo is deleted: what was not sent yet fails."""
        await self.changed(event, photo, Rights(deleted=True), _LAST_VERSION)

    def _follow(
        self, publication: Publication, photo: str, rights: Rights, now: datetime
    ) -> Publication:
        problem = publication.problem
        is_ours = problem is None or problem.reason == RIGHTS_HELD
        if publication.state not in _WAITING or not (is_ours or rights.deleted):
            return publication
        first = self._pace.first_attempt(publication.due_at, now, publication.provider)
        obstacle = rights.obstacle(max(publication.due_at, now))
        if obstacle is not None:
            return held_back(publication, photo, obstacle, first, now)
        if problem is None:
            return publication
        return replace(publication, next_attempt_at=first, state_reason="", problem=None)
