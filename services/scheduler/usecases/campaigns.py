"""Posts that come with a campaign and wait for their photos."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from libs.clock import Clock
from libs.errors import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from libs.ids import uuid7
from services.scheduler.domain.names import CAMPAIGN as CAMPAIGN_NAME
from services.scheduler.domain.names import PHOTO, Key
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.post import CAMPAIGN, Post, PostState, final_text
from services.scheduler.ports import Catalog, Changing, Store
from services.scheduler.usecases.placing import Placing
from services.scheduler.usecases.recording import move
from services.scheduler.usecases.rights import CONSUMER

_S = PostState


@dataclass(frozen=True, slots=True)
class CampaignPost:
    """A post of a campaign; ``scheduled_time`` None: it waits for a time, too."""

    suggestion: str
    pillar: str
    caption: str
    hashtags: tuple[str, ...]
    scheduled_time: datetime | None


class Campaigns:
    """Makes the posts of campaigns, and completes them when their photos are there."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock, placing: Placing) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock
        self._placing = placing

    async def imported(self, event: str, campaign: str, posts: Sequence[CampaignPost]) -> None:
        """A campaign came in; each of its suggestions has one post, however often it is told."""
        (persona, _) = CAMPAIGN_NAME.parse(campaign, "campaign")
        async with self._store.changing() as tx:
            if await tx.inbox.first_time(event, CONSUMER):
                known = set(await tx.posts.suggestions_of(campaign))
                for planned in posts:
                    if planned.suggestion not in known:
                        known.add(planned.suggestion)
                        await self._add(tx, persona, campaign, planned)
            await tx.commit()

    async def _add(self, tx: Changing, persona: str, campaign: str, planned: CampaignPost) -> None:
        now = self._clock.now()
        text, problem = _composed(planned.caption, planned.hashtags)
        post = Post(
            persona=persona,
            id=uuid7(),
            photo="",
            photo_sha256="",
            pillar=planned.pillar,
            caption=planned.caption,
            hashtags=planned.hashtags,
            final_text=text,
            alt_text="",
            scheduled_time=planned.scheduled_time,
            create_time=now,
            update_time=now,
            state=_S.AWAITING_IMAGE,
            state_reason=problem or "waits for its photo",
            strategy=CAMPAIGN,
            suggestion=planned.suggestion,
            campaign=campaign,
        )
        await tx.posts.add(post, prepare_at=now)
        await tx.history.post_moved(post, None)
        tx.post_events.changed(post)

    async def photo_made(self, event: str, photo: str, suggestion: str) -> None:
        """A photo was made for a suggestion: the post that waits for it is complete.

        It is scheduled if its time is still ahead; what stands against that is its reason. Raises
        Unavailable if the catalog cannot be asked.
        """
        async with self._store.reading() as view:
            key = await view.posts.awaiting(suggestion)
        if key is None or key.persona != PHOTO.parse(photo, "photo")[0]:
            return
        try:
            found = await self._catalog.photo(photo)
        except NotFound:
            return
        async with self._store.changing() as tx:
            if await tx.inbox.first_time(event, CONSUMER):
                await self._complete(tx, key, found)
            await tx.commit()

    async def _complete(self, tx: Changing, key: Key, photo: Photo) -> None:
        await tx.channels.pinned(key.persona, None)
        await tx.copies.lock(key.persona, [photo.name])
        known = await self._placing.known(tx, photo)
        owner = await tx.posts.locked_of_photo(photo.name)
        post = await tx.posts.locked(key)
        if post.state is not _S.AWAITING_IMAGE:
            return
        now = self._clock.now()
        if owner is not None:
            reason = f"{photo.name} came for it, but {owner.name} has that photo"
            await move(tx, replace(post, state_reason=reason), post.state, now)
            return
        text, problem = _composed(post.caption, post.hashtags)
        complete = replace(
            post,
            photo=photo.name,
            photo_sha256=photo.sha256,
            pillar=photo.pillar,
            final_text=text,
            alt_text=post.alt_text or photo.alt_text,
            state_reason=problem,
        )
        ready = await move(tx, complete, _S.READY, now)
        if problem or ready.scheduled_time is None:
            return
        try:
            await self._placing.place(tx, ready, known, ready.scheduled_time)
        except (AlreadyExists, FailedPrecondition, InvalidArgument) as error:
            await move(tx, replace(ready, state_reason=error.message), ready.state, now)


def _composed(caption: str, hashtags: Sequence[str]) -> tuple[str, str]:
    """The text that goes out; or none, and what is wrong with it."""
    try:
        return final_text(caption, hashtags), ""
    except InvalidArgument as error:
        return "", error.message
