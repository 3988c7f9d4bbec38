"""Watching what is out, for thirty days."""

import logging
from datetime import timedelta
from typing import Final

from libs.clock import Clock
from libs.jobs.queue import JobQueue
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Store
from services.scheduler.providers.base import ProviderError
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.remote_look import RemoteLook
from services.scheduler.usecases.tasks import CHECK_REMOTE, QUEUE

log = logging.getLogger(__name__)

AT_ONCE: Final = 50
# What could not be asked for, or was claimed by a worker that died, is looked at again then.
AGAIN_AFTER: Final = timedelta(minutes=15)
_LIMIT: Final = 1000


class WatchRemote:
    """Finds what should be looked at, and tells the workers of it, account by account."""

    def __init__(self, store: Store, queue: JobQueue, clock: Clock) -> None:
        self._store = store
        self._queue = queue
        self._clock = clock

    async def __call__(self) -> None:
        """One look for work."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            await tx.remote_checks.watch(now, _LIMIT)
            await tx.remote_checks.leave(now)
            batches = await tx.remote_checks.due(now, _LIMIT)
            await tx.commit()
        for batch in batches:
            await self._queue.enqueue(CHECK_REMOTE, batch, QUEUE)


class CheckRemote:
    """Looks at what is out on the channels of a batch."""

    def __init__(self, store: Store, look: RemoteLook, care: ChannelCare, clock: Clock) -> None:
        self._store = store
        self._look = look
        self._care = care
        self._clock = clock

    async def __call__(self, batch: str) -> None:
        """Looks at everything that should be looked at by now."""
        while await self._some(batch):
            pass

    async def _some(self, batch: str) -> bool:
        """Looks at some of it; whether there may be more."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            channels = await tx.channels.of_batch(batch)
            posts = await tx.remote_checks.claim(batch, now, now + AGAIN_AFTER, AT_ONCE)
            await tx.commit()
        if not channels or not posts:
            return False
        try:
            await self._look(channels[0], posts)
        except ProviderError as error:
            log.warning("cannot look at %d posts: %s", len(posts), error.message)
            if error.kind is FailureKind.AUTH:
                for channel in channels:
                    await self._care.pause(channel.key, error.message)
            return False
        return len(posts) == AT_ONCE
