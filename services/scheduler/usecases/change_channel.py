"""Changing channels that are connected: their names and keys, and whether they are in use."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final

from libs.clock import Clock
from libs.rpc.requests import RequestKey
from services.scheduler.domain.approval import APPROVAL_HELD
from services.scheduler.domain.channel import Channel, ChannelState
from services.scheduler.domain.names import Key, channel_key, no_channel
from services.scheduler.ports import Changing, Publishers, Store, Vault
from services.scheduler.providers.base import RemoteChannel
from services.scheduler.usecases.channel_care import trouble_of
from services.scheduler.usecases.channels import account_of, batch_of, check_etag, check_token
from services.scheduler.usecases.pace import Pace
from services.scheduler.usecases.requests import answered, claimed

PAUSED_BY_HAND: Final = "paused by a person"


@dataclass(frozen=True, slots=True)
class ChannelChange:
    """What a channel shall be like; ``token`` empty: it keeps its key."""

    display_name: str
    approval_required: bool = False
    repeat_window_days: int | None = None
    token: str = field(default="", repr=False)


class UpdateChannel:
    """Renames channels and replaces their keys."""

    def __init__(
        self, store: Store, publishers: Publishers, vault: Vault, clock: Clock, pace: Pace
    ) -> None:
        self._store = store
        self._publishers = publishers
        self._vault = vault
        self._clock = clock
        self._pace = pace

    async def __call__(
        self, key: Key, change: Callable[[Channel], ChannelChange], etag: str, request: RequestKey
    ) -> Channel:
        """The channel, changed. A new key mends a channel whose old one was refused.

        Raises InvalidArgument, NotFound, Conflict (STALE_ETAG), FailedPrecondition
        (CREDENTIALS_REFUSED, UNKNOWN_PROVIDER_CHANNEL), OutOfQuota, Unavailable.
        """
        if (name := await answered(self._store, request)) is not None:
            return await self._read(channel_key(name))
        seen = await self._read(key)
        wanted = change(seen)
        remote = await self._tried(seen, wanted.token) if wanted.token else None
        async with self._store.changing() as tx:
            if await claimed(tx, request) is None:
                channel = await _locked(tx, key, etag)
                asked = change(channel)
                changed = replace(
                    channel,
                    display_name=asked.display_name,
                    approval_required=asked.approval_required,
                    repeat_window_days=asked.repeat_window_days,
                    update_time=self._clock.now(),
                    version=channel.version + 1,
                )
                if remote is not None:
                    changed = await self._with_key(tx, changed, wanted.token, remote)
                if channel.approval_required and not changed.approval_required:
                    lead = self._pace.lead(channel.provider)
                    await tx.publications.release_held(
                        key, changed.update_time, lead, APPROVAL_HELD
                    )
                await tx.channels.save(changed)
                await tx.requests.record(request.id, changed.name)
                await tx.commit()
        return await self._read(key)

    async def _tried(self, channel: Channel, token: str) -> RemoteChannel:
        check_token(token)
        publisher = self._publishers.of(channel.provider, channel.endpoint)
        return await account_of(publisher, channel.provider, channel.account, token)

    async def _with_key(
        self, tx: Changing, channel: Channel, token: str, remote: RemoteChannel
    ) -> Channel:
        organization = remote.organization_id
        channel = replace(
            channel,
            sealed_token=self._vault.seal(token),
            organization=organization,
            service=remote.service,
            batch=batch_of(channel.provider, token, organization, channel.endpoint),
            limits=remote.limits,
            token_expires_at=None,
            renew_at=self._clock.now() if channel.provider.renews_tokens else None,
        )
        if channel.state is not ChannelState.NEEDS_ATTENTION:
            return channel
        if trouble := trouble_of(remote):
            return replace(channel, state_reason=trouble)
        await tx.publications.release_held(
            channel.key, self._clock.now(), self._pace.lead(channel.provider)
        )
        return replace(channel, state=ChannelState.CONNECTED, state_reason="", check_at=None)

    async def _read(self, key: Key) -> Channel:
        async with self._store.reading() as view:
            channel = await view.channels.get(key)
        if channel is None:
            raise no_channel(key)
        return channel


class PauseChannel:
    """Takes channels out of use, by a person's wish, and back into use."""

    def __init__(self, store: Store, clock: Clock, pace: Pace) -> None:
        self._store = store
        self._clock = clock
        self._pace = pace

    async def pause(self, key: Key, etag: str, request: RequestKey) -> Channel:
        """The channel, paused. Raises NotFound, Conflict (STALE_ETAG)."""
        async with self._store.changing() as tx:
            is_repeated = await claimed(tx, request) is not None
            channel = await _locked(tx, key, "" if is_repeated else etag)
            if is_repeated or channel.state is ChannelState.PAUSED:
                return channel
            state = ChannelState.PAUSED
            channel = channel.turned(state, PAUSED_BY_HAND, self._clock.now())
            await tx.channels.save(channel)
            await tx.requests.record(request.id, channel.name)
            await tx.commit()
        return channel

    async def resume(self, key: Key, etag: str, request: RequestKey) -> Channel:
        """The channel, in use again if it was paused. Raises NotFound, Conflict (STALE_ETAG)."""
        async with self._store.changing() as tx:
            is_repeated = await claimed(tx, request) is not None
            channel = await _locked(tx, key, "" if is_repeated else etag)
            if is_repeated or channel.state is not ChannelState.PAUSED:
                return channel
            now = self._clock.now()
            channel = channel.turned(ChannelState.CONNECTED, "", now)
            await tx.channels.save(channel)
            await tx.publications.release_held(key, now, self._pace.lead(channel.provider))
            await tx.requests.record(request.id, channel.name)
            await tx.commit()
        return channel


async def _locked(tx: Changing, key: Key, etag: str) -> Channel:
    channel = await tx.channels.locked(key)
    if channel is None:
        raise no_channel(key)
    check_etag(channel, etag)
    return channel
