"""Asking the providers what posts reached."""

import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.counts import LOOKS, Counts, Reached, next_look
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Look, Store
from services.scheduler.providers.base import Measuring, ProviderError
from services.scheduler.usecases.outgoing import Accounts

log = logging.getLogger(__name__)

AT_ONCE: Final = 200
AGAIN_AFTER: Final = timedelta(minutes=15)
_LEASE: Final = timedelta(minutes=30)
# A key may publish and still not be allowed to read numbers; a person has to change that.
_REFUSED_AGAIN_AFTER: Final = timedelta(hours=6)
# What nobody could read for so long is left.
_GIVE_UP_AFTER: Final = LOOKS[-1] + timedelta(days=7)
_NOTHING: Final = Counts()


class CollectResults:
    """Reads the numbers of posts that are out, some times in their first 30 days.

    Nothing here changes a post or a channel: numbers are no reason to stop publishing.
    """

    def __init__(self, store: Store, accounts: Accounts, clock: Clock) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock

    async def __call__(self) -> None:
        """Looks at what is due, longest waiting first; takes a bounded number."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            await tx.results.watch(now - LOOKS[-1], now, LOOKS[0])
            due = await tx.results.claim(now, now + _LEASE, AT_ONCE)
            await tx.commit()
        batches: dict[str, list[Look]] = defaultdict(list)
        for look in due:
            batches[look.batch].append(look)
        for batch, looks in batches.items():
            await self._collect(batch, looks)

    async def _collect(self, batch: str, looks: Sequence[Look]) -> None:
        try:
            counts = await self._ask(batch, looks)
        except ProviderError as error:
            log.warning("cannot read what %d posts reached: %s", len(looks), error.message)
            await self._put_off(looks, _wait(error))
            return
        if counts is None:
            await self._put_off(looks, AGAIN_AFTER)
            return
        now = self._clock.now()
        async with self._store.changing() as tx:
            for look in looks:
                told = counts.get(look.provider_post_id, _NOTHING)
                if told != _NOTHING:
                    await tx.results.keep(look.publication, Reached(told, now))
                await tx.results.postpone(look.publication, next_look(look.posted_at, now))
            await tx.commit()

    async def _ask(self, batch: str, looks: Sequence[Look]) -> Mapping[str, Counts] | None:
        """What the provider tells; None if the requests that are left are needed for sending."""
        async with self._store.reading() as view:
            channels = await view.channels.of_batch(batch) if batch else ()
        if not channels:
            return {}
        account = self._accounts.open(channels[0])
        if not isinstance(account.publisher, Measuring):
            return {}
        if not account.publisher.may_poll(account.channel.credentials):
            return None
        posts = {look.provider_post_id: look.posted_at for look in looks}
        return await account.publisher.measure(account.channel, posts)

    async def _put_off(self, looks: Sequence[Look], wait: timedelta) -> None:
        now = self._clock.now()
        async with self._store.changing() as tx:
            for look in looks:
                await tx.results.postpone(look.publication, _later(look.posted_at, now, wait))
            await tx.commit()


def _wait(error: ProviderError) -> timedelta:
    usual = _REFUSED_AGAIN_AFTER if error.kind is FailureKind.AUTH else AGAIN_AFTER
    return max(usual, timedelta(seconds=error.retry_after or 0.0))


def _later(posted_at: datetime, now: datetime, wait: timedelta) -> datetime | None:
    return now + wait if now - posted_at < _GIVE_UP_AFTER else None
