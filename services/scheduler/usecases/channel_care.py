"""Channels that need attention: when they came to, and whether they are mended."""

import logging
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.channel import Channel, ChannelState
from services.scheduler.domain.names import Key, channel_key
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Store
from services.scheduler.providers.base import ProviderError, RemoteChannel
from services.scheduler.usecases.outgoing import Accounts
from services.scheduler.usecases.pace import Pace

log = logging.getLogger(__name__)

_GONE: Final = "the provider does not list the account any more; connect it there again"


def trouble_of(remote: RemoteChannel) -> str:
    """Why the account cannot be used, as the provider shows it; empty if it can."""
    if remote.is_disconnected:
        return "the account is disconnected at the provider; reconnect it there"
    if remote.is_locked:
        return "the account is locked at the provider; unlock it there"
    if remote.is_queue_paused:
        return "its queue is paused at the provider; resume it there"
    return ""


class ChannelCare:
    """Takes channels out of use that are refused, and back into use once they work."""

    def __init__(self, store: Store, accounts: Accounts, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._accounts = accounts
        self._clock = clock
        self._pace = pace

    async def pause(self, key: Key, reason: str) -> None:
        """Notes that the provider refuses the channel. Once: later refusals change nothing."""
        async with self._store.changing() as tx:
            channel = await tx.channels.locked(key)
            if channel is None or channel.state is not ChannelState.CONNECTED:
                return
            now = self._clock.now()
            check_at = now + self._pace.channel_check_every
            state = ChannelState.NEEDS_ATTENTION
            await tx.channels.save(channel.turned(state, reason, now, check_at))
            await tx.commit()
        log.warning("%s needs attention: %s", channel.name, reason)

    async def check(self, name: str) -> None:
        """Asks the provider whether the channel called ``name`` works again.

        If so, what waited for it goes on.
        """
        key = channel_key(name)
        async with self._store.reading() as view:
            channel = await view.channels.get(key)
        if channel is None or channel.state is not ChannelState.NEEDS_ATTENTION:
            return
        if await self._works(channel):
            await self._resume(key)

    async def look_ahead(self, key: Key) -> None:
        """Asks the provider whether a channel works on which something goes out soon.

        If not, it needs attention from now on. Nothing is asked where that would be a message to
        people's programs, or the requests that are left are needed for sending.
        """
        async with self._store.reading() as view:
            channel = await view.channels.get(key)
        if channel is None or channel.state is not ChannelState.CONNECTED:
            return
        try:
            account = self._accounts.open(channel)
            credentials = account.channel.credentials
            if not channel.provider.lists_posts or not account.publisher.may_poll(credentials):
                return
            remotes = await account.publisher.channels(credentials)
        except ProviderError as error:
            if error.kind is FailureKind.AUTH:
                await self.pause(key, error.message)
            return
        found = next((remote for remote in remotes if remote.id == channel.account), None)
        if trouble := trouble_of(found) if found else _GONE:
            await self.pause(key, trouble)

    async def _works(self, channel: Channel) -> bool:
        try:
            account = self._accounts.open(channel)
            remotes = await account.publisher.channels(account.channel.credentials)
        except ProviderError as error:
            log.info("%s still needs attention: %s", channel.name, error.message)
            return False
        return any(r.id == channel.account and not trouble_of(r) for r in remotes)

    async def _resume(self, key: Key) -> None:
        async with self._store.changing() as tx:
            channel = await tx.channels.locked(key)
            if channel is None or channel.state is not ChannelState.NEEDS_ATTENTION:
                return
            now = self._clock.now()
            await tx.channels.save(channel.turned(ChannelState.CONNECTED, "", now))
            await tx.publications.release_held(key, now, self._pace.lead(channel.provider))
            await tx.commit()
        log.info("%s works again", channel.name)
