"""Keeping pictures from going out twice on a channel, unless somebody wants it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key
from services.scheduler.domain.post import Post, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.domain.repeat import (
    REPEAT_HELD,
    Appearance,
    Likeness,
    in_the_way,
    is_ahead,
)
from services.scheduler.ports import Changing, Store
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.recording import record
from services.scheduler.usecases.rights import CONSUMER

_WAITING = (PublicationState.READY, PublicationState.RETRY_WAIT)


@dataclass(frozen=True, slots=True)
class Repetition:
    """The post that a new one repeats, empty for none, and which one of its photo it is."""

    of: str = ""
    generation: int = 1


async def repetition(
    tx: Changing,
    photo: str,
    at: datetime,
    channels: Sequence[Channel],
    reason: str,
    post: str = "",
) -> Repetition:
    """What a post of ``photo`` at ``at`` would repeat, which is right if there is a ``reason``.

    Raises AlreadyExists (PHOTO_REPEATED) if a copy is or was on one of the channels and there is
    none; that another post than the one with the id ``post`` has the photo itself is for its table
    to tell. ``tx`` holds the lock of the photo's copies.
    """
    if reason:
        earlier = await tx.posts.latest_of_photo(photo)
        if earlier is not None and earlier.state is PostState.POSTED:
            return Repetition(earlier.name, earlier.generation + 1)
    seen = await tx.copies.seen([photo], [channel.key for channel in channels])
    other = in_the_way(seen, channels, at)
    if other is None:
        return Repetition()
    if reason:
        return Repetition(other.post)
    owner = await tx.posts.latest_of_photo(photo)
    if owner is None or owner.id == post:
        raise other.error()
    return Repetition()


async def copy_ahead(
    tx: Changing, post: Post, publication: Publication, channel: Channel, at: datetime
) -> Appearance | None:
    """The copy that keeps a waiting publication from going out at ``at``, if there is one."""
    if post.repeat_reason:
        return None
    seen = await tx.copies.seen([post.photo], [channel.key])
    ahead = [each for each in seen if is_ahead(each, post, publication)]
    return in_the_way(ahead, [channel], at)


def released(publication: Publication, pace: Pace, now: datetime) -> Publication:
    """The publication, no longer held for a copy if it waits for one."""
    is_held = publication.problem is not None and publication.problem.reason == REPEAT_HELD
    if publication.state not in _WAITING or not is_held:
        return publication
    first = pace.first_attempt(publication.due_at, now, publication.provider)
    return replace(publication, next_attempt_at=first, state_reason="", problem=None)


class FollowCopies:
    """Takes note of which photos show the same picture.

    Posts that wait show at once that they will be held; whether one goes out is decided when it is
    due.
    """

    def __init__(self, store: Store, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace

    async def found(
        self, event: str, photo: str, copies: Mapping[str, Likeness], version: int
    ) -> None:
        """The photo is a copy of these and of no others; an older ``version`` changes nothing."""
        async with self._store.changing() as tx:
            is_news = await tx.inbox.first_time(event, CONSUMER)
            if is_news and await tx.copies.note(photo, copies, version):
                post = await tx.posts.locked_of_photo(photo)
                if post is not None:
                    await self._show(tx, post)
            await tx.commit()

    async def _show(self, tx: Changing, post: Post) -> None:
        now = self._clock.now()
        changed = [await self._shown(tx, post, each, now) for each in post.publications]
        await record(tx, post, changed, now)

    async def _shown(
        self, tx: Changing, post: Post, publication: Publication, now: datetime
    ) -> Publication:
        problem = publication.problem
        is_ours = problem is None or problem.reason == REPEAT_HELD
        if publication.state not in _WAITING or not is_ours:
            return publication
        channel = await tx.channels.get(Key(publication.persona, publication.channel))
        if channel is None:
            return publication
        at = max(publication.due_at, now)
        other = await copy_ahead(tx, post, publication, channel, at)
        if other is None:
            return released(publication, self._pace, now)
        return replace(publication, state_reason=other.message, problem=other.problem())
