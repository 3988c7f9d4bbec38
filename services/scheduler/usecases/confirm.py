"""Asking a provider what became of the posts that it has."""

import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.domain.submission import FailureKind
from services.scheduler.domain.timing import CONFIRM_AFTER, next_confirmation
from services.scheduler.ports import Store
from services.scheduler.providers.base import ProviderError, RemotePost, RemoteState
from services.scheduler.usecases.asking import how_they_stand
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.outgoing import Accounts
from services.scheduler.usecases.recording import record

log = logging.getLogger(__name__)

_S = PublicationState
_R = RemoteState
_AT_PROVIDER: Final = (_S.SCHEDULED, _S.PUBLISHING)
LOOKS: Final = (*(timedelta(seconds=s) for s in (2, 5, 15)), *CONFIRM_AFTER)
BATCH: Final = 200
FAILED_READ_AFTER: Final = timedelta(minutes=1)
LONGEST_PAUSE: Final = timedelta(days=1)
_OVERDUE = "the provider has not sent it yet, long after its time; look there"
_MISSING = "missing"
# One look that misses a post may be the provider's mistake, and sending it again would be ours.
_SECOND_LOOK = timedelta(seconds=60)
_DELETED = Problem(
    "REMOTE_DELETED",
    "the provider does not list the post any more; look there before you retry or cancel it",
)


def first_look(due_at: datetime, now: datetime) -> datetime:
    """When to ask first for a post that is due at ``due_at``."""
    return max(now, due_at) + LOOKS[0]


def next_look(due_at: datetime, now: datetime) -> datetime:
    """When to ask next; rarer and rarer once the post is two hours late."""
    return next_confirmation(due_at, now, LOOKS) or now + min(now - due_at, LONGEST_PAUSE)


class Confirm:
    """Follows posts until they are out."""

    def __init__(self, store: Store, accounts: Accounts, care: ChannelCare, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._care = care
        self._clock = clock

    async def __call__(self, batch: str) -> None:
        """Asks, in one query, for all due publications on the channels of ``batch``."""
        now = self._clock.now()
        async with self._store.reading() as view:
            publications = await view.publications.to_confirm(batch, now, BATCH)
            channels = await view.channels.of_batch(batch)
        if not publications or not channels:
            return
        try:
            await self.ask(channels[0], publications)
        except ProviderError as error:
            await self._could_not_ask([c.key for c in channels], publications, error)

    async def ask(
        self, channel: Channel, publications: Sequence[Publication]
    ) -> Sequence[Publication]:
        """Asks, in one query, for publications that can be read through ``channel``.

        Answers them as they are now. Raises ``ProviderError``.
        """
        found = await how_they_stand(self._accounts.open(channel), publications)
        return [await self._apply(p, found.get(p.provider_post_id)) for p in publications]

    async def _could_not_ask(
        self, channels: Sequence[Key], publications: Sequence[Publication], error: ProviderError
    ) -> None:
        if error.kind is FailureKind.AUTH:
            for key in channels:
                await self._care.pause(key, error.message)
        wait = max(FAILED_READ_AFTER, timedelta(seconds=error.retry_after or 0.0))
        log.warning("cannot ask for %d posts: %s", len(publications), error.message)
        await self._put_off(publications, self._clock.now() + wait)

    async def _put_off(self, publications: Sequence[Publication], until: datetime) -> None:
        async with self._store.changing() as tx:
            # In one order, as others may put off the same at once.
            for publication in sorted(publications, key=lambda each: each.id):
                await tx.publications.postpone(publication.id, until)
            await tx.commit()

    async def _apply(self, asked: Publication, remote: RemotePost | None) -> Publication:
        now = self._clock.now()
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(asked.id)
            assert post is not None, "posts are never removed"
            publication = post.publication(asked.id)
            is_same = publication.provider_post_id == asked.provider_post_id
            if not is_same or publication.state not in _AT_PROVIDER:
                return publication
            changed = confirmed(publication, remote, now)
            if replace(changed, next_attempt_at=publication.next_attempt_at) == publication:
                await tx.publications.postpone(publication.id, changed.next_attempt_at or now)
            else:
                await record(tx, post, [changed], now)
            await tx.commit()
        return changed


def is_missing(publication: Publication) -> bool:
    """Whether the last look did not find it, and the next decides whether it is gone."""
    return publication.provider_state == _MISSING


def confirmed(publication: Publication, remote: RemotePost | None, now: datetime) -> Publication:
    """The publication as the provider's answer leaves it; None means that it is gone there."""
    if remote is None and is_missing(publication) and now < (publication.next_attempt_at or now):
        return publication  # somebody asked before it is time for the second look
    if remote is None and not is_missing(publication):
        return replace(publication, provider_state=_MISSING, next_attempt_at=now + _SECOND_LOOK)
    if remote is None:
        return publication.moved(
            _S.NEEDS_REVIEW,
            now,
            state_reason=_DELETED.message,
            next_attempt_at=None,
            provider_state="",
            problem=_DELETED,
        )
    publication = replace(publication, provider_state=remote.state)
    match remote.state:
        case _R.SENT:
            return publication.moved(
                _S.POSTED,
                now,
                next_attempt_at=None,
                permalink=remote.external_link or "",
                posted_at=remote.sent_at or now,
                problem=None,
            )
        case _R.ERROR:
            message = remote.error_message or "the provider could not publish it"
            problem = Problem("PUBLISH_FAILED", message, support_uri=remote.support_url or "")
            return publication.moved(
                _S.FAILED, now, state_reason=message, next_attempt_at=None, problem=problem
            )
        case _R.SENDING if publication.state is _S.SCHEDULED:
            return _waiting(publication.moved(_S.PUBLISHING, now), remote, now)
        case _:
            return _waiting(publication, remote, now)


def _waiting(publication: Publication, remote: RemotePost, now: datetime) -> Publication:
    # People may give a post another time on the provider's own pages.
    due_at = remote.due_at or publication.remote_due_at or publication.due_at
    is_late = next_confirmation(due_at, now, LOOKS) is None
    return replace(
        publication,
        remote_due_at=due_at,
        next_attempt_at=next_look(due_at, now),
        state_reason=_OVERDUE if is_late else "",
    )
