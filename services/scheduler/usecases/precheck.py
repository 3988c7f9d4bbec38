"""Looking over what is due soon, while people have time to mend it."""

import logging
from dataclasses import replace
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.channel import Provider
from services.scheduler.domain.names import Key
from services.scheduler.domain.post import Post
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.ports import PictureProbe, Store
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.outgoing import Outgoing
from services.scheduler.usecases.recording import record

log = logging.getLogger(__name__)

MEDIA_UNREACHABLE: Final = "MEDIA_UNREACHABLE"
_WAITING: Final = (PublicationState.READY, PublicationState.RETRY_WAIT)
_AT_ONCE: Final = 200
_UNMADE: Final = "it has not been made yet; is the catalog away?"


class Precheck:
    """Looks a day and an hour before: at the account, and at the picture where it is fetched.

    An account that cannot be used is taken out of use now, and is looked at until it is mended. A
    picture that cannot be had is told with the post and keeps nothing back: from here it may look
    otherwise than from the provider's side.
    """

    def __init__(
        self, store: Store, care: ChannelCare, outgoing: Outgoing, probe: PictureProbe, clock: Clock
    ) -> None:
        self._store = store
        self._care = care
        self._outgoing = outgoing
        self._probe = probe
        self._clock = clock

    async def __call__(self) -> None:
        """Looks over those whose time it is. One whose look is cut short has its next one."""
        async with self._store.changing() as tx:
            ids = await tx.prechecks.claim(self._clock.now(), _AT_ONCE)
            await tx.commit()
        seen: set[Key] = set()
        for id in ids:
            async with self._store.reading() as view:
                post = await view.posts.of_publication(id)
            if post is None:
                continue
            publication = post.publication(id)
            channel = Key(publication.persona, publication.channel)
            if channel not in seen:
                seen.add(channel)
                await self._care.look_ahead(channel)
            if Provider(publication.provider).fetches_pictures:
                await self._tell(id, await self._trouble(post, publication))

    async def _trouble(self, post: Post, publication: Publication) -> str:
        if post.media is None:
            return _UNMADE
        request = self._outgoing.request(post, publication, publication.due_at, ())
        return await self._probe.trouble(request.images[0].url)

    async def _tell(self, id: str, why: str) -> None:
        """Notes with the publication why its picture cannot be had, or that it can again."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(id)
            if post is None:
                return
            publication = post.publication(id)
            known = publication.problem
            is_ours = known is None or known.reason == MEDIA_UNREACHABLE
            if publication.state not in _WAITING or not is_ours:
                return
            problem = None
            if why:
                text = f"its picture cannot be fetched at its address: {why}"
                problem = Problem(MEDIA_UNREACHABLE, text, retryable=True)
                log.warning("%s, due %s: %s", publication.name, publication.due_at, text)
            await record(tx, post, [replace(publication, problem=problem)], now)
            await tx.commit()
