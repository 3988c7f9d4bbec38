"""Taking in posts that went out before there was this suite."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from libs.clock import Clock
from libs.errors import ColonnadeError, InvalidArgument, NotFound
from libs.ids import uuid7
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import PHOTO, Key, no_channel
from services.scheduler.domain.photo import Photo
from services.scheduler.domain.post import IMPORTED, PAST_GRACE, Post, PostResult, PostState
from services.scheduler.domain.publication import Publication, PublicationState
from services.scheduler.ports import Catalog, Changing, Store
from services.scheduler.usecases.photos import photos_of
from services.scheduler.usecases.placing import new_media_token

ELSEWHERE: Final = "imported"


@dataclass(frozen=True, slots=True)
class PastPost:
    """A post that is out. ``channel`` None: on an account that is not connected here.

    ``provider`` empty: the channel's; ``provider_post_id`` empty: the external id stands in.
    """

    external_id: str
    photo: str
    posted_time: datetime
    caption: str = ""
    channel: Key | None = None
    provider: str = ""
    provider_post_id: str = ""
    permalink: str = ""


class ImportPosts:
    """Takes in past posts. Nothing of them is ever published; their photos are spent."""

    def __init__(self, store: Store, catalog: Catalog, clock: Clock) -> None:
        self._store = store
        self._catalog = catalog
        self._clock = clock

    async def __call__(self, persona: str, posts: Sequence[PastPost]) -> list[PostResult]:
        """A result for each post, in their order; one that is here already is answered as it is.

        Raises NotFound and FailedPrecondition (ARCHIVED) for the persona, and Unavailable.
        """
        await self._catalog.check_persona(persona)
        ids = [post.external_id for post in posts]
        async with self._store.reading() as view:
            known = dict(await view.posts.imported(persona, ids))
        new = [p.photo for p in posts if p.external_id not in known and _is_of(persona, p.photo)]
        photos = await photos_of(self._catalog, new)
        results = []
        async with self._store.changing() as tx:
            channels = {c.key: c for c in await tx.channels.pinned(persona, None)}
            for past in posts:
                outcome: Post | ColonnadeError
                try:
                    outcome = known.get(past.external_id) or await self._add(
                        tx, persona, past, photos, channels
                    )
                    known[past.external_id] = outcome
                except ColonnadeError as error:
                    outcome = error
                results.append(PostResult(past.photo, outcome))
            await tx.commit()
        return results

    async def _add(
        self,
        tx: Changing,
        persona: str,
        past: PastPost,
        photos: Mapping[str, Photo | NotFound],
        channels: Mapping[Key, Channel],
    ) -> Post:
        photo = photos.get(past.photo) or NotFound("photo", past.photo)
        if isinstance(photo, NotFound):
            raise photo
        now = self._clock.now()
        if past.posted_time > now + PAST_GRACE:
            raise InvalidArgument.of("posts.posted_time", "is in the future; schedule the photo")
        if past.channel is not None and past.channel not in channels:
            raise no_channel(past.channel)
        channel = channels[past.channel] if past.channel else None
        post = _post(persona, past, photo, channel, now)
        async with tx.savepoint():
            await tx.posts.add(post, prepare_at=now)
        await tx.history.post_moved(post, None)
        tx.post_events.changed(post)
        return post


def _is_of(persona: str, photo: str) -> bool:
    return PHOTO.parse(photo, "posts.photo")[0] == persona


def _post(
    persona: str, past: PastPost, photo: Photo, channel: Channel | None, now: datetime
) -> Post:
    id = uuid7()
    publication = Publication(
        id=uuid7(),
        persona=persona,
        post=id,
        channel=channel.id if channel else "",
        provider=past.provider or (channel.provider if channel else ELSEWHERE),
        photo_sha256=photo.sha256,
        due_at=past.posted_time,
        media_token=new_media_token(),
        state=PublicationState.POSTED,
        provider_post_id=past.provider_post_id or f"{persona}/{past.external_id}",
        permalink=past.permalink,
        submitted_at=past.posted_time,
        posted_at=past.posted_time,
        ended_at=past.posted_time,
    )
    return Post(
        persona=persona,
        id=id,
        photo=photo.name,
        photo_sha256=photo.sha256,
        pillar=photo.pillar,
        caption=past.caption,
        hashtags=(),
        final_text=past.caption,
        alt_text=photo.alt_text,
        scheduled_time=past.posted_time,
        create_time=now,
        update_time=now,
        publications=(publication,),
        state=PostState.POSTED,
        strategy=IMPORTED,
        posted_time=past.posted_time,
        external_id=past.external_id,
    )
