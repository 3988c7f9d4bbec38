"""What must be there before a provider is called: a usable channel, a picture, free ground."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from libs.clock import Clock
from libs.errors import ColonnadeError, InvalidArgument, NotFound
from services.scheduler.domain.names import CHANNEL, Key
from services.scheduler.domain.publication import Problem, Publication, PublicationState
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Store
from services.scheduler.providers.base import ProviderError, RemoteState
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.media import Media
from services.scheduler.usecases.outgoing import Account, Accounts
from services.scheduler.usecases.recording import record

log = logging.getLogger(__name__)

_S = PublicationState
AGAIN_AFTER: Final = timedelta(seconds=30)
_REFUSED: Final = (FailureKind.AUTH, FailureKind.EDGE_BLOCK)
_NOTHING_TO_WITHDRAW: Final = (FailureKind.PERMANENT, FailureKind.CLIENT_BUG)


@dataclass(frozen=True, slots=True)
class Ready:
    """A publication that is due, and the account to publish it on."""

    publication: Publication
    account: Account


class Readiness:
    """Prepares publications for their call. None of it can create anything at a provider."""

    def __init__(
        self, store: Store, media: Media, accounts: Accounts, care: ChannelCare, clock: Clock
    ) -> None:
        self._store = store
        self._media = media
        self._accounts = accounts
        self._care = care
        self._clock = clock

    async def __call__(self, id: str) -> Ready | None:
        """None if nothing is to be done now: it is not due, or was put off, or failed."""
        async with self._store.reading() as view:
            post = await view.posts.of_publication(id)
            if post is None or not self.is_due(post.publication(id)):
                return None
            publication = post.publication(id)
            key = Key(publication.persona, publication.channel)
            channel = await view.channels.get(key)
        try:
            if channel is None:
                raise NotFound("channel", CHANNEL.format(*key))
            account = self._accounts.open(channel)
            await self._media.ensure(post)
            if not await self._is_revived(account, publication):
                return Ready(publication, account)
            await self._adopt(id)
        except ProviderError as error:
            await self._refused(id, key, error)
        except (NotFound, InvalidArgument) as error:
            await self._fail(id, error.message)
        except ColonnadeError as error:
            await self._put_off(id, error.message, None)
        return None

    def is_due(self, publication: Publication) -> bool:
        """Whether the provider may be called for it, now."""
        at = publication.next_attempt_at
        is_waiting = publication.state in (_S.READY, _S.RETRY_WAIT)
        return is_waiting and at is not None and at <= self._clock.now()

    async def _is_revived(self, account: Account, publication: Publication) -> bool:
        """Whether the failed post of a former life goes out after all; else it is withdrawn.

        People can send it again on the provider's own pages, before and after they do so here.
        """
        former = publication.provider_post_id
        if not former:
            return False
        due_at = publication.remote_due_at or publication.due_at
        found = await account.publisher.status(account.channel, {former: due_at})
        if any(post.state is not RemoteState.ERROR for post in found):
            return True
        try:
            await account.publisher.withdraw(account.channel, former)
        except ProviderError as error:
            # A post that is not listed, and yet cannot be deleted as gone, may be out.
            if not found or error.kind not in _NOTHING_TO_WITHDRAW:
                raise
            log.warning("%s: the failed post stays: %s", publication.name, error.message)
        return False

    async def _adopt(self, id: str) -> None:
        """Follows the provider's post that went out of a former life, instead of another call."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(id)
            if post is None or not self.is_due(post.publication(id)):
                return
            submitting = post.publication(id).moved(_S.SUBMITTING, now)
            post = await record(tx, post, [submitting], now)
            taken = submitting.moved(_S.SCHEDULED, now, next_attempt_at=now, problem=None)
            await record(tx, post, [taken], now)
            await tx.commit()

    async def _refused(self, id: str, channel: Key, error: ProviderError) -> None:
        if error.kind in _REFUSED:
            await self._care.pause(channel, error.message)
        await self._put_off(id, error.message, error.retry_after)

    async def _fail(self, id: str, message: str) -> None:
        now, problem = self._clock.now(), Problem("NOT_PUBLISHABLE", message)
        await self._change(
            id, lambda due: due.moved(_S.FAILED, now, next_attempt_at=None, problem=problem)
        )

    async def _put_off(self, id: str, reason: str, retry_after: float | None) -> None:
        until = self._clock.now() + max(AGAIN_AFTER, timedelta(seconds=retry_after or 0.0))
        await self._change(id, lambda due: replace(due, next_attempt_at=until, state_reason=reason))

    async def _change(self, id: str, change: Callable[[Publication], Publication]) -> None:
        async with self._store.changing() as tx:
            post = await tx.posts.locked_of_publication(id)
            if post is not None and self.is_due(post.publication(id)):
                await record(tx, post, [change(post.publication(id))], self._clock.now())
                await tx.commit()
