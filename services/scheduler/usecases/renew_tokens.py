"""Getting new tokens for channels before the old ones end."""

import logging
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from libs.clock import Clock
from services.scheduler.domain.channel import Channel
from services.scheduler.domain.names import Key
from services.scheduler.domain.submission import FailureKind
from services.scheduler.ports import Store, Vault
from services.scheduler.providers.base import ProviderError, Renewal, Renewing
from services.scheduler.usecases.channel_care import ChannelCare
from services.scheduler.usecases.channels import batch_of
from services.scheduler.usecases.outgoing import Accounts

log = logging.getLogger(__name__)

# Providers refuse to renew a token on the day on which they made it.
AGAIN_AFTER: Final = timedelta(days=1)
BEFORE_END: Final = timedelta(days=30)
_AT_ONCE: Final = 20


class RenewTokens:
    """Renews the tokens of providers that give a new one for the old."""

    def __init__(
        self, store: Store, accounts: Accounts, vault: Vault, care: ChannelCare, clock: Clock
    ) -> None:
        self._store = store
        self._accounts = accounts
        self._vault = vault
        self._care = care
        self._clock = clock

    async def __call__(self) -> None:
        """Renews those that are due; one that could not be renewed is tried again a day later."""
        now = self._clock.now()
        async with self._store.changing() as tx:
            due = await tx.channels.to_renew(now, now + AGAIN_AFTER, _AT_ONCE)
            await tx.commit()
        for key in due:
            await self._renew(key)

    async def _renew(self, key: Key) -> None:
        async with self._store.reading() as view:
            channel = await view.channels.get(key)
        if channel is None:
            return
        try:
            account = self._accounts.open(channel)
            assert isinstance(account.publisher, Renewing), "others have no time to renew at"
            renewal = await account.publisher.renew(account.channel.credentials)
        except ProviderError as error:
            # A token that was refused here is refused for posts as well, but for its first day.
            log.warning("the token of %s was not renewed: %s", channel.name, error.message)
            if error.kind is FailureKind.AUTH and self._has_ended(channel):
                await self._care.pause(key, error.message)
            return
        await self._store_token(channel, renewal)

    def _has_ended(self, channel: Channel) -> bool:
        ends_at = channel.token_expires_at
        return ends_at is not None and ends_at <= self._clock.now()

    async def _store_token(self, asked: Channel, renewal: Renewal) -> None:
        now = self._clock.now()
        async with self._store.changing() as tx:
            channel = await tx.channels.locked(asked.key)
            # A person may have given it another key in the meantime.
            if channel is None or channel.sealed_token != asked.sealed_token:
                return
            renewed = replace(
                channel,
                sealed_token=self._vault.seal(renewal.token),
                batch=batch_of(
                    channel.provider, renewal.token, channel.organization, channel.endpoint
                ),
                token_expires_at=renewal.expires_at,
                renew_at=next_renewal(renewal.expires_at, now),
                update_time=now,
                version=channel.version + 1,
            )
            await tx.channels.save(renewed)
            await tx.commit()
        log.info("the token of %s lasts until %s", asked.name, renewal.expires_at.date())


def next_renewal(expires_at: datetime, now: datetime) -> datetime:
    """When to renew a token that ends at ``expires_at``."""
    return max(now + AGAIN_AFTER, expires_at - BEFORE_END)
